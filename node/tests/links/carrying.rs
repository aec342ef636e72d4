//! What links carry arrives, in order and whole.

use bytes::Bytes;
use rookery_actors::{LINK_BATCH_BYTES_MAX, LinkEvent, LinkState, Links};

use crate::node::{Cluster, Node, id, peer};
use crate::other::Other;

/// The names decide who dials: the first in order.
const PAIRS: [(&str, &str); 2] = [("a-1", "b-1"), ("b-1", "a-1")];

async fn linked(here: &str, there: &str) -> (Cluster, Node, Other) {
    let cluster = Cluster::of(&["a", "b"]);
    let mut other = Other::start(&cluster, &id(there));
    let mut node = Node::start(cluster.directory.path(), &id(here)).await;
    other.keep(&id(here), &node.address);
    node.links.keep(vec![peer(&other.id, &other.address)]);
    node.until(&LinkEvent::Up(other.id.clone())).await;
    (cluster, node, other)
}

fn batch(number: u32, bytes: usize) -> Bytes {
    let mut batch = number.to_be_bytes().to_vec();
    batch.resize(bytes.max(4), number as u8);
    batch.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_go_both_ways_in_order_and_whole() {
    for (here, there) in PAIRS {
        let (_cluster, mut node, other) = linked(here, there).await;
        other.until(&format!("up {here}"));
        let sizes = [4, 5, 200, 16 * 1024, 64 * 1024 - 1, 64 * 1024, 65 * 1024 + 1, LINK_BATCH_BYTES_MAX];
        let sent: Vec<_> =
            (0..200_u32).map(|number| batch(number, sizes[number as usize % sizes.len()])).collect();
        for batch in &sent {
            node.send(&other.id, batch.clone()).await;
        }
        for batch in sent {
            assert!(node.batch().await == (other.id.clone(), batch), "{here}");
        }
        assert!(node.links.send(&other.id, vec![0; LINK_BATCH_BYTES_MAX + 1].into()).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_batches_under_load_arrive_all() {
    let (_cluster, mut node, other) = linked("a-1", "b-1").await;
    let mut next = 0;
    for number in 0..10_000_u32 {
        node.send(&other.id, batch(number, 200 + number as usize % 4096)).await;
        while let Some(LinkEvent::Batch { batch: got, .. }) = node.event_now() {
            assert_eq!(got, batch(next, 200 + next as usize % 4096));
            next += 1;
        }
    }
    while next < 10_000 {
        assert_eq!(node.batch().await.1, batch(next, 200 + next as usize % 4096));
        next += 1;
    }
    let status = &node.links.status()[0];
    assert_eq!((status.state, status.batches_out, status.batches_in), (LinkState::Up, 10_000, 10_000));
    assert_eq!(status.bytes_in, status.bytes_out);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_are_linked_each_to_each() {
    let cluster = Cluster::of(&["a", "b", "c"]);
    let (mut a, mut c) = (Other::start(&cluster, &id("a-1")), Other::start(&cluster, &id("c-7")));
    let mut b = Node::start(cluster.directory.path(), &id("b-1")).await;
    a.keep(&c.id, &c.address);
    a.keep(&id("b-1"), &b.address);
    c.keep(&a.id, &a.address);
    c.keep(&id("b-1"), &b.address);
    b.links.keep(vec![peer(&a.id, &a.address), peer(&c.id, &c.address)]);
    for other in [&a, &c] {
        let mut up = [other.next(), other.next()];
        up.sort();
        let third = if other.id == a.id { "up c-7" } else { "up a-1" };
        let mut expected = ["up b-1".to_owned(), third.to_owned()];
        expected.sort();
        assert_eq!(up, expected);
    }
    let mut up = vec![b.event().await, b.event().await];
    up.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(up, [LinkEvent::Up(a.id.clone()), LinkEvent::Up(c.id.clone())]);
    for number in 0..100 {
        b.send(&a.id, batch(2 * number, 300)).await;
        b.send(&c.id, batch(2 * number + 1, 300)).await;
    }
    let mut next = [0, 1];
    for _ in 0..200 {
        let (from, got) = b.batch().await;
        let next = &mut next[usize::from(from == c.id)];
        assert_eq!(got, batch(*next, 300));
        *next += 2;
    }
}

/// Nodes in one process share ractor's registries, and must not take each other's batches.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_in_one_process_do_not_mix() {
    let cluster = Cluster::of(&["a", "b", "c"]);
    let ids = [id("a-1"), id("b-1"), id("c-1")];
    let mut nodes = Vec::new();
    for id in &ids {
        nodes.push(Node::start(cluster.directory.path(), id).await);
    }
    let peers: Vec<_> = ids.iter().zip(&nodes).map(|(id, node)| peer(id, &node.address)).collect();
    for node in &nodes {
        node.links.keep(peers.clone());
    }
    for node in &mut nodes {
        for _ in 0..2 {
            assert!(matches!(node.event().await, LinkEvent::Up(_)));
        }
    }
    for (from, node) in nodes.iter().enumerate() {
        for (to, id) in ids.iter().enumerate().filter(|(to, _)| *to != from) {
            node.send(id, format!("{from} to {to}").into()).await;
        }
    }
    for (to, node) in nodes.iter_mut().enumerate() {
        for _ in 0..2 {
            let (id, batch) = node.batch().await;
            let from = ids.iter().position(|one| *one == id).unwrap();
            assert_eq!(batch, format!("{from} to {to}"));
        }
    }
}
