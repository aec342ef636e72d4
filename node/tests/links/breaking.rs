//! Links that break, and peers that die, stop or come back as another run of themselves.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rookery_actors::{LinkEvent, LinkState, Links};
use rustix::process::Signal;

use crate::node::{Cluster, DEADLINE, Node, id, peer};
use crate::other::Other;
use crate::proxy::{Proxy, Wire};

const PAIRS: [(&str, &str); 2] = [("a-1", "b-1"), ("b-1", "a-1")];

/// Two nodes that reach each other through wires of the test's, whoever dials.
struct Wired {
    _cluster: Cluster,
    node: Node,
    other: Other,
    wires: [Proxy; 2],
}

async fn wired(here: &str, there: &str) -> Wired {
    let cluster = Cluster::of(&["a", "b"]);
    let mut other = Other::start(&cluster, &id(there));
    let mut node = Node::start(cluster.directory.path(), &id(here)).await;
    let wires = [Proxy::to(other.address.clone()).await, Proxy::to(node.address.clone()).await];
    other.keep(&id(here), &wires[1].address);
    node.links.keep(vec![peer(&other.id, &wires[0].address)]);
    node.until(&LinkEvent::Up(other.id.clone())).await;
    other.until(&format!("up {here}"));
    Wired { _cluster: cluster, node, other, wires }
}

impl Wired {
    fn set(&self, wire: Wire) {
        for one in &self.wires {
            one.set(wire);
        }
    }

    async fn echoes(&mut self) {
        self.node.send(&self.other.id, Bytes::from_static(b"are you there")).await;
        assert_eq!(self.node.batch().await.1, "are you there");
    }
}

async fn linked(here: &str, there: &str) -> (Cluster, Node, Other) {
    let cluster = Cluster::of(&["a", "b"]);
    let mut other = Other::start(&cluster, &id(there));
    let mut node = Node::start(cluster.directory.path(), &id(here)).await;
    other.keep(&id(here), &node.address);
    node.links.keep(vec![peer(&other.id, &other.address)]);
    node.until(&LinkEvent::Up(other.id.clone())).await;
    other.until(&format!("up {here}"));
    (cluster, node, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_peer_is_down_and_refused_at_once() {
    for (here, there) in PAIRS {
        let (_cluster, mut node, mut other) = linked(here, there).await;
        let killed = Instant::now();
        other.kill();
        assert_eq!(node.event().await, LinkEvent::Down(other.id.clone()));
        let down = killed.elapsed();
        assert_eq!(node.event().await, LinkEvent::Refused(other.id.clone()));
        let refused = killed.elapsed();
        println!("{here}: down after {down:?}, refused after {refused:?}");
        assert!(refused < Duration::from_secs(5), "{refused:?}");
        assert_eq!(node.links.status()[0].state, LinkState::Refused);
        assert!(node.links.send(&other.id, Bytes::new()).is_err());
        // Whoever forgot the first is told again.
        node.until(&LinkEvent::Refused(other.id.clone())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_peer_is_down_within_five_seconds_and_up_when_it_goes_on() {
    for (here, there) in PAIRS {
        let (_cluster, mut node, other) = linked(here, there).await;
        let stopped = Instant::now();
        other.signal(Signal::STOP);
        assert_eq!(node.event().await, LinkEvent::Down(other.id.clone()));
        let down = stopped.elapsed();
        println!("{here}: down after {down:?}");
        assert!(down < Duration::from_secs(5), "{down:?}");
        other.signal(Signal::CONT);
        node.until(&LinkEvent::Up(other.id.clone())).await;
        node.send(&other.id, Bytes::from_static(b"and on")).await;
        assert_eq!(node.batch().await.1, "and on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_nothing_is_sent_no_more_than_the_wall_holds() {
    let (_cluster, node, other) = linked("a-1", "b-1").await;
    other.signal(Signal::STOP);
    let batch = Bytes::from(vec![0; 256 * 1024]);
    let mut taken = 0;
    while node.links.send(&other.id, batch.clone()).is_ok() {
        taken += 1;
        assert!(taken <= 16, "4 MiB at most");
    }
    assert!(taken >= 8, "{taken} batches were taken");
    other.signal(Signal::CONT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_comes_back_within_seconds_when_it_can() {
    for (here, there) in PAIRS {
        let mut wired = wired(here, there).await;
        wired.set(Wire::Cut);
        assert_eq!(wired.node.event().await, LinkEvent::Down(wired.other.id.clone()));
        // Somebody listens: that is no refusal, however long it lasts.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(wired.node.event_now(), None);
        assert_eq!(wired.node.links.status()[0].state, LinkState::Dialling);
        let whole = Instant::now();
        wired.set(Wire::Whole);
        assert_eq!(wired.node.event().await, LinkEvent::Up(wired.other.id.clone()));
        println!("{here}: up after {:?}", whole.elapsed());
        assert!(whole.elapsed() < Duration::from_secs(5));
        wired.echoes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_wire_is_noticed_by_both_and_the_link_comes_back_when_it_can() {
    for (here, there) in PAIRS {
        let mut wired = wired(here, there).await;
        let silent = Instant::now();
        wired.set(Wire::Silent);
        assert_eq!(wired.node.event().await, LinkEvent::Down(wired.other.id.clone()));
        wired.other.until(&format!("down {here}"));
        println!("{here}: both down after {:?}", silent.elapsed());
        assert!(silent.elapsed() < Duration::from_secs(5));
        let whole = Instant::now();
        wired.set(Wire::Whole);
        wired.node.until(&LinkEvent::Up(wired.other.id.clone())).await;
        println!("{here}: up after {:?}", whole.elapsed());
        wired.echoes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_goes_down_and_comes_back() {
    for (here, there) in PAIRS {
        let (_cluster, mut node, other) = linked(here, there).await;
        node.links.reset(&other.id);
        assert!(node.links.send(&other.id, Bytes::new()).is_err());
        assert_eq!(node.event().await, LinkEvent::Down(other.id.clone()));
        assert_eq!(node.event().await, LinkEvent::Up(other.id.clone()));
        other.until(&format!("down {here}"));
        other.until(&format!("up {here}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_run_of_a_node_is_another_peer_and_the_old_one_is_gone() {
    for (here, old, new) in [("a-1", "b-1", "b-2"), ("b-1", "a-1", "a-2")] {
        let (cluster, mut node, other) = linked(here, old).await;
        let mut successor = Other::start(&cluster, &id(new));
        successor.keep(&id(here), &node.address);
        // The old run, alive or half open, gives way at once and does not come back.
        node.links.keep(vec![peer(&successor.id, &successor.address)]);
        assert_eq!(node.event().await, LinkEvent::Down(other.id.clone()));
        assert_eq!(node.event().await, LinkEvent::Up(successor.id.clone()));
        other.until(&format!("down {here}"));
        node.send(&successor.id, Bytes::from_static(b"new")).await;
        assert_eq!(node.batch().await, (successor.id.clone(), Bytes::from_static(b"new")));
        assert_eq!(node.links.status().len(), 1);
        assert!(node.links.send(&other.id, Bytes::new()).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_another_run_listens_refuses() {
    let cluster = Cluster::of(&["a", "b"]);
    let other = Other::start(&cluster, &id("b-2"));
    let mut node = Node::start(cluster.directory.path(), &id("a-1")).await;
    node.links.keep(vec![peer(&id("b-1"), &other.address)]);
    assert_eq!(node.event().await, LinkEvent::Refused(id("b-1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_should_wait_dials_when_nobody_comes() {
    let cluster = Cluster::of(&["a", "b"]);
    let mut other = Other::start(&cluster, &id("a-1"));
    let mut node = Node::start(cluster.directory.path(), &id("b-1")).await;
    // The one who should dial does not know where to.
    other.keep(&id("b-1"), "");
    node.links.keep(vec![peer(&other.id, &other.address)]);
    node.until(&LinkEvent::Up(other.id.clone())).await;
    other.until("up b-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_goodbye_and_tells_nothing_more() {
    let (_cluster, mut node, other) = linked("a-1", "b-1").await;
    tokio::time::timeout(DEADLINE, node.links.stop()).await.unwrap();
    other.until("down a-1");
    other.until("refused a-1");
    assert_eq!(node.event_now(), Some(LinkEvent::Down(other.id.clone())));
    assert_eq!(node.event_now(), None);
    assert!(tokio::net::TcpStream::connect(&node.address).await.is_err());
    assert!(node.links.send(&other.id, Bytes::new()).is_err());
    node.links.keep(vec![peer(&other.id, &other.address)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_another_run_of_itself_is_linked_as_that() {
    let (_cluster, mut node, mut other) = linked("a-1", "b-1").await;
    other.keep(&id("a-2"), &node.address);
    node.links.identify(id("a-2"));
    node.links.keep(vec![peer(&other.id, &other.address)]);
    assert_eq!(node.event().await, LinkEvent::Down(other.id.clone()));
    assert_eq!(node.event().await, LinkEvent::Up(other.id.clone()));
    other.until("down a-1");
    other.until("up a-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_dropped_and_kept_again_goes_down_before_it_comes_up() {
    for (here, there) in PAIRS {
        let (_cluster, mut node, other) = linked(here, there).await;
        for _ in 0..3 {
            node.links.keep(vec![]);
            node.links.keep(vec![peer(&other.id, &other.address)]);
            assert_eq!(node.event().await, LinkEvent::Down(other.id.clone()));
            assert_eq!(node.event().await, LinkEvent::Up(other.id.clone()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_and_starts_again_has_its_port() {
    let (cluster, node, mut other) = linked("a-1", "b-1").await;
    node.links.stop().await;
    other.until("down a-1");
    let mut node = Node::start_at(&node.address, cluster.directory.path(), &id("a-2")).await;
    other.keep(&id("a-2"), &node.address);
    node.links.keep(vec![peer(&other.id, &other.address)]);
    node.until(&LinkEvent::Up(other.id.clone())).await;
    other.until("up a-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_are_gone_leave_no_actor_behind() {
    let (_cluster, mut node, other) = linked("a-1", "b-1").await;
    let actors = || ractor::registry::pid_registry::get_all_pids().len();
    let one_link = actors();
    for _ in 0..8 {
        node.links.reset(&other.id);
        node.until(&LinkEvent::Down(other.id.clone())).await;
        node.until(&LinkEvent::Up(other.id.clone())).await;
    }
    let within = Instant::now() + DEADLINE;
    while actors() != one_link {
        assert!(Instant::now() < within, "{} actors, {one_link} for one link", actors());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
