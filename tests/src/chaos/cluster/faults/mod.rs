//! How each fault is done and undone.
//!
//! What a fault does it undoes itself. What an operator does to a node and the node does not take well is an error, and
//! the run's surprise; [`Scene::restore`] then puts everything right for the next one.

mod clock;
mod disk;
mod join;
mod links;
mod process;
mod rolling;
mod store;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::process::Signal;

use super::{Fault, Timeline};
use crate::cluster::{Cluster, Way};

/// Where faults happen.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) cluster: Arc<Cluster>,
    pub(super) timeline: Timeline,
}

/// What came of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It happened.
    Done,
    /// This machine cannot do that.
    Skipped(&'static str),
}

impl Scene {
    /// Lets a fault happen, to its end.
    pub(super) fn inflict<'a>(&'a self, fault: &'a Fault) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            match fault {
                Fault::Killed { node, down } => self.kill(*node, *down).await?,
                Fault::Stopped { node, lasts } => self.stop(*node, *lasts).await?,
                Fault::StoppedUntilMissed { node } => self.stop_until_missed(*node).await?,
                Fault::Restarted { node } => self.restart(*node).await?,
                Fault::AllKilled { down } => self.kill_all(*down).await?,
                Fault::Rolling => self.roll().await?,
                Fault::LinkSilent { nodes, lasts } => self.link(*nodes, Way::Silent, *lasts).await,
                Fault::LinkOneWay { nodes, lasts } => self.one_way(*nodes, *lasts).await,
                Fault::LinkTorn { nodes, lasts } => self.link(*nodes, Way::Torn, *lasts).await,
                Fault::LinkSlow { nodes, delay, bytes_per_second, lasts } => {
                    let way = Way::Slow { delay: *delay, bytes_per_second: *bytes_per_second };
                    self.link(*nodes, way, *lasts).await;
                }
                Fault::Isolated { node, lasts } => self.isolate(*node, *lasts).await,
                Fault::StoreStalled { lasts } => self.stall_store(*lasts).await?,
                Fault::DiskFull { lasts } => return self.fill_disk(*lasts).await,
                Fault::ClockJumped { node, seconds, lasts } => {
                    return self.shift_clock(*node, *seconds, *lasts).await;
                }
                Fault::Two(first, second) => {
                    let (first, second) = tokio::join!(self.inflict(first), self.inflict(second));
                    return first.and(second);
                }
                Fault::JoinedMeanwhile { node, down } => self.join(*node, *down).await?,
            }
            Ok(Outcome::Done)
        }
        .boxed()
    }

    /// Makes sure that nothing stands in anybody's way, whatever went wrong before: good links, a right clock, room on
    /// the disk, every node running that belongs to the cluster and no other.
    pub(super) async fn restore(&self) -> Result<()> {
        let cluster = &self.cluster;
        for (place, member) in cluster.members().iter().enumerate() {
            cluster.links().set_all_of(place, Way::Clear);
            member.signal(Signal::CONT);
            if let Some(status) = member.ended_by_itself() {
                self.timeline.surprise(format!("{} ended by itself: {status}", member.name()));
                member.kill();
            }
        }
        if let Some(disk) = cluster.disk() {
            disk.empty()?;
        }
        for spare in cluster.spares() {
            spare.kill();
        }
        for member in cluster.nodes() {
            member.start().await?;
        }
        Ok(())
    }

    /// Looks after nodes for a while: one that ends by itself is a surprise, and is started again.
    pub(super) async fn guard(&self, until: tokio::time::Instant) -> Result<()> {
        const LOOK_EVERY: Duration = Duration::from_millis(200);
        while tokio::time::Instant::now() < until {
            tokio::time::sleep_until(until.min(tokio::time::Instant::now() + LOOK_EVERY)).await;
            if self.cluster.nodes().iter().any(|member| member.ended_by_itself().is_some()) {
                self.restore().await?;
            }
        }
        Ok(())
    }
}
