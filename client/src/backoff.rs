//! How long to wait before every node is tried again: at random within the first second, then doubling to a minute.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The waits between passes over the nodes.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait: at random in `0..1` s, then in `1..2`, `2..4`, ... and at last in `30..60` s.
    pub(crate) fn next(&mut self, rng: &mut StdRng) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        let shortest = if self.failures == 0 { Duration::ZERO } else { longest / 2 };
        self.failures += 1;
        rng.random_range(shortest..longest)
    }

    /// The connection was good for a while.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn waits_begin_within_a_second_and_double_to_a_minute() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        assert!(backoff.next(&mut rng) < Duration::from_secs(1));
        for longest in [2, 4, 8, 16, 32, 60, 60] {
            let wait = backoff.next(&mut rng);
            assert!(
                wait < Duration::from_secs(longest) && wait >= Duration::from_secs(longest) / 2,
                "{wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next(&mut rng) < Duration::from_secs(1));
    }
}
