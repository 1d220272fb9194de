//! What is held out, and how early stopping uses it.

use super::*;

#[test]
fn a_holdout_takes_one_interaction_of_a_user_and_always_the_same() {
    let mut triples = vec![(0, 0, 1.0)];
    triples.extend((1..100).flat_map(|user| [(user, 1, 1.0), (user, 1 + user % 7, 2.0), (user, 9, 1.0)]));
    let all = Interactions::from_triples(100, 10, triples).unwrap();
    let (rest, holdout) = Holdout::split(all.clone(), 0.2, 3).unwrap();
    assert_eq!(
        holdout.cases().len(),
        20,
        "a fifth of the 99 that have two or more, rounded up"
    );
    assert_eq!(rest.nnz() + 20, all.nnz());
    for user in 0..100_u32 {
        let held = holdout.cases().iter().find(|case| case.0 == user).map(|case| case.1);
        let (left, before) = (rest.row(user as usize).0, all.row(user as usize).0);
        let expected: Vec<u32> = before.iter().copied().filter(|item| Some(*item) != held).collect();
        assert_eq!(left, expected);
    }
    assert_eq!(Holdout::split(all.clone(), 0.2, 3).unwrap().1, holdout);
    assert_ne!(Holdout::split(all.clone(), 0.2, 4).unwrap().1, holdout);
    assert!(Holdout::split(all, 0.6, 3).is_err());

    // No user has two: nothing can be held out.
    let single = Interactions::from_triples(2, 2, vec![(0, 0, 1.0), (1, 1, 1.0)]).unwrap();
    let (rest, none) = Holdout::split(single, 0.5, 3).unwrap();
    assert!(none.cases().is_empty() && rest.nnz() == 2);
}

#[test]
fn the_held_out_score_is_the_gain_of_its_rank() {
    let all = Interactions::from_triples(2, 6, vec![(0, 0, 1.0), (0, 3, 1.0), (1, 5, 1.0)]).unwrap();
    let (rest, holdout) = Holdout::split(all, 0.5, 1).unwrap();
    let (_, held) = holdout.cases()[0];
    let kept = 3 - held;
    // One dimension: an item's score is its number. Items the user kept do not count.
    let items = |values: [f32; 6]| Factors::from_vec(6, 1, values.to_vec()).unwrap();
    let mut values = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    (values[held as usize], values[kept as usize]) = (1.0, 2.0);
    let params = params(1, Solver::default());
    let score = |values| holdout.score(&rest, &items(values), &params).unwrap();
    assert!((score(values) - 1.0).abs() < 1e-9, "the first");
    values[1] = 1.5;
    assert!((score(values) - 3.0_f64.log2().recip()).abs() < 1e-9, "the second");
    values[4] = 1.0;
    assert!((score(values) - 0.5).abs() < 1e-9, "a tie counts against it");
    assert!(
        (score([0.0; 6]) - 6.0_f64.log2().recip()).abs() < 1e-9,
        "a model that knows nothing: the last of 5"
    );
}

#[test]
fn training_stops_where_the_held_out_items_rank_best() {
    let (rest, holdout) = Holdout::split(planted(300, 80), 0.5, 1).unwrap();
    // With as many factors as items, it memorizes what it has seen.
    let params = Params {
        iterations: 60,
        regularization: 1e-3,
        ..params(64, Solver::default())
    };
    let start = Model::start(300, 80, &params);
    let mut scores = vec![];
    let (model, best) = train_until_best(start, &rest, &params, (&holdout, 3), &mut |_, _, score| {
        scores.push(score)
    })
    .unwrap();
    assert!(scores.len() < 60, "{scores:?}");
    assert_eq!(
        scores[scores.len() - 4],
        best,
        "it went on for 3 iterations: {scores:?}"
    );
    assert!(scores.iter().all(|score| *score <= best));
    assert_eq!(holdout.score(&rest, &model.items, &params).unwrap(), best);
}
