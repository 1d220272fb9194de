#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Sessions numbered from 0, each later than the previous one.
fn history(sessions: &[&[u32]], sample: usize) -> SessionHistory {
    let clicks = sessions.iter().enumerate().flat_map(|(session, items)| {
        items.iter().enumerate().map(move |(position, item)| Click {
            session: session as u32,
            at: (session * 100 + position) as i64,
            item: *item,
        })
    });
    SessionHistory::new(10, clicks.collect(), sample)
}

/// Only shared items and the distance from them count.
fn plain() -> KnnParams {
    KnnParams {
        position_decay: 1e9,
        neighbor_decay: 1e9,
        recency: 0.0,
        idf: 0.0,
        length: 0.0,
        repeat: 1.0,
        ..KnnParams::default()
    }
}

fn items(scored: &[crate::ranking::Scored]) -> Vec<u32> {
    scored.iter().map(|scored| scored.item).collect()
}

#[test]
fn a_history_is_in_the_order_of_age_and_keeps_the_newest_of_an_item() {
    let history = history(&[&[1, 2, 1], &[3], &[2, 1]], 1);
    assert_eq!(
        (history.len(), history.clicks(0), history.clicks(2)),
        (3, &[1, 2, 1][..], &[2, 1][..])
    );
    assert_eq!(history.with_item(1), [2], "only the newest is in the sample");
    assert_eq!(
        (history.frequency(1), history.frequency(3), history.frequency(9)),
        (2, 1, 0)
    );
    assert!(history.with_item(9).is_empty() && history.with_item(1_000).is_empty());
}

#[test]
fn scores_agree_with_a_computation_by_hand() {
    // Sessions a: 1 2 3, b: 1 4, c: 5 6. For a session that clicked 1, then 2: a shares both, so each of its items gets
    // 2 (similarity) times 2 (shared items, at any distance) = 4; b shares one, 1 times 1; c none.
    let history = history(&[&[1, 2, 3], &[1, 4], &[5, 6]], 10);
    let found = SessionKnn::new(&history, plain()).top(&[1, 2], None, 10, false);
    let scores: Vec<(u32, f32)> = found.iter().map(|scored| (scored.item, scored.score)).collect();
    assert_eq!(scores, [(1, 5.0), (2, 4.0), (3, 4.0), (4, 1.0)]);
    let unseen = SessionKnn::new(&history, plain()).top(&[1, 2], None, 10, true);
    assert_eq!(items(&unseen), [3, 4]);

    // Its newest item, 2, is at position 1 of a: 3 is one click away from it, and so is 1; each counts exp(-1/1).
    let near = KnnParams {
        neighbor_decay: 1.0,
        ..plain()
    };
    let found = SessionKnn::new(&history, near).top(&[2], None, 10, false);
    let e = (-1.0_f32).exp();
    assert_eq!(items(&found), [2, 1, 3]);
    assert!(
        (found[1].score - e).abs() < 1e-6 && (found[2].score - e).abs() < 1e-6,
        "{found:?}"
    );
}

#[test]
fn newer_clicks_newer_sessions_and_rare_items_count_more() {
    // 1 leads to 2, 3 to 4.
    let history = history(&[&[1, 2], &[3, 4]], 10);
    let decay = KnnParams {
        position_decay: 1.0,
        ..plain()
    };
    assert_eq!(
        items(&SessionKnn::new(&history, decay).top(&[3, 1], None, 1, true)),
        [2]
    );
    assert_eq!(
        items(&SessionKnn::new(&history, decay).top(&[1, 3], None, 1, true)),
        [4]
    );
    let aged = KnnParams {
        recency: 1.0,
        ..plain()
    };
    assert_eq!(
        items(&SessionKnn::new(&history, aged).top(&[1, 3], None, 2, true)),
        [4, 2]
    );

    let common = self::history(&[&[1, 2], &[1, 5], &[1, 6], &[3, 4]], 10);
    let rare = KnnParams { idf: 1.0, ..plain() };
    assert_eq!(items(&SessionKnn::new(&common, rare).top(&[1, 3], None, 1, true)), [4]);
}

#[test]
fn a_session_is_no_neighbor_of_itself_and_the_unknown_gets_nothing() {
    let history = history(&[&[1, 2], &[1, 3]], 10);
    let mut knn = SessionKnn::new(&history, plain());
    assert_eq!(items(&knn.top(&[1], Some(1), 10, true)), [2]);
    assert_eq!(items(&knn.top(&[1], Some(0), 10, true)), [3]);
    assert!(knn.top(&[9], None, 10, true).is_empty());
    assert!(knn.top(&[], None, 10, true).is_empty());
    let empty = SessionHistory::new(0, vec![], 10);
    assert!(SessionKnn::new(&empty, plain()).top(&[1], None, 10, true).is_empty());
}

proptest! {
    #[test]
    fn a_thread_that_served_others_before_gives_the_same_list(
        sessions in proptest::collection::vec(proptest::collection::vec(0_u32..10, 1..6), 1..30),
        queries in proptest::collection::vec(proptest::collection::vec(0_u32..10, 0..6), 1..8),
        sample in 1_usize..8,
        neighbors in 1_usize..8,
    ) {
        let sessions: Vec<&[u32]> = sessions.iter().map(Vec::as_slice).collect();
        let history = history(&sessions, sample);
        let params = KnnParams { sample, neighbors, ..KnnParams::default() };
        let mut used = SessionKnn::new(&history, params);
        for query in &queries {
            let fresh = SessionKnn::new(&history, params).top(query, Some(0), 5, false);
            prop_assert_eq!(used.top(query, Some(0), 5, false), fresh);
        }
    }
}
