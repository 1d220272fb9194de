//! The sparse matrix that training reads: weights of user and item pairs, by user and by item. Sums repeated pairs,
//! leaves out weights of 0, and refuses negative ones.

use std::sync::OnceLock;

use sprs::CsMatI;

use super::AlsError;

/// The weights of user and item pairs, compressed by user and, on demand, by item: both half-steps read rows in order.
///
/// Memory: 16 bytes per interaction, and 8 per user and per item; half of that if the order by item is never needed.
#[derive(Debug, Clone)]
pub struct Interactions {
    by_user: CsMatI<f32, u32, usize>,
    by_item: OnceLock<CsMatI<f32, u32, usize>>,
}

impl Interactions {
    /// Builds the matrix from `(user, item, weight)`. Repeated pairs are summed, in an order independent of the
    /// input's; pairs with weight zero are dropped.
    ///
    /// # Errors
    /// When a weight is negative or not finite, or an index is outside the matrix.
    pub fn from_triples(users: usize, items: usize, mut triples: Vec<(u32, u32, f32)>) -> Result<Self, AlsError> {
        for &(user, item, weight) in &triples {
            if !weight.is_finite() || weight < 0.0 {
                return Err(AlsError::Weight { user, item, weight });
            }
            if user as usize >= users || item as usize >= items {
                return Err(AlsError::OutOfRange {
                    user,
                    item,
                    users,
                    items,
                });
            }
        }
        triples.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        let (mut starts, mut columns, mut weights) = (Vec::with_capacity(users + 1), vec![], vec![]);
        starts.push(0);
        let mut last = None;
        for (user, item, weight) in triples.into_iter().filter(|triple| triple.2 > 0.0) {
            if last == Some((user, item)) {
                if let Some(sum) = weights.last_mut() {
                    *sum += weight;
                }
                continue;
            }
            starts.resize(user as usize + 1, columns.len());
            columns.push(item);
            weights.push(weight);
            last = Some((user, item));
        }
        starts.resize(users + 1, columns.len());
        Ok(Self {
            by_user: CsMatI::new((users, items), starts, columns, weights),
            by_item: OnceLock::new(),
        })
    }

    /// The number of users, with and without interactions.
    pub fn users(&self) -> usize {
        self.by_user.rows()
    }

    /// The number of items, with and without interactions.
    pub fn items(&self) -> usize {
        self.by_user.cols()
    }

    /// The number of pairs.
    pub fn nnz(&self) -> usize {
        self.by_user.nnz()
    }

    /// A user's items, ascending, and their weights.
    pub fn row(&self, user: usize) -> (&[u32], &[f32]) {
        row(&self.by_user, user)
    }

    pub(super) fn by_user(&self) -> &CsMatI<f32, u32, usize> {
        &self.by_user
    }

    pub(super) fn by_item(&self) -> &CsMatI<f32, u32, usize> {
        self.by_item.get_or_init(|| self.by_user.transpose_view().to_csr())
    }
}

/// The columns and values of a row.
pub(super) fn row(matrix: &CsMatI<f32, u32, usize>, row: usize) -> (&[u32], &[f32]) {
    let range = matrix.indptr().outer_inds_sz(row);
    (&matrix.indices()[range.clone()], &matrix.data()[range])
}
