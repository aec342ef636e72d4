//! Open files: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs besides connections: the store, logs, listeners, the runtime.
const OWN: u64 = 64;

/// How many connections there can be with the files this process may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// As many as were asked for.
    Enough,
    /// So many.
    For {
        /// Connections.
        connections: usize,
        /// Files this process may open.
        files: u64,
    },
    /// Not even what the node itself needs.
    None {
        /// Files this process may open.
        files: u64,
        /// Files it needs to do anything.
        needed: u64,
    },
}

/// Raises the limit as far as it goes, and says what there is room for.
pub(crate) fn raise(connections: usize) -> Room {
    let limit = getrlimit(Resource::Nofile);
    // A refusal leaves the limit as it was, and that is what counts below.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.map_or(Room::Enough, |files| room(files, connections))
}

fn room(files: u64, connections: usize) -> Room {
    match files.checked_sub(OWN) {
        None | Some(0) => Room::None { files, needed: OWN + 1 },
        Some(left) if left >= connections as u64 => Room::Enough,
        Some(left) => Room::For { connections: left as usize, files },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_fewer_connections_where_fewer_files_may_be_open() {
        assert_eq!(room(1064, 1000), Room::Enough);
        assert_eq!(room(1063, 1000), Room::For { connections: 999, files: 1063 });
        assert_eq!(room(64, 1000), Room::None { files: 64, needed: 65 });
    }
}
