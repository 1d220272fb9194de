//! How long `--follow` pauses after a failed batch before it tries again: a second, doubled with each further failure,
//! up to 30 seconds. `Follower` decides which failures are retried.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses between failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Duration,
}

impl Backoff {
    /// How long to pause after one more failure.
    pub fn failed(&mut self) -> Duration {
        self.last = (self.last * 2).clamp(FIRST, LONGEST);
        self.last
    }

    /// A batch went through.
    pub fn reset(&mut self) {
        self.last = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_until_a_batch_goes_through() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..7).map(|_| backoff.failed().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.failed(), FIRST);
    }
}
