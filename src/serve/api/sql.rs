//! `POST /api/v1/sql`: runs a query of a client over the snapshot, if its plan only reads tables of the lake, within
//! limits on rows, bytes (16 MiB) and memory; the others are in `serve/limits.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::Json;
use axum::extract::State;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Body;
use crate::engine::{self, Bindings};
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::shop::Shop;
use crate::shell::print::as_json;

/// The maximum memory for the rows of an answer.
const BYTES: usize = 16 << 20;

/// Why a statement is refused, and what to do instead.
type Refusal = (&'static str, &'static str);
const WRITES: Refusal = ("only statements that read are allowed", "send one query: select …");

/// A read-only statement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    #[schema(example = "select count(*) as sessions from gold.sessions")]
    sql: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rows {
    #[schema(value_type = Vec<Object>)]
    rows: Vec<BTreeMap<String, Value>>,
    /// Whether there are more rows than returned.
    truncated: bool,
}

/// The rows of a statement over the lake's tables, if the server allows it (clickrec serve --sql)
#[utoipa::path(post, path = "/api/v1/sql", tag = "sql", request_body = Statement,
    responses((status = 200, body = Rows), (status = 400, body = ErrorBody), (status = "default", body = ErrorBody)))]
pub(super) async fn run(
    State(shop): State<Arc<Shop>>,
    Body(statement): Body<Statement>,
) -> Result<Json<Rows>, ApiError> {
    if !shop.options.sql {
        return Err(ApiError::NotFound(
            "SQL is off; clickrec serve --sql enables it".to_owned(),
        ));
    }
    let _turn = shop.turn().await?;
    let failed = |error: &DataFusionError| ApiError::statement(error);
    // Only the tables of the lake: no sources, whose paths and settings clients must not see, and no variables.
    let snapshot = shop.snapshot();
    let bindings = Bindings {
        changes: BTreeMap::new(),
        latest: snapshot.bindings.latest.clone(),
        versions: snapshot.bindings.versions.clone(),
        tables: snapshot.lake_tables(),
        ..Bindings::default()
    };
    let engine = shop.runner.engine().clone().with_variables(BTreeMap::new());
    let engine = engine
        .limited_to(shop.options.limits.sql_bytes)
        .map_err(|error| failed(&error))?;
    let session = engine.session(&bindings).await.map_err(|error| failed(&error))?;
    let plan = engine::plan(&session, &statement.sql)
        .await
        .map_err(|error| failed(&error))?;
    check(&plan)?;
    let rows = session
        .execute_logical_plan(plan)
        .await
        .map_err(|error| failed(&error))?;
    let (batches, truncated) = at_most(rows, shop.options.limits.rows)
        .await
        .map_err(|error| failed(&error))?;
    let json = as_json(&batches).map_err(|error| failed(&error.into()))?;
    let rows = serde_json::from_slice(&json).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(Json(Rows { rows, truncated }))
}

/// Allows only a plan that reads and does nothing else, whatever its text looks like.
fn check(plan: &LogicalPlan) -> Result<(), ApiError> {
    let reads_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan);
    let refusal = |(message, help): Refusal| ApiError::Sql(message.to_owned(), Some(help));
    reads_only.map_err(|_| refusal(WRITES))?;
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Copy(_) | LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) = node {
            refused = Some(WRITES);
        }
        // Clients must not see the server's settings.
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.schema() == Some("information_schema")
        {
            refused = Some(("the information schema is not available here", "use `clickrec sql`"));
        }
        // Functions such as als_train, which would continue after the client has disconnected.
        if let LogicalPlan::Extension(_) = node {
            refused = Some((
                "functions that learn or recommend are not available here",
                "use `clickrec sql`",
            ));
        }
        // Plans reveal where the files are.
        if let LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) = node {
            refused = Some(("plans are not available here", "use `clickrec sql`"));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    match (walked, refused) {
        (Ok(_), None) => Ok(()),
        (_, Some(found)) => Err(refusal(found)),
        (Err(_), None) => Err(ApiError::Sql("the statement cannot be checked".to_owned(), None)),
    }
}

/// The first rows, and whether there are more; the rest is not computed.
async fn at_most(
    rows: datafusion::dataframe::DataFrame,
    most: usize,
) -> Result<(Vec<RecordBatch>, bool), DataFusionError> {
    let mut stream = rows.execute_stream().await?;
    let (mut batches, mut count, mut bytes) = (vec![], 0, 0);
    while let Some(batch) = stream.try_next().await? {
        let room = most - count;
        bytes += batch.get_array_memory_size();
        if bytes > BYTES {
            return Err(DataFusionError::ResourcesExhausted("the rows are too large".to_owned()));
        }
        if batch.num_rows() > room {
            batches.push(batch.slice(0, room));
            return Ok((batches, true));
        }
        count += batch.num_rows();
        batches.push(batch);
    }
    Ok((batches, false))
}
