//! What plans draw from their generators.

use std::ops::Range;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

pub(super) fn moment(rng: &mut StdRng, within: Duration) -> Duration {
    Duration::from_micros(rng.random_range(0..within.as_micros() as u64))
}

pub(super) fn millis(rng: &mut StdRng, range: Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

/// How many devices each user has, so that there are so many in all: most have one, some two or three.
pub(super) fn devices(rng: &mut StdRng, clients: usize) -> Vec<usize> {
    let mut devices = Vec::new();
    let mut left = clients;
    while left > 0 {
        let several = match rng.random_range(0..100) {
            0..75 => 1,
            75..93 => 2,
            _ => 3,
        };
        devices.push(several.min(left));
        left -= several.min(left);
    }
    devices
}

/// A message's length in bytes: most are short, a few as long as they may be.
pub(super) fn body_bytes(rng: &mut StdRng) -> usize {
    match rng.random_range(0..200) {
        0 => rng.random_range(16 * 1024..=64 * 1024),
        1..10 => rng.random_range(500..4096),
        _ => rng.random_range(0..200),
    }
}
