//! Which errors the data of a step can cause, as opposed to memory, stores and plans.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::PipelineError;
use crate::lake::LakeError;

/// Whether a value in the data may have made the step fail. That the step succeeds without the value is still to be
/// shown.
pub(super) fn is_of_data(error: &PipelineError) -> bool {
    match error {
        PipelineError::Query { source, .. } => of_query(source),
        PipelineError::Lake { source, .. } => of_lake(source),
        PipelineError::Cluster { source, .. } => source.is_of_data(),
        _ => false,
    }
}

fn of_lake(error: &LakeError) -> bool {
    match error {
        LakeError::Query(source) => of_query(source),
        LakeError::NullKey { .. } => true,
        _ => false,
    }
}

fn of_query(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ArrowError(error, _) => of_arrow(error),
        DataFusionError::Execution(_) => true,
        // A kernel that panicked, say on an overflow.
        DataFusionError::ExecutionJoin(error) => error.is_panic(),
        DataFusionError::External(error) => {
            let of_lake = || error.downcast_ref().is_some_and(of_lake);
            error.downcast_ref().is_some_and(of_arrow) || of_lake()
        }
        DataFusionError::Collection(errors) => errors.iter().all(of_query),
        _ => false,
    }
}

fn of_arrow(error: &ArrowError) -> bool {
    match error {
        ArrowError::CastError(_)
        | ArrowError::ParseError(_)
        | ArrowError::ComputeError(_)
        | ArrowError::InvalidArgumentError(_)
        | ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::OffsetOverflowError(_)
        | ArrowError::JsonError(_)
        | ArrowError::CsvError(_) => true,
        ArrowError::ExternalError(error) => error.downcast_ref().is_some_and(of_query),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn failed(source: DataFusionError) -> PipelineError {
        PipelineError::Query {
            step: "silver.events".to_owned(),
            file: PathBuf::from("events.sql"),
            source: Box::new(source),
        }
    }

    #[test]
    fn values_are_told_apart_from_memory_stores_and_plans() {
        let cast = || DataFusionError::from(ArrowError::CastError("'-' is not a number".to_owned()));
        let null_key = LakeError::NullKey {
            table: "t".to_owned(),
            column: "c".to_owned(),
        };
        let of_data = [
            cast(),
            cast().context("reading"),
            DataFusionError::Execution("no such zone".to_owned()),
            DataFusionError::from(ArrowError::ExternalError(Box::new(cast()))),
            DataFusionError::External(Box::new(null_key)),
        ];
        for error in of_data {
            assert!(is_of_data(&failed(error)));
        }
        let others = [
            DataFusionError::ResourcesExhausted("4 GiB".to_owned()),
            DataFusionError::ResourcesExhausted("4 GiB".to_owned()).context("sorting"),
            DataFusionError::Plan("no such column".to_owned()),
            DataFusionError::from(std::io::Error::other("disk")),
            DataFusionError::from(ArrowError::IoError("disk".to_owned(), std::io::Error::other("disk"))),
            DataFusionError::ObjectStore(Box::new(object_store::Error::NotImplemented {
                operation: "get".to_owned(),
                implementer: "none".to_owned(),
            })),
        ];
        for error in others {
            assert!(!is_of_data(&failed(error)));
        }
    }
}
