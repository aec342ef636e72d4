//! Several `rookery node` processes on one data directory, the networks between them, their disk and their clocks.
//!
//! Everything a cluster needs is its own: directory, ports, users. Processes are ended by their ids, with the cluster.
//! Its files are kept when a test fails or [`Cluster::keep`] was asked for, and then the ends of the logs are shown.

mod clock;
mod disk;
mod links;
mod member;
mod stall;
mod view;
mod who_dialled;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::{join_all, try_join_all};
use rookery_client::NodeAddress;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::deadline::LOOK_EVERY;
use crate::node_config::Ports;
use crate::{Membership, NodeConfig, Operator, Place, Port, Service, free_port};

pub(crate) use clock::is_possible as clocks_can_be_shifted;
pub use disk::Disk;
pub use links::{Links, Way};
use member::Around;
pub use member::Member;
pub use view::View;

/// Lines of each node's log that are shown.
const LOG_LINES_SHOWN: usize = 60;

/// How long nodes may take to agree on who they are, when nothing is wrong.
pub const WHOLE: Duration = Duration::from_secs(60);

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Nodes that are started.
    pub nodes: usize,
    /// Nodes that may join later.
    pub spares: usize,
    /// Whether links go through a network that can fail; otherwise nothing is between nodes.
    pub links_can_fail: bool,
    /// Put the data on a file system of its own with so many bytes, if this machine lets us.
    pub disk_bytes: Option<u64>,
    /// Give each node a clock that can be shifted, if this machine can.
    pub clocks_can_shift: bool,
    /// All nodes' configuration.
    pub node: NodeConfig,
}

impl ClusterConfig {
    /// So many nodes, and nothing that can fail but they.
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes,
            spares: 0,
            links_can_fail: false,
            disk_bytes: None,
            clocks_can_shift: false,
            node: NodeConfig::default(),
        }
    }
}

/// A cluster, running or not.
#[derive(Debug)]
pub struct Cluster {
    // Nodes end before the disk they work on, and that before the directory it is mounted in.
    members: Vec<Member>,
    nodes: usize,
    links: Option<Arc<Links>>,
    disk: Option<Disk>,
    data: PathBuf,
    keep: AtomicBool,
    directory: Option<TempDir>,
}

impl Cluster {
    /// Starts a cluster in a directory of its own, and waits until its nodes have found each other.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(config: ClusterConfig) -> Result<Self> {
        let cluster = Self::new(config).await?;
        // The first makes the data directory, which the others find.
        let (first, others) = cluster.nodes().split_first().context("a cluster has nodes")?;
        first.start().await?;
        try_join_all(others.iter().map(Member::start)).await?;
        cluster.whole(WHOLE).await?;
        Ok(cluster)
    }

    /// A cluster that has not been started.
    ///
    /// # Errors
    /// When its files cannot be made.
    pub async fn new(config: ClusterConfig) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("rookery-cluster-").tempdir()?;
        let mount = directory.path().join("disk");
        std::fs::create_dir(&mount)?;
        let disk = match config.disk_bytes {
            Some(bytes) if Place::OwnFileSystem.is_possible() => Some(Disk::mount(&mount, bytes).await?),
            _ => None,
        };
        let data = mount.join("data");
        let count = config.nodes + config.spares;
        let ports: Vec<_> = (0..count).map(|_| Ports::reserve()).collect();
        let outside: Option<Vec<u16>> =
            config.links_can_fail.then(|| (0..count).map(|_| free_port()).collect());
        let links = outside.as_ref().map(|outside| {
            Arc::new(Links::new(outside.iter().zip(&ports).map(|(outside, ports)| (*outside, ports.link))))
        });
        let mut members = Vec::new();
        for (place, ports) in ports.into_iter().enumerate() {
            let name = format!("n{}", place + 1);
            let files = directory.path().join(&name);
            std::fs::create_dir(&files)?;
            let mut node = config.node.clone();
            let link_advertise = outside.as_ref().map(|outside| outside[place]);
            node.membership = Some(Membership { name, link_advertise });
            let clock = if config.clocks_can_shift { clock::Clock::new(&files)? } else { None };
            let inside = disk.as_ref().map(Disk::inside).unwrap_or_default();
            let around = Around { ports, inside, links: links.clone(), clock };
            members.push(Member::new(place, files, &data, &node, around)?);
        }
        let (keep, directory) = (AtomicBool::new(false), Some(directory));
        Ok(Self { members, nodes: config.nodes, links, disk, data, keep, directory })
    }

    /// The nodes that are there from the beginning.
    pub fn nodes(&self) -> &[Member] {
        &self.members[..self.nodes]
    }

    /// The nodes that may join.
    pub fn spares(&self) -> &[Member] {
        &self.members[self.nodes..]
    }

    /// All nodes.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A node, by its place among [`members`](Self::members).
    pub fn member(&self, place: usize) -> &Member {
        &self.members[place]
    }

    /// The network between nodes.
    ///
    /// # Panics
    /// When it was not asked for.
    pub fn links(&self) -> &Links {
        self.links.as_ref().expect("a cluster whose links can fail")
    }

    /// The file system of its own, if it has one.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Everything of this cluster: configurations, logs, data.
    ///
    /// # Panics
    /// Never before it is dropped.
    pub fn directory(&self) -> &Path {
        self.directory.as_ref().expect("there until dropped").path()
    }

    /// The data directory, where this process finds it.
    pub fn data(&self) -> PathBuf {
        match &self.disk {
            Some(disk) => disk.reach(&self.data),
            None => self.data.clone(),
        }
    }

    /// Keeps the store from committing while `meanwhile` goes on.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn stall_store(&self, meanwhile: impl Future<Output = ()>) -> Result<()> {
        stall::stall(&self.data().join("lmdb"), meanwhile).await
    }

    /// Waits until all nodes that run see as many members as there are, and agree on the epoch.
    ///
    /// # Errors
    /// When they do not in time.
    pub async fn whole(&self, within: Duration) -> Result<View> {
        let deadline = Instant::now() + within;
        loop {
            let running: Vec<_> = self.members.iter().filter(|member| member.is_running()).collect();
            let views = join_all(running.iter().map(|member| member.view())).await;
            if let Some(Some(first)) = views.first().copied()
                && first.members == running.len()
                && views.iter().all(|view| *view == Some(first))
            {
                return Ok(first);
            }
            ensure!(
                Instant::now() < deadline,
                "{} nodes did not agree within {within:?}: {views:?}",
                running.len()
            );
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until one of the others has a view without this node.
    ///
    /// # Errors
    /// When none has in time.
    pub async fn without(&self, place: usize, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let running = self.members.iter().filter(|member| member.is_running()).count();
        let others: Vec<_> = self.nodes().iter().enumerate().filter(|(other, _)| *other != place).collect();
        loop {
            let views = join_all(others.iter().map(|(_, member)| member.view())).await;
            if views.iter().flatten().any(|view| view.members < running) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "nobody missed it within {within:?}: {views:?}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops all nodes in order, at once.
    ///
    /// # Errors
    /// When one does not end as it should.
    pub async fn stop(&self) -> Result<()> {
        let ended = join_all(self.members.iter().map(Member::terminate)).await;
        ended.into_iter().collect()
    }

    /// Keeps the files when this is dropped.
    pub fn keep(&self) -> &Path {
        self.keep.store(true, Ordering::Relaxed);
        self.directory()
    }
}

impl Service for Cluster {
    fn operator(&self) -> Operator {
        self.members[0].operator()
    }

    fn addresses(&self, port: Port) -> Vec<NodeAddress> {
        self.nodes().iter().map(|member| member.url(port)).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &self.members {
            member.kill();
        }
        let panics = std::thread::panicking();
        if !panics && !*self.keep.get_mut() {
            return;
        }
        if self.disk.is_some() {
            // A disk of its own goes with it.
            let (from, to) = (self.data(), self.directory().join("data"));
            let _ = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status();
        }
        let Some(directory) = self.directory.take() else { return };
        eprintln!("--- the cluster's files are kept in {} ---", directory.keep().display());
        for member in self.members.iter().filter(|_| panics) {
            eprintln!("--- {} ---\n{}", member.name(), member.log_end(LOG_LINES_SHOWN));
        }
    }
}
