#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

mod dislikes;
mod holdout;
mod rows;

fn quiet() -> impl FnMut(usize, &dyn Fn() -> f64) {
    |_, _| {}
}

/// Users with two tastes: each clicks only items of its own half.
fn planted(users: usize, items: usize) -> Interactions {
    let mut random = StdRng::seed_from_u64(7);
    let mut triples = vec![];
    for user in 0..users {
        for _ in 0..8 {
            let item = random.random_range(0..items / 2) * 2 + user % 2;
            triples.push((user as u32, item as u32, 1.0));
        }
    }
    Interactions::from_triples(users, items, triples).unwrap()
}

fn params(factors: usize, solver: Solver) -> Params {
    Params {
        factors,
        iterations: 8,
        solver,
        ..Params::default()
    }
}

#[test]
fn a_two_by_two_case_agrees_with_a_computation_by_hand() {
    // Two users, two items, user u clicked item u once; one factor, α = 1, λ = 1, so c = 2 where clicked.
    // Given item factors y = (1, 1): the Gramian is 2, a row's matrix 2 + λ + α·1 = 4, its right side c·1 = 2, so
    // every user is 0.5. Given users (0.5, 0.5): Gramian 0.5, matrix 0.5 + 1 + 0.25 = 1.75, right side 2·0.5 = 1, so
    // every item is 1 / 1.75 = 4/7.
    let one = Factors::from_vec(2, 1, vec![1.0, 1.0]).unwrap();
    let fold_in = FoldIn::new(&one, 1.0, 1.0).unwrap();
    let mut user = [0.0];
    fold_in.solve(&[0], &[1.0], &mut user).unwrap();
    assert_eq!(user, [0.5]);
    let users = Factors::from_vec(2, 1, vec![0.5, 0.5]).unwrap();
    let mut item = [0.0];
    FoldIn::new(&users, 1.0, 1.0)
        .unwrap()
        .solve(&[1], &[1.0], &mut item)
        .unwrap();
    assert!((item[0] - 4.0 / 7.0).abs() < 1e-6);

    // The loss there: all scores are 2/7. Clicked: 2·(5/7)², not clicked: (2/7)², two of each; plus 2·0.25 + 2·(16/49).
    let interactions = Interactions::from_triples(2, 2, vec![(0, 0, 1.0), (1, 1, 1.0)]).unwrap();
    let model = Model {
        users,
        items: Factors::from_vec(2, 1, vec![4.0 / 7.0; 2]).unwrap(),
    };
    let params = Params {
        factors: 1,
        regularization: 1.0,
        alpha: 1.0,
        ..Params::default()
    };
    let expected = 2.0 * 2.0 * (25.0 / 49.0) + 2.0 * (4.0 / 49.0) + 0.5 + 32.0 / 49.0;
    assert!((loss(&interactions, &model, &params) - expected).abs() < 1e-5);
}

#[test]
fn the_loss_never_rises() {
    // Rows with 1 to 40 interactions, so that ν gives each its own regularization.
    let triples = (0..200_u32).flat_map(|user| (0..=user % 40).map(move |item| (user, item * 7 % 60, 1.0)));
    let interactions = Interactions::from_triples(200, 60, triples.collect()).unwrap();
    // Blocks of 4 are smaller than the rows are long, and the last block of 5 has only one dimension.
    let solvers = [
        Solver::Cholesky,
        Solver::default(),
        Solver::Block { size: 4 },
        Solver::Block { size: 5 },
    ];
    for (solver, nu) in solvers.iter().flat_map(|solver| [(*solver, 0.0), (*solver, 0.7)]) {
        let mut losses = vec![];
        let params = Params {
            nu,
            ..params(16, solver)
        };
        train(&interactions, &params, &mut |_, loss| losses.push(loss())).unwrap();
        assert_eq!(losses.len(), 8);
        for pair in losses.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-6), "{solver:?} {nu} {losses:?}");
        }
        assert!(losses[7] < 0.9 * losses[0], "{solver:?} {nu} {losses:?}");
    }
}

#[test]
fn regularization_scales_with_what_a_row_has() {
    let objective = Objective {
        regularization: 0.5,
        alpha: 4.0,
        nu: 0.5,
    };
    // 0.5 · √(6 + 40 / 4)
    assert!((objective.of_row(6, 40) - 2.0).abs() < 1e-6);
    // Folding in a training user reproduces the factors from that user's half-step, given the items of that time.
    let interactions = planted(100, 30);
    let params = Params {
        nu: 0.8,
        init_scale: 0.5,
        ..params(6, Solver::Cholesky)
    };
    let after = |iterations| train(&interactions, &Params { iterations, ..params }, &mut quiet()).unwrap();
    let (items, users) = (after(1).items, after(2).users);
    let fold_in = FoldIn::new(&items, params.regularization, params.alpha)
        .unwrap()
        .with_nu(params.nu);
    let found: Vec<Vec<f32>> = (0..100)
        .map(|user| {
            let (items, weights) = interactions.row(user);
            let mut x = vec![0.0; 6];
            fold_in.solve(items, weights, &mut x).unwrap();
            x
        })
        .collect();
    // Another iteration may have rotated the coordinates, but preserves all products, and therefore all lengths and
    // angles.
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    for a in 0..100 {
        for b in 0..=a {
            let (found, expected) = (product(&found[a], &found[b]), product(users.row(a), users.row(b)));
            assert!((found - expected).abs() < 1e-3, "{a} {b}: {found} {expected}");
        }
    }
}

#[test]
fn planted_tastes_are_recovered() {
    let interactions = planted(300, 80);
    for solver in [Solver::default(), Solver::Cholesky, Solver::Block { size: 1 }] {
        let model = train(&interactions, &params(2, solver), &mut quiet()).unwrap();
        let seen = |user: usize| interactions.row(user).0;
        let top = ItemIndex::new(&model.items).top(&model.users, 10, Some(&seen));
        for (user, items) in top.iter().enumerate() {
            assert_eq!(items.len(), 10);
            assert!(
                items.iter().all(|scored| scored.item as usize % 2 == user % 2),
                "user {user}: {items:?}"
            );
            assert!(items.iter().all(|scored| !seen(user).contains(&scored.item)));
        }
        let like_first = similar(&model.items, 0, 10);
        assert!(
            like_first.iter().all(|scored| scored.item % 2 == 0 && scored.item != 0),
            "{like_first:?}"
        );
    }
}

#[test]
fn factors_do_not_depend_on_threads_or_input_order() {
    let interactions = planted(500, 70);
    for solver in [Solver::default(), Solver::Cholesky, Solver::Block { size: 6 }] {
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| train(&interactions, &params(32, solver), &mut quiet()).unwrap())
        };
        assert_eq!(with_threads(1), with_threads(2));
    }

    let triples = vec![(0, 0, 0.1), (0, 0, 0.2), (0, 0, 0.3), (1, 1, 1.0), (0, 1, 2.0)];
    let mut reversed = triples.clone();
    reversed.reverse();
    let of = |triples| {
        let interactions = Interactions::from_triples(2, 2, triples).unwrap();
        train(&interactions, &params(4, Solver::Cholesky), &mut quiet()).unwrap()
    };
    assert_eq!(of(triples), of(reversed));
}

#[test]
fn small_and_empty_matrices_have_a_defined_result() {
    let one = Interactions::from_triples(1, 1, vec![(0, 0, 1.0)]).unwrap();
    let model = train(&one, &params(16, Solver::Cholesky), &mut quiet()).unwrap();
    let score: f32 = model
        .users
        .row(0)
        .iter()
        .zip(model.items.row(0))
        .map(|(x, y)| x * y)
        .sum();
    assert!(score > 0.5, "more factors than items, and still learns: {score}");

    let empty = Interactions::from_triples(2, 3, vec![]).unwrap();
    let model = train(&empty, &params(4, Solver::default()), &mut quiet()).unwrap();
    assert!(
        model
            .users
            .as_slice()
            .iter()
            .chain(model.items.as_slice())
            .all(|value| *value == 0.0)
    );
    assert_eq!(
        ItemIndex::new(&model.items).top(&model.users, 5, None)[0].len(),
        3,
        "k beyond the items gives them all"
    );

    let none = Interactions::from_triples(0, 0, vec![]).unwrap();
    assert_eq!(
        train(&none, &params(4, Solver::default()), &mut quiet())
            .unwrap()
            .items
            .rows(),
        0
    );
}

#[test]
fn factors_are_finite_or_an_error() {
    let damaged = Factors::from_vec(1, 2, vec![1.0, f32::NAN]).unwrap();
    assert_eq!(FoldIn::new(&damaged, 0.1, 1.0).unwrap_err(), AlsError::NotFinite);
    // An empty model is not an error as long as there is nothing to fold in.
    let nothing = Factors::zeros(0, 0);
    assert!(FoldIn::new(&nothing, 0.0, 0.0).is_ok());

    for solver in [Solver::default(), Solver::Cholesky, Solver::Block { size: 2 }] {
        for weight in [f32::MAX, f32::MIN_POSITIVE] {
            let triples = (0..400).map(|place| (place / 20, place % 20, if place == 5 { weight } else { 1.0 }));
            let interactions = Interactions::from_triples(20, 20, triples.collect()).unwrap();
            match train(&interactions, &params(4, solver), &mut quiet()) {
                Ok(model) => assert!(model.items.as_slice().iter().all(|value| value.is_finite())),
                Err(error) => assert!(matches!(error, AlsError::NotFinite | AlsError::NotPositiveDefinite)),
            }
        }
    }
}

#[test]
fn bad_input_is_refused_by_name() {
    for weights in [vec![f32::NAN], vec![f32::NEG_INFINITY], vec![f32::MAX, f32::MAX]] {
        let triples = weights.into_iter().map(|weight| (0, 0, weight)).collect();
        let error = Interactions::from_triples(1, 1, triples).unwrap_err();
        assert!(error.to_string().contains("user 0 and item 0"), "{error}");
    }
    assert!(matches!(
        Interactions::from_triples(1, 1, vec![(0, 1, 1.0)]),
        Err(AlsError::OutOfRange { item: 1, .. })
    ));
    let one = Interactions::from_triples(1, 1, vec![(0, 0, 1.0)]).unwrap();
    for bad in [
        Params {
            factors: 0,
            ..Params::default()
        },
        Params {
            iterations: 0,
            ..Params::default()
        },
        Params {
            regularization: 0.0,
            ..Params::default()
        },
        Params {
            alpha: f32::NAN,
            ..Params::default()
        },
        params(4, Solver::Block { size: 0 }),
        Params {
            nu: 1.5,
            ..Params::default()
        },
        Params {
            init_scale: 0.0,
            ..Params::default()
        },
    ] {
        assert!(
            matches!(train(&one, &bad, &mut quiet()), Err(AlsError::Parameter { .. })),
            "{bad:?}"
        );
    }
    assert!(
        "lu".parse::<Solver>()
            .unwrap_err()
            .to_string()
            .contains("'cg', 'block' or 'cholesky'")
    );
}

#[test]
fn a_warm_start_goes_on_where_training_ended() {
    let interactions = planted(200, 60);
    for solver in [Solver::default(), Solver::Cholesky, Solver::Block { size: 3 }] {
        let params = params(8, solver);
        let whole = train(
            &interactions,
            &Params {
                iterations: 6,
                ..params
            },
            &mut quiet(),
        )
        .unwrap();
        let half = train(
            &interactions,
            &Params {
                iterations: 3,
                ..params
            },
            &mut quiet(),
        )
        .unwrap();
        let rest = Params {
            iterations: 3,
            ..params
        };
        let both = train_from(half, &interactions, &rest, &mut |_, _| Ok(ControlFlow::Continue(()))).unwrap();
        assert_eq!(whole, both);
    }
    let other = Model::start(200, 60, &params(4, Solver::default()));
    let error = train_from(other, &interactions, &params(8, Solver::default()), &mut |_, _| {
        Ok(ControlFlow::Continue(()))
    });
    assert!(matches!(error, Err(AlsError::Shape { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn top_k_is_what_a_full_sort_gives(seed in any::<u64>(), items in 1_usize..3_000, k in 1_usize..30) {
        let mut random = StdRng::seed_from_u64(seed);
        // Few distinct values, so that there are ties.
        let mut matrix = |rows: usize| {
            let values = (0..rows * 4).map(|_| random.random_range(-2_i8..3) as f32).collect();
            Factors::from_vec(rows, 4, values).unwrap()
        };
        let (queries, all) = (matrix(3), matrix(items));
        let seen: Vec<u32> = (0..items as u32).step_by(3).collect();
        let found = ItemIndex::new(&all).top(&queries, k, Some(&|_| seen.as_slice()));
        for (query, found) in found.iter().enumerate() {
            let mut expected: Vec<(i64, u32)> = (0..items as u32)
                .filter(|item| item % 3 != 0)
                .map(|item| {
                    let score: f32 = queries.row(query).iter().zip(all.row(item as usize)).map(|(q, i)| q * i).sum();
                    (-(score as i64), item)
                })
                .collect();
            expected.sort_unstable();
            expected.truncate(k);
            let found: Vec<(i64, u32)> = found.iter().map(|scored| (-(scored.score as i64), scored.item)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
