//! The texts by which the errors of a cluster are told apart. Executors and scheduler pass errors on as text, some as
//! `Display`, some as `Debug`; the types are lost. Nothing else reads such text.

/// Why Ballista says that a job failed which the scheduler canceled. Only ours does: it had lost an executor.
const CANCELLED: &str = "Cancelled";
/// What is said of such a job instead.
const LOST_EXECUTOR: &str = "an executor was lost while the job was running";
/// What is said of a job whose result did not arrive.
const NOT_FETCHED: &str = "could not be fetched";

/// Errors that pass.
const PASSING: [&str; 5] = [
    "IoError",
    "IO error",
    "Object Store error",
    "executors were lost",
    "does not answer",
];

/// A lost executor, whose shuffles others, or the client, were reading.
const OF_LOST_EXECUTORS: [&str; 6] = [
    LOST_EXECUTOR,
    NOT_FETCHED,
    "h2 protocol error",
    "transport error",
    "broken pipe",
    "error reading a body from connection",
];

/// Errors of Arrow's kernels and of our own that reject a value.
const OF_DATA: [&str; 13] = [
    "Cast error",
    "CastError",
    "Parser error",
    "ParseError",
    "Compute error",
    "ComputeError",
    "Divide by zero",
    "DivideByZero",
    "Arithmetic overflow",
    "ArithmeticOverflow",
    "Execution error",
    "Execution(",
    "has NULLs in the result",
];

/// A memory pool that is exhausted.
const OUT_OF_MEMORY: &str = "ResourcesExhausted";

fn holds(reason: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| reason.contains(text))
}

/// Whether a retry may succeed a little later.
pub(super) fn is_passing(reason: &str) -> bool {
    holds(reason, &PASSING) || has_lost_an_executor(reason)
}

/// Whether an executor was lost.
pub(super) fn has_lost_an_executor(reason: &str) -> bool {
    holds(reason, &OF_LOST_EXECUTORS)
}

/// Whether a value in the data may be the cause.
pub(super) fn is_of_data(reason: &str) -> bool {
    holds(reason, &OF_DATA)
}

/// Whether there was not enough memory.
pub(super) fn is_out_of_memory(reason: &str) -> bool {
    reason.contains(OUT_OF_MEMORY)
}

/// Why a job failed, from what Ballista says.
pub(super) fn reason(error: String) -> String {
    match error.as_str() {
        CANCELLED => LOST_EXECUTOR.to_owned(),
        _ => error,
    }
}

/// Why a job failed whose result did not arrive.
pub(super) fn not_fetched(error: &str) -> String {
    format!("its result {NOT_FETCHED}: {error}")
}

/// Whether an operator, as Ballista's metrics name and describe it, reads files or a source. The numbers of partitions
/// that a scattered leaf reads are an in-memory table, which does not count.
pub(super) fn reads(operator: &str, description: &str) -> bool {
    match operator {
        "ScatteredExec" => true,
        "DataSourceExec" => description.contains("file_groups"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io;
    use std::sync::Arc;

    use arrow::array::{Int32Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::error::ArrowError;
    use ballista_core::error::BallistaError;
    use ballista_core::serde::protobuf::FailedTask;
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::datasource::object_store::ObjectStoreUrl;
    use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
    use datafusion::datasource::source::DataSourceExec;
    use datafusion::error::DataFusionError;
    use datafusion::physical_plan::ExecutionPlan;
    use datafusion::physical_plan::display::DisplayableExecutionPlan;

    use super::*;
    use crate::lake::LakeError;

    /// What an executor says of a task that failed so: as `Debug`.
    fn of_executor(error: impl Into<BallistaError>) -> String {
        let error: BallistaError = error.into();
        FailedTask::from(error).error
    }

    /// The same from parts that pass errors on as `Display`.
    fn shown(error: &DataFusionError) -> String {
        of_executor(DataFusionError::Internal(error.strip_backtrace()))
    }

    #[test]
    fn errors_of_disks_and_stores_pass() {
        let disk = || io::Error::other("disk");
        let store = || {
            DataFusionError::ObjectStore(Box::new(object_store::Error::Generic {
                store: "S3",
                source: "503".into(),
            }))
        };
        for reason in [
            of_executor(DataFusionError::IoError(disk())),
            of_executor(BallistaError::IoError(disk())),
            shown(&DataFusionError::IoError(disk())),
            shown(&store()),
        ] {
            assert!(is_passing(&reason), "{reason}");
            assert!(!is_of_data(&reason) && !is_out_of_memory(&reason), "{reason}");
        }
    }

    #[test]
    fn a_scheduler_that_has_no_executors_or_is_not_understood_passes() {
        // Of ballista-scheduler's query_stage_scheduler.rs.
        let none = "all executors were lost and no executor re-registered within 120s; no executors remain to run the \
                    tasks for this job";
        assert!(is_passing(none));
        assert!(is_passing("the scheduler does not answer in a known format"));
    }

    #[test]
    fn a_canceled_job_has_lost_an_executor() {
        assert!(has_lost_an_executor(&reason("Cancelled".to_owned())));
        assert!(is_passing(&reason("Cancelled".to_owned())));
        assert_eq!(reason("Task cancelled".to_owned()), "Task cancelled");
    }

    #[test]
    fn a_connection_that_breaks_has_lost_an_executor() {
        let grpc = |message: &str| of_executor(tonic::Status::internal(message));
        for reason in [
            not_fetched("connection refused"),
            // Of tonic, h2 and hyper.
            grpc("h2 protocol error: http2 error"),
            grpc("transport error"),
            grpc("connection closed because of a broken pipe"),
            grpc("error reading a body from connection"),
        ] {
            assert!(has_lost_an_executor(&reason), "{reason}");
            assert!(is_passing(&reason), "{reason}");
        }
    }

    #[test]
    fn values_that_are_rejected_are_errors_of_data_in_both_forms() {
        let null_key = LakeError::NullKey {
            table: "gold.items".to_owned(),
            column: "id".to_owned(),
        };
        let arrow = [
            ArrowError::CastError("x".to_owned()),
            ArrowError::ParseError("x".to_owned()),
            ArrowError::ComputeError("x".to_owned()),
            ArrowError::DivideByZero,
            ArrowError::ArithmeticOverflow("x".to_owned()),
        ];
        let mut errors: Vec<DataFusionError> = arrow.into_iter().map(DataFusionError::from).collect();
        errors.push(DataFusionError::Execution("x".to_owned()));
        errors.push(DataFusionError::Internal(null_key.to_string()));
        for error in errors {
            let text = shown(&error);
            assert!(is_of_data(&text), "{text}");
            let text = of_executor(error);
            assert!(is_of_data(&text), "{text}");
            assert!(!is_passing(&text) && !is_out_of_memory(&text), "{text}");
        }
    }

    #[test]
    fn an_exhausted_pool_is_out_of_memory() {
        let exhausted = || DataFusionError::ResourcesExhausted("4 GiB".to_owned());
        for error in [exhausted(), exhausted().context("als_train")] {
            let text = of_executor(error);
            assert!(is_out_of_memory(&text), "{text}");
            assert!(!is_passing(&text) && !is_of_data(&text), "{text}");
        }
    }

    #[test]
    fn files_and_sources_are_read_and_tables_in_memory_are_not() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, false)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
        let memory: Arc<dyn ExecutionPlan> =
            MemorySourceConfig::try_new_exec(&[vec![batch]], schema.clone(), None).unwrap();
        let source = Arc::new(ParquetSource::new(schema));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source).build();
        let files: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        let is_read = |plan: &Arc<dyn ExecutionPlan>| {
            let description = DisplayableExecutionPlan::new(plan.as_ref()).one_line().to_string();
            reads(plan.name(), &description)
        };
        assert!(is_read(&files));
        assert!(!is_read(&memory));
        assert!(reads("ScatteredExec", "ScatteredExec: KafkaExec"));
        assert!(!reads("ProjectionExec", "ProjectionExec: expr=[file_groups]"));
    }
}
