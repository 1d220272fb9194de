//! The `.slt` files in `tests/slt`: SQL and its results.

use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use clickrec::engine::{Bindings, Engine, EngineOptions};
use datafusion::prelude::SessionContext;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::support::Shop;

struct Session(SessionContext);

#[async_trait]
impl AsyncDB for Session {
    type Error = datafusion::error::DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Self::Error> {
        let result = clickrec::engine::query(&self.0, sql).await?;
        let types = vec![DefaultColumnType::Any; result.schema().fields().len()];
        let batches = result.collect().await?;
        if types.is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = vec![];
        for batch in &batches {
            let columns: Vec<ArrayFormatter<'_>> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options))
                .collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                rows.push(columns.iter().map(|column| column.value(row).to_string()).collect());
            }
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

/// A shop whose pipeline runs on each delivery, queried with `clickrec sql`.
struct Layers {
    shop: Shop,
    deliveries: usize,
}

#[async_trait]
impl AsyncDB for Layers {
    type Error = datafusion::error::DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Self::Error> {
        if let Some(lines) = sql.strip_prefix("deliver\n") {
            self.deliveries += 1;
            let file = format!("sample_data/{}.json", self.deliveries);
            std::fs::write(self.shop.path(&file), lines.to_owned() + "\n")?;
            self.shop.ok(&["run"]);
            return Ok(DBOutput::StatementComplete(0));
        }
        let printed = self.shop.ok(&["sql", "--format", "tsv", "-c", sql]);
        let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let mut lines = printed.lines();
        let types = vec![DefaultColumnType::Any; lines.next().map_or(0, |head| cells(head).len())];
        Ok(DBOutput::Rows {
            types,
            rows: lines.map(cells).collect(),
        })
    }

    async fn shutdown(&mut self) {}
}

fn run(file: &str) {
    run_with(file, 2);
}

fn run_with(file: &str, threads: usize) {
    run_on(file, || async move {
        let options = EngineOptions {
            memory_bytes: 256 << 20,
            spill_dir: None,
            threads: Some(threads),
        };
        let engine = Engine::new(&options)?;
        let engine = if threads == 1 { engine.over_few_rows() } else { engine };
        Ok(Session(engine.session(&Bindings::default()).await?))
    });
}

fn run_on<D, F>(file: &str, connect: impl FnMut() -> F)
where
    D: AsyncDB<ColumnType = DefaultColumnType>,
    F: Future<Output = Result<D, D::Error>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = Runner::new(connect);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt").join(file);
    runtime
        .block_on(runner.run_file_async(path))
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn from_json() {
    run("from_json.slt");
}

#[test]
fn conversions() {
    run("conversions.slt");
}

#[test]
fn canaries() {
    run("canaries.slt");
}

#[test]
fn canaries_on_one_thread() {
    run_with("canaries.slt", 1);
}

#[test]
fn als() {
    run("als.slt");
}

#[test]
fn sessions() {
    run("sessions.slt");
}

#[test]
fn visits() {
    run("visits.slt");
}

#[test]
fn layers() {
    run_on("layers.slt", || async {
        Ok(Layers {
            shop: Shop::new(),
            deliveries: 0,
        })
    });
}
