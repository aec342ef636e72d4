//! How much a link carries: two processes on this machine, TLS between them, batches of 200-byte messages one way.
//!
//! `cargo run --release -p rookery-node --example links [SECONDS]`
//!
//! A message costs nothing here but its bytes: what is measured is the way of a batch, through ractor_cluster and TLS, to the
//! other side's router. Latency is of a batch of one message that is sent back, one at a time.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use hdrhistogram::Histogram;
use rookery_actors::{LinkEvent, Links, Peer};
use rookery_node::link::{CertificatePem, ClusterLinks, LinkConfig, LinkTls, issue, make_ca};
use rookery_store::keys::node::NodeId;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const MESSAGE_BYTES: usize = 200;

/// A batch of one byte asks how many have come.
const COUNT: &[u8] = b"?";

/// A batch that begins with this is sent back.
const ECHO: u8 = 0xee;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, address] = arguments.as_slice()
        && role == "other"
    {
        return other(address).await;
    }
    let time = Duration::from_secs(arguments.first().map_or(Ok(5), |seconds| seconds.parse())?);
    let ca = make_ca()?;
    let (mut node, address) = Node::start("a-1", &ca).await?;
    let mut process = Command::new(std::env::current_exe()?)
        .args(["other", &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = process.stdin.take().context("it is piped")?;
    for pem in [&ca.certificate, &ca.key] {
        std::io::Write::write_all(&mut input, format!("{}\n", pem.replace('\n', "|")).as_bytes())?;
    }
    let mut listens = String::new();
    std::io::BufReader::new(process.stdout.take().context("it is piped")?).read_line(&mut listens)?;
    let peer: NodeId = "b-1".parse()?;
    node.links.keep(vec![Peer { id: peer.clone(), address: listens.trim().to_owned() }]);
    node.until_up().await?;

    for messages in [1, 32] {
        node.throughput(&peer, messages, time).await?;
    }
    node.latency(&peer, time).await?;
    process.kill()?;
    process.wait()?;
    Ok(())
}

struct Node {
    links: Arc<ClusterLinks>,
    events: mpsc::UnboundedReceiver<LinkEvent>,
}

impl Node {
    async fn start(id: &str, ca: &CertificatePem) -> anyhow::Result<(Self, String)> {
        let (tell, events) = mpsc::unbounded_channel();
        let events_of = Arc::new(move |event| drop(tell.send(event)));
        let (links, address) = start(id, ca, events_of).await?;
        Ok((Self { links, events }, address))
    }

    async fn until_up(&mut self) -> anyhow::Result<()> {
        while !matches!(self.events.recv().await.context("links live")?, LinkEvent::Up(_)) {}
        Ok(())
    }

    async fn batch(&mut self) -> anyhow::Result<Bytes> {
        match self.events.recv().await.context("links live")? {
            LinkEvent::Batch { batch, .. } => Ok(batch),
            other => Err(anyhow!("{other:?}")),
        }
    }

    async fn send(&self, to: &NodeId, batch: &Bytes) -> u64 {
        let mut waited = 0;
        while self.links.send(to, batch.clone()).is_err() {
            waited += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waited
    }

    async fn throughput(&mut self, to: &NodeId, messages: usize, time: Duration) -> anyhow::Result<()> {
        let before = self.count(to).await?;
        let batch = Bytes::from(vec![0; messages * MESSAGE_BYTES]);
        let (began, mut sent, mut waited) = (Instant::now(), 0_u64, 0);
        while began.elapsed() < time {
            waited += self.send(to, &batch).await;
            sent += 1;
        }
        // In order, so all that was sent has come when this answer does.
        let came = self.count(to).await? - before - 1;
        let seconds = began.elapsed().as_secs_f64();
        anyhow::ensure!(came == sent, "{sent} were sent and {came} came");
        let batches = came as f64 / seconds;
        println!(
            "{messages:>2} messages a batch: {batches:>9.0} batches/s {:>10.0} messages/s {:>6.1} MB/s, {waited} waits for room",
            batches * messages as f64,
            batches * (messages * MESSAGE_BYTES) as f64 / 1e6,
        );
        Ok(())
    }

    async fn latency(&mut self, to: &NodeId, time: Duration) -> anyhow::Result<()> {
        let batch = Bytes::from(vec![ECHO; MESSAGE_BYTES]);
        let mut micros = Histogram::<u64>::new(3)?;
        let began = Instant::now();
        while began.elapsed() < time {
            let sent = Instant::now();
            self.send(to, &batch).await;
            self.batch().await?;
            micros.record(u64::try_from(sent.elapsed().as_micros())?)?;
        }
        println!(
            "there and back, one at a time: p50 {} µs, p99 {} µs, {} times",
            micros.value_at_quantile(0.5),
            micros.value_at_quantile(0.99),
            micros.len()
        );
        Ok(())
    }

    /// How many batches have come over there, this one included.
    async fn count(&mut self, to: &NodeId) -> anyhow::Result<u64> {
        self.send(to, &Bytes::from_static(COUNT)).await;
        Ok(u64::from_be_bytes(self.batch().await?.as_ref().try_into()?))
    }
}

async fn start(
    id: &str,
    ca: &CertificatePem,
    events: Arc<dyn Fn(LinkEvent) + Send + Sync>,
) -> anyhow::Result<(Arc<ClusterLinks>, String)> {
    let id: NodeId = id.parse()?;
    let tls = LinkTls::from_pem(&ca.certificate, &issue(ca, &id.name)?, &id.name)?;
    let listen = TcpListener::bind("127.0.0.1:0").await?;
    let address = listen.local_addr()?.to_string();
    Ok((ClusterLinks::start(LinkConfig { listen, id, tls, events }), address))
}

async fn other(address: &str) -> anyhow::Result<()> {
    let mut lines = std::io::stdin().lines();
    let mut pem = || anyhow::Ok(lines.next().context("a PEM comes")??.replace('|', "\n"));
    let ca = CertificatePem { certificate: pem()?, key: pem()? };
    let came = AtomicU64::new(0);
    let (back, mut answers) = mpsc::unbounded_channel::<(NodeId, Bytes)>();
    let events = Arc::new(move |event| {
        if let LinkEvent::Batch { from, batch } = event {
            let came = came.fetch_add(1, Ordering::Relaxed) + 1;
            if batch.as_ref() == COUNT {
                drop(back.send((from, came.to_be_bytes().to_vec().into())));
            } else if batch.first() == Some(&ECHO) {
                drop(back.send((from, batch)));
            }
        }
    });
    let (links, own) = start("b-1", &ca, events).await?;
    links.keep(vec![Peer { id: "a-1".parse()?, address: address.to_owned() }]);
    println!("{own}");
    while let Some((to, batch)) = answers.recv().await {
        links.send(&to, batch)?;
    }
    Ok(())
}
