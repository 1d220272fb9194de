//! What the catalog says of the items that a command prints: their titles in a table, all details in JSON.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use datafusion::prelude::SessionContext;

use super::output::Format;
use crate::engine::Bindings;
use crate::pipeline::Runner;
use crate::recommender::{Catalog, texts};

/// Adds what the catalog says of the items in the column `item_id`: after it, a column `title` if the catalog has the
/// title of any of them; in JSON, instead, a last column `details`. Adds nothing if there is no catalog; one that
/// cannot be read causes a warning.
pub(super) async fn with_details(
    runner: &Runner,
    bindings: &Bindings,
    session: &SessionContext,
    rows: RecordBatch,
    format: Format,
) -> anyhow::Result<RecordBatch> {
    let Some(table) = &runner.recommender().items else {
        return Ok(rows);
    };
    if !bindings.versions.contains_key(&table.to_string()) {
        return Ok(rows);
    }
    let items = texts(&rows, "item_id")?;
    let catalog = match Catalog::read_items(session, table, &items).await {
        Ok(catalog) => catalog,
        Err(error) => {
            tracing::warn!(%table, %error, "cannot read the catalog");
            return Ok(rows);
        }
    };
    match format {
        Format::Json => match catalog.structs(&items)? {
            Some(details) => with_column(&rows, rows.num_columns(), "details", Arc::new(details)),
            None => Ok(rows),
        },
        _ if catalog.has_titles() => {
            let after_id = rows.schema().index_of("item_id")? + 1;
            with_column(&rows, after_id, "title", Arc::new(catalog.titles(&items)))
        }
        _ => Ok(rows),
    }
}

/// The rows with one more column, at this index.
fn with_column(rows: &RecordBatch, place: usize, name: &str, column: ArrayRef) -> anyhow::Result<RecordBatch> {
    // The project's own column of this name stays.
    if rows.column_by_name(name).is_some() {
        return Ok(rows.clone());
    }
    let (mut fields, mut columns) = (rows.schema().fields().to_vec(), rows.columns().to_vec());
    fields.insert(place, Arc::new(Field::new(name, column.data_type().clone(), true)));
    columns.insert(place, column);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_column_is_added_unless_the_project_has_one_of_its_name() {
        let column = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let rows = RecordBatch::try_from_iter([("item_id", column("p1")), ("rank", column("1"))]).unwrap();
        let with_title = with_column(&rows, 1, "title", column("Of the catalog")).unwrap();
        let names: Vec<String> = with_title
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        assert_eq!(names, ["item_id", "title", "rank"]);
        assert_eq!(
            with_column(&with_title, 1, "title", column("Another")).unwrap(),
            with_title
        );
    }
}
