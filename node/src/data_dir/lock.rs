//! One node a data directory, and where it listens.
//!
//! The lock is the file's, given by the kernel and gone with the process, however it ends. What the file says is only
//! believed while somebody holds the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DataDirError;

const FILE: &str = "node.lock";

/// Where a running node listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Addresses for clients, the best for this machine first.
    pub clients: Vec<String>,
    /// The operators' address.
    pub http: Option<String>,
    /// The certificate to trust, when the node's is of its own making.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    pid: u32,
    #[serde(flatten)]
    listening: Option<Listening>,
}

/// The right to be the data directory's node.
#[derive(Debug)]
pub struct NodeLock {
    file: File,
    path: PathBuf,
}

impl NodeLock {
    pub(super) fn take(directory: &Path) -> Result<Self, DataDirError> {
        let path = directory.join(FILE);
        let refused = |error| DataDirError::refused("lock", &path)(error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .mode(0o644)
            .truncate(false)
            .open(&path)
            .map_err(DataDirError::refused("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = contents(&file).map(|contents| contents.pid);
                return Err(DataDirError::InUse { path: directory.to_path_buf(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        let mut lock = Self { file, path };
        lock.write(None)?;
        Ok(lock)
    }

    /// Tells the machine's other commands where the node listens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&mut self, listening: &Listening) -> Result<(), DataDirError> {
        self.write(Some(listening.clone()))
    }

    fn write(&mut self, listening: Option<Listening>) -> Result<(), DataDirError> {
        let contents = Contents { pid: std::process::id(), listening };
        let text = serde_json::to_vec_pretty(&contents).expect("numbers and strings have a form in JSON");
        let write = || -> std::io::Result<()> {
            let mut file = &self.file;
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&text)
        };
        write().map_err(DataDirError::refused("write", &self.path))
    }
}

/// What the file says, if a node holds it.
pub(super) fn listening(directory: &Path) -> Option<Listening> {
    let file = File::open(directory.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => contents(&file)?.listening,
        _ => None,
    }
}

fn contents(mut file: &File) -> Option<Contents> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
