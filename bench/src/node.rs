//! The node under test: the real program, on a data directory and ports of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// For a start on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// A running node, ended when dropped.
pub(crate) struct Node {
    child: Child,
    tcp: String,
    http: String,
}

impl Node {
    /// Starts the program on `data`, where [`prepare`](crate::users::prepare) has put users.
    pub(crate) async fn start(rookery: &Path, data: &Path) -> anyhow::Result<Self> {
        let (tcp, http) = (free_address()?, free_address()?);
        let config = config(data, &tcp, &http)?;
        let log = std::fs::File::create(data.join("node.log"))?;
        let child = Command::new(rookery)
            .arg("node")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", rookery.display()))?;
        let mut node = Self { child, tcp, http };
        let begun = Instant::now();
        while node.get("/readyz").await.is_err() {
            if let Some(status) = node.child.try_wait()? {
                let log = std::fs::read_to_string(data.join("node.log")).unwrap_or_default();
                bail!("the node ended with {status}:\n{log}");
            }
            anyhow::ensure!(
                begun.elapsed() < START_TIME_MAX,
                "the node was not ready within {START_TIME_MAX:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(node)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it takes plain frames.
    pub(crate) fn tcp(&self) -> &str {
        &self.tcp
    }

    /// The sum of a metric's samples, over all labels.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let metrics = self.get("/metrics").await?;
        let samples = metrics.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
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

fn config(data: &Path, tcp: &str, http: &str) -> anyhow::Result<PathBuf> {
    let path = data.join("cluster.toml");
    let text = format!(
        "[node]\ndata = \"node\"\n[listen]\nwebsocket = \"\"\ntcp = \"{tcp}\"\nhttp = \"{http}\"\n\
         [cluster]\nlink = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n"
    );
    std::fs::write(&path, text)?;
    Ok(path)
}
