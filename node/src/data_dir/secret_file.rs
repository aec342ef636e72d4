//! Files that are whole or not there, most of them written once; private ones are never readable by others, not for a moment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rand::Rng;

use super::DataDirError;

/// How the name of a file begins that is not finished yet.
pub(super) const UNFINISHED: &str = ".rookery-new-";

/// Who may read a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Visibility {
    /// Its owner: mode 0600.
    Owner,
    /// All that may read the directory: mode 0644.
    Everyone,
}

/// Makes a file with these bytes, unless there is one. Whether this call made it.
pub(crate) fn write_new(path: &Path, bytes: &[u8], visibility: Visibility) -> Result<bool, DataDirError> {
    if path.exists() {
        return Ok(false);
    }
    let directory = path.parent().expect("a file in the data directory has a parent");
    make_private(directory, "make the directory")?;
    let unfinished = directory.join(format!("{UNFINISHED}{:016x}", rand::rng().next_u64()));
    let made = write_and_link(&unfinished, path, bytes, visibility);
    // Left behind it does no harm, and the outcome that counts is the other one's.
    let _ = fs::remove_file(&unfinished);
    made.map_err(DataDirError::refused("write", path))
}

/// Makes a file with these bytes, in place of the one that may be there.
pub(super) fn replace(path: &Path, bytes: &[u8], visibility: Visibility) -> Result<(), DataDirError> {
    let directory = path.parent().expect("a file in the data directory has a parent");
    let unfinished = directory.join(format!("{UNFINISHED}{:016x}", rand::rng().next_u64()));
    let replace = || -> io::Result<()> {
        write_all(&unfinished, bytes, visibility)?;
        fs::rename(&unfinished, path)?;
        File::open(directory)?.sync_all()
    };
    replace().map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        DataDirError::refused("write", path)(error)
    })
}

/// Makes a directory that is its owner's alone, unless there is one.
pub(super) fn make_private(directory: &Path, doing: &'static str) -> Result<(), DataDirError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(directory).map_err(DataDirError::refused(doing, directory))
}

fn write_all(unfinished: &Path, bytes: &[u8], visibility: Visibility) -> io::Result<()> {
    let mode = match visibility {
        Visibility::Owner => 0o600,
        Visibility::Everyone => 0o644,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_and_link(unfinished: &Path, path: &Path, bytes: &[u8], visibility: Visibility) -> io::Result<bool> {
    write_all(unfinished, bytes, visibility)?;
    // A link, unlike a rename, fails when another process was first.
    match fs::hard_link(unfinished, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(true)
}
