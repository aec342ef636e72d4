//! Nodes for tests.

use rookery_store::keys::node::{Incarnation, NodeId, NodeName};
use rookery_store::keys::view::ClusterView;
use rookery_store::ops::{self, Join, Joined, RemoveNode, RemoveOutcome, Renew, RenewOutcome};
use rookery_store::placement::Slot;
use rookery_store::{Op, Store, queries};

pub(crate) fn name(text: &str) -> NodeName {
    text.parse().expect("tests use fine names")
}

/// A node that joins; `nonce` tells its joining from others.
pub(crate) fn node(text: &str, weight: u32, nonce: u64) -> Join {
    Join {
        name: name(text),
        after: Incarnation::NONE,
        link: format!("{text}:7403"),
        admin: String::new(),
        clients: vec![format!("ws://{text}/v1")],
        weight,
        version: "1".into(),
        pid: 1,
        nonce,
    }
}

/// Commits an operation on the cluster, all of which are in one order.
pub(crate) async fn commit<O: Op>(store: &Store, op: O) -> O::Answer {
    store.submit(&"cluster", op).await.expect("it commits").answer
}

/// Joins for the first time, or again.
pub(crate) async fn join(store: &Store, text: &str, weight: u32, nonce: u64) -> Joined {
    ops::join(store, node(text, weight, nonce)).await.expect("it commits").expect("there is room")
}

pub(crate) async fn renew(store: &Store, id: &NodeId) -> RenewOutcome {
    commit(store, Renew { id: id.clone() }).await.expect("the lease can be read")
}

/// Removes a member.
pub(crate) async fn remove(store: &Store, id: &NodeId) -> ClusterView {
    let op = RemoveNode { id: id.clone(), seen_renewed: None };
    match commit(store, op).await.expect("the view can be read") {
        RemoveOutcome::Removed { view } => view,
        other => panic!("{id} was not removed: {other:?}"),
    }
}

pub(crate) async fn view(store: &Store) -> ClusterView {
    let snapshot = store.snapshot().await.expect("the store can be read");
    queries::view(&*snapshot).await.expect("the view can be read")
}

/// The owners' names, slot by slot.
pub(crate) fn owners(view: &ClusterView) -> Vec<Option<NodeName>> {
    Slot::all().map(|slot| view.owner(slot).map(|member| member.name.clone())).collect()
}

/// The owners' names before and after, for each slot whose owner is another.
pub(crate) fn moves(before: &ClusterView, after: &ClusterView) -> Vec<(Option<NodeName>, Option<NodeName>)> {
    owners(before).into_iter().zip(owners(after)).filter(|(before, after)| before != after).collect()
}
