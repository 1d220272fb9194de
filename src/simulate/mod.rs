//! Traffic of a shop that does not exist: sessions with tastes, the funnel from view to purchase, and some dirt.
//!
//! - [`Catalogue`]: items in categories, a few of them popular.
//! - [`session`](mod@session): one visit, click by click.
//! - [`Simulation`]: many visits at once, in the order of time, as records for a stream.
//! - [`dirt`](mod@dirt): records as they should not be.
//!
//! The same configuration gives the same bytes, so that a run can be repeated and counted.

mod catalogue;
mod config;
mod dirt;
mod session;
mod simulation;
#[cfg(test)]
mod tests;

pub use catalogue::Catalogue;
pub use config::SimulationConfig;
pub use simulation::{Record, Simulation, Tally};
