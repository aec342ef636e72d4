//! The nodes under test: the real program, one process each, on one data directory and ports of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process;
use crate::users;
use crate::wire::Address;
use crate::written::Written;

/// For a start on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// How clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Frames on plain TCP.
    Plain,
    /// The same inside TLS.
    Tls,
}

impl Transport {
    /// TLS if it is asked for.
    pub(crate) fn encrypted(is_encrypted: bool) -> Self {
        if is_encrypted { Self::Tls } else { Self::Plain }
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Tls => "TLS",
        })
    }
}

/// A running node, ended when dropped.
pub(crate) struct Node {
    child: Child,
    clients: Address,
    http: String,
    /// Where its data is, among others.
    data: PathBuf,
    /// From its process's beginning until it was ready.
    ready_after: Duration,
}

/// Nodes that make one cluster.
pub(crate) struct Nodes(Vec<Node>);

impl Nodes {
    /// Starts `count` nodes on `data`, where [`prepare`](crate::users::prepare) has put users.
    pub(crate) async fn start(rookery: &Path, data: &Path, count: usize) -> anyhow::Result<Self> {
        Self::start_with(rookery, data, count, Transport::Plain).await
    }

    /// Starts them so that clients connect in this way.
    pub(crate) async fn start_with(
        rookery: &Path,
        data: &Path,
        count: usize,
        transport: Transport,
    ) -> anyhow::Result<Self> {
        let mut nodes = Self(Vec::new());
        for _ in 0..count {
            nodes.add(rookery, data, transport).await?;
        }
        Ok(nodes)
    }

    /// Starts one more, and waits until all know it.
    pub(crate) async fn join(&mut self, rookery: &Path, data: &Path) -> anyhow::Result<()> {
        self.add(rookery, data, Transport::Plain).await
    }

    async fn add(&mut self, rookery: &Path, data: &Path, transport: Transport) -> anyhow::Result<()> {
        let name = format!("n{}", self.0.len() + 1);
        self.0.push(Node::start_as(rookery, data, &name, transport).await?);
        let (begun, members) = (Instant::now(), self.0.len() as f64);
        for node in &self.0 {
            while node.metric("rookery_view_members").await? < members
                || node.metric("rookery_link_up").await? < members - 1.0
            {
                anyhow::ensure!(begun.elapsed() < START_TIME_MAX, "the nodes did not find each other");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }

    /// Ends the node with this number with SIGKILL, and forgets it.
    pub(crate) fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        self.0.remove(number).child.kill().context("cannot kill a node")
    }

    /// The node whose turn it is with `turn`, around.
    pub(crate) fn of(&self, turn: usize) -> &Node {
        &self.0[turn % self.0.len()]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The sum of a metric's samples that have `label`, over all nodes.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for node in &self.0 {
            sum += node.labelled_metric(name, label).await?;
        }
        Ok(sum)
    }

    /// The processor time of all.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.0.iter().map(|node| process::cpu(node.pid())).sum()
    }

    /// The memory of all.
    pub(crate) fn rss_bytes(&self) -> anyhow::Result<u64> {
        self.0.iter().map(|node| process::rss_bytes(node.pid())).sum()
    }
}

impl Node {
    async fn start_as(rookery: &Path, data: &Path, name: &str, transport: Transport) -> anyhow::Result<Self> {
        let (tcp, http) = (free_address()?, free_address()?);
        let (listen, clients) = match transport {
            Transport::Plain => (format!("tcp = \"{tcp}\"\n"), Address::plain(tcp)),
            Transport::Tls => {
                let files = users::certificate(data)?;
                // The configuration's paths start from where it is.
                let (certificate, key) =
                    (files.certificate.strip_prefix(data)?, files.key.strip_prefix(data)?);
                let listen = format!(
                    "tcp = \"\"\ntcp_tls = \"{tcp}\"\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
                    certificate.display(),
                    key.display()
                );
                (listen, Address::tls(tcp, &files.certificate)?)
            }
        };
        let config = config(data, name, &http, &listen)?;
        let log_path = data.join(format!("{name}.log"));
        let log = std::fs::File::create(&log_path)?;
        let begun = Instant::now();
        let child = Command::new(rookery)
            .arg("node")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", rookery.display()))?;
        let mut node = Self { child, clients, http, data: data.into(), ready_after: Duration::ZERO };
        while node.get("/readyz").await.is_err() {
            if let Some(status) = node.child.try_wait()? {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                bail!("the node ended with {status}:\n{log}");
            }
            anyhow::ensure!(
                begun.elapsed() < START_TIME_MAX,
                "the node was not ready within {START_TIME_MAX:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        node.ready_after = begun.elapsed();
        Ok(node)
    }

    /// From its process's beginning until it was ready, to 5 ms.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where clients connect.
    pub(crate) fn clients(&self) -> &Address {
        &self.clients
    }

    /// What the disk with its data has written, where the kernel says so.
    pub(crate) fn disk_written(&self) -> Option<Written> {
        Written::under(&self.data)
    }

    /// The sum of a metric's samples, over all labels.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        self.labelled_metric(name, "").await
    }

    async fn labelled_metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let metrics = self.get("/metrics").await?;
        let samples = metrics.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
                && line.contains(label)
        });
        Ok(samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.http).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has a head")?;
        anyhow::ensure!(
            head.starts_with("HTTP/1.1 200"),
            "{path} answers {}",
            head.lines().next().unwrap_or_default()
        );
        Ok(body.to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It is this process's own child, and its data goes with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> anyhow::Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// What one user, and this one address, may do is no limit here: they stand for many.
fn config(data: &Path, name: &str, http: &str, listen: &str) -> anyhow::Result<PathBuf> {
    let path = data.join(format!("{name}.toml"));
    let text = format!(
        "[node]\nid = \"{name}\"\ndata = \"node\"\n[listen]\nwebsocket = \"\"\nhttp = \"{http}\"\n{listen}\
         [cluster]\nlink = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [limits]\nconnections_max = 1000000\nunauthenticated_per_ip_max = 10000\n\
         [limits.rates]\nmessages = \"off\"\ngroup_messages = \"off\"\ngroups = \"off\"\nmembers = \"off\"\n\
         watches = \"off\"\n[log]\nlevel = \"warn\"\n"
    );
    std::fs::write(&path, text)?;
    Ok(path)
}
