//! The cluster, from the store: members, their slots and weights.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use rookery_actors::{Depth, LinkState as Seen, LinkStatus, VIEW};
use rookery_store::Op;
use rookery_store::keys::node::{Lease as StoredLease, NodeName};
use rookery_store::keys::view::{ClusterView, Member};
use rookery_store::ops::{MoveSlots, RemoveNode, RemoveOutcome, SetDraining, SetWeight};
use rookery_store::placement::Slot;
use rookery_store::{StoreError, queries};

use super::api::{
    Draining, FailureCode, Lease, Link, LinkState, Node, NodeSlots, Nodes, RebalanceRequest, Rebalanced,
    SlotRange, Slots, ViewChanged, Weight,
};
use super::failure::{Answer, ApiError};
use super::input::{Body, node_name, within};
use super::shared::Shared;
use super::this_node::millis;

/// The greatest weight.
const WEIGHT_MAX: u64 = 10_000;

pub(super) async fn nodes(State(shared): State<Arc<Shared>>) -> Answer<Nodes> {
    let snapshot = shared.store.snapshot().await?;
    let view = queries::view(&*snapshot).await?;
    let leases = queries::leases(&*snapshot).await?;
    drop(snapshot);
    let cluster = shared.actors.cluster();
    let link_to = |member: &Member| {
        let id = member.id();
        let peer = cluster.iter().flat_map(|cluster| &cluster.peers).find(|peer| peer.id == id)?;
        peer.link.as_ref().map(|link| of_link(link, peer.waiting))
    };
    let node = |member: &Member| Node {
        name: member.name.to_string(),
        incarnation: member.incarnation.get(),
        link_address: member.link.clone(),
        admin: member.admin.clone(),
        clients: member.clients.clone(),
        weight: member.weight,
        draining: member.draining,
        slots: view.slots_of(&member.name) as u32,
        lease: leases.iter().find(|(name, _)| *name == member.name).map(|(_, lease)| of_lease(lease)),
        link: link_to(member),
    };
    Ok(Json(Nodes {
        epoch: view.epoch.get(),
        seen_by: shared.about.node.to_string(),
        nodes: view.members.iter().map(node).collect(),
    }))
}

fn of_lease(lease: &StoredLease) -> Lease {
    Lease {
        incarnation: lease.incarnation.get(),
        renewed: lease.renewed,
        age_ms: None,
        version: lease.version.clone(),
        pid: lease.pid,
    }
}

fn of_link(link: &LinkStatus, waiting: Depth) -> Link {
    Link {
        state: match link.state {
            Seen::Up => LinkState::Up,
            Seen::Dialling => LinkState::Dialling,
            Seen::Refused => LinkState::Refused,
        },
        since_ms: millis(link.since),
        rtt_us: link.round_trip.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        waiting: waiting.queued as u64,
        waiting_mail: waiting.mail as u64,
        unconfirmed_bytes: link.unconfirmed_bytes,
        batches_out: link.batches_out,
        batches_in: link.batches_in,
        bytes_out: link.bytes_out,
        bytes_in: link.bytes_in,
    }
}

pub(super) async fn slots(State(shared): State<Arc<Shared>>) -> Answer<Slots> {
    let view = shared.view().await?;
    let nodes = view.members.iter().map(|member| NodeSlots {
        node: member.name.to_string(),
        slots: view.slots_of(&member.name) as u32,
        ranges: ranges(&view, &member.name),
    });
    Ok(Json(Slots { epoch: view.epoch.get(), nodes: nodes.collect() }))
}

fn ranges(view: &ClusterView, name: &NodeName) -> Vec<SlotRange> {
    let mut ranges: Vec<SlotRange> = Vec::new();
    let own = Slot::all().filter(|slot| view.owner(*slot).is_some_and(|owner| owner.name == *name));
    for slot in own.map(Slot::number) {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == slot => range.last = slot,
            _ => ranges.push(SlotRange { first: slot, last: slot }),
        }
    }
    ranges
}

pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    Path(node): Path<String>,
) -> Answer<ViewChanged> {
    let name = node_name(&node)?;
    let view = shared.view().await?;
    let member = view.member(&name).ok_or_else(|| no_member(&name))?;
    let op = RemoveNode { id: member.id(), seen_renewed: None };
    match shared.store.submit(&VIEW, op).await?.answer? {
        RemoveOutcome::Removed { view } => {
            tracing::warn!(node = %name, "an operator has removed a node from the cluster");
            Ok(Json(ViewChanged { epoch: view.epoch.get() }))
        }
        RemoveOutcome::NotMember => Err(no_member(&name)),
        RemoveOutcome::Alive => {
            let error = ApiError::new(FailureCode::Conflict, format!("node {name} is alive"));
            Err(error.hint("stop it, or drain it first"))
        }
    }
}

pub(super) async fn set_weight(
    State(shared): State<Arc<Shared>>,
    Path(node): Path<String>,
    Body(Weight { weight }): Body<Weight>,
) -> Answer<ViewChanged> {
    let name = node_name(&node)?;
    within("weight", weight.into(), (0, WEIGHT_MAX))?;
    change(&shared, &name, SetWeight { name: name.clone(), weight }).await
}

pub(super) async fn set_draining(
    State(shared): State<Arc<Shared>>,
    Path(node): Path<String>,
    Body(Draining { draining }): Body<Draining>,
) -> Answer<ViewChanged> {
    let name = node_name(&node)?;
    change(&shared, &name, SetDraining { name: name.clone(), draining }).await
}

async fn change(
    shared: &Shared,
    name: &NodeName,
    op: impl Op<Answer = Result<Option<ClusterView>, StoreError>>,
) -> Answer<ViewChanged> {
    let view = shared.store.submit(&VIEW, op).await?.answer?.ok_or_else(|| no_member(name))?;
    Ok(Json(ViewChanged { epoch: view.epoch.get() }))
}

pub(super) async fn rebalance(
    State(shared): State<Arc<Shared>>,
    Body(RebalanceRequest { at_most }): Body<RebalanceRequest>,
) -> Answer<Rebalanced> {
    within("at_most", at_most.into(), (1, 4096))?;
    let moved = shared.store.submit(&VIEW, MoveSlots { at_most }).await?.answer?;
    Ok(Json(Rebalanced { moved: moved.moved.into(), left: moved.left.into(), epoch: moved.view.epoch.get() }))
}

fn no_member(name: &NodeName) -> ApiError {
    ApiError::not_found(format!("there is no node {name} in the cluster"))
        .hint("GET /v1/nodes lists those there are")
}
