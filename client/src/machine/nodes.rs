//! Where to connect next.
//!
//! Nodes are tried in passes: each known node once, and only then is there a longer wait. The order within a pass: those
//! that a GOAWAY named, then those that the server told of, then those configured; among equals the owner of this user's
//! session first and the others at random, so that the clients of a node that died spread over those that live.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::{NodeAddress, Scheme};

/// Nodes learnt from servers beyond those configured: a bound on what a server can make a client hold.
const LEARNT_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Nodes {
    configured: Vec<NodeAddress>,
    /// By WELCOME or NODES, whichever came last: the owner's first.
    told: Vec<NodeAddress>,
    /// Named by GOAWAY.
    instead: Vec<NodeAddress>,
    /// The one that is connected or being dialled, or was last.
    current: Option<NodeAddress>,
    /// In this pass.
    tried: Vec<NodeAddress>,
    /// A node may be told of by several URLs: the kind that worked is tried before others.
    scheme: Scheme,
}

impl Nodes {
    /// Of the configured ones, which there must be, any comes first, so that clients spread over them.
    pub(crate) fn new(configured: Vec<NodeAddress>) -> Self {
        let scheme = configured.first().map_or(Scheme::Tcp, NodeAddress::scheme);
        Self { configured, told: Vec::new(), instead: Vec::new(), current: None, tried: Vec::new(), scheme }
    }

    /// The node to try now.
    pub(crate) fn next(&mut self, rng: &mut StdRng) -> NodeAddress {
        if !self.has_untried() {
            self.start_over();
        }
        let node = self.choose(rng).expect("a client has at least one configured node").clone();
        self.tried.push(node.clone());
        self.current = Some(node.clone());
        node
    }

    fn choose(&self, rng: &mut StdRng) -> Option<&NodeAddress> {
        let of_kind = |node: &&NodeAddress| node.scheme() == self.scheme;
        let owner = self.told.iter().find(of_kind).or(self.told.first());
        [&self.instead, &self.told, &self.configured].into_iter().find_map(|nodes| {
            let untried = || nodes.iter().filter(|node| !self.tried.contains(node));
            if let Some(owner) = untried().find(|node| Some(*node) == owner) {
                return Some(owner);
            }
            match untried().filter(of_kind).count() {
                0 => pick(untried(), untried().count(), rng),
                count => pick(untried().filter(of_kind), count, rng),
            }
        })
    }

    /// Whether there is a node that has not been tried in this pass.
    pub(crate) fn has_untried(&self) -> bool {
        self.known().any(|node| !self.tried.contains(node))
    }

    /// Begins a pass over all nodes.
    pub(crate) fn start_over(&mut self) {
        self.tried.clear();
    }

    /// Begins a pass over all nodes but the current one, which has just been lost.
    pub(crate) fn leave_current(&mut self) {
        self.tried.clear();
        self.tried.extend(self.current.clone());
    }

    /// The current one has welcomed the client.
    pub(crate) fn arrived(&mut self) {
        self.instead.clear();
        self.scheme = self.current.as_ref().map_or(self.scheme, NodeAddress::scheme);
    }

    /// The list of WELCOME or NODES replaces what was told before. Addresses that this version cannot use are left out.
    pub(crate) fn learn(&mut self, nodes: &[String]) {
        if nodes.is_empty() {
            return;
        }
        self.told = self.usable(nodes);
        let mut tried = std::mem::take(&mut self.tried);
        tried.retain(|node| self.known().any(|known| known == node));
        self.tried = tried;
    }

    /// GOAWAY names where to go now.
    pub(crate) fn go_to(&mut self, nodes: &[String]) {
        self.instead = self.usable(nodes);
    }

    fn known(&self) -> impl Iterator<Item = &NodeAddress> {
        self.instead.iter().chain(&self.told).chain(&self.configured)
    }

    /// What this version can use. A client told of encrypted nodes only sends its token to no other.
    fn usable(&self, nodes: &[String]) -> Vec<NodeAddress> {
        let encrypted_only = self.configured.iter().all(|node| node.scheme().is_encrypted());
        let parsed = nodes.iter().take(LEARNT_MAX).filter_map(|node| node.parse::<NodeAddress>().ok());
        parsed.filter(|node| !encrypted_only || node.scheme().is_encrypted()).collect()
    }
}

fn pick<'n>(
    mut nodes: impl Iterator<Item = &'n NodeAddress>,
    count: usize,
    rng: &mut StdRng,
) -> Option<&'n NodeAddress> {
    if count == 0 { None } else { nodes.nth(rng.random_range(0..count)) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;

    use super::*;

    fn nodes(configured: &[&str]) -> Nodes {
        Nodes::new(configured.iter().map(|node| node.parse().unwrap()).collect())
    }

    fn list(nodes: &[&str]) -> Vec<String> {
        nodes.iter().map(|node| (*node).to_owned()).collect()
    }

    fn pass(nodes: &mut Nodes, rng: &mut StdRng) -> Vec<String> {
        let mut tried = Vec::new();
        while nodes.has_untried() {
            tried.push(nodes.next(rng).to_string());
        }
        tried
    }

    #[test]
    fn a_client_of_encrypted_nodes_follows_no_server_to_a_plain_one() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut nodes = nodes(&["tls://a:1"]);
        nodes.learn(&list(&["tcp://a:2", "ws://b:1", "tls://b:2"]));
        nodes.go_to(&list(&["tcp://b:1", "wss://c:1"]));
        assert_eq!(pass(&mut nodes, &mut rng), ["wss://c:1/v1", "tls://b:2", "tls://a:1"]);
    }

    #[test]
    fn a_pass_tries_what_a_goaway_named_then_the_owner_the_others_and_the_configured_each_once() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut nodes = nodes(&["tcp://lb:1"]);
        assert_eq!(nodes.next(&mut rng).to_string(), "tcp://lb:1");
        nodes.arrived();
        nodes.learn(&list(&["tcp://b:1", "tcp://c:1", "tcp://d:1", "carrier pigeon"]));
        nodes.leave_current();
        nodes.go_to(&list(&["tcp://e:1", "tcp://d:1"]));
        let mut tried = pass(&mut nodes, &mut rng);
        tried[..2].sort_unstable();
        assert_eq!(tried, ["tcp://d:1", "tcp://e:1", "tcp://b:1", "tcp://c:1"]);
        nodes.start_over();
        assert_eq!(pass(&mut nodes, &mut rng).last().unwrap(), "tcp://lb:1");
    }

    #[test]
    fn the_owner_is_preferred_unless_it_is_the_one_that_was_lost() {
        let (mut rng, mut first) = (StdRng::seed_from_u64(1), BTreeMap::<String, u32>::new());
        for _ in 0..1_000 {
            let mut nodes = nodes(&["tcp://a:1"]);
            nodes.next(&mut rng);
            nodes.learn(&list(&["tcp://b:1", "tcp://a:1", "tcp://c:1"]));
            nodes.leave_current();
            assert_eq!(nodes.next(&mut rng).to_string(), "tcp://b:1");
            nodes.arrived();
            nodes.leave_current();
            *first.entry(nodes.next(&mut rng).to_string()).or_default() += 1;
        }
        assert!(first.len() == 2 && first.values().all(|count| (400..600).contains(count)), "{first:?}");
    }

    #[test]
    fn a_goaway_that_names_the_owner_among_others_leads_to_the_owner() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..20 {
            let mut nodes = nodes(&["tcp://a:1"]);
            nodes.next(&mut rng);
            nodes.learn(&list(&["tcp://c:1", "tcp://a:1", "tcp://b:1"]));
            nodes.leave_current();
            nodes.go_to(&list(&["tcp://b:1", "tcp://c:1", "tcp://d:1"]));
            assert_eq!(nodes.next(&mut rng).to_string(), "tcp://c:1");
        }
    }

    #[test]
    fn of_a_nodes_urls_the_kind_that_worked_comes_first() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut nodes = nodes(&["tcp://a:1"]);
        nodes.next(&mut rng);
        nodes.arrived();
        nodes.learn(&list(&["ws://b:2", "tcp://b:1", "ws://a:2", "tcp://a:1", "ws://c:2", "tcp://c:1"]));
        nodes.leave_current();
        let mut tried = pass(&mut nodes, &mut rng);
        tried[2..].sort_unstable();
        assert_eq!(tried, ["tcp://b:1", "tcp://c:1", "ws://a:2/v1", "ws://b:2/v1", "ws://c:2/v1"]);
    }

    #[test]
    fn what_is_remembered_of_a_pass_is_bounded_whatever_a_server_tells() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut nodes = nodes(&["tcp://a:1"]);
        for round in 0..50 {
            let told: Vec<_> = (0..1_000).map(|node| format!("tcp://n{round}-{node}:1")).collect();
            nodes.learn(&told);
            pass(&mut nodes, &mut rng);
            assert!(nodes.tried.len() <= LEARNT_MAX + 1, "{}", nodes.tried.len());
        }
    }
}
