//! Metrics that compare a list of items with the rest of a session, one per file, each between 0 and 1.
//!
//! Next-item metrics use the rank of the next item; rest-of-session metrics use the set of distinct items still to
//! come. Items seen before count if they occur again.
//!
//! - Of the next item: `hit_rate` (HR), `reciprocal_rank` (MRR), both from its `rank`.
//! - Of the rest of the session: `precision`, `recall`, `ndcg` (NDCG), `average_precision` (MAP).
//! - Of all lists: `coverage`, `popularity_bias`.

mod average_precision;
mod coverage;
mod hit_rate;
mod ndcg;
mod popularity_bias;
mod precision;
mod rank;
mod recall;
mod reciprocal_rank;

pub use average_precision::average_precision;
pub use coverage::coverage;
pub use hit_rate::hit_rate;
pub use ndcg::ndcg;
pub use popularity_bias::popularity_bias;
pub use precision::precision;
pub use rank::rank;
pub use recall::recall;
pub use reciprocal_rank::reciprocal_rank;
