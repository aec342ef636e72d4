//! The data directory: what the nodes that use it have in common, and what each has for itself.
//!
//! ```text
//! rookery.toml          what this directory is: format, cluster, first node's name, engine
//! up.lock               held by the running `rookery up`
//! keys/token.pk8        signs tokens (PKCS #8, mode 0600)
//! keys/token.pub        verifies them (32 bytes, Ed25519)
//! keys/admin.token      opens the admin API (mode 0600)
//! ca/ca.pem, ca.key     the cluster's own CA, for links between nodes (the key: mode 0600)
//! nodes/<name>/lock     held by the running node of that name; says where it listens
//! nodes/<name>/link.*   its certificate for links, and its key (mode 0600)
//! tls/                  the certificate `--tls` makes, and its key (mode 0600)
//! lmdb/                 the embedded store
//! clients/              what `rookery chat` keeps, a directory for each user and device
//! ```
//!
//! Nodes on several machines are one cluster when their directories have the same `rookery.toml`, `keys/` and `ca/`,
//! and each its own names.
//!
//! Everything is written whole or not at all, so that a node killed at its first start finds its way at the second.

mod admin_token;
mod link_files;
mod lock;
mod marker;
mod secret_file;

use std::io;
use std::path::{Path, PathBuf};

use rookery_protocol::Handle;
use rookery_store::keys::node::NodeName;

use crate::config::EngineKind;
use crate::token::TokenKeys;
pub use admin_token::AdminToken;
pub(crate) use lock::RestoreLock;
pub use lock::{Listening, NodeLock, RunningNode, UpLock};
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
    /// Another of that name runs on it.
    #[error(
        "{who} is already running on {}{}", path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// Where.
        path: PathBuf,
        /// Which node, or `rookery up`.
        who: String,
        /// The process that has it.
        pid: Option<u32>,
    },
    /// Its engine keeps everything inside one node.
    #[error(
        "engine = \"memory\" keeps everything inside one node, so no two can share {}: take \"lmdb\" or \"foundationdb\", \
         or one node (`rookery up --nodes 1`)", path.display()
    )]
    OneNodeOnly {
        /// Where.
        path: PathBuf,
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

    /// Takes the directory for the node of that name, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when such a node is running or the store is being restored,
    /// [`DataDirError::OneNodeOnly`] when another node is running and the engine cannot be shared.
    pub fn lock(&self, name: &NodeName) -> Result<NodeLock, DataDirError> {
        let lock = NodeLock::take(&self.path, name)?;
        if self.marker.engine == EngineKind::Memory && self.running().iter().any(|node| node.name != *name) {
            return Err(DataDirError::OneNodeOnly { path: self.path.clone() });
        }
        Ok(lock)
    }

    /// Takes the directory for `rookery up` and its nodes, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when it or one of the nodes is running, [`DataDirError::OneNodeOnly`] when there are
    /// several and the engine cannot be shared.
    pub fn lock_up(&self, nodes: &[NodeName]) -> Result<UpLock, DataDirError> {
        let lock = UpLock::take(&self.path)?;
        if let Some(running) = self.running().into_iter().find(|running| nodes.contains(&running.name)) {
            let (path, who, pid) = (self.path.clone(), running.who(), running.pid);
            return Err(DataDirError::InUse { path, who, pid });
        }
        if self.marker.engine == EngineKind::Memory && nodes.len() > 1 {
            return Err(DataDirError::OneNodeOnly { path: self.path.clone() });
        }
        Ok(lock)
    }

    /// Takes the directory for exchanging its store, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when a node is running or somebody else exchanges it.
    pub(crate) fn lock_restore(&self) -> Result<RestoreLock, DataDirError> {
        RestoreLock::take(&self.path)
    }

    /// The nodes that run on this directory.
    pub fn running(&self) -> Vec<RunningNode> {
        lock::running(&self.path)
    }

    /// Where the nodes that run on this directory listen; those that do not yet are left out.
    pub fn listening(&self) -> Vec<Listening> {
        self.running().into_iter().filter_map(|node| node.listening).collect()
    }

    /// What opens the admin API, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn admin_token(&self) -> Result<AdminToken, DataDirError> {
        AdminToken::read_or_make(&self.path.join("keys/admin.token"))
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
        data.admin_token().unwrap();
        let mode = |name| data.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("keys"), mode("keys/token.pk8")), (0o700, 0o600));
        assert_eq!(mode("keys/admin.token"), 0o600);
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

    fn name(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    #[test]
    fn one_node_of_a_name_at_a_time_and_the_next_when_it_has_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let held = data.lock(&name("rook-1")).unwrap();
        let error = data.lock(&name("rook-1")).unwrap_err();
        assert!(matches!(error, DataDirError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
        let other = data.lock(&name("rook-2")).unwrap();
        drop(held);
        data.lock(&name("rook-1")).unwrap();
        drop(other);
    }

    #[test]
    fn somebody_who_looks_who_runs_keeps_no_node_from_starting() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        drop(data.lock(&name("rook-1")).unwrap());
        let looking = std::fs::File::open(data.path().join("nodes/rook-1/lock")).unwrap();
        looking.lock_shared().unwrap();
        std::thread::scope(|threads| {
            let locked = threads.spawn(|| data.lock(&name("rook-1")).map(drop));
            looking.unlock().unwrap();
            locked.join().unwrap().unwrap();
        });
    }

    #[test]
    fn where_nodes_listen_is_known_while_they_run_and_not_after() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let mut held = ["rook-2", "rook-1", "rook-3"].map(|node| data.lock(&name(node)).unwrap());
        assert_eq!(data.listening(), []);
        let at =
            |port| Listening { clients: vec![format!("ws://127.0.0.1:{port}/v1")], ..Listening::default() };
        held[0].announce(&at(2)).unwrap();
        held[1].announce(&at(1)).unwrap();
        assert_eq!(data.listening(), [at(1), at(2)]);
        let names: Vec<String> = data.running().iter().map(|node| node.name.to_string()).collect();
        assert_eq!(names, ["rook-1", "rook-2", "rook-3"]);
        drop(held);
        assert_eq!(data.running(), []);
    }

    #[test]
    fn up_is_refused_where_it_or_one_of_its_nodes_runs() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let refused = |nodes: &[NodeName]| data.lock_up(nodes).unwrap_err().to_string();
        let node = data.lock(&name("rook-2")).unwrap();
        let said = refused(&[name("rook-1"), name("rook-2")]);
        assert!(said.starts_with("node rook-2 is already running on "), "{said}");
        let up = data.lock_up(&[name("rook-1")]).unwrap();
        let said = refused(&[name("rook-3")]);
        assert!(said.starts_with("`rookery up` is already running on "), "{said}");
        assert!(said.ends_with(&format!(" (process {})", std::process::id())), "{said}");
        drop((node, up));
    }

    #[test]
    fn no_node_starts_while_the_store_is_restored_which_is_not_while_one_runs() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let restoring = data.lock_restore().unwrap();
        for node in ["rook-1", "chat1"] {
            let said = data.lock(&name(node)).unwrap_err().to_string();
            assert!(said.starts_with("`rookery admin restore` is already running on "), "{said}");
            assert!(said.ends_with(&format!(" (process {})", std::process::id())), "{said}");
        }
        assert!(data.lock_restore().is_err());
        drop(restoring);
        let nodes = ["rook-1", "chat1"].map(|node| data.lock(&name(node)).unwrap());
        let said = data.lock_restore().unwrap_err().to_string();
        assert!(said.starts_with("node chat1 is already running on "), "{said}");
        drop(nodes);
        data.lock_restore().unwrap();
    }

    #[test]
    fn an_engine_that_lives_in_one_node_is_not_shared() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Memory).unwrap();
        let error = data.lock_up(&[name("rook-1"), name("rook-2")]).unwrap_err();
        assert!(matches!(error, DataDirError::OneNodeOnly { .. }));
        let _held = data.lock(&name("rook-1")).unwrap();
        assert!(matches!(data.lock(&name("rook-2")), Err(DataDirError::OneNodeOnly { .. })));
    }

    #[test]
    fn a_devices_name_never_leaves_the_clients_directory() {
        let path = client_state(Path::new("d"), &"alice".parse().unwrap(), "../../etc");
        assert_eq!(path, Path::new("d/clients/alice-______etc"));
    }
}
