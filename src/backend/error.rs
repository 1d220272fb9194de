//! Why a plan did not run on a backend: the query, the lake, or the cluster; the same again after it went through
//! DataFusion's errors.

use datafusion::error::DataFusionError;

use crate::cluster::ClusterError;
use crate::lake::LakeError;

/// Why a plan did not run, or its rows were not written. Nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The query failed.
    #[error(transparent)]
    Query(DataFusionError),
    /// The lake refused.
    #[error(transparent)]
    Lake(LakeError),
    /// The cluster did not do it.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
}

impl From<LakeError> for BackendError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Query(error) => error.into(),
            other => Self::Lake(other),
        }
    }
}

impl From<ClusterError> for BackendError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

/// Also from its own way through code that knows only DataFusion's errors.
impl From<DataFusionError> for BackendError {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(error) => match error.downcast::<Self>() {
                Ok(error) => *error,
                Err(error) => Self::Query(DataFusionError::External(error)),
            },
            other => Self::Query(other),
        }
    }
}

impl From<BackendError> for DataFusionError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Query(error) => error,
            other => Self::External(Box::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_the_same_after_they_went_through_datafusion() {
        let lost = ClusterError::Settings("none".to_owned());
        let back = BackendError::from(DataFusionError::from(BackendError::from(lost)));
        assert!(matches!(back, BackendError::Cluster(_)), "{back:?}");
        let null_key = LakeError::NullKey {
            table: "gold.items".to_owned(),
            column: "id".to_owned(),
        };
        let back = BackendError::from(DataFusionError::from(BackendError::from(null_key)));
        assert!(
            matches!(back, BackendError::Lake(LakeError::NullKey { .. })),
            "{back:?}"
        );
        let memory = || DataFusionError::ResourcesExhausted("4 GiB".to_owned());
        for error in [
            BackendError::from(memory()),
            BackendError::from(LakeError::Query(memory())),
        ] {
            let back = BackendError::from(DataFusionError::from(error));
            assert!(
                matches!(back, BackendError::Query(DataFusionError::ResourcesExhausted(_))),
                "{back:?}"
            );
        }
    }
}
