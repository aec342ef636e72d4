use std::sync::Arc;
use std::time::Duration;

use rookery_protocol::Epoch;
use rookery_store::keys::node::{Incarnation, Lease, NodeId, NodeName};
use rookery_store::keys::view::{ClusterView, Member};
use tokio::time::Instant;

use crate::cluster::membership::{Effect, Membership, Renewal};

const TICK: Duration = Duration::from_millis(100);

fn id(name: &str) -> NodeId {
    NodeId { name: name.parse().unwrap(), incarnation: Incarnation::new(1) }
}

fn view(epoch: u64, names: &[&str]) -> ClusterView {
    let member = |name: &&str| Member {
        name: id(name).name,
        incarnation: Incarnation::new(1),
        link: String::new(),
        admin: String::new(),
        clients: Vec::new(),
        weight: 1,
        draining: false,
    };
    ClusterView::placed(Epoch::new(epoch), names.iter().map(member).collect())
}

/// A store of leases, and a membership that is carried out on it at once.
struct Scene {
    membership: Membership,
    begun: Instant,
    now: Instant,
    epoch: u64,
    leases: Vec<(NodeName, Lease)>,
    /// Whose leases are renewed by themselves each second.
    alive: Vec<&'static str>,
    store_is_there: bool,
    removed: Vec<NodeId>,
    asked: Vec<NodeId>,
    proves: bool,
    over: bool,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let lease = |name: &str| {
            let lease = Lease {
                incarnation: Incarnation::new(1),
                renewed: 0,
                link: String::new(),
                admin: String::new(),
                clients: Vec::new(),
                weight: 1,
                version: String::new(),
                pid: 1,
                nonce: 1,
            };
            (id(name).name, lease)
        };
        Self {
            membership: Membership::new(id("a"), Arc::new(view(1, &["a", "b", "c"])), now),
            begun: now,
            now,
            epoch: 1,
            leases: vec![lease("a"), lease("b"), lease("c")],
            alive: vec!["b", "c"],
            store_is_there: true,
            removed: Vec::new(),
            asked: Vec::new(),
            proves: true,
            over: false,
        }
    }

    fn renew(&mut self, name: &str) {
        for (_, lease) in self.leases.iter_mut().filter(|(other, _)| other.as_str() == name) {
            lease.renewed += 1;
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let now = self.now;
        for effect in effects {
            let more = match effect {
                Effect::Renew if self.store_is_there => {
                    self.membership.renewed(now, Renewal::Renewed { epoch: self.epoch })
                }
                Effect::Renew => {
                    self.membership.renewal_failed();
                    Vec::new()
                }
                Effect::Look if self.store_is_there => {
                    self.membership.looked(now, view(1, &["a", "b", "c"]), &self.leases.clone())
                }
                Effect::Look => {
                    self.membership.look_failed();
                    Vec::new()
                }
                Effect::AskToProve(id) => {
                    self.membership.asked(now, &id, self.store_is_there);
                    if self.proves && self.alive.contains(&id.name.as_str()) {
                        self.renew(id.name.as_str());
                    }
                    self.asked.push(id);
                    Vec::new()
                }
                Effect::Remove { id, .. } => {
                    self.removed.push(id);
                    Vec::new()
                }
                Effect::Adopt(_) => Vec::new(),
                Effect::Removed | Effect::Superseded => {
                    self.over = true;
                    Vec::new()
                }
            };
            self.perform(more);
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let before = self.now;
            self.now += TICK;
            let second = |at: Instant, since: Instant| at.duration_since(since).as_secs();
            if second(self.now, self.begun) != second(before, self.begun) && self.store_is_there {
                for name in self.alive.clone() {
                    self.renew(name);
                }
            }
            let effects = self.membership.tick(self.now);
            self.perform(effects);
        }
    }

    fn doubt(&mut self, name: &str, refused: bool) {
        let effects = self.membership.in_doubt(self.now, &id(name), refused);
        self.perform(effects);
    }
}

#[test]
fn nodes_that_renew_their_leases_are_left_alone() {
    let mut scene = Scene::new();
    scene.pass(Duration::from_secs(60));
    assert_eq!(scene.removed, []);
    assert!(!scene.membership.is_isolated(scene.now));
}

#[test]
fn a_lease_that_is_not_renewed_is_dead_after_three_seconds_and_not_before() {
    let mut scene = Scene::new();
    scene.pass(Duration::from_secs(10));
    scene.alive = vec!["b"];
    scene.pass(Duration::from_millis(2_500));
    assert_eq!(scene.removed, []);
    scene.pass(Duration::from_millis(1_500));
    assert_eq!(scene.removed[0], id("c"));
    assert!(scene.removed.iter().all(|removed| *removed == id("c")));
}

#[test]
fn a_refused_address_and_no_proof_is_dead_within_half_a_second() {
    let mut scene = Scene::new();
    scene.pass(Duration::from_secs(10));
    scene.alive = vec!["b"];
    scene.doubt("c", true);
    assert_eq!(scene.asked, [id("c")]);
    scene.pass(Duration::from_millis(200));
    assert_eq!(scene.removed, []);
    scene.pass(Duration::from_millis(200));
    assert_eq!(scene.removed, [id("c")]);
}

#[test]
fn a_refused_address_of_a_node_that_proves_that_it_lives_removes_nobody() {
    let mut scene = Scene::new();
    scene.pass(Duration::from_secs(10));
    for _ in 0..20 {
        scene.doubt("c", true);
        scene.pass(Duration::from_millis(700));
    }
    assert_eq!(scene.removed, []);
    assert!(scene.asked.len() >= 10);
}

#[test]
fn a_broken_link_alone_removes_nobody() {
    let mut scene = Scene::new();
    scene.proves = false;
    for _ in 0..30 {
        scene.doubt("c", false);
        scene.pass(Duration::from_secs(1));
    }
    assert_eq!(scene.removed, []);
}

#[test]
fn a_renewal_from_before_the_doubt_is_no_proof() {
    let mut scene = Scene::new();
    scene.pass(Duration::from_secs(10));
    scene.alive = vec!["b"];
    // It renewed, unseen, and then died.
    scene.renew("c");
    scene.doubt("c", true);
    scene.pass(Duration::from_millis(400));
    assert_eq!(scene.removed, [id("c")]);
}

#[test]
fn who_is_asked_to_prove_that_it_lives_while_it_renews_does_so_again() {
    let mut scene = Scene::new();
    scene.now += Duration::from_secs(1);
    assert!(scene.membership.tick(scene.now).contains(&Effect::Renew));
    assert_eq!(scene.membership.prove(scene.now), []);
    let renewal = Renewal::Renewed { epoch: 1 };
    assert_eq!(scene.membership.renewed(scene.now, renewal), [Effect::Renew]);
    assert_eq!(scene.membership.renewed(scene.now, renewal), []);
}

#[test]
fn who_cannot_renew_takes_nobody_for_dead_then_or_soon_after() {
    let mut scene = Scene::new();
    scene.pass(Duration::from_secs(10));
    scene.store_is_there = false;
    scene.doubt("c", true);
    scene.pass(Duration::from_secs(2));
    assert!(!scene.membership.is_isolated(scene.now));
    scene.pass(Duration::from_secs(1));
    assert!(scene.membership.is_isolated(scene.now));
    scene.pass(Duration::from_secs(20));
    scene.store_is_there = true;
    scene.pass(Duration::from_secs(10));
    assert_eq!(scene.removed, []);
    assert!(!scene.membership.is_isolated(scene.now));
}

#[test]
fn a_view_without_this_node_ends_it_and_a_view_that_is_older_says_nothing() {
    let mut scene = Scene::new();
    let effects = scene.membership.adopt(scene.now, view(1, &["b", "c"]));
    assert_eq!(effects, []);
    let effects = scene.membership.adopt(scene.now, view(2, &["a", "b"]));
    assert!(matches!(&effects[..], [Effect::Adopt(adoption)] if adoption.lost));
    let effects = scene.membership.adopt(scene.now, view(3, &["a", "b", "d"]));
    assert!(matches!(&effects[..], [Effect::Adopt(adoption)] if !adoption.lost));
    assert_eq!(scene.membership.adopt(scene.now, view(4, &["b", "c"])), [Effect::Removed]);
    scene.pass(Duration::from_secs(5));
    assert_eq!(scene.membership.tick(scene.now), []);
}

#[test]
fn a_node_learns_only_once_that_it_was_removed_whichever_of_view_and_renewal_tells_it_first() {
    let mut scene = Scene::new();
    scene.now += Duration::from_secs(10);
    assert!(scene.membership.tick(scene.now).contains(&Effect::Renew));
    assert_eq!(scene.membership.adopt(scene.now, view(2, &["b", "c"])), [Effect::Removed]);
    assert_eq!(scene.membership.renewed(scene.now, Renewal::Removed), []);

    let mut scene = Scene::new();
    scene.now += Duration::from_secs(10);
    scene.membership.tick(scene.now);
    assert_eq!(scene.membership.renewed(scene.now, Renewal::Removed), [Effect::Removed]);
    assert_eq!(scene.membership.adopt(scene.now, view(2, &["b", "c"])), []);
}

#[test]
fn nobody_else_means_nobody_to_be_isolated_from() {
    let now = Instant::now();
    let membership = Membership::new(id("a"), Arc::new(view(1, &["a"])), now);
    assert!(!membership.is_isolated(now + Duration::from_secs(60)));
}
