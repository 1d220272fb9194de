//! Quality on real sessions (RetailRocket): ALS compared with the figures that `implicit` 0.7.3 reaches with the same
//! settings, and neighboring sessions, which know the order of clicks.
//!
//! The data may not be copied into the project: `CLICKREC_TEST_DATA` names the folder that has `retailrocket/` in it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clickrec_udfs::als::{Factors, FoldIn, Interactions, Params, Solver, train};
use clickrec_udfs::sessions::{Click, KnnParams, SessionHistory, SessionKnn};
use flate2::read::GzDecoder;
use rayon::prelude::*;

const TEST_ROWS: usize = 6_000;
const K: usize = 20;

fn lines(file: PathBuf) -> impl Iterator<Item = String> {
    BufReader::new(GzDecoder::new(File::open(file).unwrap()))
        .lines()
        .skip(1)
        .map(Result::unwrap)
}

struct Data {
    train: Interactions,
    /// Items of the prefix with their counts, and the item that followed.
    test: Vec<(Vec<u32>, Vec<f32>, u32)>,
    /// The clicks of training; a session's time is its number, as the file is in the order of time.
    clicks: Vec<Click>,
    /// Every test row: the prefix in its order, and the item that followed.
    sequences: Vec<(Vec<u32>, u32)>,
}

fn read(folder: &Path) -> Data {
    let (mut sessions, mut items) = (HashMap::new(), HashMap::new());
    let index = |map: &mut HashMap<String, u32>, id: &str| {
        let next = map.len() as u32;
        *map.entry(id.to_owned()).or_insert(next)
    };
    let (mut triples, mut clicks) = (vec![], vec![]);
    for line in lines(folder.join("train.csv.gz")) {
        let mut fields = line.split(',');
        let (session, item) = (fields.next().unwrap(), fields.nth(1).unwrap());
        let (session, item) = (index(&mut sessions, session), index(&mut items, item));
        triples.push((session, item, 1.0));
        let at = clicks.len() as i64;
        clicks.push(Click { session, at, item });
    }
    let (mut test, mut sequences) = (vec![], vec![]);
    for (row, line) in lines(folder.join("test.csv.gz")).enumerate() {
        let mut fields = line.split(',').skip(1);
        let (prefix, target) = (fields.next().unwrap(), fields.next().unwrap());
        let prefix: Vec<u32> = prefix.split(' ').filter_map(|item| items.get(item).copied()).collect();
        let target = items.get(target).copied().unwrap_or(u32::MAX);
        if row < TEST_ROWS {
            let mut counts = std::collections::BTreeMap::new();
            for item in &prefix {
                *counts.entry(*item).or_insert(0.0) += 1.0;
            }
            test.push((counts.keys().copied().collect(), counts.into_values().collect(), target));
        }
        sequences.push((prefix, target));
    }
    Data {
        train: Interactions::from_triples(sessions.len(), items.len(), triples).unwrap(),
        test,
        clicks,
        sequences,
    }
}

/// HR@20 and MRR@20 in percent: with all items, and with those of the prefix left out. Ties count against us.
fn quality(items: &Factors, params: &Params, test: &[(Vec<u32>, Vec<f32>, u32)]) -> [f64; 4] {
    let fold_in = FoldIn::new(items, params.regularization, params.alpha).unwrap();
    let ranks: Vec<(usize, usize)> = test
        .par_iter()
        .map(|(prefix, counts, target)| {
            if *target == u32::MAX {
                return (usize::MAX, usize::MAX);
            }
            let mut user = vec![0.0; items.dims()];
            fold_in.solve(prefix, counts, &mut user).unwrap();
            let score = |item: usize| items.row(item).iter().zip(&user).map(|(y, x)| y * x).sum::<f32>();
            let own = score(*target as usize);
            let (mut all, mut unseen) = (1, 1);
            for item in (0..items.rows()).filter(|item| *item != *target as usize) {
                if score(item) >= own {
                    all += 1;
                    unseen += usize::from(prefix.binary_search(&(item as u32)).is_err());
                }
            }
            (all, if prefix.contains(target) { usize::MAX } else { unseen })
        })
        .collect();
    let mean = |value: &dyn Fn(usize) -> f64, of: &dyn Fn(&(usize, usize)) -> usize| {
        100.0 * ranks.iter().map(of).filter(|rank| *rank <= K).map(value).sum::<f64>() / ranks.len() as f64
    };
    [
        mean(&|_| 1.0, &|r| r.0),
        mean(&|r| 1.0 / r as f64, &|r| r.0),
        mean(&|_| 1.0, &|r| r.1),
        mean(&|r| 1.0 / r as f64, &|r| r.1),
    ]
}

#[test]
#[ignore = "needs CLICKREC_TEST_DATA"]
fn quality_is_that_of_the_reference() {
    let folder = std::env::var("CLICKREC_TEST_DATA").expect("CLICKREC_TEST_DATA names no folder");
    let data = read(&Path::new(&folder).join("retailrocket"));
    assert_eq!((data.train.users(), data.train.items()), (126_168, 36_968));
    let cases = [
        ("cg", 64, 20.0, [25.4, 8.5, 11.6, 3.5]),
        ("cg", 128, 20.0, [32.3, 11.5, 14.1, 4.4]),
        ("cg", 128, 100.0, [37.9, 14.3, 15.8, 4.9]),
        ("cholesky", 64, 20.0, [25.4, 8.5, 11.5, 3.5]),
    ];
    for (solver, factors, alpha, reference) in cases {
        let solver: Solver = solver.parse().unwrap();
        let params = Params {
            factors,
            alpha,
            solver,
            ..Params::default()
        };
        let started = Instant::now();
        let model = train(&data.train, &params, &mut |_, _| {}).unwrap();
        let seconds = started.elapsed().as_secs_f64() / params.iterations as f64;
        let found = quality(&model.items, &params, &data.test);
        println!(
            "{solver:?} {factors} factors, alpha {alpha}: {found:.1?} (reference {reference:?}), {seconds:.2} s an iteration"
        );
        for (found, reference) in found.iter().zip(reference) {
            assert!(
                *found > reference - 1.0,
                "{found} is more than a point below {reference}"
            );
        }
    }
}

#[test]
#[ignore = "needs CLICKREC_TEST_DATA"]
fn neighboring_sessions_are_better_than_a_matrix() {
    let folder = std::env::var("CLICKREC_TEST_DATA").expect("CLICKREC_TEST_DATA names no folder");
    let data = read(&Path::new(&folder).join("retailrocket"));
    let params = KnnParams::default();
    let history = SessionHistory::new(data.train.items(), data.clicks, params.sample);
    let started = Instant::now();
    // A tie counts against us: an item of the same score as the target ranks before it.
    let ranks: Vec<Option<usize>> = data
        .sequences
        .par_iter()
        .map_init(
            || SessionKnn::new(&history, params),
            |knn, (prefix, target)| {
                let list = knn.top(prefix, None, 10 * K, false);
                let own = list.iter().find(|scored| scored.item == *target)?;
                Some(list.iter().filter(|other| other.score >= own.score).count()).filter(|rank| *rank <= K)
            },
        )
        .collect();
    let share = |value: &dyn Fn(usize) -> f64| {
        100.0 * ranks.iter().flatten().map(|rank| value(*rank)).sum::<f64>() / ranks.len() as f64
    };
    let (hit_rate, reciprocal_rank) = (share(&|_| 1.0), share(&|rank| 1.0 / rank as f64));
    println!(
        "session_knn: HR@20 {hit_rate:.2}, MRR@20 {reciprocal_rank:.2} over {} rows in {:.2} s",
        ranks.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(
        hit_rate > 56.0 && reciprocal_rank > 27.5,
        "{hit_rate} {reciprocal_rank}"
    );
}
