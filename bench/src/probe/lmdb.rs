//! Raw LMDB: durable batches of puts, by one thread and with nothing around them. What the embedded store does at its best.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvOpenOptions};

use super::TIME;

/// Room for more than a second's batches. Address space, not disk.
const MAP_BYTES: usize = 16 << 30;

/// What is put.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches {
    /// Puts in a batch, which is one commit.
    pub(crate) puts: usize,
    /// Bytes of each value; a key has 24.
    pub(crate) value_bytes: usize,
    /// Ranges of keys that grow at their ends, in turn: as messages go to the logs and inboxes of so many.
    pub(crate) places: usize,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commits {
    pub(super) puts_per_second: f64,
    /// How long a batch took on average, in milliseconds.
    pub(super) batch_ms: f64,
}

/// Commits batches into a database in `directory`, each on the disk before the next begins.
pub(super) fn commits(directory: &Path, batches: Batches) -> anyhow::Result<Commits> {
    let scratch = tempfile::tempdir_in(directory)
        .with_context(|| format!("cannot write to {}", directory.display()))?;
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP_BYTES);
    // SAFETY: the map is of a file that only LMDB writes, in a directory made for it alone a moment ago.
    #[allow(unsafe_code)]
    let env = unsafe { options.open(scratch.path()) }.context("cannot open a database")?;
    let opening = env.read_txn()?;
    let opened = env.open_databases_and_commit(opening, |opener, txn| -> Result<_, heed::Error> {
        Ok(CommitOrAbort::<_, ()>::Commit(opener.open_database::<Bytes, Bytes>(txn, None)?))
    })?;
    let database = opened.commit().flatten().context("the unnamed database always exists")?;

    let value = vec![0x5a; batches.value_bytes];
    let (begun, mut put, mut commits) = (Instant::now(), 0, 0_u32);
    while commits == 0 || begun.elapsed() < TIME {
        let mut txn = env.write_txn()?;
        for _ in 0..batches.puts.max(1) {
            database.put(&mut txn, &key(put, batches.places), &value)?;
            put += 1;
        }
        txn.commit()?;
        commits += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Commits { puts_per_second: put as f64 / seconds, batch_ms: seconds * 1e3 / f64::from(commits) })
}

/// The key of a put: its place first, then its number there.
fn key(put: u64, places: usize) -> [u8; 24] {
    let places = places.max(1) as u64;
    let mut key = [0; 24];
    key[..8].copy_from_slice(&(put % places).to_be_bytes());
    key[16..].copy_from_slice(&(put / places).to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_key_is_put_twice_and_each_place_grows_at_its_end() {
        let keys: Vec<_> = (0..1000).map(|put| key(put, 7)).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 1000);
        let of_a_place = keys.iter().filter(|key| key[7] == 3);
        assert!(of_a_place.is_sorted());
    }

    #[test]
    fn batches_are_committed_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let batches = Batches { puts: 10, value_bytes: 100, places: 4 };
        let done = commits(directory.path(), batches).expect("it can be written to");
        assert!(done.puts_per_second > 0.0);
        let puts = done.puts_per_second * done.batch_ms / 1e3;
        assert!((puts - 10.0).abs() < 1e-6, "{puts} puts in a batch");
        assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
    }
}
