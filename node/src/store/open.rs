//! Opens the engine that the configuration names.

use std::sync::Arc;

use rookery_store::engine::Engine;
use rookery_store::engines::{FdbConfig, FdbEngine, FdbOpenError, LmdbConfig, LmdbEngine, MemoryEngine};

use crate::config::{EngineKind, StoreSection};
use crate::data_dir::{DataDir, DataDirError};

/// Where FoundationDB's own programs look for a cluster file, when its variable does not say.
const CLUSTER_FILE_ENV: &str = "FDB_CLUSTER_FILE";
const CLUSTER_FILE: &str = "/etc/foundationdb/fdb.cluster";

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store cannot be opened.
    #[error("cannot open the embedded store")]
    Lmdb(#[source] rookery_store::engines::OpenError),
    /// Its directory cannot be made.
    #[error(transparent)]
    Directory(#[from] DataDirError),
    /// The cluster cannot be used.
    #[error("cannot use engine = \"foundationdb\"")]
    FoundationDb(#[source] FdbOpenError),
}

/// The engine that `section` names, with the data directory's files.
///
/// # Errors
/// When it cannot be opened.
pub async fn open(section: &StoreSection, data: &DataDir) -> Result<Arc<dyn Engine>, OpenError> {
    Ok(match section.engine {
        EngineKind::Memory => Arc::new(MemoryEngine::new()),
        EngineKind::Lmdb => {
            data.make_lmdb()?;
            let mut config = LmdbConfig::new(data.lmdb());
            config.map_bytes = section.lmdb.map_gib.bytes() as usize;
            let opened = tokio::task::spawn_blocking(|| LmdbEngine::open(config)).await;
            Arc::new(opened.expect("opening a store does not panic").map_err(OpenError::Lmdb)?)
        }
        EngineKind::FoundationDb => {
            let section = &section.foundationdb;
            let found = || std::env::var_os(CLUSTER_FILE_ENV).unwrap_or_else(|| CLUSTER_FILE.into()).into();
            let mut config = FdbConfig::new(section.cluster_file.clone().unwrap_or_else(found));
            config.library = section.library.clone();
            Arc::new(FdbEngine::open(config).await.map_err(OpenError::FoundationDb)?)
        }
    })
}
