//! The aggregate function `als_solve(factors, weight)`: solves one row of a half-step from its interactions, with
//! `als/row_solver.rs`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericListArray, LargeListArray, OffsetSizeTrait, PrimitiveArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use serde::{Deserialize, Serialize};

use super::columns::{item, vector, vector_type};
use crate::als::{AlsError, Params, RowEquations, RowSolver};

/// What all rows of a half-step share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solve {
    /// The hyperparameters of training.
    pub params: Params,
    /// The other side's Gramian, `factors x factors`.
    pub gramian: Vec<f64>,
    /// The number of rows on the other side.
    pub others: usize,
}

/// `als_solve(factors, weight)`: a row of one side, from the vectors and weights of its interactions.
///
/// Memory: [`RowEquations`] for each current row; for sorted input, that is a single row.
///
/// # Errors
/// When the Gramian is invalid.
pub fn als_solve(solve: Solve) -> Result<Arc<AggregateUDF>> {
    let solver = RowSolver::new(&solve.gramian, solve.others, &solve.params);
    let solver = solver.map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(Arc::new(AggregateUDF::from(Solver {
        signature: Signature::exact(vec![vector_type(), DataType::Float32], Volatility::Immutable),
        solver: Arc::new(solver),
        solve: Arc::new(solve),
    })))
}

/// The settings of the function, if it is `als_solve`.
pub(crate) fn of(function: &AggregateUDF) -> Option<&Solve> {
    let solver = function.inner().downcast_ref::<Solver>()?;
    Some(&solver.solve)
}

#[derive(Debug)]
struct Solver {
    signature: Signature,
    solver: Arc<RowSolver>,
    solve: Arc<Solve>,
}

impl PartialEq for Solver {
    fn eq(&self, other: &Self) -> bool {
        self.solve == other.solve
    }
}

impl Eq for Solver {}

impl Hash for Solver {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.solve.others.hash(state);
    }
}

impl AggregateUDFImpl for Solver {
    fn name(&self) -> &str {
        "als_solve"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(vector_type())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Coming {
            solver: self.solver.clone(),
            row: RowEquations::default(),
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name, data_type| Arc::new(Field::new(format!("{}[{name}]", args.name), data_type, true));
        // Large, because all current rows together may have more than 2³¹ numbers.
        let numbers = |data_type| DataType::LargeList(item(data_type));
        Ok(vec![
            field("vectors", numbers(DataType::Float32)),
            field("weights", numbers(DataType::Float32)),
            field("matrix", numbers(DataType::Float64)),
            field("right", numbers(DataType::Float64)),
            field("added", DataType::UInt64),
        ])
    }
}

/// A row whose interactions are arriving.
#[derive(Debug)]
struct Coming {
    solver: Arc<RowSolver>,
    row: RowEquations,
}

impl Accumulator for Coming {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (vectors, weights) = (values[0].as_list::<i32>(), values[1].as_primitive::<Float32Type>());
        for row in 0..vectors.len() {
            let vector = vector(vectors, row)?;
            if weights.is_null(row) {
                return exec_err!("als_solve: a weight is NULL");
            }
            // Weight 0 means that there was no interaction.
            if weights.value(row) != 0.0 {
                let added = self.solver.add(&mut self.row, vector.values(), weights.value(row));
                added.map_err(failed)?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [vectors, weights, matrix, right] = [0, 1, 2, 3].map(|state| states[state].as_list::<i64>());
        let added = states[4].as_primitive::<UInt64Type>();
        for row in 0..added.len() {
            let other = RowEquations {
                vectors: numbers::<Float32Type>(vectors, row),
                weights: numbers::<Float32Type>(weights, row),
                matrix: numbers::<Float64Type>(matrix, row),
                right: numbers::<Float64Type>(right, row),
                added: if added.is_valid(row) { added.value(row) } else { 0 },
            };
            self.solver.join(&mut self.row, other).map_err(failed)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let row = std::mem::take(&mut self.row);
        Ok(vec![
            ScalarValue::LargeList(Arc::new(list::<Float32Type, i64>(row.vectors)?)),
            ScalarValue::LargeList(Arc::new(list::<Float32Type, i64>(row.weights)?)),
            ScalarValue::LargeList(Arc::new(list::<Float64Type, i64>(row.matrix)?)),
            ScalarValue::LargeList(Arc::new(list::<Float64Type, i64>(row.right)?)),
            ScalarValue::UInt64(Some(row.added)),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let solved = self.solver.solve(&self.row).map_err(failed)?;
        Ok(ScalarValue::List(Arc::new(list::<Float32Type, i32>(solved)?)))
    }

    fn size(&self) -> usize {
        let small = (self.row.vectors.capacity() + self.row.weights.capacity()) * size_of::<f32>();
        let large = (self.row.matrix.capacity() + self.row.right.capacity()) * size_of::<f64>();
        size_of_val(self) + small + large
    }
}

fn failed(error: AlsError) -> DataFusionError {
    DataFusionError::Context(
        "als_solve".to_owned(),
        Box::new(DataFusionError::External(Box::new(error))),
    )
}

/// The numbers of a list; none if it is NULL.
fn numbers<T: ArrowPrimitiveType>(lists: &LargeListArray, row: usize) -> Vec<T::Native> {
    match lists.is_valid(row) {
        true => lists.value(row).as_primitive::<T>().values().to_vec(),
        false => vec![],
    }
}

fn list<T: ArrowPrimitiveType, O: OffsetSizeTrait>(values: Vec<T::Native>) -> Result<GenericListArray<O>> {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let values = Arc::new(PrimitiveArray::<T>::new(values.into(), None));
    Ok(GenericListArray::try_new(item(T::DATA_TYPE), offsets, values, None)?)
}
