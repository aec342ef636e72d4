//! Which nodes run on the data directory, and where they listen.
//!
//! A lock is a file's, given by the kernel and gone with the process, however it ends. What the file says is only
//! believed while somebody holds the lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rookery_store::keys::node::NodeName;
use serde::{Deserialize, Serialize};

use super::{DataDirError, secret_file};

/// The directory with one for each node.
const NODES: &str = "nodes";

/// The file that a node holds in its directory.
const FILE: &str = "lock";

/// The file that `rookery up` holds.
const UP_FILE: &str = "up.lock";

/// The file that all running nodes hold together, and who restores the store alone.
const RESTORE_FILE: &str = "restore.lock";

/// Who looks whether a file is held holds it for a moment: it is tried so often, ...
const TRIES: u32 = 10;
/// ... with so much time between.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// Where a running node listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Addresses for clients, the best for this machine first.
    pub clients: Vec<String>,
    /// The operators' address.
    pub http: Option<String>,
    /// The admin API's URL.
    pub admin: Option<String>,
    /// Where it takes links from other nodes, `host:port`.
    pub link: Option<String>,
    /// The certificate to trust, when the node's is of its own making.
    pub ca: Option<PathBuf>,
}

/// A node that runs on the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningNode {
    /// Its name.
    pub name: NodeName,
    /// Its process.
    pub pid: Option<u32>,
    /// Where it listens, once it does.
    pub listening: Option<Listening>,
}

impl RunningNode {
    /// As errors speak of it.
    pub(super) fn who(&self) -> String {
        who(&self.name)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    pid: u32,
    #[serde(flatten)]
    listening: Option<Listening>,
}

/// The right to be the data directory's node of a name.
#[derive(Debug)]
pub struct NodeLock {
    file: File,
    path: PathBuf,
    /// Keeps the store from being exchanged.
    _in_use: File,
}

/// The right to be the data directory's `rookery up`.
#[derive(Debug)]
pub struct UpLock {
    _file: File,
}

/// The right to exchange the data directory's store: no node of any name starts meanwhile.
#[derive(Debug)]
pub(crate) struct RestoreLock {
    _file: File,
}

impl NodeLock {
    pub(super) fn take(directory: &Path, name: &NodeName) -> Result<Self, DataDirError> {
        let own = node_directory(directory, name);
        secret_file::make_private(&own, "make the directory")?;
        let path = own.join(FILE);
        let file = take(&path, File::try_lock)?.map_err(|pid| DataDirError::InUse {
            path: directory.to_path_buf(),
            who: who(name),
            pid,
        })?;
        let restore = directory.join(RESTORE_FILE);
        let in_use = take(&restore, File::try_lock_shared)?.map_err(|pid| restoring(directory, pid))?;
        let lock = Self { file, path, _in_use: in_use };
        write(&lock.file, &lock.path, None)?;
        Ok(lock)
    }

    /// Tells the machine's other commands where the node listens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&mut self, listening: &Listening) -> Result<(), DataDirError> {
        write(&self.file, &self.path, Some(listening.clone()))
    }
}

impl UpLock {
    pub(super) fn take(directory: &Path) -> Result<Self, DataDirError> {
        let path = directory.join(UP_FILE);
        let file = take(&path, File::try_lock)?.map_err(|pid| DataDirError::InUse {
            path: directory.to_path_buf(),
            who: "`rookery up`".to_owned(),
            pid,
        })?;
        write(&file, &path, None)?;
        Ok(Self { _file: file })
    }
}

impl RestoreLock {
    pub(super) fn take(directory: &Path) -> Result<Self, DataDirError> {
        let path = directory.join(RESTORE_FILE);
        let file =
            take(&path, File::try_lock)?.map_err(|pid| match running(directory).into_iter().next() {
                Some(node) => {
                    DataDirError::InUse { path: directory.to_path_buf(), who: node.who(), pid: node.pid }
                }
                None => restoring(directory, pid),
            })?;
        write(&file, &path, None)?;
        Ok(Self { _file: file })
    }
}

fn restoring(directory: &Path, pid: Option<u32>) -> DataDirError {
    let who = "`rookery admin restore`".to_owned();
    DataDirError::InUse { path: directory.to_path_buf(), who, pid }
}

fn who(name: &NodeName) -> String {
    format!("node {name}")
}

/// The directory that is one node's alone.
pub(super) fn node_directory(directory: &Path, name: &NodeName) -> PathBuf {
    directory.join(NODES).join(name.as_str())
}

/// Locks the file, or says which process holds it.
fn take(
    path: &Path,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<Result<File, Option<u32>>, DataDirError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .mode(0o644)
        .truncate(false)
        .open(path)
        .map_err(DataDirError::refused("open", path))?;
    for attempt in 1.. {
        match lock(&file) {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempt < TRIES => thread::sleep(TRY_EVERY),
            Err(TryLockError::WouldBlock) => return Ok(Err(contents(&file).map(|contents| contents.pid))),
            Err(TryLockError::Error(error)) => return Err(DataDirError::refused("lock", path)(error)),
        }
    }
    Ok(Ok(file))
}

fn write(mut file: &File, path: &Path, listening: Option<Listening>) -> Result<(), DataDirError> {
    let contents = Contents { pid: std::process::id(), listening };
    let text = serde_json::to_vec_pretty(&contents).expect("numbers and strings have a form in JSON");
    let mut write = || -> std::io::Result<()> {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&text)
    };
    write().map_err(DataDirError::refused("write", path))
}

/// The nodes that run on the directory, in the order of their names.
pub(super) fn running(directory: &Path) -> Vec<RunningNode> {
    let entries = fs::read_dir(directory.join(NODES)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut running: Vec<RunningNode> = names.filter_map(|name| look(directory, name)).collect();
    running.sort_by(|one, other| one.name.cmp(&other.name));
    running
}

/// The node of that name, if one holds its file.
fn look(directory: &Path, name: NodeName) -> Option<RunningNode> {
    let file = File::open(node_directory(directory, &name).join(FILE)).ok()?;
    let Err(TryLockError::WouldBlock) = file.try_lock_shared() else { return None };
    let contents = contents(&file);
    let pid = contents.as_ref().map(|contents| contents.pid);
    Some(RunningNode { name, pid, listening: contents.and_then(|contents| contents.listening) })
}

fn contents(mut file: &File) -> Option<Contents> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
