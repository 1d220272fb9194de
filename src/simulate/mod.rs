//! Traffic of a simulated shop: sessions with tastes, the funnel from view to purchase, and some dirty records.
//!
//! - [`Catalog`]: items in categories, a few of them popular; `products`: their titles, prices and pictures.
//! - [`Simulation`]: many visits at once: who comes, when, how many clicks; as a stream of records in time order.
//! - [`session`](mod@session): one visit's clicks.
//! - [`dirt`](mod@dirt): dirty records.
//!
//! The same configuration gives the same bytes, so that runs can be repeated and their results counted.

mod catalog;
mod config;
mod dirt;
mod products;
mod session;
mod simulation;
#[cfg(test)]
mod tests;

pub use catalog::Catalog;
pub use config::SimulationConfig;
pub use simulation::{Record, Simulation, Tally};
