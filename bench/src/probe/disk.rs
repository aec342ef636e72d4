//! The disk: how long one write takes to be there for good, and how much it takes in a second.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::TIME;

/// Writes of 4 KiB, each followed by fdatasync.
const SYNCS: usize = 400;

/// What all syncs may take together: on a slow disk there are fewer.
const SYNCS_TIME_MAX: Duration = Duration::from_secs(2);

/// What is written at once, one after the other: each is on the disk before the next.
const BLOCK_BYTES: usize = 8 << 20;

/// The most that is written in all.
const WRITTEN_BYTES_MAX: usize = 1 << 30;

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

/// A file to write to, gone when dropped.
struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    fn create(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let path = directory.join(name);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The directory goes too, after the run.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Times the disk that holds `directory`, one write each `every`: a machine that has fallen idle in between takes longer
/// to do the same.
pub(crate) fn fdatasync(directory: &Path, every: Duration) -> anyhow::Result<Fdatasync> {
    let mut scratch = Scratch::create(directory, "fdatasync.probe")?;
    let (mut sorted_us, mut took) = (Vec::with_capacity(SYNCS), Duration::ZERO);
    while sorted_us.is_empty() || sorted_us.len() < SYNCS && took < SYNCS_TIME_MAX {
        std::thread::sleep(every);
        scratch.file.write_all(&[0xa5; 4096])?;
        let begun = Instant::now();
        scratch.file.sync_data()?;
        let sync = begun.elapsed();
        sorted_us.push(u64::try_from(sync.as_micros()).unwrap_or(u64::MAX));
        took += sync;
    }
    sorted_us.sort_unstable();
    Ok(Fdatasync { sorted_us })
}

/// How many bytes per second the disk that holds `directory` takes of a file that grows.
pub(super) fn sequential_writes(directory: &Path) -> anyhow::Result<f64> {
    let (written, took) =
        write_blocks(directory, |written, took| written < WRITTEN_BYTES_MAX && took < TIME)?;
    Ok(written as f64 / took.as_secs_f64())
}

/// Writes at least one block, and more while it is to go on. Returns how many bytes that were, and how long they took.
fn write_blocks(
    directory: &Path,
    goes_on: impl Fn(usize, Duration) -> bool,
) -> anyhow::Result<(usize, Duration)> {
    let mut scratch = Scratch::create(directory, "writes.probe")?;
    // Nothing that a file system could make smaller.
    let mut block = vec![0; BLOCK_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut block))
        .context("no randomness")?;
    let (begun, mut written) = (Instant::now(), 0);
    while written == 0 || goes_on(written, begun.elapsed()) {
        scratch.file.write_all(&block)?;
        scratch.file.sync_data()?;
        written += BLOCK_BYTES;
    }
    Ok((written, begun.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_times() {
        let times = Fdatasync { sorted_us: (1..=101).collect() };
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|quantile| times.quantile_us(quantile)), [1, 51, 100, 101]);
    }

    #[test]
    fn directory_is_left_empty() {
        let directory = tempfile::tempdir().expect("a directory");
        let written = write_blocks(directory.path(), |written, _| written < 2 * BLOCK_BYTES);
        assert_eq!(written.expect("it can be written to").0, 2 * BLOCK_BYTES);
        let times = fdatasync(directory.path(), Duration::ZERO).expect("it can be written to");
        assert!(times.sorted_us.is_sorted() && !times.sorted_us.is_empty());
        assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn directory_that_is_not_there_is_named() {
        let error = fdatasync(Path::new("/nowhere/at/all"), Duration::ZERO).err().expect("there is none");
        assert!(error.to_string().contains("/nowhere/at/all"));
    }
}
