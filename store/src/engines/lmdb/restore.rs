//! Backups, looked at and made into stores again.
//!
//! A backup is a directory with a `data.mdb`, as [`backup`](super::backup) writes it, or any directory of a store that
//! no process has open.
//!
//! **Stamps.** They come from the commit number, which a restored store has as of its backup. Were it to count on from
//! there, it would give stamps a second time that clients have seen before, and what comes under those they would take
//! for known. So a restored store's commit number is that of its backup and [`RESTORE_GAP`].

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use heed::{EnvFlags, EnvOpenOptions};

use super::LmdbConfig;
use super::open::{self, DATA_FILE, OpenError, failed, known_format, unnamed_database};
use crate::keys::meta;

/// What a restored store's commit number is ahead of its backup's: more commits than there can have been since. A
/// store may be restored 16 million times.
pub const RESTORE_GAP: u64 = 1 << 40;

/// Where a store is put together before it has its place.
const UNFINISHED: &str = "unfinished";

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LmdbBackup {
    /// The number of its last commit.
    pub commits: u64,
    /// Its keys.
    pub keys: u64,
    /// Its length.
    pub bytes: u64,
}

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be used.
    #[error("the backup cannot be used")]
    Backup(#[source] OpenError),
    /// There is something in the store's place.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The store could not be written. What there is of it is no store.
    #[error("the store could not be written")]
    Failed(#[source] io::Error),
    /// The store could not be opened. What there is of it is no store.
    #[error("the restored store could not be opened")]
    Store(#[source] OpenError),
}

/// Looks whether a directory holds a whole store of this version. Writes nothing, not even a lock file.
pub(super) fn verify(path: &Path) -> Result<LmdbBackup, OpenError> {
    let data = path.join(DATA_FILE);
    let foreign = |found: String| OpenError::ForeignData { path: path.to_owned(), found };
    let bytes = match data.metadata() {
        Ok(metadata) if metadata.len() > 0 => metadata.len(),
        Ok(_) => return Err(foreign(format!("its {DATA_FILE} is empty"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(foreign(format!("it holds no {DATA_FILE}")));
        }
        Err(error) => return Err(failed(path, 0, heed::Error::Io(error))),
    };
    let map_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).next_multiple_of(1 << 16);
    let failed = |error| failed(path, map_bytes, error);

    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes);
    // SAFETY: nobody writes to a backup, and this does not either, so there is nothing to lock. That the file is as long
    // as it says is looked at before anything behind its first pages is read.
    #[allow(unsafe_code)]
    let env = unsafe { options.flags(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK).open(path) };
    let env = env.map_err(failed)?;
    let looked = (|| {
        let db = unnamed_database(&env).map_err(failed)?;
        let txn = env.read_txn().map_err(failed)?;
        let stat = db.stat(&txn).map_err(failed)?;
        let pages = env.info().last_page_number as u64 + 1;
        if bytes < pages * u64::from(stat.page_size) {
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, format!("{DATA_FILE} is cut short"));
            return Err(OpenError::Damaged { path: path.to_owned(), source: heed::Error::Io(error) });
        }
        let Some(format) = db.get(&txn, &meta::format_key()).map_err(failed)? else {
            return Err(foreign("it has no store format".into()));
        };
        known_format(format, path)?;
        let commits = meta::decode_commit(db.get(&txn, &meta::commit_key()).map_err(failed)?);
        let commits = commits.map_err(|error| OpenError::Damaged {
            path: path.to_owned(),
            source: heed::Error::Io(io::Error::other(error)),
        })?;
        Ok(LmdbBackup { commits, keys: stat.entries as u64, bytes })
    })();
    env.prepare_for_closing().wait();
    looked
}

/// Makes a store in `to` of the backup in `from`.
pub(super) fn restore(from: &Path, to: &Path) -> Result<LmdbBackup, RestoreError> {
    let backup = verify(from).map_err(RestoreError::Backup)?;
    match DirBuilder::new().mode(0o700).recursive(true).create(to) {
        Ok(()) => {}
        Err(error) => return Err(RestoreError::Failed(error)),
    }
    if fs::read_dir(to).map_err(RestoreError::Failed)?.next().is_some() {
        return Err(RestoreError::NotEmpty(to.to_owned()));
    }
    let unfinished = to.join(UNFINISHED);
    let restored = put_together(from, &unfinished, backup.commits + RESTORE_GAP).and_then(|()| {
        let finish = || {
            fs::rename(unfinished.join(DATA_FILE), to.join(DATA_FILE))?;
            File::open(to)?.sync_all()
        };
        finish().map_err(RestoreError::Failed)
    });
    // What is left of it is of no use, and in the way of another attempt.
    let _ = fs::remove_dir_all(&unfinished);
    restored.map(|()| backup)
}

fn put_together(from: &Path, unfinished: &Path, commit: u64) -> Result<(), RestoreError> {
    let copy = || {
        DirBuilder::new().mode(0o700).create(unfinished)?;
        let data = unfinished.join(DATA_FILE);
        fs::copy(from.join(DATA_FILE), &data)?;
        File::open(data)?.sync_all()
    };
    copy().map_err(RestoreError::Failed)?;
    let config = LmdbConfig::new(unfinished);
    let opened = open::open(&config).map_err(RestoreError::Store)?;
    let count = || {
        let mut txn = opened.env.write_txn()?;
        opened.db.put(&mut txn, &meta::commit_key(), &commit.to_be_bytes())?;
        txn.commit()
    };
    let counted = count().map_err(|error| RestoreError::Store(failed(unfinished, config.map_bytes, error)));
    opened.env.prepare_for_closing().wait();
    counted
}
