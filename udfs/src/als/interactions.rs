//! The sparse matrix that training reads: weights of user and item pairs, by user and by item. Sums repeated pairs, and
//! leaves out sums of 0. A sum below 0 is a dislike.

use std::sync::OnceLock;

use sprs::CsMatI;

use super::AlsError;

/// The weights of user and item pairs, compressed by user and, on demand, by item: both half-steps read rows in order.
/// No weight is 0; those below 0 are dislikes.
///
/// Memory: 16 bytes per interaction, and 8 per user and per item; half of that if the order by item is never needed.
#[derive(Debug, Clone)]
pub struct Interactions {
    by_user: CsMatI<f32, u32, usize>,
    by_item: OnceLock<CsMatI<f32, u32, usize>>,
}

impl Interactions {
    /// Builds the matrix from `(user, item, weight)`. Repeated pairs are summed, in an order independent of the
    /// input's; pairs whose sum is zero are dropped.
    ///
    /// # Errors
    /// When a weight or a sum is not finite, or an index is outside the matrix.
    pub fn from_triples(users: usize, items: usize, mut triples: Vec<(u32, u32, f32)>) -> Result<Self, AlsError> {
        for &(user, item, weight) in &triples {
            if !weight.is_finite() {
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
        for pair in triples.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (user, item, _) = pair[0];
            let weight: f32 = pair.iter().map(|(.., weight)| weight).sum();
            if !weight.is_finite() {
                return Err(AlsError::Weight { user, item, weight });
            }
            if weight != 0.0 {
                starts.resize(user as usize + 1, columns.len());
                columns.push(item);
                weights.push(weight);
            }
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

    /// A user's items, ascending, and their weights; dislikes are among them.
    pub fn row(&self, user: usize) -> (&[u32], &[f32]) {
        row(&self.by_user, user)
    }

    /// A user's items with a weight above 0, ascending.
    pub fn liked(&self, user: usize) -> impl Iterator<Item = u32> {
        let (items, weights) = self.row(user);
        let liked = items.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
        liked.map(|(item, _)| *item)
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
