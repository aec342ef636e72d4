//! What arrives from other nodes, over links and by mail, and where it goes.

use std::sync::Arc;

use metrics::counter;
use rookery_store::keys::node::NodeId;

use super::Cluster;
use super::actor::MembershipMessage;
use super::message::{LinkMessage, decode_batch};
use crate::context::Context;
use crate::looking::LookingMessage;
use crate::metrics::LINK_MESSAGES_UNKNOWN;
use crate::shard::ShardMessage;

/// A batch from a link.
pub(super) fn batch(context: &Arc<Context>, cluster: &Arc<Cluster>, from: &NodeId, bytes: &[u8]) {
    let (header, messages, unknown) = match decode_batch(bytes) {
        Ok(batch) => batch,
        Err(error) => {
            counter!(LINK_MESSAGES_UNKNOWN).increment(1);
            tracing::warn!(peer = %from, %error, "a batch from a peer was not understood");
            return;
        }
    };
    if unknown > 0 {
        counter!(LINK_MESSAGES_UNKNOWN).increment(unknown as u64);
    }
    context.meters.link_messages_in.increment(messages.len() as u64);
    let peer = cluster.peers.get(from);
    let mine = cluster.epoch();
    if header.epoch > mine || peer.is_none() {
        cluster.tell(MembershipMessage::StoreChanged);
    }
    let arrival = Arrival { from: Some(from), epoch: header.epoch, is_newer: header.epoch > mine };
    let mut astray = false;
    for message in messages {
        astray |= deal_with(context, cluster, arrival, message);
    }
    let Some(peer) = peer else { return };
    if peer.heard(&header) {
        for shard in context.router.shards() {
            // One that has just failed has no devices to tell of.
            let _ = shard.cast(ShardMessage::Understood(peer.clone()));
        }
        context.looking.tell(LookingMessage::Understood(peer.clone()));
    }
    if astray && header.epoch < mine {
        peer.send(LinkMessage::View((*cluster.view()).clone()));
    }
}

/// A letter from the mail.
pub(super) fn letter(context: &Arc<Context>, cluster: &Arc<Cluster>, bytes: &[u8]) {
    match decode_batch(bytes) {
        Ok((header, messages, _)) => {
            let is_newer = header.epoch > cluster.epoch();
            let arrival = Arrival { from: None, epoch: header.epoch, is_newer };
            for message in messages {
                deal_with(context, cluster, arrival, message);
            }
        }
        Err(error) => tracing::warn!(%error, "a letter from a peer was not understood"),
    }
}

/// How a message came.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    /// Over whose link; by mail if none.
    from: Option<&'a NodeId>,
    /// Its sender's view.
    epoch: u64,
    /// Whether that is later than this node's.
    is_newer: bool,
}

/// Whether it was for another node.
fn deal_with(
    context: &Arc<Context>,
    cluster: &Arc<Cluster>,
    arrival: Arrival<'_>,
    message: LinkMessage,
) -> bool {
    let router = &context.router;
    match message {
        LinkMessage::Ring { bell, hops } => return router.rung(bell, hops, arrival.from, arrival.is_newer),
        LinkMessage::Bell(bell) => router.bell_of_host(bell),
        LinkMessage::RingMany { bells, hops } => {
            return router.rung_many(&bells, hops, arrival.from, arrival.is_newer);
        }
        LinkMessage::BellMany(bells) => router.bells_of_host(bells),
        LinkMessage::Host { host, user, number, devices } => {
            // One whose view is later knows better; to others, the later view tells where to register.
            let is_mine = cluster.view().has(&host) && cluster.owner_of(user).is_here();
            if !is_mine && !arrival.is_newer {
                return true;
            }
            if let Some(host) = cluster.peers.get(&host) {
                let epoch = arrival.epoch;
                router.to_shard(user, ShardMessage::Host { host, user, number, epoch, devices });
            }
        }
        LinkMessage::Hosted { user, number } => router.to_shard(user, ShardMessage::Hosted { user, number }),
        LinkMessage::Replace { user, newer } => router.to_shard(user, ShardMessage::Replace { user, newer }),
        LinkMessage::Forgotten { owner, shard, shards } => {
            for to in router.shards() {
                // One that has just failed has lost its users too.
                let _ = to.cast(ShardMessage::Forgotten { owner: owner.clone(), shard, shards });
            }
        }
        LinkMessage::Watching(topics) => {
            let placed = cluster.placed();
            let (mine, others): (Vec<_>, Vec<_>) = topics
                .into_iter()
                .partition(|topic| arrival.is_newer || placed.owner(topic.slot()).is_here());
            if let Some(host) = arrival.from.and_then(|from| cluster.peers.get(from)) {
                let epoch = arrival.epoch;
                context.looking.tell(LookingMessage::Watching { host, epoch, topics: mine });
            }
            return !others.is_empty();
        }
        LinkMessage::Unwatching(topics) => {
            if let Some(host) = arrival.from.and_then(|from| cluster.peers.get(from)) {
                context.looking.tell(LookingMessage::Unwatching { host, topics });
            }
        }
        LinkMessage::Published(news) => context.looking.tell(LookingMessage::Published(news)),
        LinkMessage::News(news) => context.looking.tell(LookingMessage::News(news)),
        LinkMessage::View(view) => cluster.tell(MembershipMessage::View(view)),
        LinkMessage::Prove => cluster.tell(MembershipMessage::Prove),
    }
    false
}
