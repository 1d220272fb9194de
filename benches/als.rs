//! Training and recommending, per interaction and per session, and operations per second compared with what the
//! processor can do: `cargo bench --bench als`; `cargo bench --bench als -- flops` for the latter alone.

#![allow(clippy::unwrap_used, missing_docs)]

mod flops;
mod support;

use std::collections::HashMap;

use clickrec::simulate::{Simulation, SimulationConfig};
use clickrec_udfs::als::{Interactions, ItemIndex, Params, Solver, train};
use criterion::{Criterion, criterion_group, criterion_main};
use serde::Deserialize;

use support::measure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 1_000_000;
const ITEMS: u32 = 20_000;

#[derive(Deserialize)]
struct Click<'a> {
    session_id: &'a str,
    item_id: &'a str,
}

/// Sessions and items of a simulated shop, every click of weight 1.
fn interactions() -> Interactions {
    let (mut sessions, mut items) = (HashMap::new(), HashMap::new());
    let index = |map: &mut HashMap<String, u32>, id: &str| {
        let next = map.len() as u32;
        *map.entry(id.to_owned()).or_insert(next)
    };
    let config = SimulationConfig {
        events: EVENTS,
        items: ITEMS,
        ..Default::default()
    };
    let triples = Simulation::new(config)
        .map(|record| {
            let click: Click = serde_json::from_slice(&record.value).unwrap();
            (
                index(&mut sessions, click.session_id),
                index(&mut items, click.item_id),
                1.0,
            )
        })
        .collect();
    Interactions::from_triples(sessions.len(), items.len(), triples).unwrap()
}

fn als(criterion: &mut Criterion) {
    flops::report();
    if std::env::args().any(|argument| argument == "flops") {
        return;
    }
    let interactions = interactions();
    eprintln!(
        "{} sessions, {} items, {} interactions",
        interactions.users(),
        interactions.items(),
        interactions.nnz()
    );
    for factors in [64, 128] {
        for (name, solver) in [
            ("cg", Solver::default()),
            ("block", Solver::BLOCK),
            ("cholesky", Solver::Cholesky),
        ] {
            let params = Params {
                factors,
                iterations: 1,
                solver,
                ..Params::default()
            };
            let name = format!("iteration_{name}_{factors}_factors");
            measure(criterion, "als", &name, interactions.nnz() as u64, || {
                train(&interactions, &params, &mut |_, _| {}).unwrap();
            });
        }
        let params = Params {
            factors,
            iterations: 2,
            ..Params::default()
        };
        let model = train(&interactions, &params, &mut |_, _| {}).unwrap();
        let seen = |session: usize| interactions.row(session).0;
        measure(
            criterion,
            "als",
            &format!("top_10_{factors}_factors"),
            interactions.users() as u64,
            || {
                let lists = ItemIndex::new(&model.items).top(&model.users, 10, Some(&seen));
                assert_eq!(lists.len(), interactions.users());
            },
        );
    }
}

criterion_group!(benches, als);
criterion_main!(benches);
