//! Opening a directory: is it a store, is it one of ours, do we know its format?

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, WithoutTls};

use super::LmdbConfig;
use super::fence::WRITER_FILE;
use crate::error::StoreError;
use crate::keys::meta;

pub(super) const DATA_FILE: &str = "data.mdb";
const LOCK_FILE: &str = "lock.mdb";

pub(super) type Db = Database<'static, Bytes, Bytes>;

/// An open environment and its one, unnamed, database.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) env: Env<WithoutTls>,
    pub(super) db: Db,
}

/// Why a directory could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is something else in its place.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// This user may not read and write it.
    #[error("no permission to read and write {}", .path.display())]
    NoPermission {
        /// What could not be opened.
        path: PathBuf,
        /// As the system says it.
        #[source]
        source: io::Error,
    },
    /// It holds something else: choose another directory.
    #[error("{} is not a Rookery store: {found}", .path.display())]
    ForeignData {
        /// The directory.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// A newer version made it: use that version.
    #[error(
        "{} has store format {found}, and this version of Rookery knows formats up to {known}: use a newer one",
        .path.display()
    )]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest this version knows.
        known: u32,
    },
    /// The address space does not have room for the map: configure a smaller one.
    #[error("cannot map {map_bytes} bytes of address space for the store (see ulimit -v)")]
    MapTooLarge {
        /// What was asked for.
        map_bytes: usize,
        /// As the system says it.
        #[source]
        source: io::Error,
    },
    /// The disk is full.
    #[error("there is no room on the disk to make a store in {}", .path.display())]
    NoRoom {
        /// The directory.
        path: PathBuf,
        /// As the system says it.
        #[source]
        source: io::Error,
    },
    /// This process has it open already.
    #[error("{} is already open in this process", .0.display())]
    AlreadyOpen(PathBuf),
    /// The store is damaged.
    #[error("the store in {} is damaged", .path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What was found.
        #[source]
        source: heed::Error,
    },
    /// Something else.
    #[error("the store cannot be opened")]
    Io(#[source] io::Error),
}

/// Opens and checks the directory, making the store when there is none.
pub(super) fn open(config: &LmdbConfig) -> Result<Opened, OpenError> {
    let path = &config.path;
    if path.exists() && !path.is_dir() {
        return Err(OpenError::NotADirectory(path.clone()));
    }
    std::fs::create_dir_all(path).map_err(|error| failed(path, config.map_bytes, heed::Error::Io(error)))?;
    refuse_other_files(config)?;

    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    let page = 1 << 16; // at least the system's, on every machine
    options.map_size(config.map_bytes.next_multiple_of(page)).max_readers(config.readers_max);
    // SAFETY: the map is of a file that only LMDB writes: the directory is the store's own, checked above, made with
    // access for this user only, and its lock file is kept. Heed refuses to open it twice in one process. `NO_SYNC`
    // gives up durability, not memory safety.
    #[allow(unsafe_code)]
    let env = unsafe {
        if !config.durable {
            options.flags(EnvFlags::NO_SYNC);
        }
        options.open(path)
    };
    let env = env.map_err(|error| failed(path, config.map_bytes, error))?;
    // Readers of processes that were killed hold on to pages.
    env.clear_stale_readers().map_err(|error| failed(path, config.map_bytes, error))?;

    let db = unnamed_database(&env).map_err(|error| failed(path, config.map_bytes, error))?;
    let opened = Opened { env, db };
    check_format(&opened, config)?;
    Ok(opened)
}

/// A directory with other people's files, and no store, is most likely a mistake in the configuration.
fn refuse_other_files(config: &LmdbConfig) -> Result<(), OpenError> {
    let path = &config.path;
    let failed = |error| failed(path, config.map_bytes, heed::Error::Io(error));
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let names =
        entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    // Looked for in the same list: another process may be making the store at this moment.
    if names.iter().any(|name| name == DATA_FILE) {
        return Ok(());
    }
    let ours = |name: &OsString| [LOCK_FILE, WRITER_FILE, "lost+found"].iter().any(|ours| name == ours);
    match names.into_iter().find(|name| !ours(name)) {
        None => Ok(()),
        Some(name) => {
            let found = format!("it holds {} and no {DATA_FILE}", Path::new(&name).display());
            Err(OpenError::ForeignData { path: path.clone(), found })
        }
    }
}

pub(super) fn unnamed_database(env: &Env<WithoutTls>) -> Result<Db, heed::Error> {
    let txn = env.read_txn()?;
    let opened = env.open_databases_and_commit(txn, |opener, txn| -> Result<_, heed::Error> {
        Ok(CommitOrAbort::<_, ()>::Commit(opener.open_database::<Bytes, Bytes>(txn, None)?))
    })?;
    Ok(opened.commit().flatten().expect("the unnamed database always exists"))
}

fn check_format(opened: &Opened, config: &LmdbConfig) -> Result<(), OpenError> {
    let path = &config.path;
    let failed = |error| failed(path, config.map_bytes, error);
    let Opened { env, db } = opened;
    // Mostly it has a format. To ask for it must not wait for whoever writes.
    let txn = env.read_txn().map_err(failed)?;
    if let Some(format) = db.get(&txn, &meta::format_key()).map_err(failed)? {
        return known_format(format, path);
    }
    drop(txn);
    let mut txn = env.write_txn().map_err(failed)?;
    match db.get(&txn, &meta::format_key()).map_err(failed)? {
        Some(format) => known_format(format, path),
        None if db.is_empty(&txn).map_err(failed)? => {
            let format = meta::FORMAT.to_be_bytes();
            db.put(&mut txn, &meta::format_key(), &format).map_err(failed)?;
            txn.commit().map_err(failed)
        }
        None => Err(OpenError::ForeignData {
            path: path.clone(),
            found: "it is an LMDB database of something else".into(),
        }),
    }
}

pub(super) fn known_format(format: &[u8], path: &Path) -> Result<(), OpenError> {
    let found: Option<[u8; 4]> = format.try_into().ok();
    match found.map(u32::from_be_bytes) {
        Some(meta::FORMAT) => Ok(()),
        Some(found) if found > meta::FORMAT => {
            Err(OpenError::NewerFormat { path: path.to_owned(), found, known: meta::FORMAT })
        }
        _ => Err(OpenError::ForeignData {
            path: path.to_owned(),
            found: "its format is not one Rookery writes".into(),
        }),
    }
}

/// What an error means to whoever named the directory.
pub(super) fn failed(path: &Path, map_bytes: usize, error: heed::Error) -> OpenError {
    let path = path.to_owned();
    let source = match error {
        heed::Error::Io(source) => source,
        heed::Error::EnvAlreadyOpened => return OpenError::AlreadyOpen(path),
        heed::Error::Mdb(MdbError::Invalid | MdbError::VersionMismatch) => {
            let found = format!("its {DATA_FILE} is not a database of this kind");
            return OpenError::ForeignData { path, found };
        }
        heed::Error::Mdb(MdbError::Incompatible) => {
            return OpenError::ForeignData { path, found: "it is an LMDB database of something else".into() };
        }
        source => return OpenError::Damaged { path, source },
    };
    match source.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => OpenError::NotADirectory(path),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::NoPermission { path, source }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::NoRoom { path, source },
        io::ErrorKind::OutOfMemory => OpenError::MapTooLarge { map_bytes, source },
        _ => OpenError::Io(source),
    }
}

/// What an error means to whoever reads or writes. Nothing has been written.
pub(super) fn store_error(error: heed::Error) -> StoreError {
    match &error {
        heed::Error::Mdb(MdbError::MapFull) => StoreError::full(error),
        heed::Error::Mdb(MdbError::BadValSize) => {
            StoreError::TooLarge("a key or value of such a size".into())
        }
        heed::Error::Mdb(MdbError::TxnFull) => StoreError::TooLarge("it touches too many pages".into()),
        heed::Error::Mdb(
            MdbError::PageNotFound | MdbError::Corrupted | MdbError::Invalid | MdbError::CursorFull,
        ) => StoreError::Corrupt(error.to_string()),
        heed::Error::Io(source) => match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StoreError::full(error)
            }
            _ => StoreError::unavailable(error),
        },
        _ => StoreError::unavailable(error),
    }
}

/// Whether the environment is of no use any more and has to be opened again: a write of its root page failed, or
/// another process, with a larger map, has filled it beyond this one's.
pub(super) fn is_broken(error: &heed::Error) -> bool {
    matches!(error, heed::Error::Mdb(MdbError::Panic | MdbError::MapResized))
}
