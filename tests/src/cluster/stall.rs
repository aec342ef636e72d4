//! A store that commits nothing for a while: this process takes the turn to write, as one more node would, and keeps it.
//!
//! Whoever writes to the embedded store holds the lock of a file beside it. The file can be reached on a disk that only
//! the nodes have mounted, too.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, fcntl_lock};
use tokio::time::timeout;

/// The file in the embedded store's directory.
const WRITER_FILE: &str = "writer";

/// How long it takes at most to get the turn: others give it up after each commit.
const TURN: Duration = Duration::from_secs(20);

/// Keeps the store in `directory` from committing while `meanwhile` goes on.
pub(super) async fn stall(directory: &Path, meanwhile: impl Future<Output = ()>) -> Result<()> {
    let path = directory.join(WRITER_FILE);
    let file = File::options().read(true).write(true).open(&path);
    let file = file.with_context(|| format!("{} of a running node", path.display()))?;
    // Asked for in a line with all others, which takes a thread. It is the kernel's, and ends with the file's handle.
    let turn =
        tokio::task::spawn_blocking(move || fcntl_lock(&file, FlockOperation::LockExclusive).map(|()| file));
    let held = timeout(TURN, turn).await.context("the store was never free to write")??;
    let held = held.context("the store's lock")?;
    meanwhile.await;
    drop(held);
    Ok(())
}
