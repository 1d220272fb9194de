use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AlsError;

/// How a row's normal equations are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Solver {
    /// A few conjugate-gradient steps from the row's last value: `d n` a step for a row of `n` interactions.
    ConjugateGradient {
        /// How many; two are enough in practice, as later iterations go on from here.
        steps: usize,
    },
    /// Exact, by the smaller of two systems: `n² d + n³` or `n d² + d³`.
    Cholesky,
    /// One block of dimensions after another, each exactly (iALS++): `n d size + d size²`.
    Block {
        /// Dimensions of a block; no more than the factors have are used.
        size: usize,
    },
}

impl Solver {
    /// [`Solver::Block`] of the size that is fastest in practice.
    pub const BLOCK: Self = Self::Block { size: 32 };

    /// Whether a row of `n` interactions is solved exactly: always by [`Solver::Cholesky`], and by the others where that
    /// costs less than their own way.
    pub fn is_exact(self, n: usize) -> bool {
        match self {
            Self::Cholesky => true,
            Self::ConjugateGradient { steps } => n <= 2 * steps,
            Self::Block { size } => n <= size,
        }
    }
}

impl Default for Solver {
    fn default() -> Self {
        Self::ConjugateGradient { steps: 8 }
    }
}

impl fmt::Display for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConjugateGradient { .. } => "cg",
            Self::Cholesky => "cholesky",
            Self::Block { .. } => "block",
        })
    }
}

impl FromStr for Solver {
    type Err = AlsError;

    fn from_str(text: &str) -> Result<Self, AlsError> {
        match text {
            "cg" => Ok(Self::default()),
            "cholesky" => Ok(Self::Cholesky),
            "block" => Ok(Self::BLOCK),
            _ => Err(AlsError::Parameter {
                name: "solver",
                value: format!("'{text}'"),
                expected: "'cg', 'block' or 'cholesky'",
            }),
        }
    }
}

/// What training goes by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Dimensions of taste space.
    pub factors: usize,
    /// How often both sides are solved.
    pub iterations: usize,
    /// λ: how much large factors cost.
    pub regularization: f32,
    /// How much confidence a unit of weight gives: `c = 1 + alpha · weight` (Hu et al.).
    pub alpha: f32,
    /// ν: how much more large factors cost in rows of many interactions, from 0 (no more) to 1; see [`Objective`].
    pub nu: f32,
    /// Random factors start with the standard deviation `init_scale / √factors`.
    pub init_scale: f32,
    /// For each row.
    pub solver: Solver,
    /// Where the item factors start.
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            factors: 64,
            iterations: 15,
            regularization: 0.1,
            alpha: 20.0,
            nu: 0.0,
            init_scale: 0.1,
            solver: Solver::default(),
            seed: 42,
        }
    }
}

/// What training makes small, as far as it is more than the data.
///
/// Frequency-scaled regularization (Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item
/// Recommendation Benchmarks", RecSys 2022): a row of `n` interactions has `λ_row = λ (n + α₀ · others)^ν`, with as many
/// `others` as the other side has rows. They give observed pairs the weight 1 and all pairs α₀, where Hu et al. give
/// `alpha` and 1. Divided by `alpha` (and for weights of 1) ours is their loss with `α₀ = 1 / alpha`, their λ times
/// `alpha`, and the target `1 + α₀` for observed pairs in the place of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// λ
    pub regularization: f32,
    /// Confidence of a unit of weight.
    pub alpha: f32,
    /// ν
    pub nu: f32,
}

impl Objective {
    /// The regularization of a row of `n` interactions.
    pub(super) fn of_row(&self, n: usize, others: usize) -> f32 {
        self.regularization * (n as f32 + others as f32 / self.alpha).powf(self.nu)
    }
}

impl Params {
    /// The `alpha` that suits so many items where nobody has measured another: what a row has not interacted with weighs,
    /// all together, as much as twenty interactions of weight 1. Never less than 20.
    pub fn usual_alpha(items: usize) -> f32 {
        (items as f32 / 20.0).max(20.0)
    }

    /// The part of them that a fold-in goes by too.
    pub fn objective(&self) -> Objective {
        Objective {
            regularization: self.regularization,
            alpha: self.alpha,
            nu: self.nu,
        }
    }

    /// # Errors
    /// When a parameter is out of range.
    pub fn validate(&self) -> Result<(), AlsError> {
        let check = |ok: bool, name, value: String, expected| {
            if ok {
                Ok(())
            } else {
                Err(AlsError::Parameter { name, value, expected })
            }
        };
        check(
            (1..=1_024).contains(&self.factors),
            "factors",
            self.factors.to_string(),
            "from 1 to 1024",
        )?;
        check(
            (1..=1_000).contains(&self.iterations),
            "iterations",
            self.iterations.to_string(),
            "from 1 to 1000",
        )?;
        let positive = |value: f32| value.is_finite() && value > 0.0;
        check(
            positive(self.regularization),
            "regularization",
            self.regularization.to_string(),
            "above 0",
        )?;
        check(positive(self.alpha), "alpha", self.alpha.to_string(), "above 0")?;
        check((0.0..=1.0).contains(&self.nu), "nu", self.nu.to_string(), "from 0 to 1")?;
        let (name, size) = match self.solver {
            Solver::ConjugateGradient { steps } => ("steps", steps),
            Solver::Block { size } => ("size", size),
            Solver::Cholesky => ("", 1),
        };
        check(size > 0, name, size.to_string(), "above 0")?;
        check(
            positive(self.init_scale),
            "init_scale",
            self.init_scale.to_string(),
            "above 0",
        )
    }
}
