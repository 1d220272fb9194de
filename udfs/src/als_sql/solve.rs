use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use serde::{Deserialize, Serialize};

use super::{item, vector, vector_type};
use crate::als::{Params, RowSolver};

/// What all rows of a half-step share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solve {
    /// How models are trained.
    pub params: Params,
    /// The other side's Gramian, `factors x factors`.
    pub gramian: Vec<f64>,
    /// How many rows the other side has.
    pub others: usize,
}

/// `als_solve(factors, weight)`: a row of one side, from the vectors of what it interacted with and how much.
///
/// Memory: the vectors of the rows at hand. Where rows come one after another, that is one row's.
///
/// # Errors
/// When the Gramian is none.
pub fn als_solve(solve: Solve) -> Result<Arc<AggregateUDF>> {
    let solver = RowSolver::new(&solve.gramian, solve.others, &solve.params);
    let solver = solver.map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(Arc::new(AggregateUDF::from(Solver {
        signature: Signature::exact(vec![vector_type(), DataType::Float32], Volatility::Immutable),
        solver: Arc::new(solver),
        solve: Arc::new(solve),
    })))
}

/// What the function goes by, where it is `als_solve`.
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
        Ok(Box::new(Rows {
            solver: self.solver.clone(),
            vectors: vec![],
            weights: vec![],
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name| Arc::new(Field::new(format!("{}[{name}]", args.name), vector_type(), true));
        Ok(vec![field("vectors"), field("weights")])
    }
}

/// The vectors and weights of one row.
#[derive(Debug)]
struct Rows {
    solver: Arc<RowSolver>,
    vectors: Vec<f32>,
    weights: Vec<f32>,
}

impl Accumulator for Rows {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (vectors, weights) = (values[0].as_list::<i32>(), values[1].as_primitive::<Float32Type>());
        for row in 0..vectors.len() {
            let vector = vector(vectors, row)?;
            if vector.len() != self.solver.dims() || weights.is_null(row) {
                return exec_err!("als_solve: a vector is not as long as the Gramian, or a weight is NULL");
            }
            // As if there were no such interaction.
            if weights.value(row) == 0.0 {
                continue;
            }
            self.vectors.extend_from_slice(vector.values());
            self.weights.push(weights.value(row));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (state, kept) in states.iter().zip([&mut self.vectors, &mut self.weights]) {
            let lists = state.as_list::<i32>();
            for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
                kept.extend_from_slice(lists.value(row).as_primitive::<Float32Type>().values());
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            list(std::mem::take(&mut self.vectors))?,
            list(std::mem::take(&mut self.weights))?,
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let solved = self.solver.solve(&self.vectors, &self.weights);
        list(solved.map_err(|error| DataFusionError::External(Box::new(error)))?)
    }

    fn size(&self) -> usize {
        size_of_val(self) + (self.vectors.capacity() + self.weights.capacity()) * size_of::<f32>()
    }
}

fn list(values: Vec<f32>) -> Result<ScalarValue> {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let values = Arc::new(Float32Array::from(values));
    let list = ListArray::try_new(item(DataType::Float32), offsets, values, None)?;
    Ok(ScalarValue::List(Arc::new(list)))
}
