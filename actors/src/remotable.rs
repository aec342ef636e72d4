//! Which messages could leave their node.

use ractor::Message;

use crate::cluster::{MembershipMessage, PeerMessage};
use crate::connection::{ConnectionMessage, SupervisorMessage};
use crate::root::Child;
use crate::session::SessionMessage;
use crate::shard::ShardMessage;

/// The types of messages here that could be sent to another node: none. Each actor of such a type would be told to every
/// peer, and live there too, so a node checks this before it has links.
pub fn remotable_messages() -> Vec<&'static str> {
    let all = [
        named::<Child>(),
        named::<SupervisorMessage>(),
        named::<ConnectionMessage>(),
        named::<ShardMessage>(),
        named::<SessionMessage>(),
        named::<MembershipMessage>(),
        named::<PeerMessage>(),
    ];
    all.into_iter().filter_map(|(name, remotable)| remotable.then_some(name)).collect()
}

fn named<M: Message>() -> (&'static str, bool) {
    (std::any::type_name::<M>(), M::serializable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_leaves_its_node() {
        assert_eq!(remotable_messages(), [""; 0]);
        assert!(named::<Vec<u8>>().1, "the check sees those that could");
    }
}
