//! The data files of a table, as its log lists them, and their rows.

use deltalake::kernel::Add;

use super::LakeTable;

impl LakeTable {
    /// The data files of this version, without statistics.
    pub fn data_files(&self) -> Vec<Add> {
        data_files_without_statistics(self)
    }

    /// How many data files this version has.
    pub fn file_count(&self) -> u64 {
        let files = self.state().map(|state| state.log_data().num_files());
        files.unwrap_or_default() as u64
    }
}

/// Every data file of the table.
pub(super) fn data_files(table: &LakeTable) -> Vec<Add> {
    files(table, true)
}

/// The same without statistics, for reads that do not use them: serializing them would dominate the cost.
pub(super) fn data_files_without_statistics(table: &LakeTable) -> Vec<Add> {
    files(table, false)
}

fn files(table: &LakeTable, with_statistics: bool) -> Vec<Add> {
    let Some(state) = table.state() else { return vec![] };
    let log = state.log_data();
    let files = log.iter().map(|file| Add {
        path: file.path().into_owned(),
        partition_values: file.partition_values_map(),
        size: file.size(),
        modification_time: file.modification_time(),
        data_change: true,
        stats: with_statistics.then(|| file.stats()).flatten(),
        deletion_vector: file.deletion_vector_descriptor(),
        ..Add::default()
    });
    files.collect()
}

/// The number of rows in a file, according to its statistics.
pub(super) fn rows_of(add: &Add) -> Option<usize> {
    #[derive(serde::Deserialize)]
    struct Rows {
        #[serde(rename = "numRecords")]
        rows: usize,
    }
    let stats: Rows = serde_json::from_str(add.stats.as_deref()?).ok()?;
    Some(stats.rows)
}
