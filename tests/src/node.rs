//! One `rookery` process: started, signalled, killed, started again on the same ports, and ended with its test.
//!
//! Only processes started here are ever signalled, by their ids. What the node wrote is shown when a test fails.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rookery_client::{NodeAddress, UserId};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::deadline::{LOOK_EVERY, SOON, wait_until};
use crate::node_config::Ports;
use crate::{Answer, Metrics, NodeConfig, TokenForge, free_port, get, rookery};

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
    process: Option<Child>,
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
        let ports = Ports {
            tcp: free_port(),
            websocket: free_port(),
            tcp_tls: free_port(),
            websocket_tls: free_port(),
            http: free_port(),
        };
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
        let (ports, moved) = (self.ports, self.config.up_tls);
        let number = match port {
            Port::Tcp => ports.tcp,
            Port::WebSocket => ports.websocket,
            // `--tls` encrypts the addresses that were in the clear.
            Port::TcpTls if moved => ports.tcp,
            Port::WebSocketTls if moved => ports.websocket,
            Port::TcpTls => ports.tcp_tls,
            Port::WebSocketTls => ports.websocket_tls,
            Port::Http => ports.http,
        };
        (Ipv4Addr::LOCALHOST, number).into()
    }

    /// A listener's URL for clients, or another address's that leads there.
    ///
    /// # Panics
    /// For the operators' listener, which has none.
    pub fn url_at(&self, port: Port, address: SocketAddr) -> NodeAddress {
        let url = match port {
            Port::Tcp => format!("tcp://{address}"),
            Port::WebSocket => format!("ws://{address}/v1"),
            Port::TcpTls => format!("tls://{address}"),
            Port::WebSocketTls => format!("wss://{address}/v1"),
            Port::Http => panic!("clients have no business there"),
        };
        url.parse().expect("a URL of ours is an address")
    }

    /// A listener's URL for clients.
    pub fn url(&self, port: Port) -> NodeAddress {
        self.url_at(port, self.address(port))
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
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).expect("a log file");
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
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.process = Some(command.spawn().expect("the node's process starts"));
    }

    /// A loop of its own, unlike other waits: faults run as tasks, and the future of a borrowing closure is not `Send`
    /// enough for one.
    async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + SOON;
        let process = self.process.as_mut().context("it has been started")?;
        let http = (Ipv4Addr::LOCALHOST, self.ports.http).into();
        loop {
            if let Some(status) = process.try_wait()? {
                bail!("it ended: {status}");
            }
            if get(http, "/readyz").await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "it was not ready within {SOON:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
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
        self.process.as_ref().expect("the node runs").id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("our own process takes signals");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            process.wait().expect("our own child can be waited for");
        }
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
        let process = self.process.as_mut().context("the node runs")?;
        let status =
            wait_until("the node has ended", within, async || process.try_wait().ok().flatten()).await?;
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
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Runs `rookery` with these arguments and this node's configuration.
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
        command.args(arguments).arg("--config").arg(self.config_file()).stdin(Stdio::null());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    /// The program, run where this node's files are. Arguments are still to be added.
    pub fn program(&self) -> Command {
        self.inside(rookery())
    }

    /// A program run where this node's files are.
    fn inside(&self, program: &Path) -> Command {
        if self.config.disk_bytes.is_none() {
            return Command::new(program);
        }
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid().to_string(), "-U", "-m", "--preserve-credentials"]).arg(program);
        command
    }

    /// Gives the node's own file system another size.
    ///
    /// # Errors
    /// When it has none, or the system refuses.
    pub fn resize_disk(&mut self, bytes: u64) -> Result<()> {
        ensure!(self.config.disk_bytes.is_some(), "this node's disk is everybody's");
        let mut command = self.inside(Path::new("mount"));
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

    /// What makes tokens that the program would not make.
    ///
    /// # Errors
    /// When the node has no keys yet.
    pub fn token_forge(&self) -> Result<TokenForge> {
        TokenForge::open(&self.data())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking()
            && let Some(directory) = self.directory.take()
        {
            let log = File::open(directory.path().join("node.log")).and_then(|mut log| {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut log, &mut text).map(|_| text)
            });
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            eprintln!("--- the node's files are kept in {} ---\n{shown}", directory.keep().display());
        }
    }
}
