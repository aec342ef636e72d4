//! What an operator types: the program's other commands, on the data of a running service.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Result, bail, ensure};
use rookery_client::{NodeAddress, UserId};

use crate::{Port, rookery};

/// A node, or several that act as one: whatever clients connect to and operators see to.
pub trait Service {
    /// Who may run commands on its data.
    fn operator(&self) -> Operator;

    /// Where its nodes listen, one address for each.
    fn addresses(&self, port: Port) -> Vec<NodeAddress>;
}

/// Runs commands on a service's data.
#[derive(Debug, Clone)]
pub struct Operator {
    inside: Vec<OsString>,
    config: PathBuf,
}

impl Operator {
    /// One that uses this configuration file. `inside` is what a command line begins with that must run in another
    /// view of the file system; empty for this one.
    pub(crate) fn new(inside: Vec<OsString>, config: PathBuf) -> Self {
        Self { inside, config }
    }

    /// A program run where the service's files are. Arguments are still to be added.
    pub(crate) fn inside(&self, program: &Path) -> Command {
        match self.inside.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }

    /// The program, run where the service's files are. Arguments are still to be added.
    pub fn program(&self) -> Command {
        self.inside(rookery())
    }

    /// Runs a command, and returns what it wrote.
    ///
    /// # Errors
    /// When it fails; what it said is in the error.
    pub async fn command(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments).await?;
        let says = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        ensure!(output.status.success(), "rookery {}: {}", arguments.join(" "), says(&output.stderr));
        Ok(says(&output.stdout))
    }

    /// As [`command`](Self::command), however it ends.
    ///
    /// # Errors
    /// When there is no such program.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.program();
        command.args(arguments).arg("--config").arg(&self.config).stdin(Stdio::null());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn add_user(&self, name: &str) -> Result<UserId> {
        let text = self.command(&["user", "add", name, "--json"]).await?;
        let added: serde_json::Value = serde_json::from_str(&text)?;
        match added["user"].as_u64().map(UserId::new) {
            Some(Ok(user)) => Ok(user),
            _ => bail!("no user in {text}"),
        }
    }

    /// A token for a user's device, which is added when there is none of that name.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn token(&self, name: &str, device: &str) -> Result<String> {
        self.command(&["token", name, "--device", device]).await
    }
}
