//! Similar items, by the statement that the project declares.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use clickrec_udfs::UnknownItem;
use datafusion::error::DataFusionError;
use datafusion::prelude::col;

use super::RecommenderError;
use super::columns::{floats, numbers, texts};
use crate::engine::{Bindings, Engine, query};
use crate::pipeline::Runner;

/// Similar items, the most similar first, with the columns `rank`, `item_id` and `similarity`.
#[derive(Debug)]
pub struct Similar(pub RecordBatch);

/// An item that is similar to another.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarItem {
    /// The item.
    pub item: String,
    /// From 1, the most similar.
    pub rank: u64,
    /// How similar it is.
    pub similarity: f64,
}

impl Similar {
    /// The rows as items.
    ///
    /// # Errors
    /// When ranks or similarities are not numbers.
    pub fn items(&self) -> Result<Vec<SimilarItem>, RecommenderError> {
        let items = texts(&self.0, "item_id")?;
        let (ranks, similarities) = (numbers(&self.0, "rank")?, floats(&self.0, "similarity")?);
        let rows = items.iter().zip(&ranks).zip(&similarities);
        let rows = rows.filter_map(|((item, rank), similarity)| {
            Some(SimilarItem {
                item: item?.to_owned(),
                rank: rank?,
                similarity: similarity?,
            })
        });
        Ok(rows.collect())
    }
}

/// The `k` items that are most similar to an item.
///
/// # Errors
/// When the project declares no statement, no model knows the item, or the statement fails.
pub async fn similar(
    runner: &Runner,
    engine: &Engine,
    bindings: &Bindings,
    item: &str,
    k: u32,
) -> Result<Similar, RecommenderError> {
    let declared = runner.recommender().similar.as_ref();
    let declared = declared.ok_or(RecommenderError::NoSimilar)?;
    let mut variables = engine.variables();
    variables.insert("item".to_owned(), item.to_owned());
    variables.insert("k".to_owned(), k.to_string());
    let engine = engine.clone().with_variables(variables);
    let session = engine.session(bindings).await?;
    let found = async {
        let rows = query(&session, &declared.sql).await?;
        let columns = vec![col("rank"), col("similar_item_id").alias("item_id"), col("similarity")];
        let rows = rows.select(columns)?.sort(vec![col("rank").sort(true, false)])?;
        let schema = rows.schema().inner().clone();
        let rows = concat_batches(&schema, &rows.collect().await?)?;
        Ok::<_, DataFusionError>(Similar(rows))
    };
    found.await.map_err(|error| of_statement(error).in_file(&declared.file))
}

/// Distinguishes an item that no model knows from a statement that fails.
fn of_statement(error: DataFusionError) -> RecommenderError {
    if let DataFusionError::External(cause) = error.find_root()
        && let Some(UnknownItem { item }) = cause.downcast_ref()
    {
        return RecommenderError::UnknownItem { item: item.clone() };
    }
    RecommenderError::Query(error)
}

#[cfg(test)]
mod tests {
    use datafusion::common::plan_datafusion_err;

    use super::*;

    #[test]
    fn the_type_of_the_error_identifies_an_item_that_no_model_knows() {
        let unknown = UnknownItem { item: "x".to_owned() };
        let error = DataFusionError::External(Box::new(unknown)).context("while reading");
        assert!(matches!(of_statement(error), RecommenderError::UnknownItem { item } if item == "x"));
        let other = plan_datafusion_err!("the model has no item 'x'");
        assert!(matches!(of_statement(other), RecommenderError::Query(_)));
    }
}
