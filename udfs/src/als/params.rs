//! The hyperparameters of training: factors, iterations, alpha, regularization, the solver (`cg`, `block`, `cholesky`);
//! their defaults and what is allowed (`validate`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AlsError;

/// How a row's normal equations are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Solver {
    /// A few conjugate-gradient steps from the row's last value: `d n` per step for a row with `n` interactions.
    ConjugateGradient {
        /// The number of steps; two are enough in practice, because later iterations continue from there.
        steps: usize,
    },
    /// Exact, using the smaller of two systems: `n² d + n³` or `n d² + d³`.
    Cholesky,
    /// One block of dimensions after another, each exactly (iALS++): `n d size + d size²`.
    Block {
        /// Dimensions per block; capped at the number of factors.
        size: usize,
    },
}

impl Solver {
    /// [`Solver::Block`] with the size that is fastest in practice.
    pub const BLOCK: Self = Self::Block { size: 32 };

    /// Whether a row with `n` interactions is solved exactly: always by [`Solver::Cholesky`], and by the others if that
    /// is cheaper than their own method.
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

/// The hyperparameters of training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The number of latent dimensions.
    pub factors: usize,
    /// How many times both sides are solved.
    pub iterations: usize,
    /// λ: the penalty on large factors.
    pub regularization: f32,
    /// The confidence per unit of weight: `c = 1 + alpha · |weight|` (Hu et al.).
    pub alpha: f32,
    /// ν: how much the penalty grows with a row's number of interactions, from 0 (not at all) to 1; see [`Objective`].
    pub nu: f32,
    /// Random factors have the initial standard deviation `init_scale / √factors`.
    pub init_scale: f32,
    /// The solver for each row.
    pub solver: Solver,
    /// The seed of the initial item factors.
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

/// The parameters of the objective that training minimizes.
///
/// Frequency-scaled regularization (Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item
/// Recommendation Benchmarks", RecSys 2022): a row of `n` interactions has `λ_row = λ (n + α₀ · others)^ν`, where
/// `others` is the number of rows on the other side. They give observed pairs the weight 1 and all pairs α₀, where Hu
/// et al. give `alpha` and 1. Divided by `alpha` (and for weights of 1), our loss is theirs with `α₀ = 1 / alpha`,
/// their λ times `alpha`, and the target `1 + α₀` instead of 1 for observed pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// λ
    pub regularization: f32,
    /// The confidence per unit of weight.
    pub alpha: f32,
    /// ν
    pub nu: f32,
}

impl Objective {
    /// The regularization of a row with `n` interactions.
    pub(super) fn of_row(&self, n: usize, others: usize) -> f32 {
        self.regularization * (n as f32 + others as f32 / self.alpha).powf(self.nu)
    }
}

impl Params {
    /// A default `alpha` for this many items if none has been tuned: all items that a row has not interacted with weigh
    /// as much together as twenty interactions of weight 1. At least 20.
    pub fn usual_alpha(items: usize) -> f32 {
        (items as f32 / 20.0).max(20.0)
    }

    /// The part of the parameters that also applies to fold-in.
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
