//! A small file system of the cluster's own, which can be full for a while.
//!
//! It is mounted where only the nodes see it; this process reaches it through the process that keeps it mounted. Needs
//! `unshare`, `nsenter` and user namespaces: see [`Place::is_possible`](crate::Place::is_possible).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::deadline::wait_until;

/// A mounted file system, gone with this.
#[derive(Debug)]
pub struct Disk {
    keeper: Child,
    mount: PathBuf,
    bytes: u64,
}

impl Disk {
    /// Mounts one of so many bytes.
    pub(super) async fn mount(mount: &Path, bytes: u64) -> Result<Self> {
        let script =
            format!("mount -t tmpfs -o size={bytes} rookery \"$0\" && : > \"$0\"/mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &script]).arg(mount);
        // It reads what never comes, and ends with us, however we end.
        let keeper = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("unshare")?;
        let disk = Self { keeper, mount: mount.to_path_buf(), bytes };
        let mounted = disk.reach(&mount.join("mounted"));
        wait_until("the disk is mounted", Duration::from_secs(10), async || mounted.exists().then_some(()))
            .await?;
        Ok(disk)
    }

    /// What a command line begins with that is to see this file system.
    pub(super) fn inside(&self) -> Vec<OsString> {
        let keeper = self.keeper.id().to_string();
        ["nsenter", "-t", &keeper, "-U", "-m", "--preserve-credentials"].map(Into::into).to_vec()
    }

    /// By which path this process reaches a file there.
    pub(super) fn reach(&self, path: &Path) -> PathBuf {
        let mut reached = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        reached.extend(path.components().skip(1));
        reached
    }

    /// Leaves no room.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn fill(&self) -> Result<()> {
        // What is used may grow before it is the size, which is refused then.
        const TRIES: usize = 20;
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.resize(self.used_bytes()?);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn empty(&self) -> Result<()> {
        self.resize(self.bytes)
    }

    fn used_bytes(&self) -> Result<u64> {
        let mut command = self.command("df");
        let output = command.args(["--output=used", "-B1"]).arg(&self.mount).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().nth(1).and_then(|line| line.trim().parse().ok()).context("df tells what is used")
    }

    fn resize(&self, bytes: u64) -> Result<()> {
        let mut command = self.command("mount");
        let output = command.arg("-o").arg(format!("remount,size={bytes}")).arg(&self.mount).output()?;
        ensure!(output.status.success(), "remount: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let inside = self.inside();
        let mut command = Command::new(&inside[0]);
        command.args(&inside[1..]).arg(program);
        command
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Gone already when the machine took it; it is our own child all the same.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
