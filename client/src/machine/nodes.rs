//! Where to connect next: the configured nodes, those the server has named, in turn.

use crate::NodeAddress;

/// Nodes learnt from servers beyond those configured: a bound on what a server can make a client hold.
const LEARNT_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Nodes {
    configured: Vec<NodeAddress>,
    learnt: Vec<NodeAddress>,
    /// Named by GOAWAY for the next attempts, last one first.
    instead: Vec<NodeAddress>,
    next: usize,
}

impl Nodes {
    /// Begins with the configured node at `start`, wrapped around, so that clients spread over them.
    pub(crate) fn new(configured: Vec<NodeAddress>, start: usize) -> Self {
        Self { configured, learnt: Vec::new(), instead: Vec::new(), next: start }
    }

    /// The node to try now.
    pub(crate) fn current(&mut self) -> NodeAddress {
        if let Some(node) = self.instead.pop() {
            return node;
        }
        let all = self.configured.len() + self.learnt.len();
        self.next %= all.max(1);
        let node = self.configured.iter().chain(&self.learnt).nth(self.next);
        node.expect("a client has at least one configured node").clone()
    }

    /// The current one failed.
    pub(crate) fn rotate(&mut self) {
        self.next = self.next.wrapping_add(1);
    }

    /// WELCOME's list replaces what was learnt before. Addresses that this version cannot use are left out.
    pub(crate) fn learn(&mut self, nodes: &[String]) {
        if nodes.is_empty() {
            return;
        }
        let current = self.configured.len();
        self.learnt = self.usable(nodes).filter(|node| !self.configured.contains(node)).collect();
        self.next = self.next.min(current + self.learnt.len());
    }

    /// GOAWAY names where to go now.
    pub(crate) fn go_to(&mut self, nodes: &[String]) {
        self.instead = self.usable(nodes).collect();
        self.instead.reverse();
    }

    /// What this version can use. A client told of encrypted nodes only sends its token to no other.
    fn usable(&self, nodes: &[String]) -> impl Iterator<Item = NodeAddress> {
        let encrypted_only = self.configured.iter().all(|node| node.scheme().is_encrypted());
        let parsed = nodes.iter().take(LEARNT_MAX).filter_map(|node| node.parse::<NodeAddress>().ok());
        parsed.filter(move |node| !encrypted_only || node.scheme().is_encrypted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_encrypted_nodes_follows_no_server_to_a_plain_one() {
        let mut nodes = Nodes::new(vec!["tls://a:1".parse().unwrap()], 0);
        nodes.go_to(&["tcp://b:1".into(), "wss://c:1".into()]);
        assert_eq!(nodes.current().to_string(), "wss://c:1/v1");
        assert_eq!(nodes.current().to_string(), "tls://a:1");
    }

    #[test]
    fn nodes_named_by_a_goaway_come_first_then_all_others_in_turn() {
        let node = |text: &str| text.parse::<NodeAddress>().unwrap();
        let mut nodes = Nodes::new(vec![node("tcp://a:1"), node("tcp://b:1")], 0);
        assert_eq!(nodes.current(), node("tcp://a:1"));
        nodes.learn(&["tcp://a:1".into(), "tcp://c:1".into(), "carrier pigeon".into()]);
        nodes.go_to(&["tcp://d:1".into()]);
        nodes.rotate();
        let tried: Vec<_> = (0..4)
            .map(|_| {
                let node = nodes.current().to_string();
                if node != "tcp://d:1" {
                    nodes.rotate();
                }
                node
            })
            .collect();
        assert_eq!(tried, ["tcp://d:1", "tcp://b:1", "tcp://c:1", "tcp://a:1"]);
    }
}
