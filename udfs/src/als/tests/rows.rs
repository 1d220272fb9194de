//! Compares single rows with their equations in `f64`.

use super::*;
use crate::als::block::blocks;
use crate::als::solve::{Row, Side, Workspace, cholesky, conjugate_gradient};
use crate::als::spectrum::Spectrum;
use crate::als::train::turned;
use crate::als::{RowEquations, RowSolver};

/// A fixed side, and a row of the other side.
struct Equations {
    fixed: Factors,
    spectrum: Spectrum,
    turned: Factors,
    items: Vec<u32>,
    weights: Vec<f32>,
}

impl Equations {
    /// Repeated items are not a special case. About a third of the weights are dislikes.
    fn random(seed: u64, d: usize, clicks: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let fixed = Factors::from_vec(50, d, (0..50 * d).map(|_| random.random_range(-1.0..1.0)).collect()).unwrap();
        let spectrum = Spectrum::of(&fixed).unwrap();
        Self {
            turned: turned(&fixed, &spectrum),
            spectrum,
            fixed,
            items: (0..clicks).map(|_| random.random_range(0..50)).collect(),
            weights: (0..clicks)
                .map(|_| random.random_range(0.1_f32..3.0) * if random.random_bool(0.3) { -1.0 } else { 1.0 })
                .collect(),
        }
    }

    fn solve(&self, solver: impl Fn(Side<'_>, Row<'_>, &mut [f32], &mut Workspace)) -> Vec<f32> {
        let side = Side {
            turned: &self.turned,
            spectrum: self.spectrum.values(),
            alpha: 2.0,
        };
        let row = Row {
            items: &self.items,
            weights: &self.weights,
            regularization: 1.0,
        };
        let mut x = vec![0.0; self.fixed.dims()];
        solver(side, row, &mut x, &mut Workspace::default());
        let mut back = x.clone();
        self.spectrum.turn_back(&x, &mut back);
        back
    }

    /// `|A x − b| / |b|` in `f64`, from the definition, in the coordinates of the factors.
    fn residual(&self, x: &[f32]) -> f64 {
        let mut error: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let mut right = vec![0.0; x.len()];
        let mut add = |item: usize, confidence: f64, target: f64| {
            let y = self.fixed.row(item);
            let score: f64 = y.iter().zip(x).map(|(y, x)| f64::from(*y) * f64::from(*x)).sum();
            for ((error, right), y) in error.iter_mut().zip(&mut right).zip(y) {
                *error += (confidence * score - target) * f64::from(*y);
                *right += target * f64::from(*y);
            }
        };
        (0..self.fixed.rows()).for_each(|item| add(item, 1.0, 0.0));
        for (item, weight) in self.items.iter().zip(&self.weights) {
            let confidence = 2.0 * f64::from(weight.abs());
            let target = if *weight > 0.0 { 1.0 + confidence } else { 0.0 };
            add(*item as usize, confidence, target);
        }
        let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        length(&error) / length(&right).max(1e-12)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_solver_solves_the_equations(seed in any::<u64>(), d in 1_usize..80, clicks in 1_usize..40) {
        // Few clicks use the smaller system, many the larger one.
        let equations = Equations::random(seed, d, clicks);
        let x = equations.solve(|side, row, x, workspace| cholesky(side, row, x, workspace).unwrap());
        prop_assert!(equations.residual(&x) < 1e-3);
        // Each call stops once the residual is a tenth of its initial value.
        let x = equations.solve(|side, row, x, workspace| {
            for _ in 0..6 {
                conjugate_gradient(side, row, x, clicks + 4, workspace);
            }
        });
        prop_assert!(equations.residual(&x) < 1e-2);
        let x = equations.solve(|side, row, x, workspace| blocks(side, row, x, d, workspace).unwrap());
        prop_assert!(equations.residual(&x) < 1e-3, "one block is the exact solution");
    }

    #[test]
    fn passes_over_blocks_come_ever_closer(seed in any::<u64>(), d in 2_usize..60, size in 1_usize..8) {
        let equations = Equations::random(seed, d, 30);
        let after = |passes: usize| {
            let x = equations.solve(|side, row, x, workspace| {
                for _ in 0..passes {
                    blocks(side, row, x, size, workspace).unwrap();
                }
            });
            equations.residual(&x)
        };
        prop_assert!(after(400) < 2e-2, "{} {} {}", after(1), after(20), after(400));
    }
}

#[test]
fn a_row_of_its_vectors_alone_is_the_row_of_the_matrix() {
    // The last cases are summed up, in two parts that are joined.
    for (seed, d, clicks) in [(1, 8, 3), (2, 8, 15), (3, 16, 16), (4, 5, 0), (5, 8, 40), (6, 4, 600)] {
        let equations = Equations::random(seed, d, clicks);
        let params = Params {
            factors: d,
            alpha: 2.0,
            regularization: 0.3,
            nu: 0.5,
            ..Params::default()
        };
        let known = FoldIn::new(&equations.fixed, params.regularization, params.alpha)
            .unwrap()
            .with_nu(params.nu);
        let mut expected = vec![0.0; d];
        known
            .solve(&equations.items, &equations.weights, &mut expected)
            .unwrap();
        let gramian: Vec<f64> = gramian(&equations.fixed).into_iter().map(f64::from).collect();
        let solver = RowSolver::new(&gramian, equations.fixed.rows(), &params).unwrap();
        let mut parts = [RowEquations::default(), RowEquations::default()];
        for (place, (item, weight)) in equations.items.iter().zip(&equations.weights).enumerate() {
            let vector = equations.fixed.row(*item as usize);
            solver
                .add(&mut parts[usize::from(place % 3 == 0)], vector, *weight)
                .unwrap();
        }
        let [mut row, other] = parts;
        solver.join(&mut row, other).unwrap();
        assert_eq!(row.added > 0, clicks > 2 * d, "many vectors are not kept");
        assert!(row.weights.len() <= 2 * d);
        let found = solver.solve(&row).unwrap();
        for (a, b) in expected.iter().zip(&found) {
            assert!((a - b).abs() < 1e-4, "{expected:?} beside {found:?}");
        }
    }
}

#[test]
fn a_row_of_dislikes_alone_has_no_taste() {
    for clicks in [3, 40] {
        let mut equations = Equations::random(9, 8, clicks);
        equations.weights.iter_mut().for_each(|weight| *weight = -weight.abs());
        let exact = equations.solve(|side, row, x, workspace| cholesky(side, row, x, workspace).unwrap());
        let stepped = equations.solve(|side, row, x, workspace| conjugate_gradient(side, row, x, 8, workspace));
        let blockwise = equations.solve(|side, row, x, workspace| blocks(side, row, x, 3, workspace).unwrap());
        assert_eq!([exact, stepped, blockwise], [vec![0.0; 8], vec![0.0; 8], vec![0.0; 8]]);
    }
}

#[test]
fn vectors_that_do_not_fit_are_refused() {
    let params = Params {
        factors: 2,
        ..Params::default()
    };
    assert!(
        RowSolver::new(&[1.0; 3], 1, &params).is_err(),
        "a Gramian of another size"
    );
    assert!(RowSolver::new(&[f64::NAN; 4], 1, &params).is_err());
    let solver = RowSolver::new(&[1.0, 0.0, 0.0, 1.0], 1, &params).unwrap();
    let mut row = RowEquations::default();
    assert!(
        solver.add(&mut row, &[1.0, 2.0, 3.0], 1.0).is_err(),
        "a vector too long"
    );
    assert!(
        solver.add(&mut row, &[1.0, 2.0], f32::NAN).is_err(),
        "a weight that is no number"
    );
    let other = RowEquations {
        right: vec![1.0],
        added: 1,
        ..RowEquations::default()
    };
    assert!(solver.join(&mut row, other).is_err(), "sums of another size");
    assert_eq!(row, RowEquations::default());
}
