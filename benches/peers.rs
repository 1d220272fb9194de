//! Our side of `scripts/bench-peers`: one measured case a process, so that its peak memory is the case's own.
//!
//! The only argument is the [`Case`] as JSON; the answer is one line of JSON. See docs/development.md.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clickrec_udfs::als::{Factors, FoldIn, Interactions, ItemIndex, Model, Params, loss, train};
use serde::Deserialize;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many items are asked for.
const TOP: usize = 20;
/// One user after another, as a server would be asked.
const SINGLE: usize = 2_000;
/// So many of their lists are compared with a search through all items.
const CHECKED: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Trains to the goal: the seconds and the loss after each iteration, and the peak memory.
    Train,
    /// The loss of a model, whoever trained it.
    Loss,
    /// The top-20 of every user.
    Top,
    /// Fold-in and top-20 of one user at a time.
    Single,
}

#[derive(Deserialize)]
struct Case {
    what: What,
    /// Written by `scripts/peers/data.py`.
    matrix: PathBuf,
    factors: usize,
    regularization: f32,
    /// Of an observed pair: `implicit`'s alpha, and ours plus 1.
    confidence: f32,
    #[serde(default)]
    solver: Option<String>,
    #[serde(default)]
    iterations: Option<usize>,
    /// Training ends at this loss; without, no loss is computed.
    #[serde(default)]
    goal: Option<f64>,
    /// Training ends with the iteration that exceeds so many seconds.
    #[serde(default)]
    limit: Option<f64>,
    /// User and item factors, one after another: written by training, read by the others.
    #[serde(default)]
    model: Option<PathBuf>,
}

impl Case {
    fn params(&self) -> Params {
        let default = Params::default();
        Params {
            factors: self.factors,
            regularization: self.regularization,
            alpha: self.confidence - 1.0,
            solver: self
                .solver
                .as_ref()
                .map_or(default.solver, |name| name.parse().unwrap()),
            iterations: self.iterations.unwrap_or(default.iterations),
            ..default
        }
    }

    fn model(&self, interactions: &Interactions) -> Model {
        let mut file = BufReader::new(File::open(self.model.as_ref().unwrap()).unwrap());
        let mut factors = |rows: usize| {
            let values = (0..rows * self.factors).map(|_| f32::from_bits(number(&mut file)));
            Factors::from_vec(rows, self.factors, values.collect()).unwrap()
        };
        Model {
            users: factors(interactions.users()),
            items: factors(interactions.items()),
        }
    }
}

fn number(file: &mut impl Read) -> u32 {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

/// Every pair has weight 1.
fn interactions(path: &Path) -> Interactions {
    let mut file = BufReader::new(File::open(path).unwrap());
    let [users, items, nnz] = [(); 3].map(|()| number(&mut file));
    let starts: Vec<u32> = (0..=users).map(|_| number(&mut file)).collect();
    let mut triples = Vec::with_capacity(nnz as usize);
    for (user, range) in (0..users).zip(starts.windows(2)) {
        triples.extend((range[0]..range[1]).map(|_| (user, number(&mut file), 1.0)));
    }
    Interactions::from_triples(users as usize, items as usize, triples).unwrap()
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1024.0
}

/// What computing the loss costs is not counted.
fn training(case: &Case, interactions: &Interactions, matrix_seconds: f64) -> Value {
    let limit = case.limit.unwrap_or(f64::INFINITY);
    let (mut steps, mut peak, mut seconds, mut since) = (vec![], 0.0, 0.0, Instant::now());
    let mut answer = Value::Null;
    let model = train(interactions, &case.params(), &mut |_, loss| {
        seconds += since.elapsed().as_secs_f64();
        if steps.is_empty() {
            peak = peak_mib();
        }
        let loss = case.goal.map(|_| loss());
        steps.push((seconds, loss));
        answer = json!({ "matrix_seconds": matrix_seconds, "steps": steps, "peak_mib": peak });
        if seconds > limit || loss.zip(case.goal).is_some_and(|(loss, goal)| loss <= goal) {
            println!("{answer}");
            std::process::exit(0);
        }
        since = Instant::now();
    })
    .unwrap();
    if let Some(path) = &case.model {
        let mut file = BufWriter::new(File::create(path).unwrap());
        for value in model.users.as_slice().iter().chain(model.items.as_slice()) {
            file.write_all(&value.to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
    }
    answer
}

/// The seconds include ordering the items.
fn top(model: &Model) -> Value {
    let started = Instant::now();
    let lists = ItemIndex::new(&model.items).top(&model.users, TOP, None);
    let seconds = started.elapsed().as_secs_f64();
    let scores: f64 = lists.iter().flatten().map(|scored| f64::from(scored.score)).sum();
    json!({ "seconds": seconds, "scores": scores })
}

/// Users from all over the matrix. What all of them share is prepared before.
fn single(case: &Case, interactions: &Interactions, items: &Factors) -> Value {
    let fold_in = FoldIn::new(items, case.regularization, case.confidence - 1.0).unwrap();
    let index = ItemIndex::new(items);
    let (mut milliseconds, mut scores, mut exact) = (vec![], 0.0, 0);
    for number in 0..SINGLE {
        let started = Instant::now();
        let (row, weights) = interactions.row(number * interactions.users() / SINGLE);
        let mut user = Factors::zeros(1, case.factors);
        fold_in.solve(row, weights, user.row_mut(0)).unwrap();
        let list = index.top(&user, TOP, None).remove(0);
        milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
        scores += list.iter().map(|scored| f64::from(scored.score)).sum::<f64>();
        if number < CHECKED {
            let found: Vec<f64> = list.iter().map(|scored| f64::from(scored.score)).collect();
            exact += usize::from(agree(&found, &highest(user.row(0), items)));
        }
    }
    json!({ "milliseconds": milliseconds, "scores": scores, "exact": exact, "checked": CHECKED })
}

/// The highest products of all, found the long way.
fn highest(user: &[f32], items: &Factors) -> Vec<f64> {
    let product = |item| -> f64 {
        let terms = user.iter().zip(items.row(item));
        terms.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let mut products: Vec<f64> = (0..items.rows()).map(product).collect();
    products.sort_unstable_by(|a, b| b.total_cmp(a));
    products.truncate(TOP);
    products
}

/// Equal but for rounding.
fn agree(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-4 * expected[0])
}

fn main() {
    let Some(case) = std::env::args().find(|argument| argument.starts_with('{')) else {
        println!("SKIPPED peers: scripts/bench-peers runs it");
        return;
    };
    let case: Case = serde_json::from_str(&case).unwrap();
    let started = Instant::now();
    let interactions = interactions(&case.matrix);
    let matrix_seconds = started.elapsed().as_secs_f64();
    let answer = match case.what {
        What::Train => training(&case, &interactions, matrix_seconds),
        What::Loss => json!({ "loss": loss(&interactions, &case.model(&interactions), &case.params()) }),
        What::Top => top(&case.model(&interactions)),
        What::Single => single(&case, &interactions, &case.model(&interactions).items),
    };
    println!("{answer}");
}
