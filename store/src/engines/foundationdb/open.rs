//! Opening: the client library, its network, the cluster file, and whether what is under the prefix is ours.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use foundationdb::Database;
use foundationdb_sys::{LIBRARY_ENV, LoadedFrom};
use tokio::sync::oneshot;

use super::client::{Client, Settings};
use super::cluster::Cluster;
use super::config::FdbConfig;
use super::core::{Core, version_of};
use super::network::{self, NetworkError};
use super::subspace::{PREFIX_BYTES_MAX, version_key};
use crate::batch::{Batch, Submitted};
use crate::error::{Source, StoreError};
use crate::keys::meta::{FORMAT, format_key};
use crate::op::{KeyRange, Op, Reads, View, Writes};
use crate::store::Committed;

/// See [`FdbEngine`](super::FdbEngine) on batches.
const TRANSACTION_BYTES_MAX: i32 = 1_000_000;
/// Ten retries take two seconds at the very most.
const RETRY_DELAY_MS_MAX: i32 = 200;

/// Why a FoundationDB engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FdbOpenError {
    /// There is no usable client library: the message lists what was tried and what to install.
    #[error(transparent)]
    Library(#[from] foundationdb_sys::LoadError),
    /// The client library's network did not start. It can be started once in a process.
    #[error("the FoundationDB client did not start")]
    Network(#[source] Source),
    /// The process is ending.
    #[error("the FoundationDB client has been stopped: this process is ending")]
    NetworkStopped,
    /// The cluster file cannot be read.
    #[error("the FoundationDB cluster file {} cannot be read", .path.display())]
    ClusterFile {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The client library did not accept the cluster file.
    #[error("the FoundationDB cluster of {} cannot be used", .path.display())]
    Cluster {
        /// The cluster file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Source,
    },
    /// The prefix is too long, or lies in FoundationDB's own key space.
    #[error("the key prefix must have {PREFIX_BYTES_MAX} bytes at most and not begin with 0xff")]
    Prefix,
    /// The cluster did not answer, or not well.
    #[error("the FoundationDB cluster could not be asked what it holds; is it reachable, and healthy?")]
    Unavailable(#[source] StoreError),
    /// The keys under the prefix are not Rookery's.
    #[error("the FoundationDB database holds something else under the key prefix: choose another prefix")]
    Foreign,
    /// The store was written in another layout.
    #[error("the store has layout version {found}; this program reads and writes version {FORMAT}")]
    Format {
        /// Its layout's version.
        found: u32,
    },
    /// The cluster's version is behind that of an earlier open: the store has been restored into another cluster. New
    /// stamps would come before old ones, and what they stand for would never be delivered.
    #[error(
        "the cluster's version {found} is behind {last}, at which this store was last opened: it has been restored \
         into another cluster. Stop every node, then run `advanceversion` in fdbcli with a version greater than any \
         the old cluster had (see docs/decisions/0001-foundationdb-by-dlopen.md)"
    )]
    VersionWentBack {
        /// The version at the last open.
        last: i64,
        /// The version now.
        found: i64,
    },
}

/// Connects to the cluster of `config`. Does not ask it anything.
pub(super) fn connect(config: &FdbConfig) -> Result<Core<Client>, FdbOpenError> {
    if config.prefix.len() > PREFIX_BYTES_MAX || config.prefix.first() == Some(&0xff) {
        return Err(FdbOpenError::Prefix);
    }
    let path = readable(&config.cluster_file)?;
    let loaded = foundationdb_sys::load(config.library.as_deref())?;
    warn_of_the_unused(config.library.as_deref(), loaded);
    network::start().map_err(|error| match error {
        NetworkError::Failed(fault) => FdbOpenError::Network(std::sync::Arc::new(fault)),
        NetworkError::Stopped => FdbOpenError::NetworkStopped,
    })?;
    let database = Database::from_path(path).map_err(|error| FdbOpenError::Cluster {
        path: config.cluster_file.clone(),
        source: std::sync::Arc::new(super::fault::Fault::from(error)),
    })?;
    let settings = Settings {
        // 0 would mean no timeout at all, and no limit at all.
        timeout_ms: i32::try_from(config.transaction_timeout_ms.max(1)).unwrap_or(i32::MAX),
        retry_limit: i32::try_from(config.retry_limit).unwrap_or(i32::MAX),
        retry_delay_ms_max: RETRY_DELAY_MS_MAX,
        transaction_bytes_max: TRANSACTION_BYTES_MAX,
    };
    let instance = RandomState::new().hash_one(std::process::id());
    Ok(Core::new(Client { database, settings }, config, instance))
}

/// Says which client libraries somebody asked for and did not get.
fn warn_of_the_unused(configured: Option<&Path>, loaded: &LoadedFrom) {
    let from_env = std::env::var_os(LIBRARY_ENV).map(PathBuf::from);
    for attempt in &loaded.rejected {
        let (path, reason) = (attempt.path.display(), &attempt.reason as &dyn std::error::Error);
        // Of the places that are only searched, a missing library is nothing to speak of.
        if [configured, from_env.as_deref()].contains(&Some(&attempt.path)) {
            tracing::warn!(%path, reason, "a FoundationDB client library that was asked for is not used");
        } else {
            tracing::debug!(%path, reason, "not a FoundationDB client library");
        }
    }
    if configured.is_some_and(|configured| configured != loaded.path) {
        tracing::warn!(path = %loaded.path.display(), "another FoundationDB client library is in use than configured");
    }
}

/// The path as the client library takes it, if there is a file to read.
fn readable(path: &Path) -> Result<&str, FdbOpenError> {
    let refuse = |source| FdbOpenError::ClusterFile { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(refuse)?;
    let metadata = file.metadata().map_err(refuse)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(refuse(io::Error::new(io::ErrorKind::InvalidData, "not a file, or empty")));
    }
    if let Err(error) = OpenOptions::new().append(true).open(path) {
        tracing::warn!(
            path = %path.display(),
            %error,
            "the FoundationDB cluster file cannot be written: a change of coordinators cannot be recorded in it"
        );
    }
    path.to_str().ok_or_else(|| refuse(io::Error::new(io::ErrorKind::InvalidInput, "not a path in UTF-8")))
}

/// Makes sure that what is under the prefix is a store of this layout, and that stamps go on growing.
pub(super) async fn claim<C: Cluster>(core: &Core<C>) -> Result<(), FdbOpenError> {
    let claimed = run(core, Claim).await.map_err(FdbOpenError::Unavailable)?;
    let last = claimed.answer?;
    let found = version_of(claimed.stamp);
    if let Some(last) = last.filter(|last| *last > found) {
        return Err(FdbOpenError::VersionWentBack { last, found });
    }
    run(core, NoteVersion { version: found }).await.map_err(FdbOpenError::Unavailable)?;
    Ok(())
}

/// Commits one operation.
pub(super) async fn run<C: Cluster, O: Op>(
    core: &Core<C>,
    op: O,
) -> Result<Committed<O::Answer>, StoreError> {
    let (tell, outcome) = oneshot::channel();
    let mut batch = Batch::default();
    batch.push(Box::new(Submitted::new(op, move |outcome| {
        // Only a caller that is no longer interested has dropped the other end.
        let _ = tell.send(outcome);
    })));
    let committed = core.transact(&mut batch).await;
    batch.finish(committed);
    outcome.await.map_err(|_| StoreError::Closed)?
}

/// Writes the layout's version into an empty store, and finds it in another. Answers with the cluster's version at the
/// last open.
struct Claim;

impl Claim {
    fn anything() -> KeyRange {
        KeyRange { begin: Vec::new(), end: vec![0xff], limit: 1, reverse: false }
    }
}

impl Op for Claim {
    type Answer = Result<Option<i64>, FdbOpenError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(format_key());
        reads.key(version_key());
        reads.range(Self::anything());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let number = |value: &[u8]| value.try_into().map(u32::from_be_bytes);
        match view.get(&format_key()).map(|value| number(&value)) {
            Some(Ok(FORMAT)) => Ok(last_version(view)),
            Some(Ok(found)) => Err(FdbOpenError::Format { found }),
            Some(Err(_)) => Err(FdbOpenError::Foreign),
            None if !view.range(&Self::anything()).is_empty() => Err(FdbOpenError::Foreign),
            None => {
                writes.put(format_key(), FORMAT.to_be_bytes().to_vec());
                Ok(None)
            }
        }
    }
}

/// Notes the cluster's version at an open.
struct NoteVersion {
    version: i64,
}

impl Op for NoteVersion {
    type Answer = ();

    fn reads(&self, reads: &mut Reads) {
        reads.key(version_key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) {
        if last_version(view).is_none_or(|last| last < self.version) {
            writes.put(version_key(), self.version.to_be_bytes().to_vec());
        }
    }
}

fn last_version(view: &View<'_>) -> Option<i64> {
    let value = view.get(&version_key())?;
    value.as_ref().try_into().ok().map(i64::from_be_bytes)
}
