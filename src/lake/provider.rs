//! A table of the lake in a session: the Delta library's scan, or our own where a join looks up keys
//! (`lookup_provider`: only if the lake keeps key filters, as `run --follow` and the shell's `\run` let it, and never
//! on a cluster) or where plans run in other processes.

use std::sync::Arc;

use clickrec_udfs::Distributed;
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;

use super::data_files::data_files_without_statistics;
use super::{DataFilesScan, LakeError, LakeTable};

impl LakeTable {
    /// A provider of this version's rows for selective joins: files that hold none of the wanted keys are not opened,
    /// if the lake keeps [`KeyFilters`](super::keys::KeyFilters).
    ///
    /// # Errors
    /// As [`LakeTable::provider`].
    pub async fn lookup_provider(&self, session: &SessionState) -> Result<Arc<dyn TableProvider>, LakeError> {
        if self.key_filters().is_some() && session.config().get_extension::<Distributed>().is_none() {
            self.register_store(session)?;
            match DataFilesScan::lookup(self, &data_files_without_statistics(self), None) {
                Ok(scan) => return Ok(Arc::new(scan)),
                // The files use features that only the Delta library's own scan supports.
                Err(LakeError::Unsupported { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.provider(session).await
    }

    /// Lets a session, and all that share its runtime, read the table's store.
    ///
    /// # Errors
    /// When the store cannot be set up.
    pub fn register_store(&self, session: &SessionState) -> Result<(), LakeError> {
        let done = self.delta().update_datafusion_session(session);
        done.map_err(LakeError::delta("read", self.name()))
    }

    /// A provider of the rows of this version.
    ///
    /// # Errors
    /// When the table does not exist or its files cannot be listed.
    pub async fn provider(&self, session: &SessionState) -> Result<Arc<dyn TableProvider>, LakeError> {
        self.register_store(session)?;
        if session.config().get_extension::<Distributed>().is_some() {
            // The Delta library's own scan cannot be sent to another process (delta-rs issue 4171).
            return Ok(Arc::new(DataFilesScan::whole(self)?));
        }
        // With the session's settings, so that strings are read as the type the engine expects.
        let provider = self.delta().table_provider().with_session(Arc::new(session.clone()));
        Ok(provider.await?)
    }
}
