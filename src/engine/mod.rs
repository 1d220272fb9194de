//! The only place that builds a `SessionContext`: memory pool, spill, UTC, catalogs, functions.
//!
//! A step's SQL sees the world through its [`Bindings`]: the rows that each table name, `changes('…')` and
//! `previous('…')` refer to. The engine knows nothing else about steps.
//!
//! - [`query`](fn@query): the only way from SQL to a plan. `rewrite_statement` rewrites the statement before it is planned;
//!   then `not_in` and `typed_nulls` rewrite the plan, where DataFusion would return wrong rows or fail. `known_wrong`
//!   rejects what DataFusion would still answer with wrong rows.
//! - `files`: files by name (`from 'events.csv'`), where a statement may read them ([`FileAccess`]).
//! - `functions`: all functions of a session, with `checked_sum` in the place of DataFusion's `sum`; [`help`](fn@help):
//!   their documentation.
//! - `planner`: DataFusion's planner, with the table functions that take relations.
//! - Rules for physical plans: `one_by_one` (inputs of a union), `split_joined` (large batches of a join), and
//!   [`PruneByKeys`](crate::lake::keys::PruneByKeys) (data files without the keys of a join).
//! - `memory`: a pool that records its peak.

mod bindings;
mod checked_sum;
mod files;
mod functions;
mod help;
mod known_wrong;
mod memory;
mod not_in;
mod one_by_one;
mod planner;
mod query;
mod rewrite_statement;
mod split_joined;
#[cfg(test)]
mod test_session;
mod typed_nulls;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clickrec_udfs::{Distributed, FewRows, SourceSchemas, Variables};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::lake::keys::PruneByKeys;
use memory::PeakPool;
use one_by_one::OneByOne;
use split_joined::SplitJoined;

pub use bindings::{Bindings, FileAccess, View};
pub use help::{FunctionHelp, FunctionKind, ParameterHelp, help};
pub use query::{plan, query};

/// The only catalog of a session: its schemas are the layers.
pub const CATALOG: &str = "lake";
/// How many of the largest consumers an out-of-memory error names.
const CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::new(5).unwrap();

/// Resource limits of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The size in bytes of the one pool that queries, sources and training share.
    pub memory_bytes: usize,
    /// Where sorts and aggregates spill; by default, the system's temporary folder.
    pub spill_dir: Option<PathBuf>,
    /// How many partitions of a query run in parallel; by default, the number of cores.
    pub threads: Option<usize>,
}

type Pool = Arc<PeakPool<TrackConsumersPool<FairSpillPool>>>;

fn pool(bytes: usize) -> Pool {
    let pool = TrackConsumersPool::new(FairSpillPool::new(bytes), CONSUMERS_NAMED);
    Arc::new(PeakPool::new(pool))
}

/// Creates sessions that share one memory pool and one spill folder.
#[derive(Debug, Clone)]
pub struct Engine {
    pool: Pool,
    runtime: Arc<RuntimeEnv>,
    config: SessionConfig,
    physical_rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
    schemas: SourceSchemas,
}

impl Engine {
    /// Sets up the pool and the spill folder.
    ///
    /// # Errors
    /// When the spill folder cannot be created.
    pub fn new(options: &EngineOptions) -> Result<Self, DataFusionError> {
        let pool = pool(options.memory_bytes);
        let spill = match &options.spill_dir {
            Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(pool.clone())
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill))
            // It would keep the list of a folder's files for as long as the process runs.
            .with_object_list_cache_limit(0)
            .build_arc()?;
        let mut config = SessionConfig::new()
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, "public")
            .with_information_schema(true);
        if let Some(threads) = options.threads {
            config = config.with_target_partitions(threads);
        }
        let options = config.options_mut();
        options.execution.time_zone = Some("+00:00".to_owned());
        // Views save copies, but a few rows of a batch then keep all of it in memory: sorts and joins of a million
        // events took ten times the memory.
        options.execution.parquet.schema_force_view_types = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        // It would evaluate a function that returns a struct (from_json) once per accessed field.
        options.optimizer.enable_leaf_expression_pushdown = false;
        // Lets errors point to their location in the SQL.
        options.sql_parser.collect_spans = true;
        let engine = Self {
            pool,
            runtime,
            config,
            physical_rules: physical_rules(),
            schemas: SourceSchemas::new(),
        };
        Ok(engine.with_variables(Variables::new()))
    }

    /// How many partitions of a query run in parallel.
    pub fn threads(&self) -> usize {
        self.config.target_partitions()
    }

    /// Sets the values of `var('NAME', …)` in the SQL of its sessions.
    #[must_use]
    pub fn with_variables(mut self, variables: Variables) -> Self {
        self.config.set_extension(Arc::new(variables));
        self
    }

    /// The values of `var('NAME', …)` in the SQL of its sessions.
    pub fn variables(&self) -> Variables {
        let variables = self.config.get_extension::<Variables>();
        variables
            .map(|variables| variables.as_ref().clone())
            .unwrap_or_default()
    }

    /// Sets what `from_avro` and `from_protobuf` in the SQL of its sessions know of sources.
    #[must_use]
    pub fn with_schemas(mut self, schemas: SourceSchemas) -> Self {
        self.schemas = schemas;
        self
    }

    /// The same engine with its own pool of this many bytes; it shares the spill folder and the object stores.
    ///
    /// # Errors
    /// When the spill folder is gone.
    pub fn limited_to(&self, memory_bytes: usize) -> Result<Self, DataFusionError> {
        let pool = pool(memory_bytes);
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.runtime).with_memory_pool(pool.clone());
        Ok(Self {
            runtime: runtime.build_arc()?,
            pool,
            config: self.config.clone(),
            physical_rules: self.physical_rules.clone(),
            schemas: self.schemas.clone(),
        })
    }

    /// Runs each query on one thread: for many small queries.
    #[must_use]
    pub fn single_threaded(mut self) -> Self {
        self.config = self.config.with_target_partitions(1);
        // The filters that joins create for scans cost more than they save on scans of a few rows.
        let optimizer = &mut self.config.options_mut().optimizer;
        optimizer.enable_join_dynamic_filter_pushdown = false;
        optimizer.enable_topk_dynamic_filter_pushdown = false;
        optimizer.enable_aggregate_dynamic_filter_pushdown = false;
        self
    }

    /// For queries over a few rows, such as those of tests.
    #[must_use]
    pub fn over_few_rows(mut self) -> Self {
        self.config.set_extension(Arc::new(FewRows));
        self.single_threaded()
    }

    /// Plans for a cluster, split into this many partitions and made only of nodes that can be sent to other processes,
    /// which share no memory.
    #[must_use]
    pub fn distributed(mut self, partitions: NonZeroUsize) -> Self {
        self.config = self.config.with_target_partitions(partitions.get());
        self.config.set_extension(Arc::new(Distributed));
        self.physical_rules = PhysicalOptimizer::new().rules;
        let options = self.config.options_mut();
        // Filters and values that nodes pass to each other at run time.
        options.optimizer.enable_dynamic_filter_pushdown = false;
        options.optimizer.enable_join_dynamic_filter_pushdown = false;
        options.optimizer.enable_topk_dynamic_filter_pushdown = false;
        options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
        options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
        options.execution.enable_file_stream_work_stealing = false;
        // Stages are cut at hash repartitionings.
        options.optimizer.enable_round_robin_repartition = false;
        // Joins that can spill; small sides are broadcast to all tasks.
        options.optimizer.prefer_hash_join = false;
        self
    }

    /// The memory pool, spill folder and object stores that all sessions share.
    pub fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    /// The peak reservation since [`Engine::reset_memory_peak`], in bytes.
    pub fn memory_peak(&self) -> usize {
        self.pool.peak()
    }

    /// Restarts the measurement of [`Engine::memory_peak`].
    pub fn reset_memory_peak(&self) {
        self.pool.reset_peak();
    }

    /// A session with tables and functions bound as given. Views are planned here, in order.
    ///
    /// # Errors
    /// When a view does not plan.
    pub async fn session(&self, bindings: &Bindings) -> Result<SessionContext, DataFusionError> {
        let state = SessionStateBuilder::new()
            .with_config(self.config.clone())
            .with_runtime_env(self.runtime.clone())
            .with_default_features()
            .with_query_planner(Arc::new(planner::QueryPlanner))
            .with_physical_optimizer_rules(self.physical_rules.clone())
            .build();
        let context = SessionContext::new_with_state(state);
        functions::register(&context, bindings, &self.schemas)?;

        let catalog = Arc::new(MemoryCatalogProvider::new());
        let unnamed = |access| files::schema(access, &self.config, &self.runtime);
        catalog.register_schema("public", unnamed(FileAccess::default()))?;
        #[allow(clippy::disallowed_methods, reason = "the engine is the one place that registers")]
        context.register_catalog(CATALOG, catalog.clone());
        for (name, provider) in &bindings.tables {
            layer(&catalog, &name.layer)?.register_table(name.table.clone(), provider.clone())?;
        }
        for view in &bindings.views {
            let plan = plan(&context, &view.sql)
                .await
                .map_err(|error| error.context(view.name.to_string()))?;
            let provider = Arc::new(ViewTable::new(plan, Some(view.sql.clone())));
            layer(&catalog, &view.name.layer)?.register_table(view.name.table.clone(), provider)?;
        }
        catalog.register_schema("public", unnamed(bindings.files))?;
        Ok(context)
    }
}

/// DataFusion's rules, surrounded by ours, which apply only to plans within one process.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.insert(0, Arc::new(OneByOne));
    rules.push(Arc::new(PruneByKeys));
    rules.push(Arc::new(SplitJoined));
    rules
}

fn layer(catalog: &MemoryCatalogProvider, name: &str) -> Result<Arc<dyn SchemaProvider>, DataFusionError> {
    if let Some(schema) = catalog.schema(name) {
        return Ok(schema);
    }
    let schema = Arc::new(MemorySchemaProvider::new());
    catalog.register_schema(name, schema.clone())?;
    Ok(schema)
}
