//! Alternating least squares for implicit feedback, independent of SQL and Arrow.
//!
//! A visit is not a rating: it only raises our confidence that a user (here a session) likes an item. Hu, Koren and
//! Volinsky ("Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008) give every pair a preference `p` (1
//! where there was an interaction, 0 elsewhere) and a confidence `c = 1 + alpha · |weight|`, and look for user factors
//! `x` and item factors `y` that minimize
//!
//! ```text
//! Σ_ui c_ui (p_ui − x_u·y_i)² + λ (Σ_u |x_u|² + Σ_i |y_i|²)
//! ```
//!
//! A weight below 0 is a dislike: the preference is 0, as for a pair without an interaction, but with the confidence of
//! the weight. (Hu et al. allow it: preference and confidence are separate. `implicit` reads negative values the same
//! way.)
//!
//! With one side fixed, the other has a closed-form solution per row: `(YᵀY + Yᵀ(C−I)Y + λI) x = YᵀC p`. `YᵀY`, the
//! Gramian, is the same for all rows; the cost of the rest is proportional to the row's interactions. Rows are solved
//! in the Gramian's own coordinates, where it is diagonal and therefore costs next to nothing as well.
//!
//! - [`Interactions`]: the sparse matrix, by user and by item.
//! - [`Params`], [`Solver`]: the hyperparameters; [`Objective`]: regularization scaled by a row's number of
//!   interactions.
//! - [`train`], [`train_from`]: alternate half-steps, from random or known factors; [`loss`]: the sum above.
//! - [`Holdout`]: interactions hidden from training, to stop when it ranks them best.
//! - `spectrum`: the Gramian's coordinates.
//! - `solve`, `block`: one row, by conjugate gradients (Takács, Pilászy, Tikk, "Applications of the conjugate gradient
//!   method for implicit feedback collaborative filtering", RecSys 2011), exactly by Cholesky, or block by block
//!   (iALS++; Rendle, Krichene, Zhang, Koren, 2021).
//! - [`RowSolver`]: half-steps whose factors are spread over several processes.
//! - [`FoldIn`]: the factors of a user that training has not seen.
//! - [`ItemIndex`], [`similar`] (`top_k`): the best and the most similar items; `quantized`, `quantized_query`: a copy
//!   of the factors in eight bits, which is searched first.
//! - `gramian`, `product`, `kernels`: the sums, products and inner loops that the others share.
//!
//! Everything but the loss is `f32`. Results depend on the data and the seed, never on the number of threads.

mod block;
mod error;
mod factors;
mod fold_in;
mod gramian;
mod holdout;
mod interactions;
mod kernels;
mod loss;
mod model;
mod params;
mod product;
mod quantized;
mod quantized_query;
mod row_solver;
mod solve;
mod spectrum;
#[cfg(test)]
mod tests;
mod top_k;
mod train;

pub use error::AlsError;
pub use factors::Factors;
pub use fold_in::FoldIn;
pub use gramian::gramian;
pub use holdout::{Holdout, train_until_best};
pub use interactions::Interactions;
pub use loss::{error_of, loss};
pub use model::{Model, start_row};
pub use params::{Objective, Params, Solver};
pub use row_solver::{RowEquations, RowSolver};
pub use top_k::{ItemIndex, Seen, similar};
pub use train::{Each, train, train_from, training_bytes};
