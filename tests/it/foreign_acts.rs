//! Another engine that modifies tables of a lake: the Delta library alone, which knows nothing about steps.

use deltalake::DeltaTable;
use deltalake::arrow::array::RecordBatch;
use deltalake::kernel::{DataType, PrimitiveType, StructField};
use deltalake::operations::create::CreateBuilder;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::SaveMode;
use futures::TryStreamExt;

use self::Act::*;
use crate::prices::Prices;

/// A change that another engine makes to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Restore(u64),
    DeleteOne,
    DeleteAll,
    Update,
    Overwrite,
    Replace,
    Append,
    Optimize,
    Vacuum,
    Property,
    Checkpoint,
    AddColumn,
}

pub async fn act(table: DeltaTable, act: Act) {
    match act {
        Restore(version) => _ = table.restore().with_version_to_restore(version).await.unwrap(),
        DeleteOne => _ = table.delete().with_predicate("line = 1").await.unwrap(),
        DeleteAll => _ = table.delete().await.unwrap(),
        Update => {
            let update = table
                .update()
                .with_predicate("line = 1")
                .with_update("line", "line + 100");
            update.await.unwrap();
        }
        Overwrite | Append => {
            let one = one_row(&table).await;
            let mode = match act {
                Overwrite => SaveMode::Overwrite,
                _ => SaveMode::Append,
            };
            table.write([one]).with_save_mode(mode).await.unwrap();
        }
        Replace => {
            let columns = table.snapshot().unwrap().schema();
            let created = CreateBuilder::new()
                .with_log_store(table.log_store())
                .with_columns(columns.fields().cloned())
                .with_save_mode(SaveMode::Overwrite);
            created.await.unwrap();
        }
        Optimize => _ = table.optimize().await.unwrap(),
        Vacuum => _ = table.vacuum().with_mode(VacuumMode::Lite).await.unwrap(),
        Property => {
            let properties = [("delta.checkpointInterval".to_owned(), "7".to_owned())];
            let set = table.set_tbl_properties().with_properties(properties.into());
            set.await.unwrap();
        }
        Checkpoint => deltalake::checkpoints::create_checkpoint(&table, None).await.unwrap(),
        AddColumn => {
            let column = StructField::new("more", DataType::Primitive(PrimitiveType::Long), true);
            table.add_columns().with_fields(vec![column]).await.unwrap();
        }
    }
}

async fn one_row(table: &DeltaTable) -> RecordBatch {
    let (_, rows) = table.scan_table().await.unwrap();
    let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
    rows.into_iter().find(|batch| batch.num_rows() > 0).unwrap().slice(0, 1)
}

/// Two files, with a run after each. Each item occurs once, because the SQL keeps all rows of a key that arrive
/// together.
pub fn two_runs() -> Prices {
    let prices = Prices::new("mode: merge, key: [item_id]", "");
    prices.produce("1.json", &[("a", "1", false), ("b", "2", false), ("c", "3", false)]);
    prices.run().unwrap();
    prices.produce("2.json", &[("d", "4", false), ("e", "5", false)]);
    prices.run().unwrap();
    prices
}

/// Bronze has this many records, each once, and the other tables match what is computed from them.
pub fn assert_whole(prices: &Prices, records: u64, case: &str) {
    let counted = prices.rows("select count(*), count(distinct concat(topic, ' ', line)) from bronze.clicks");
    assert_eq!(counted, [format!("{records},{records}")], "{case}");
    let of_bronze = "select count(distinct from_json(value, 'item_id string')['item_id']) from bronze.clicks";
    let items = prices.number("select count(*) from silver.prices");
    assert_eq!(items, prices.number(of_bronze), "{case}");
    assert_eq!(items, prices.number("select items from gold.total"), "{case}");
    assert_eq!(
        prices.rows("select sum(price) from silver.prices"),
        prices.rows("select total from gold.total"),
        "{case}"
    );
}
