//! Our side of `scripts/bench-peers`: ALS on RetailRocket's sessions, one JSON line a figure.
//!
//! `CLICKREC_TEST_DATA` names the folder with `retailrocket/`; see docs/development.md.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use clickrec_udfs::als::{Factors, FoldIn, Interactions, ItemIndex, Model, Params, Solver, train};
use flate2::read::GzDecoder;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One session after another, as a server would be asked.
const SINGLE: usize = 2_000;

/// Sessions and items, every pair once with weight 1: so both sides have the same objective.
fn interactions(folder: &str) -> Interactions {
    let (mut sessions, mut items) = (HashMap::new(), HashMap::new());
    let index = |map: &mut HashMap<String, u32>, id: &str| {
        let next = map.len() as u32;
        *map.entry(id.to_owned()).or_insert(next)
    };
    let file = File::open(Path::new(folder).join("retailrocket/train.csv.gz")).unwrap();
    let mut pairs = vec![];
    for line in BufReader::new(GzDecoder::new(file)).lines().skip(1) {
        let line = line.unwrap();
        let mut fields = line.split(',');
        let (session, item) = (fields.next().unwrap(), fields.nth(1).unwrap());
        pairs.push((index(&mut sessions, session), index(&mut items, item)));
    }
    pairs.sort_unstable();
    pairs.dedup();
    let triples = pairs.into_iter().map(|(session, item)| (session, item, 1.0)).collect();
    Interactions::from_triples(sessions.len(), items.len(), triples).unwrap()
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("0");
    line.split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or_default()
        / 1024.0
}

/// Trains, and prints the seconds and the loss after each iteration; what the loss costs is not counted.
fn training(interactions: &Interactions, params: &Params, name: &str) -> Model {
    let (mut steps, mut seconds, mut since) = (vec![], 0.0, Instant::now());
    let model = train(interactions, params, &mut |_, loss| {
        seconds += since.elapsed().as_secs_f64();
        steps.push((seconds, loss()));
        since = Instant::now();
    });
    println!(
        "{}",
        json!({ "what": "train", "solver": name, "factors": params.factors, "steps": steps, "peak_mib": peak_mib() })
    );
    model.unwrap()
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn single(interactions: &Interactions, model: &Model, params: &Params) {
    let fold_in = FoldIn::new(&model.items, params.regularization, params.alpha).unwrap();
    let index = ItemIndex::new(&model.items);
    let mut milliseconds: Vec<f64> = (0..SINGLE)
        .map(|session| {
            let started = Instant::now();
            let (items, weights) = interactions.row(session);
            let mut user = Factors::zeros(1, params.factors);
            fold_in.solve(items, weights, user.row_mut(0)).unwrap();
            let list = index.top(&user, 20, None);
            assert_eq!(list[0].len(), 20);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    milliseconds.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(&milliseconds, 0.5), quantile(&milliseconds, 0.99));
    println!(
        "{}",
        json!({ "what": "single", "factors": params.factors, "p50_ms": p50, "p99_ms": p99 })
    );
}

fn main() {
    let Ok(folder) = std::env::var("CLICKREC_TEST_DATA") else {
        println!("SKIPPED peers: CLICKREC_TEST_DATA names no folder");
        return;
    };
    let interactions = interactions(&folder);
    for factors in [64, 128, 256] {
        for (name, solver) in [("cg", Solver::default()), ("cholesky", Solver::Cholesky)] {
            // `implicit` has confidence alpha where ours has 1 + alpha: 20 there.
            let params = Params {
                factors,
                solver,
                alpha: 19.0,
                ..Params::default()
            };
            let model = training(&interactions, &params, name);
            if name == "cg" && factors < 256 {
                let started = Instant::now();
                let lists = ItemIndex::new(&model.items).top(&model.users, 20, None);
                assert_eq!(lists.len(), interactions.users());
                let seconds = started.elapsed().as_secs_f64();
                println!(
                    "{}",
                    json!({ "what": "top_20", "factors": factors, "seconds": seconds })
                );
                single(&interactions, &model, &params);
            }
        }
    }
}
