//! Weights below 0, compared with the definition: preference 0, with the confidence of the weight.

use std::collections::BTreeMap;

use super::*;

/// Four users, six items, with likes and dislikes; user 3 only dislikes.
fn mixed() -> Interactions {
    let triples = vec![
        (0, 0, 2.0),
        (0, 1, 1.0),
        (0, 4, -3.0),
        (1, 0, 1.0),
        (1, 2, -1.0),
        (1, 3, 0.5),
        (2, 4, 1.0),
        (2, 5, 2.0),
        (2, 0, -2.0),
        (3, 1, -1.0),
    ];
    Interactions::from_triples(4, 6, triples).unwrap()
}

/// The loss by its definition, over every pair.
fn dense_loss(interactions: &Interactions, model: &Model, params: &Params) -> f64 {
    let (alpha, penalty) = (f64::from(params.alpha), f64::from(params.regularization));
    let length = |row: &[f32]| row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
    let mut loss = 0.0;
    for user in 0..interactions.users() {
        let (items, weights) = interactions.row(user);
        for item in 0..interactions.items() {
            let weight = items.iter().position(|known| *known as usize == item);
            let weight = weight.map_or(0.0, |place| f64::from(weights[place]));
            let (x, y) = (model.users.row(user), model.items.row(item));
            let score: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let preference = if weight > 0.0 { 1.0 } else { 0.0 };
            loss += (1.0 + alpha * weight.abs()) * (preference - score).powi(2);
        }
        loss += penalty * length(model.users.row(user));
    }
    loss + (0..interactions.items())
        .map(|item| penalty * length(model.items.row(item)))
        .sum::<f64>()
}

#[test]
fn the_loss_is_that_of_every_pair_by_its_definition_and_never_rises() {
    let interactions = mixed();
    for solver in [Solver::Cholesky, Solver::default(), Solver::Block { size: 2 }] {
        let params = params(3, solver);
        let start = Model::start(4, 6, &params);
        let mut losses = vec![];
        train_from(start, &interactions, &params, &mut |_, model| {
            let (fast, dense) = (
                loss(&interactions, model, &params),
                dense_loss(&interactions, model, &params),
            );
            assert!((fast - dense).abs() < 1e-3 * dense, "{solver:?}: {fast} {dense}");
            losses.push(dense);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        for pair in losses.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-5), "{solver:?}: {losses:?}");
        }
    }
}

#[test]
fn the_exact_solution_is_a_minimum_of_the_loss() {
    // The gradient by differences: no small step in any direction lowers the loss.
    let interactions = mixed();
    let params = params(3, Solver::Cholesky);
    let model = train(&interactions, &params, &mut quiet()).unwrap();
    let fold_in = FoldIn::new(&model.items, params.regularization, params.alpha).unwrap();
    let mut users = Factors::zeros(4, 3);
    for user in 0..4 {
        let (items, weights) = interactions.row(user);
        let place = user * 3..user * 3 + 3;
        fold_in.solve(items, weights, &mut users.as_mut_slice()[place]).unwrap();
    }
    let at = |users: &Factors| {
        let model = Model {
            users: users.clone(),
            items: model.items.clone(),
        };
        dense_loss(&interactions, &model, &params)
    };
    let least = at(&users);
    for place in 0..users.as_slice().len() {
        for step in [-0.05_f32, 0.05] {
            let mut moved = users.clone();
            moved.as_mut_slice()[place] += step;
            assert!(at(&moved) > least, "{place} {step}: {} {least}", at(&moved));
        }
    }
}

#[test]
fn a_dislike_lowers_the_score_of_the_item_and_of_what_resembles_it() {
    // Items 0, 2, 4 are always clicked together, and so are 1, 3, 5.
    let triples = (0..80).flat_map(|user| (0..3).map(move |item| (user, 2 * item + user % 2, 1.0)));
    let interactions = Interactions::from_triples(80, 6, triples.collect()).unwrap();
    let params = params(2, Solver::Cholesky);
    let model = train(&interactions, &params, &mut quiet()).unwrap();
    let fold_in = FoldIn::new(&model.items, params.regularization, params.alpha).unwrap();
    let scores = |items: &[u32], weights: &[f32]| -> Vec<f32> {
        let mut x = [0.0; 2];
        fold_in.solve(items, weights, &mut x).unwrap();
        let score = |item: usize| -> f32 { x.iter().zip(model.items.row(item)).map(|(x, y)| x * y).sum() };
        (0..6).map(score).collect()
    };
    let liked = scores(&[0], &[1.0]);
    let disliked = scores(&[0, 2], &[1.0, -5.0]);
    for item in [2, 4] {
        assert!(
            liked[item] > 0.5 && disliked[item] < 0.5 * liked[item],
            "{item}: {liked:?} {disliked:?}"
        );
    }
}

#[test]
fn weights_of_a_pair_add_up_over_the_sign() {
    let triples = vec![
        (0, 0, 1.0),
        (0, 0, 3.0),
        (0, 0, -3.0),
        (0, 1, 2.0),
        (0, 1, -2.0),
        (1, 1, -1.5),
        (1, 0, 0.0),
    ];
    let mut reversed = triples.clone();
    reversed.reverse();
    for triples in [triples, reversed] {
        let interactions = Interactions::from_triples(2, 2, triples).unwrap();
        assert_eq!(
            interactions.row(0),
            (&[0][..], &[1.0][..]),
            "a sum of 0 is no interaction"
        );
        assert_eq!(interactions.row(1), (&[1][..], &[-1.5][..]));
        assert_eq!(interactions.liked(0).collect::<Vec<_>>(), [0]);
        assert_eq!(interactions.liked(1).count(), 0);
        assert_eq!(interactions.nnz(), 2);
    }
}

#[test]
fn a_dislike_is_never_held_out() {
    let triples = (0..60).flat_map(|user| [(user, 0, 1.0), (user, 1, -1.0), (user, 2 + user % 3, 1.0)]);
    let all = Interactions::from_triples(60, 5, triples.collect()).unwrap();
    let (rest, holdout) = Holdout::split(all, 0.5, 1).unwrap();
    assert_eq!(holdout.cases().len(), 30);
    assert!(holdout.cases().iter().all(|(_, item)| *item != 1));
    assert!((0..60).all(|user| rest.row(user).0.contains(&1)));
    // One like and one dislike: nothing to hold out.
    let few = Interactions::from_triples(1, 2, vec![(0, 0, 1.0), (0, 1, -1.0)]).unwrap();
    assert!(Holdout::split(few, 0.5, 1).unwrap().1.cases().is_empty());
}

proptest! {
    #[test]
    fn sums_are_those_of_a_plain_map(triples in proptest::collection::vec((0_u32..4, 0_u32..4, -6_i8..7), 0..40)) {
        // Halves, so that every sum is exact.
        let triples: Vec<(u32, u32, f32)> = triples
            .into_iter()
            .map(|(user, item, halves)| (user, item, 0.5 * f32::from(halves)))
            .collect();
        let mut expected: BTreeMap<(u32, u32), f32> = BTreeMap::new();
        for (user, item, weight) in &triples {
            *expected.entry((*user, *item)).or_default() += weight;
        }
        expected.retain(|_, weight| *weight != 0.0);
        let interactions = Interactions::from_triples(4, 4, triples).unwrap();
        let mut found = BTreeMap::new();
        for user in 0..4_u32 {
            let (items, weights) = interactions.row(user as usize);
            found.extend(items.iter().zip(weights).map(|(item, weight)| ((user, *item), *weight)));
        }
        prop_assert_eq!(found, expected);
    }
}
