//! A node in another process: this test binary, told by its environment and its input what to do. It sends every batch
//! back to where it came from, and says what its links tell.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use rookery_actors::{LinkEvent, Links};
use rookery_node::link::{ClusterLinks, LinkConfig};
use rookery_store::keys::node::NodeId;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;

use crate::node::{Cluster, DEADLINE, peer};

const ID: &str = "ROOKERY_TEST_NODE";
const DIRECTORY: &str = "ROOKERY_TEST_DIRECTORY";

/// Another node's process. Killed when dropped.
pub(crate) struct Other {
    process: Child,
    pub(crate) id: NodeId,
    pub(crate) address: String,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Other {
    pub(crate) fn start(cluster: &Cluster, id: &NodeId) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["--exact", "other::the_other_node", "--nocapture", "--quiet"])
            .env(ID, id.to_string())
            .env(DIRECTORY, cluster.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary starts again");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // Leaves out what the test harness says.
                if let Some(line) = line.strip_prefix("other: ")
                    && tell.send(line.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let mut other = Self { process, id: id.clone(), address: String::new(), lines };
        other.address = other.next();
        other
    }

    /// What it says next.
    pub(crate) fn next(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("the other node says something in time")
    }

    pub(crate) fn until(&self, wanted: &str) {
        while self.next() != wanted {}
    }

    /// Has it keep a link to this node besides those it keeps.
    pub(crate) fn keep(&mut self, id: &NodeId, address: &str) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{id} {address}").and_then(|()| input.flush()).expect("it listens");
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was started here");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In a test run of its own this has nothing to do.
#[test]
fn the_other_node() {
    let (Ok(id), Ok(directory)) = (std::env::var(ID), std::env::var(DIRECTORY)) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (back, batches) = std::sync::mpsc::channel::<(NodeId, Bytes)>();
    let links = runtime.block_on(async {
        let id: NodeId = id.parse().unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").await.unwrap();
        say(&listen.local_addr().unwrap().to_string());
        let tls = Cluster::tls(directory.as_ref(), &id);
        let events = Arc::new(move |event| match event {
            LinkEvent::Up(id) => say(&format!("up {id}")),
            LinkEvent::Down(id) => say(&format!("down {id}")),
            LinkEvent::Refused(id) => say(&format!("refused {id}")),
            LinkEvent::Batch { from, batch } => back.send((from, batch)).unwrap(),
        });
        ClusterLinks::start(LinkConfig { listen, id, tls, events })
    });
    std::thread::spawn({
        let links = links.clone();
        move || {
            for (from, batch) in batches {
                while links.send(&from, batch.clone()).is_err() {
                    // Full, or down: then it is lost, as a batch may be.
                    if !links.status().iter().any(|link| link.unconfirmed_bytes > 0) {
                        break;
                    }
                    std::thread::yield_now();
                }
            }
        }
    });
    let mut peers = Vec::new();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let (id, address) = line.split_once(' ').unwrap();
        peers.push(peer(&id.parse().unwrap(), address));
        links.keep(peers.clone());
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever listened may have ended.
    let _ = writeln!(out, "other: {line}").and_then(|()| out.flush());
}
