use std::str::FromStr;

use super::AlsError;

/// How a row's normal equations are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// A few conjugate-gradient steps from the row's last value: `d n` a step for a row of `n` interactions.
    ConjugateGradient {
        /// How many; three are enough in practice, as later iterations go on from here.
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
    pub(super) fn is_exact(self, n: usize) -> bool {
        match self {
            Self::Cholesky => true,
            Self::ConjugateGradient { steps } => n <= 4 * steps,
            Self::Block { size } => n <= size,
        }
    }
}

impl Default for Solver {
    fn default() -> Self {
        Self::ConjugateGradient { steps: 3 }
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// Dimensions of taste space.
    pub factors: usize,
    /// How often both sides are solved.
    pub iterations: usize,
    /// λ: how much large factors cost.
    pub regularization: f32,
    /// How much confidence a unit of weight gives: `c = 1 + alpha · weight` (Hu et al.). Rendle et al. weigh the
    /// unobserved pairs instead (α₀); with their regularization scaled along, `alpha = 1 / α₀`.
    pub alpha: f32,
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
            solver: Solver::default(),
            seed: 42,
        }
    }
}

impl Params {
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
        check(positive(self.alpha), "alpha", self.alpha.to_string(), "above 0")
    }
}
