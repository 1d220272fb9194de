//! `warm_start`: initializes a new model with the factors of an earlier one.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Float32Type;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::als::Model;
use crate::factors_table::ITEM;

/// Copies the vectors of users and items that the earlier model has to the new one; IDs are ascending. Holds only one
/// batch in memory. Returns how many were found.
pub(super) async fn read(
    function: &str,
    mut rows: SendableRecordBatchStream,
    users: &[String],
    items: &[String],
    model: &mut Model,
) -> Result<usize> {
    let mut found = 0;
    while let Some(batch) = rows.try_next().await? {
        let (kinds, ids) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let vectors = batch.column(2).as_list::<i32>();
        for row in 0..batch.num_rows() {
            let (known, factors) = match kinds.value(row) {
                ITEM => (items, &mut model.items),
                _ => (users, &mut model.users),
            };
            let vector = vectors.value(row);
            let vector = vector.as_primitive::<Float32Type>();
            if vector.len() != factors.dims() {
                return exec_err!(
                    "{function}: the model to start from (warm_start) has {0} factors, but this one has {1}; set \
                     factors => {0}, or leave warm_start out",
                    vector.len(),
                    factors.dims()
                );
            }
            if vector.null_count() > 0 || vector.values().iter().any(|value| !value.is_finite()) {
                return exec_err!(
                    "{function}: the factors of {} '{}' in warm_start are not all numbers; leave warm_start out",
                    kinds.value(row),
                    ids.value(row)
                );
            }
            if let Ok(place) = known.binary_search_by(|known| known.as_str().cmp(ids.value(row))) {
                factors.row_mut(place).copy_from_slice(vector.values());
                found += 1;
            }
        }
    }
    Ok(found)
}
