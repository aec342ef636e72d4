//! A node's links in this process, and the certificates of a cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rookery_actors::{LinkEvent, Links, Peer};
use rookery_node::link::{CertificatePem, ClusterLinks, LinkConfig, LinkFiles, LinkTls, issue, make_ca};
use rookery_store::keys::node::NodeId;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// What everything here may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A CA, with certificates for those who are to take part, in a directory.
pub(crate) struct Cluster {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) ca: CertificatePem,
}

impl Cluster {
    pub(crate) fn of(names: &[&str]) -> Self {
        let (directory, ca) = (tempfile::tempdir().unwrap(), make_ca().unwrap());
        std::fs::write(directory.path().join("ca.pem"), &ca.certificate).unwrap();
        for name in names {
            let own = issue(&ca, &name.parse().unwrap()).unwrap();
            std::fs::write(directory.path().join(format!("{name}.pem")), own.certificate).unwrap();
            std::fs::write(directory.path().join(format!("{name}.key")), own.key).unwrap();
        }
        Self { directory, ca }
    }

    pub(crate) fn tls(directory: &Path, id: &NodeId) -> LinkTls {
        let at = |file: String| directory.join(file);
        let files = LinkFiles {
            ca: at("ca.pem".to_owned()),
            certificate: at(format!("{}.pem", id.name)),
            key: at(format!("{}.key", id.name)),
        };
        LinkTls::load(&files, &id.name).unwrap()
    }
}

pub(crate) fn id(text: &str) -> NodeId {
    text.parse().unwrap()
}

pub(crate) fn peer(id: &NodeId, address: &str) -> Peer {
    Peer { id: id.clone(), address: address.to_owned() }
}

/// A node's links and what they tell.
pub(crate) struct Node {
    pub(crate) links: Arc<ClusterLinks>,
    pub(crate) address: String,
    events: mpsc::UnboundedReceiver<LinkEvent>,
}

impl Node {
    pub(crate) async fn start(directory: &Path, id: &NodeId) -> Self {
        Self::start_at("127.0.0.1:0", directory, id).await
    }

    pub(crate) async fn start_at(address: &str, directory: &Path, id: &NodeId) -> Self {
        let listen = TcpListener::bind(address).await.unwrap();
        let address = listen.local_addr().unwrap().to_string();
        let (tell, events) = mpsc::unbounded_channel();
        let config = LinkConfig {
            listen,
            id: id.clone(),
            tls: Cluster::tls(directory, id),
            events: Arc::new(move |event| {
                // Nobody hears what comes after a test's end.
                let _ = tell.send(event);
            }),
        };
        Self { links: ClusterLinks::start(config), address, events }
    }

    /// The next event; fails after the deadline.
    pub(crate) async fn event(&mut self) -> LinkEvent {
        timeout_at(Instant::now() + DEADLINE, self.events.recv())
            .await
            .expect("an event in time")
            .expect("links live as long as their node")
    }

    pub(crate) fn event_now(&mut self) -> Option<LinkEvent> {
        self.events.try_recv().ok()
    }

    /// Waits for this event, whatever comes before it.
    pub(crate) async fn until(&mut self, wanted: &LinkEvent) {
        let within = Instant::now() + DEADLINE;
        while timeout_at(within, self.event()).await.unwrap_or_else(|_| panic!("{wanted:?} in time"))
            != *wanted
        {}
    }

    pub(crate) async fn batch(&mut self) -> (NodeId, Bytes) {
        match self.event().await {
            LinkEvent::Batch { from, batch } => (from, batch),
            other => panic!("a batch, not {other:?}"),
        }
    }

    /// Sends as soon as there is room.
    pub(crate) async fn send(&self, to: &NodeId, batch: Bytes) {
        let within = Instant::now() + DEADLINE;
        while self.links.send(to, batch.clone()).is_err() {
            assert!(Instant::now() < within, "there is room in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
