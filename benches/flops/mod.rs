//! Operations per second (multiplications and additions, as the method needs them), compared with those of a large
//! square product.

use std::time::Instant;

use clickrec_udfs::als::{Factors, Interactions, ItemIndex, Model, Params, Solver, gramian, train};
use gemm::Parallelism;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SIDE: usize = 2_048;
/// The best of so many runs counts.
const RUNS: usize = 3;

/// Prints a table: short rows as sessions are, and long rows.
pub fn report() {
    let peak = rate(2.0 * (SIDE as f64).powi(3), square_product());
    let line = |what: &str, rate: f64| eprintln!("{what:<44} {rate:>7.1} GFLOP/s {:>4.0} %", 100.0 * rate / peak);
    line(&format!("product of two {SIDE} x {SIDE} matrices"), peak);
    for (name, users, items, clicks, d) in [
        ("short rows", 60_000, 20_000, 4, 64),
        ("short rows", 60_000, 20_000, 4, 128),
        ("long rows", 1_000, 2_000, 300, 256),
    ] {
        let interactions = interactions(users, items, clicks);
        let params = Params {
            factors: d,
            iterations: 2,
            ..Params::default()
        };
        let model = train(&interactions, &params, &mut |_, _| {}).unwrap();
        let of_gramian = 2.0 * (users * d * d) as f64;
        let measured = rate(of_gramian, || drop(gramian(&model.users)));
        line(&format!("{name}, {d} factors: Gramian"), measured);
        for solver in [Solver::default(), Solver::BLOCK, Solver::Cholesky] {
            let params = Params { solver, ..params };
            let measured = rate(2.0 * iteration(&interactions, solver, d), || {
                drop(train(&interactions, &params, &mut |_, _| {}));
            });
            line(&format!("{name}, {d} factors: iteration, {solver}"), measured);
        }
        // Searched by length, which leaves most products out: as if none were.
        let index = ItemIndex::new(&model.items);
        let queries = some(&model, users.min(10_000));
        let measured = rate(2.0 * (queries.rows() * items * d) as f64, || {
            drop(index.top(&queries, 10, None));
        });
        line(&format!("{name}, {d} factors: top 10"), measured);
    }
}

fn some(model: &Model, rows: usize) -> Factors {
    let d = model.users.dims();
    Factors::from_vec(rows, d, model.users.as_slice()[..rows * d].to_vec()).unwrap()
}

/// GFLOP/s of the fastest run.
fn rate(operations: f64, mut run: impl FnMut()) -> f64 {
    let seconds = (0..RUNS).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64()
    });
    operations / seconds.fold(f64::INFINITY, f64::min) / 1e9
}

#[allow(unsafe_code, reason = "gemm takes pointers")]
fn square_product() -> impl FnMut() {
    let values = |seed| -> Vec<f32> {
        let mut random = StdRng::seed_from_u64(seed);
        (0..SIDE * SIDE).map(|_| random.random_range(-1.0..1.0)).collect()
    };
    let (left, right, mut out) = (values(1), values(2), vec![0.0_f32; SIDE * SIDE]);
    let step = SIDE as isize;
    move || {
        // SAFETY: three matrices of SIDE x SIDE, of which only `out` is written.
        unsafe {
            gemm::gemm(
                SIDE,
                SIDE,
                SIDE,
                out.as_mut_ptr(),
                1,
                step,
                false,
                left.as_ptr(),
                1,
                step,
                right.as_ptr(),
                1,
                step,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::Rayon(0),
            );
        }
    }
}

/// Every user has about so many items; a few items have many users.
fn interactions(users: usize, items: usize, clicks: usize) -> Interactions {
    let mut random = StdRng::seed_from_u64(7);
    let mut pairs: Vec<(u32, u32)> = (0..users * clicks)
        .map(|place| {
            let skewed: f64 = random.random::<f64>().powi(2);
            ((place / clicks) as u32, (skewed * items as f64) as u32)
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let triples = pairs.into_iter().map(|(user, item)| (user, item, 1.0)).collect();
    Interactions::from_triples(users, items, triples).unwrap()
}

/// Operations of an iteration: Gramians, their coordinates and back, and the rows; without the decompositions.
fn iteration(interactions: &Interactions, solver: Solver, d: usize) -> f64 {
    let mut lengths = vec![0; interactions.items()];
    let mut rows: Vec<usize> = vec![];
    for user in 0..interactions.users() {
        let own = interactions.row(user).0;
        rows.push(own.len());
        own.iter().for_each(|item| lengths[*item as usize] += 1);
    }
    rows.extend(lengths);
    let square = (d * d) as f64;
    rows.iter()
        .map(|n| {
            let start = if *n > 0 && !solver.is_exact(*n) {
                2.0 * square
            } else {
                0.0
            };
            6.0 * square + start + of_row(*n as f64, solver, d as f64)
        })
        .sum()
}

/// Operations of a row of `n` interactions.
fn of_row(n: f64, solver: Solver, d: f64) -> f64 {
    match solver {
        Solver::ConjugateGradient { steps } if !solver.is_exact(n as usize) => 4.0 * n * d * (1.0 + steps as f64),
        Solver::Block { size } if !solver.is_exact(n as usize) => {
            let size = (size as f64).min(d);
            8.0 * n * d + 2.0 * n * d * size + d * size * size / 3.0
        }
        _ if n < d => n * d * (n + 4.0) + n.powi(3) / 3.0,
        _ => 2.0 * n * d * d + d.powi(3) / 3.0,
    }
}
