//! The data directory: who this node is, its keys, its certificate, its embedded store.
//!
//! ```text
//! rookery.toml      what this directory is: format, cluster, node, engine
//! node.lock         held by the running node; says where it listens
//! keys/token.pk8    signs tokens (PKCS #8, mode 0600)
//! keys/token.pub    verifies them (32 bytes, Ed25519)
//! tls/              the certificate `--tls` makes, and its key (mode 0600)
//! lmdb/             the embedded store
//! clients/          what `rookery chat` keeps, a directory for each user and device
//! ```
//!
//! Everything is written whole or not at all, so that a node killed at its first start finds its way at the second.

mod lock;
mod marker;
mod secret_file;

use std::io;
use std::path::{Path, PathBuf};

use rookery_protocol::Handle;

use crate::config::EngineKind;
use crate::token::TokenKeys;
pub use lock::{Listening, NodeLock};
pub use marker::Marker;
pub(crate) use secret_file::{Visibility, write_new};

/// The directory of clients' state.
const CLIENTS: &str = "clients";

/// A directory that a Rookery node has made its own.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    marker: Marker,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// There is none, and this command does not make one.
    #[error(
        "there is no data directory at {}: `rookery up` makes one, and --data DIR names another", path.display()
    )]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// It holds something else.
    #[error(
        "{} is not a Rookery data directory: it holds {found} and no {}. Name an empty or new directory with --data",
        path.display(), marker::FILE
    )]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// Something in it is not as Rookery left it.
    #[error("{} cannot be read: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later Rookery made it.
    #[error("{} has format {found}, this version of Rookery reads format {}", path.display(), marker::FORMAT)]
    Format {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Its messages are in another engine.
    #[error(
        "{} was made for the {} engine, and the configuration says {}: take another data directory, or the engine of \
         this one", path.display(), .made_for.name(), .configured.name()
    )]
    Engine {
        /// Where.
        path: PathBuf,
        /// The engine it was made for.
        made_for: EngineKind,
        /// The engine asked for.
        configured: EngineKind,
    },
    /// The file system refuses.
    #[error("cannot {doing} {}", path.display())]
    Refused {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another node runs on it.
    #[error("a node is already running on {}{}", path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// Where.
        path: PathBuf,
        /// The other node's process.
        pid: Option<u32>,
    },
    /// The keys cannot be made.
    #[error("cannot make {what}: {reason}")]
    Keys {
        /// Which.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

impl DataDirError {
    pub(crate) fn refused(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Refused { doing, path, source }
    }
}

impl DataDir {
    /// The directory, made if it is not there, and whether it was made now.
    ///
    /// # Errors
    /// When it is not one of Rookery's, or cannot be written.
    pub fn open_or_create(path: &Path, engine: EngineKind) -> Result<(Self, bool), DataDirError> {
        // People's messages are in it: it is its owner's alone, unless somebody made it otherwise.
        secret_file::make_private(path, "make the data directory")?;
        let made_now = match Marker::read(path)? {
            Some(_) => false,
            None => {
                refuse_foreign(path)?;
                Marker::create(path, engine)?
            }
        };
        Ok((Self::open(path, engine)?, made_now))
    }

    /// The directory, which must be there.
    ///
    /// # Errors
    /// When it is not, or is not one of Rookery's.
    pub fn open(path: &Path, engine: EngineKind) -> Result<Self, DataDirError> {
        let Some(marker) = Marker::read(path)? else {
            if path.is_dir() {
                refuse_foreign(path)?;
            }
            return Err(DataDirError::Missing { path: path.to_path_buf() });
        };
        if marker.engine != engine {
            let path = path.to_path_buf();
            return Err(DataDirError::Engine { path, made_for: marker.engine, configured: engine });
        }
        Ok(Self { path: path.to_path_buf(), marker })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// The embedded store's directory.
    pub fn lmdb(&self) -> PathBuf {
        self.path.join("lmdb")
    }

    /// Makes the embedded store's directory, unless there is one.
    pub(crate) fn make_lmdb(&self) -> Result<(), DataDirError> {
        secret_file::make_private(&self.lmdb(), "make the directory")
    }

    /// Takes the directory for one node, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when another has it.
    pub fn lock(&self) -> Result<NodeLock, DataDirError> {
        NodeLock::take(&self.path)
    }

    /// Where the node that has this directory listens, if one is running.
    pub fn listening(&self) -> Option<Listening> {
        lock::listening(&self.path)
    }

    /// The keys tokens are signed and verified with, made if they are not there.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub fn token_keys(&self) -> Result<TokenKeys, DataDirError> {
        let private = self.path.join("keys/token.pk8");
        if !private.exists() {
            let made = TokenKeys::generate()
                .map_err(|reason| DataDirError::Keys { what: "the token keys", reason })?;
            write_new(&private, made.pkcs8(), Visibility::Owner)?;
        }
        let pkcs8 = std::fs::read(&private).map_err(DataDirError::refused("read", &private))?;
        let keys =
            TokenKeys::from_pkcs8(pkcs8).map_err(|reason| DataDirError::Damaged { path: private, reason })?;
        write_new(&self.path.join("keys/token.pub"), keys.public(), Visibility::Everyone)?;
        Ok(keys)
    }
}

/// Where a client keeps its state under `data`, which need not be a node's.
pub fn client_state(data: &Path, handle: &Handle, device: &str) -> PathBuf {
    // A device's name is free text: what is no plain character must not become a path.
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let device: String = device.chars().map(plain).collect();
    data.join(CLIENTS).join(format!("{handle}-{device}"))
}

/// Fails when the directory holds anything that is not Rookery's.
fn refuse_foreign(path: &Path) -> Result<(), DataDirError> {
    let entries = std::fs::read_dir(path).map_err(DataDirError::refused("read the data directory", path))?;
    for entry in entries {
        let entry = entry.map_err(DataDirError::refused("read the data directory", path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What a fresh file system has, what a chat with a node elsewhere keeps here, and a start that was cut off.
        if !["lost+found", CLIENTS].contains(&&*name) && !name.starts_with(secret_file::UNFINISHED) {
            return Err(DataDirError::Foreign { path: path.to_path_buf(), found: name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_opening_finds_the_same_ids_and_keys() {
        let directory = tempfile::tempdir().unwrap();
        let (first, made) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        assert!(made);
        let (second, made) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        assert!(!made);
        assert_eq!(first.marker(), second.marker());
        assert_eq!(first.token_keys().unwrap().public(), second.token_keys().unwrap().public());
    }

    #[test]
    fn the_private_key_is_its_owners_alone_and_shows_in_no_debug_output() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let keys = data.token_keys().unwrap();
        let mode = |name| data.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("keys"), mode("keys/token.pk8")), (0o700, 0o600));
        assert_eq!(format!("{keys:?}"), "TokenKeys");
    }

    #[test]
    fn a_directory_with_other_things_in_it_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("thesis.tex"), "").unwrap();
        let error = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap_err();
        assert!(matches!(error, DataDirError::Foreign { found, .. } if found == "thesis.tex"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_first_start_that_was_cut_off_is_taken_up_again() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".rookery-new-x"), "half").unwrap();
        std::fs::create_dir(directory.path().join("clients")).unwrap();
        let (_, made) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        assert!(made);
    }

    #[test]
    fn another_engine_than_the_one_it_was_made_for_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let error = DataDir::open(directory.path(), EngineKind::FoundationDb).unwrap_err();
        assert!(matches!(error, DataDirError::Engine { made_for: EngineKind::Lmdb, .. }));
    }

    #[test]
    fn one_node_at_a_time_and_the_next_when_it_has_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let held = data.lock().unwrap();
        let error = data.lock().unwrap_err();
        assert!(matches!(error, DataDirError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
        drop(held);
        data.lock().unwrap();
    }

    #[test]
    fn where_a_node_listens_is_known_while_it_runs_and_not_after() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let mut held = data.lock().unwrap();
        let listening = Listening { clients: vec!["ws://127.0.0.1:1/v1".into()], http: None, ca: None };
        held.announce(&listening).unwrap();
        assert_eq!(data.listening(), Some(listening));
        drop(held);
        assert_eq!(data.listening(), None);
    }

    #[test]
    fn a_devices_name_never_leaves_the_clients_directory() {
        let path = client_state(Path::new("d"), &"alice".parse().unwrap(), "../../etc");
        assert_eq!(path, Path::new("d/clients/alice-______etc"));
    }
}
