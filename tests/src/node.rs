//! One `rookery` process: started, signalled, killed, started again on the same ports, and ended with its test.
//!
//! Only processes started here are ever signalled, by their ids. What the node wrote is shown when a test fails.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rookery_client::{NodeAddress, UserId};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::deadline::SOON;
use crate::node_config::Ports;
use crate::process::{Process, log_end, wait_ready};
use crate::{Answer, Metrics, NodeConfig, Operator, Service, TokenForge, get, rookery};

/// How long a stop may take: what the program promises, and some.
const STOP: Duration = Duration::from_secs(40);

/// Lines of a failing node's log that are shown.
const LOG_LINES_SHOWN: usize = 80;

/// A node, running or not.
#[derive(Debug)]
pub struct Node {
    directory: Option<TempDir>,
    config: NodeConfig,
    ports: Ports,
    process: Option<Process>,
}

/// One of a node's listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Frames on TCP.
    Tcp,
    /// WebSocket.
    WebSocket,
    /// Frames on TLS.
    TcpTls,
    /// WebSocket on TLS.
    WebSocketTls,
    /// Operators.
    Http,
}

impl Port {
    /// The URL for clients of an address where such a listener is.
    pub(crate) fn url_at(self, address: SocketAddr) -> NodeAddress {
        let url = match self {
            Self::Tcp => format!("tcp://{address}"),
            Self::WebSocket => format!("ws://{address}/v1"),
            Self::TcpTls => format!("tls://{address}"),
            Self::WebSocketTls => format!("wss://{address}/v1"),
            Self::Http => panic!("clients have no business there"),
        };
        url.parse().expect("a URL of ours is an address")
    }
}

/// Where a node's commands run: here, or where its own file system is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this process's view of the file system.
    Here,
    /// In a mount namespace of the node's own.
    OwnFileSystem,
}

impl Place {
    /// Whether a process can be run there on this machine.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Here => true,
            Self::OwnFileSystem => {
                let Ok(directory) = tempfile::tempdir() else { return false };
                let mount = format!("mount -t tmpfs -o size=1m none '{}'", directory.path().display());
                let probe = Command::new("unshare").args(["-rm", "sh", "-c", &mount]).output();
                probe.is_ok_and(|output| output.status.success())
                    && Command::new("nsenter").arg("--version").output().is_ok()
            }
        }
    }
}

impl Node {
    /// Starts a node with a directory and ports of its own, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(config: NodeConfig) -> Self {
        let mut node = Self::new(config);
        node.restart().await;
        node
    }

    /// A node that has not been started.
    ///
    /// # Panics
    /// When no directory can be made.
    pub fn new(config: NodeConfig) -> Self {
        let directory = tempfile::Builder::new().prefix("rookery-node-").tempdir().expect("a directory");
        let ports = Ports::reserve();
        let node = Self { directory: Some(directory), config, ports, process: None };
        std::fs::create_dir(node.data_mount()).expect("a directory for data");
        node.write_config();
        node
    }

    /// Everything of this node: configuration, logs, data.
    pub fn directory(&self) -> &Path {
        self.directory.as_ref().expect("there until dropped").path()
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.data_mount().join("data")
    }

    fn data_mount(&self) -> PathBuf {
        self.directory().join("disk")
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.directory().join("cluster.toml")
    }

    fn write_config(&self) {
        let text = self.config.text(&self.data(), self.ports);
        std::fs::write(self.config_file(), text).expect("the configuration can be written");
    }

    /// Changes the configuration file. The node takes it over when it is told to, or starts again.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut NodeConfig)) {
        change(&mut self.config);
        self.write_config();
    }

    /// Where a listener is, once the node runs.
    pub fn address(&self, port: Port) -> SocketAddr {
        let port = match port {
            // `--tls` encrypts the addresses that were in the clear.
            Port::TcpTls if self.config.up_tls => Port::Tcp,
            Port::WebSocketTls if self.config.up_tls => Port::WebSocket,
            port => port,
        };
        (Ipv4Addr::LOCALHOST, self.ports.of(port)).into()
    }

    /// A listener's URL for clients.
    ///
    /// # Panics
    /// For the operators' listener, which has none.
    pub fn url(&self, port: Port) -> NodeAddress {
        port.url_at(self.address(port))
    }

    /// Starts it again on the same data and ports, and waits until it is ready.
    ///
    /// # Panics
    /// When it runs already, or does not start.
    pub async fn restart(&mut self) {
        self.spawn();
        if let Err(error) = self.wait_ready().await {
            panic!("the node does not start: {error:#}\n{}", self.log_end());
        }
    }

    /// Starts the process and does not wait for anything.
    ///
    /// # Panics
    /// When it runs already, or there is no such program.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the node runs already");
        let mut command = match self.config.disk_bytes {
            None => Command::new(rookery()),
            Some(bytes) => {
                // The shell becomes the node, so the process id stays the same.
                let script = format!("mount -t tmpfs -o size={bytes} rookery \"$0\" && exec \"$@\"");
                let mut command = Command::new("unshare");
                command.args(["-rm", "sh", "-c", &script]).arg(self.data_mount()).arg(rookery());
                command
            }
        };
        if self.config.up_tls {
            command.args(["up", "--tls"]);
        } else {
            command.arg("node");
        }
        command.arg("--config").arg(self.config_file());
        self.process = Some(Process::start(command, &self.log_file()).expect("the node's process starts"));
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let http = self.address(Port::Http);
        let process = self.process.as_mut().context("it has been started")?;
        wait_ready(http, SOON, || process.ended()).await
    }

    /// Whether the process is there.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        self.running().signal(signal);
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the node runs")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops its processor time, as a machine that hangs. [`resume`](Self::resume) goes on.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait_end(STOP).await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_end(&mut self, within: Duration) -> Result<ExitStatus> {
        let status = self.process.as_mut().context("the node runs")?.wait_end(within).await?;
        self.process = None;
        Ok(status)
    }

    /// Asks an operator's question.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        get(self.address(Port::Http), path).await
    }

    /// Its metrics now.
    ///
    /// # Panics
    /// When it does not tell them.
    pub async fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics").await.expect("the node tells its metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Metrics::parse(&answer.body)
    }

    /// Memory it occupies, in bytes.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line =
            status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the kernel counts it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    fn log_file(&self) -> PathBuf {
        self.directory().join("node.log")
    }

    /// All it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        log_end(&self.log(), LOG_LINES_SHOWN)
    }

    /// Runs `rookery` with these arguments and this node's configuration.
    ///
    /// # Errors
    /// When it fails; what it said is in the error.
    pub async fn command(&self, arguments: &[&str]) -> Result<String> {
        self.operator().command(arguments).await
    }

    /// As [`command`](Self::command), however it ends.
    ///
    /// # Errors
    /// When there is no such program.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.operator().output(arguments).await
    }

    /// The program, run where this node's files are. Arguments are still to be added.
    pub fn program(&self) -> Command {
        self.operator().program()
    }

    /// Gives the node's own file system another size.
    ///
    /// # Errors
    /// When it has none, or the system refuses.
    pub fn resize_disk(&mut self, bytes: u64) -> Result<()> {
        ensure!(self.config.disk_bytes.is_some(), "this node's disk is everybody's");
        let mut command = self.operator().inside(Path::new("mount"));
        let output =
            command.arg("-o").arg(format!("remount,size={bytes}")).arg(self.data_mount()).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.config.disk_bytes = Some(bytes);
        Ok(())
    }

    /// Adds a user.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn add_user(&self, name: &str) -> Result<UserId> {
        self.operator().add_user(name).await
    }

    /// What makes tokens that the program would not make.
    ///
    /// # Errors
    /// When the node has no keys yet.
    pub fn token_forge(&self) -> Result<TokenForge> {
        TokenForge::open(&self.data())
    }
}

impl Service for Node {
    fn operator(&self) -> Operator {
        let inside = match self.config.disk_bytes {
            None => Vec::new(),
            Some(_) => {
                let pid = self.pid().to_string();
                ["nsenter", "-t", &pid, "-U", "-m", "--preserve-credentials"].map(Into::into).to_vec()
            }
        };
        Operator::new(inside, self.config_file())
    }

    fn addresses(&self, port: Port) -> Vec<NodeAddress> {
        vec![self.url(port)]
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking()
            && let Some(directory) = self.directory.take()
        {
            let log = std::fs::read_to_string(directory.path().join("node.log")).unwrap_or_default();
            let shown = log_end(&log, LOG_LINES_SHOWN);
            eprintln!("--- the node's files are kept in {} ---\n{shown}", directory.keep().display());
        }
    }
}
