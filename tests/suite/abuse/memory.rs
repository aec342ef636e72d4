//! A node's memory under abuse.

use rookery_tests::Node;

/// What a node may take beyond what it had: allocators keep some, and the bystanders' chat goes on.
const GROWTH_BYTES_MAX: u64 = 48 << 20;

/// What a node occupied at first.
pub(super) struct Memory(u64);

impl Memory {
    pub(super) fn of(node: &Node) -> Self {
        Self(node.resident_bytes())
    }

    /// It has hardly grown.
    pub(super) fn assert_flat(&self, node: &Node) {
        let (before, now) = (self.0, node.resident_bytes());
        assert!(
            now <= before + GROWTH_BYTES_MAX,
            "the node had {} KiB and has {} KiB",
            before >> 10,
            now >> 10
        );
    }
}
