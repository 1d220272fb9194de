//! The memory limit (`--memory`) as a pool that records its peak, which `\timing` shows.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// Wraps another pool, and records its peak reservation.
#[derive(Debug)]
pub(super) struct PeakPool<P> {
    inner: P,
    reserved: AtomicUsize,
    peak: AtomicUsize,
}

impl<P: MemoryPool> PeakPool<P> {
    pub fn new(inner: P) -> Self {
        Self {
            inner,
            reserved: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// The peak reservation since the last reset, in bytes.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Resets the peak to the current reservation.
    pub fn reset_peak(&self) {
        self.peak
            .store(self.reserved.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn grown(&self, additional: usize) {
        let reserved = self.reserved.fetch_add(additional, Ordering::Relaxed) + additional;
        self.peak.fetch_max(reserved, Ordering::Relaxed);
    }
}

impl<P: MemoryPool> MemoryPool for PeakPool<P> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
        self.grown(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
        self.reserved.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.inner.try_grow(reservation, additional)?;
        self.grown(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

impl<P: fmt::Display> fmt::Display for PeakPool<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn the_peak_is_the_most_at_once_since_the_reset() {
        let pool = Arc::new(PeakPool::new(GreedyMemoryPool::new(100)));
        let as_pool: Arc<dyn MemoryPool> = pool.clone();
        let one = MemoryConsumer::new("one").register(&as_pool);
        let other = MemoryConsumer::new("other").register(&as_pool);
        one.try_grow(60).unwrap();
        other.try_grow(30).unwrap();
        other.try_grow(30).unwrap_err();
        drop(one);
        assert_eq!((pool.peak(), pool.reserved()), (90, 30));
        pool.reset_peak();
        other.try_grow(5).unwrap();
        assert_eq!(pool.peak(), 35);
    }
}
