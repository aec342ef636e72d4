//! `rookery.toml` in the data directory: what makes it one.

use std::path::Path;

use rand::Rng;
use rookery_store::keys::node::NodeName;
use serde::{Deserialize, Serialize};

use super::{DataDirError, Visibility, write_new};
use crate::config::EngineKind;

/// The file's name.
pub(super) const FILE: &str = "rookery.toml";

/// The layout this version reads and writes.
pub(super) const FORMAT: u32 = 1;

/// What the first node is called.
const FIRST_NODE: &str = "rook-1";

/// What a data directory says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Marker {
    format: u32,
    /// The cluster: the issuer of its tokens.
    pub cluster: String,
    /// The name of the first node, unless the configuration has another.
    pub node: NodeName,
    /// The engine that has the messages.
    pub engine: EngineKind,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    cluster: &'a str,
    node: &'a str,
    engine: &'a str,
}

impl Marker {
    /// The marker of a directory, if it has one.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, DataDirError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let path = directory.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(DataDirError::refused("read", &path)(error)),
        };
        let damaged = |error: toml::de::Error| DataDirError::Damaged {
            path: path.clone(),
            reason: error.message().to_owned(),
        };
        let Format { format } = toml::from_str(&text).map_err(damaged)?;
        if format != FORMAT {
            return Err(DataDirError::Format { path: directory.to_path_buf(), found: format });
        }
        toml::from_str(&text).map(Some).map_err(damaged)
    }

    /// Makes a directory one of Rookery's. Whether it was this call that did; another process may have been first.
    pub(super) fn create(directory: &Path, engine: EngineKind) -> Result<bool, DataDirError> {
        let mut rng = rand::rng();
        let cluster = format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        let written = Written { format: FORMAT, cluster: &cluster, node: FIRST_NODE, engine: engine.name() };
        let text = format!(
            "# A Rookery data directory. Written once; not to be edited.\n{}",
            toml::to_string(&written).expect("numbers and strings have a form in TOML")
        );
        write_new(&directory.join(FILE), text.as_bytes(), Visibility::Everyone)
    }
}
