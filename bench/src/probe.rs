//! What the machine does by itself, in the same minute: the limit that binds a durable message.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Writes of 4 KiB, each followed by fdatasync.
const SYNCS: usize = 400;

/// Times of fdatasync, sorted, in microseconds.
pub(crate) struct Fdatasync {
    sorted_us: Vec<u64>,
}

impl Fdatasync {
    /// A quantile in microseconds.
    pub(crate) fn quantile_us(&self, quantile: f64) -> u64 {
        let at = (quantile * (self.sorted_us.len() - 1) as f64).round() as usize;
        self.sorted_us[at]
    }
}

/// Times the disk that holds `directory`, one write each `every`: a machine that has fallen idle in between takes longer
/// to do the same.
pub(crate) fn fdatasync(directory: &Path, every: Duration) -> anyhow::Result<Fdatasync> {
    let path = directory.join("fdatasync.probe");
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut sorted_us = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        std::thread::sleep(every);
        file.write_all(&[0xa5; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        sorted_us.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    drop(file);
    std::fs::remove_file(&path)?;
    sorted_us.sort_unstable();
    Ok(Fdatasync { sorted_us })
}
