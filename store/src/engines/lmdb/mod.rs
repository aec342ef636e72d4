//! LMDB: one directory on one machine, opened by one or more processes at once.
//!
//! - Writes: one thread per process applies batches inside LMDB's one write transaction and syncs before it answers
//!   ([`writer`]). Other processes take turns, so there are no conflicts; one that is stopped in its turn is killed by
//!   those who wait ([`fence`]).
//! - Reads run inline on the calling thread: they are short, and served from the page cache. What is not cached costs
//!   that thread a disk read. A snapshot holds on to the pages it sees: drop it within seconds, or the file grows.
//! - Watches poll ([`watch`]); commits of this process wake them at once.
//!
//! The truth lies in `data.mdb`; `lock.mdb` and `writer` may be lost when no process has the directory open. A backup
//! ([`backup`]) is made while nodes run, and has to be restored ([`restore`](mod@restore)) rather than put in its place. The directory must be on a local
//! disk: LMDB's locks do not reach over a network.

mod backup;
mod fence;
mod open;
mod process;
mod restore;
mod snapshot;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use self::fence::Fence;
pub use self::open::OpenError;
use self::open::Opened;
pub use self::restore::{LmdbBackup, RESTORE_GAP, RestoreError};
use self::snapshot::LmdbSnapshot;
use self::watch::Changes;
use self::writer::Job;
use crate::batch::Batch;
use crate::engine::{BackupError, BoxFuture, Engine, EngineLimits, Snapshot};
use crate::error::StoreError;
use crate::stamp::CommitStamp;

/// Batches waiting for the writer thread. A store has one lane here, so more than a few never wait.
const JOBS_MAX: usize = 16;

/// Where the store is and how it is opened.
#[derive(Debug, Clone)]
pub struct LmdbConfig {
    /// The directory. Made, with its parents, when it is missing.
    pub path: PathBuf,
    /// The most the store may hold. Address space, not memory and not disk: the file grows as it fills. May be raised
    /// by opening with more.
    pub map_bytes: usize,
    /// Snapshots at once, in all processes together. Fixed by the first process that opens the directory.
    pub readers_max: u32,
    /// Whether a commit waits for the disk. Without it a power failure may lose commits or spoil the store: for tests
    /// and benchmarks only.
    pub durable: bool,
}

impl LmdbConfig {
    /// The defaults, for a directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), map_bytes: 64 << 30, readers_max: 1024, durable: true }
    }
}

/// A store in an LMDB directory.
///
/// Dropping it waits for the commit under way. The directory may be opened again by this process once the snapshots
/// are gone too.
#[derive(Debug)]
pub struct LmdbEngine {
    shared: Arc<Shared>,
    /// `None` once closing.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    config: LmdbConfig,
    /// `None` while the environment has failed and could not be opened again.
    opened: RwLock<Option<Opened>>,
    changes: Changes,
    fence: Fence,
}

impl Shared {
    fn opened(&self) -> Option<Opened> {
        self.opened.read().expect("nothing panics while it holds this lock").clone()
    }
}

impl LmdbEngine {
    /// Opens the store, making it when the directory is empty or missing. Blocks on the disk for a moment.
    ///
    /// # Errors
    /// When the directory cannot be used, or is not a store of this version.
    pub fn open(config: LmdbConfig) -> Result<Self, OpenError> {
        let opened = open::open(&config)?;
        let shared = Arc::new(Shared {
            changes: Changes::new(opened.env.info().last_txn_id),
            fence: Fence::open(&config.path).map_err(OpenError::Io)?,
            opened: RwLock::new(Some(opened)),
            config,
        });
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn({
                let shared = shared.clone();
                move || writer::run(&shared, queue)
            })
            .map_err(OpenError::Io)?;
        Ok(Self { shared, jobs: Some(jobs), writer: Some(writer) })
    }

    /// How many bytes the data file has. It grows as the store fills and never shrinks; room inside it is used again.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub fn file_bytes(&self) -> std::io::Result<u64> {
        Ok(self.shared.config.path.join(open::DATA_FILE).metadata()?.len())
    }

    /// Looks whether a directory holds a whole store of this version, such as a backup. It must not be in use; nothing is
    /// written to it. Whether what it holds is right says a [`Check`](crate::check::Check) of what is restored from it.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(path: &Path) -> Result<LmdbBackup, OpenError> {
        restore::verify(path)
    }

    /// Makes a store in `to`, a missing or empty directory, of the backup in `from`. Its stamps go on [`RESTORE_GAP`]
    /// commits after the backup's, so that none is given a second time. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// When there is no backup, or no room.
    pub fn restore(from: &Path, to: &Path) -> Result<LmdbBackup, RestoreError> {
        restore::restore(from, to)
    }

    fn try_snapshot(&self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        match self.shared.opened() {
            Some(opened) => LmdbSnapshot::begin(opened).map(|snapshot| snapshot.map(|it| Box::new(it) as _)),
            None => Ok(None),
        }
    }
}

impl Engine for LmdbEngine {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move {
            if let Some(snapshot) = self.try_snapshot()? {
                return Ok(snapshot);
            }
            // The environment has failed. Only the writer opens it again; an empty batch makes it try.
            let (_, outcome) = self.transact(Batch::default()).await;
            outcome?;
            self.try_snapshot()?.ok_or_else(|| StoreError::unavailable(heed::MdbError::Panic))
        })
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            let jobs = self.jobs.as_ref().expect("only drop takes the queue");
            if let Err(refused) = jobs.send(Job { batch, tell }).await {
                return (refused.0.batch, Err(StoreError::Closed));
            }
            told.await.unwrap_or_else(|_| (Batch::default(), Err(StoreError::Closed)))
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        watch::watch(&self.shared, key)
    }

    fn backup(&self, directory: PathBuf) -> BoxFuture<'static, Result<u64, BackupError>> {
        let opened = self.shared.opened();
        Box::pin(async move {
            let opened = opened.ok_or(BackupError::Unavailable)?;
            let copying = tokio::task::spawn_blocking(move || backup::backup(&opened, &directory));
            copying.await.unwrap_or(Err(BackupError::Unavailable))
        })
    }

    fn limits(&self) -> EngineLimits {
        EngineLimits { batch_ops_max: 1024, batch_bytes_max: 4 << 20, lanes: 1 }
    }
}

impl Drop for LmdbEngine {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let Some(writer) = self.writer.take() else { return };
        // The last handle may go with a batch that the writer itself lets go of.
        if writer.thread().id() != std::thread::current().id() {
            // It contains panics, so it ends without one.
            let _ = writer.join();
        }
    }
}
