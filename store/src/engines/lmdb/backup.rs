//! A copy of a store in use: LMDB writes it from one snapshot, without what is free in the file.
//!
//! Writers go on meanwhile, and the pages the snapshot sees are not used again until the copy is done, so the file may
//! grow by what is written in that time. The copy has its name only when it is whole and on the disk, and it is its owner's
//! alone, whoever may look into the directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use heed::CompactionOption;

use super::open::{DATA_FILE, Opened};
use crate::engine::BackupError;

/// The copy's name while it is written.
pub(super) const UNFINISHED: &str = "data.mdb.unfinished";

/// Copies the store into `directory`, which is made if it is missing, and returns the copy's length.
pub(super) fn backup(opened: &Opened, directory: &Path) -> Result<u64, BackupError> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read_dir(directory).map_err(BackupError::Failed)?.next().is_some() {
                return Err(BackupError::NotEmpty(directory.to_path_buf()));
            }
        }
        Err(error) => return Err(BackupError::Failed(error)),
    }
    let unfinished = directory.join(UNFINISHED);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    copy(opened, file.map_err(BackupError::Failed)?, directory).map_err(|error| {
        // Half a copy is of no use, and takes the room that is missing.
        let _ = fs::remove_file(&unfinished);
        BackupError::Failed(error)
    })
}

fn copy(opened: &Opened, mut file: File, directory: &Path) -> io::Result<u64> {
    opened.env.copy_to_file(&mut file, CompactionOption::Enabled).map_err(|error| match error {
        heed::Error::Io(error) => error,
        other => io::Error::other(other),
    })?;
    file.sync_all()?;
    fs::rename(directory.join(UNFINISHED), directory.join(DATA_FILE))?;
    File::open(directory)?.sync_all()?;
    Ok(file.metadata()?.len())
}
