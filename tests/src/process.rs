//! One child process: started, signalled by its id, and ended with whoever holds it.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::deadline::{LOOK_EVERY, wait_until};
use crate::get;

/// A running child, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts it. What it writes is added to the file.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log).context("a log file")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let program = command.get_program().to_owned();
        Ok(Self(command.spawn().with_context(|| format!("{} does not start", program.display()))?))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the system refuses.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        // Until it has been waited for, the id is nobody else's.
        kill_process(pid, signal).expect("our own process takes signals");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn wait_end(&mut self, within: Duration) -> Result<ExitStatus> {
        Ok(wait_until("the process has ended", within, async || self.ended()).await?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a process's operators' listener says that it is ready. `ended` tells whether it has ended instead.
///
/// A loop of its own, unlike other waits: faults run as tasks, and the future of a borrowing closure is not `Send`
/// enough for one.
pub(crate) async fn wait_ready(
    http: SocketAddr,
    within: Duration,
    mut ended: impl FnMut() -> Option<ExitStatus>,
) -> Result<()> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(status) = ended() {
            bail!("it ended: {status}");
        }
        if get(http, "/readyz").await.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "it was not ready within {within:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The last lines of a log.
pub(crate) fn log_end(log: &str, lines: usize) -> String {
    let all: Vec<&str> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
