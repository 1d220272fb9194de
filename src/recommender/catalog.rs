//! The shop's catalog (`items` under `recommender`), in memory: titles, prices and pictures for the items of an answer.
//!
//! An item is found by binary search over the sorted IDs: 4 bytes per item, in addition to the columns themselves. Of
//! several rows of an item, the one that is read last counts. Only the columns that answers show are kept. A column
//! that the table lacks, or whose type does not fit, is missing from all answers.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::compute::{can_cast_types, cast, concat_batches, take};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat};
use datafusion::common::{exec_datafusion_err, plan_datafusion_err};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{cast as cast_expr, ident, lit};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::TableName;
use crate::engine::query;

/// The most memory that the columns of a catalog may take; a larger one is not read.
const BYTES_MAX: usize = 256 << 20;

const ID: &str = "item_id";

/// What the catalog says of an item. A field that it does not know is missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Details {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Alpine Running Shoes")]
    pub title: Option<String>,
    /// Its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Shoes")]
    pub category: Option<String>,
    /// Its price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 88.9)]
    pub price: Option<f64>,
    /// The URL of a picture; also `data:image/…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The URL of its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it can be bought, as the shop writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "in_stock")]
    pub availability: Option<String>,
    /// When it came into the assortment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// The items of a catalog; without any by default.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    ids: Option<StringArray>,
    /// The rows, sorted by ID; those with equal IDs as they were read.
    order: Vec<u32>,
    columns: Columns,
}

/// The columns of [`Details`] that the table has.
#[derive(Debug, Clone, Default)]
struct Columns {
    title: Option<StringArray>,
    category: Option<StringArray>,
    price: Option<Float64Array>,
    image: Option<StringArray>,
    url: Option<StringArray>,
    availability: Option<StringArray>,
    created: Option<TimestampMicrosecondArray>,
}

/// The columns that are read, and their types here.
fn wanted() -> [(&'static str, DataType); 8] {
    let text = |name| (name, DataType::Utf8);
    [
        text(ID),
        text("title"),
        text("category"),
        ("price", DataType::Float64),
        text("image"),
        text("url"),
        text("availability"),
        (
            "created",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
    ]
}

impl Catalog {
    /// All items of a table.
    ///
    /// # Errors
    /// When the table cannot be read, has no column `item_id`, or takes more than 256 MiB.
    pub async fn read(session: &SessionContext, table: &TableName) -> Result<Self, DataFusionError> {
        Self::of(query(session, &format!("select * from {table}")).await?).await
    }

    /// Some items of a table.
    ///
    /// # Errors
    /// As [`Catalog::read`].
    pub async fn read_items(
        session: &SessionContext,
        table: &TableName,
        items: &StringArray,
    ) -> Result<Self, DataFusionError> {
        let rows = query(session, &format!("select * from {table}")).await?;
        let items = items.iter().flatten().map(lit).collect();
        let is_wanted = cast_expr(ident(ID), DataType::Utf8).in_list(items, false);
        Self::of(rows.filter(is_wanted)?).await
    }

    async fn of(rows: DataFrame) -> Result<Self, DataFusionError> {
        let schema = kept(rows.schema().as_arrow())?;
        let names = schema.fields().iter().map(|field| ident(field.name()));
        let mut stream = rows.select(names.collect::<Vec<_>>())?.execute_stream().await?;
        let (mut batches, mut bytes) = (vec![], 0);
        while let Some(batch) = stream.try_next().await? {
            let batch = converted(&batch, &schema)?;
            bytes += batch.get_array_memory_size();
            if bytes > BYTES_MAX {
                return Err(exec_datafusion_err!(
                    "the catalog takes more than {} MiB of memory; leave out columns or items that answers do not need",
                    BYTES_MAX >> 20
                ));
            }
            batches.push(batch);
        }
        let made = tokio::task::spawn_blocking(move || {
            let rows = concat_batches(&schema, &batches)?;
            Ok::<_, DataFusionError>(Self::new(&rows))
        });
        made.await.map_err(|error| DataFusionError::External(Box::new(error)))?
    }

    /// Of rows whose columns have the types in [`wanted`].
    fn new(rows: &RecordBatch) -> Self {
        let ids = text(rows, ID);
        let mut order: Vec<u32> = vec![];
        if let Some(ids) = &ids {
            order.extend((0_u32..).zip(ids).filter_map(|(row, id)| id.map(|_| row)));
            order.sort_by_key(|row| ids.value(*row as usize));
        }
        let price = rows.column_by_name("price");
        let price = price.and_then(|column| column.as_primitive_opt::<Float64Type>());
        let created = rows.column_by_name("created");
        let created = created.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let columns = Columns {
            title: text(rows, "title"),
            category: text(rows, "category"),
            price: price.cloned(),
            image: text(rows, "image"),
            url: text(rows, "url"),
            availability: text(rows, "availability"),
            created: created.cloned(),
        };
        Self { ids, order, columns }
    }

    /// Whether it knows the title of any item.
    pub fn has_titles(&self) -> bool {
        let title = self.columns.title.as_ref();
        title.is_some_and(|title| title.null_count() < title.len())
    }

    /// What it says of an item; `None` if it does not have the item.
    pub fn details(&self, item: &str) -> Option<Details> {
        let row = self.row(item)?;
        let text = |column: &Option<StringArray>| {
            let column = column.as_ref().filter(|column| column.is_valid(row))?;
            Some(column.value(row).to_owned())
        };
        let columns = &self.columns;
        let price = columns.price.as_ref().filter(|price| price.is_valid(row));
        let created = columns.created.as_ref().filter(|created| created.is_valid(row));
        let created = created.and_then(|created| DateTime::from_timestamp_micros(created.value(row)));
        Some(Details {
            title: text(&columns.title),
            category: text(&columns.category),
            price: price.map(|price| price.value(row)).filter(|price| price.is_finite()),
            image: text(&columns.image),
            url: text(&columns.url),
            availability: text(&columns.availability),
            created: created.map(|created| created.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        })
    }

    fn row(&self, item: &str) -> Option<usize> {
        let ids = self.ids.as_ref()?;
        let end = self.order.partition_point(|row| ids.value(*row as usize) <= item);
        let row = *self.order.get(end.checked_sub(1)?)? as usize;
        (ids.value(row) == item).then_some(row)
    }

    /// The titles of items.
    pub fn titles(&self, items: &StringArray) -> StringArray {
        let column = self.columns.title.as_ref();
        let title = |item: Option<&str>| {
            let (column, row) = (column?, self.row(item?)?);
            column.is_valid(row).then(|| column.value(row))
        };
        items.iter().map(title).collect()
    }

    /// What it says of items, as a column of structs, with the fields that the table has; NULL for items that it does
    /// not have. `None` if the table has no such field.
    ///
    /// # Errors
    /// When the structs cannot be built.
    pub fn structs(&self, items: &StringArray) -> Result<Option<StructArray>, DataFusionError> {
        let row = |item: Option<&str>| self.row(item?).and_then(|row| u32::try_from(row).ok());
        let rows: UInt32Array = items.iter().map(row).collect();
        let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = (vec![], vec![]);
        for (name, column) in self.columns.named() {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(take(&column, &rows, None)?);
        }
        match fields.is_empty() {
            true => Ok(None),
            false => Ok(Some(StructArray::try_new(
                fields.into(),
                columns,
                rows.nulls().cloned(),
            )?)),
        }
    }
}

impl Columns {
    /// Those that are there, by name, in the order of [`Details`].
    fn named(&self) -> Vec<(&'static str, ArrayRef)> {
        let text = |column: &Option<StringArray>| column.clone().map(|column| Arc::new(column) as ArrayRef);
        let price = self.price.clone().map(|price| Arc::new(price) as ArrayRef);
        let created = self.created.clone().map(|created| Arc::new(created) as ArrayRef);
        let columns = [
            ("title", text(&self.title)),
            ("category", text(&self.category)),
            ("price", price),
            ("image", text(&self.image)),
            ("url", text(&self.url)),
            ("availability", text(&self.availability)),
            ("created", created),
        ];
        columns
            .into_iter()
            .filter_map(|(name, column)| Some((name, column?)))
            .collect()
    }
}

/// The columns of a table that are kept, in the types that they get.
fn kept(table: &Schema) -> Result<SchemaRef, DataFusionError> {
    let mut fields = vec![];
    for (name, data_type) in wanted() {
        let column = table.field_with_name(name);
        if column.is_ok_and(|column| can_cast_types(column.data_type(), &data_type)) {
            fields.push(Field::new(name, data_type, true));
        }
    }
    match fields.first().is_some_and(|first| first.name() == ID) {
        true => Ok(Arc::new(Schema::new(fields))),
        false => Err(plan_datafusion_err!("the catalog has no text column `{ID}`")),
    }
}

/// A batch in these types; values that do not fit become NULL.
fn converted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(
        schema.clone(),
        columns.collect::<Result<_, _>>()?,
    )?)
}

fn text(rows: &RecordBatch, name: &str) -> Option<StringArray> {
    rows.column_by_name(name)?.as_string_opt::<i32>().cloned()
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use datafusion::datasource::MemTable;

    use super::*;
    use crate::engine::{Bindings, Engine, EngineOptions};

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    /// A session over a table `gold.items` with these columns.
    async fn session(columns: Vec<(&str, ArrayRef)>) -> (SessionContext, TableName) {
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap();
        let name: TableName = "gold.items".parse().unwrap();
        let mut bindings = Bindings::default();
        bindings.tables.insert(name.clone(), Arc::new(table));
        let options = EngineOptions {
            memory_bytes: 64 << 20,
            spill_dir: None,
            threads: Some(1),
        };
        (Engine::new(&options).unwrap().session(&bindings).await.unwrap(), name)
    }

    #[tokio::test]
    async fn items_are_found_and_what_is_not_known_is_missing() {
        let columns = vec![
            ("item_id", texts(&[Some("b"), Some("a"), None, Some("b"), Some("ab")])),
            (
                "title",
                texts(&[Some("Old"), Some("Boots"), Some("none"), Some("New"), None]),
            ),
            (
                "price",
                Arc::new(Float64Array::from(vec![
                    Some(1.0),
                    Some(59.9),
                    None,
                    None,
                    Some(f64::NAN),
                ])) as ArrayRef,
            ),
            (
                "created",
                texts(&[None, Some("2025-07-01T10:00:00Z"), None, Some("soon"), None]),
            ),
            ("brand", texts(&[Some("x"); 5])),
        ];
        let (session, table) = session(columns).await;
        let catalog = Catalog::read(&session, &table).await.unwrap();
        let boots = Details {
            title: Some("Boots".to_owned()),
            price: Some(59.9),
            created: Some("2025-07-01T10:00:00Z".to_owned()),
            ..Details::default()
        };
        assert_eq!(catalog.details("a"), Some(boots));
        let title = |item: &str| catalog.details(item).map(|details| details.title);
        assert_eq!(title("b"), Some(Some("New".to_owned())), "the last row counts");
        assert_eq!(catalog.details("ab"), Some(Details::default()));
        assert_eq!((title("aa"), title(""), title("c")), (None, None, None));
        assert!(catalog.has_titles());
        let json = serde_json::to_string(&catalog.details("b")).unwrap();
        assert_eq!(json, r#"{"title":"New"}"#);

        let asked = StringArray::from(vec![Some("b"), Some("zz"), None]);
        let some = Catalog::read_items(&session, &table, &asked).await.unwrap();
        assert_eq!(some.titles(&asked), StringArray::from(vec![Some("New"), None, None]));
        assert_eq!(some.details("a"), None, "it was not asked for");
        let structs = some.structs(&asked).unwrap().unwrap();
        assert_eq!(structs.column_names(), ["title", "price", "created"]);
        assert_eq!((structs.is_valid(0), structs.null_count()), (true, 2));
    }

    #[tokio::test]
    async fn a_table_may_lack_every_column_but_the_id() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let (of_numbers, table) = session(vec![("item_id", numbers.clone())]).await;
        let catalog = Catalog::read(&of_numbers, &table).await.unwrap();
        assert_eq!(catalog.details("7"), Some(Details::default()));
        assert!(!catalog.has_titles());
        let asked = StringArray::from(vec!["7"]);
        assert!(catalog.structs(&asked).unwrap().is_none());
        assert_eq!(Catalog::default().details("7"), None);

        let (of_others, table) = session(vec![("sku", numbers)]).await;
        let error = Catalog::read(&of_others, &table).await.unwrap_err().to_string();
        assert!(error.contains("no text column `item_id`"), "{error}");
    }
}
