//! Which nodes clients are told of: in WELCOME, in NODES when that has changed, and in GOAWAY.
//!
//! It says where clients may go, and first where their session's slot is owned. Who owns what is the view's to say.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use rookery_protocol::{Nodes, UserId, encode};
use rookery_store::placement::Slot;

/// URLs in one list: enough to find a node that lives, however large the cluster is.
const URLS_MAX: usize = 32;

/// The nodes that take clients.
#[derive(Debug, Clone, Default)]
pub struct ClientNodes {
    /// The epoch of the view that says so: an earlier one's does not replace it. 0 for a node alone.
    pub epoch: u64,
    /// Each node's URLs. Nobody is sent to one that has none here, as when it is drained.
    pub urls: Vec<Vec<String>>,
    /// Which of them is this one, if it is among them.
    pub this: Option<usize>,
    /// The owner of each slot, by its number, as an index into `urls`. Slots beyond the end are this node's.
    pub owners: Vec<u16>,
}

/// What a connection of a certain user is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The owner's first.
    pub(crate) urls: Vec<String>,
    /// The frame NODES that says it.
    pub(crate) frame: Bytes,
    /// Other lists have another, and none has 0.
    pub(crate) mark: u64,
}

/// See the module. Shared by all connections of a node: there are no more lists than nodes.
#[derive(Debug)]
pub(crate) struct NodeList {
    current: RwLock<Arc<Lists>>,
}

#[derive(Debug)]
struct Lists {
    epoch: u64,
    by_owner: Vec<Arc<Told>>,
    /// For users whose owner is not known.
    ownerless: Arc<Told>,
    owners: Vec<u16>,
    this: Option<usize>,
    others: Vec<String>,
}

impl NodeList {
    pub(crate) fn new(nodes: &ClientNodes) -> Self {
        Self { current: RwLock::new(Arc::new(Lists::new(nodes))) }
    }

    /// Replaces the list, unless it is of a later view.
    pub(crate) fn set(&self, nodes: &ClientNodes) {
        let lists = Arc::new(Lists::new(nodes));
        let mut current = self.current.write().expect("nothing panics while it holds this lock");
        if lists.epoch >= current.epoch {
            *current = lists;
        }
    }

    /// What the user's devices are to know.
    pub(crate) fn for_user(&self, user: UserId) -> Arc<Told> {
        let lists = self.lists();
        let owner = lists.owners.get(usize::from(Slot::of_user(user).number()));
        let owner = owner.map(|owner| usize::from(*owner)).or(lists.this);
        owner.and_then(|owner| lists.by_owner.get(owner)).unwrap_or(&lists.ownerless).clone()
    }

    /// Every node but this one.
    pub(crate) fn others(&self) -> Vec<String> {
        self.lists().others.clone()
    }

    fn lists(&self) -> Arc<Lists> {
        self.current.read().expect("nothing panics while it holds this lock").clone()
    }
}

impl Lists {
    fn new(nodes: &ClientNodes) -> Self {
        let count = nodes.urls.len();
        // Those after a node follow it, around: when not all have room, others name others.
        let from = |first: usize| (0..count).map(move |step| (first + step) % count);
        let urls = |order: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            order.flat_map(|node| &nodes.urls[node]).take(URLS_MAX).cloned().collect()
        };
        let this = nodes.this.filter(|this| *this < count);
        Self {
            epoch: nodes.epoch,
            by_owner: (0..count).map(|owner| Told::new(urls(&mut from(owner)))).collect(),
            ownerless: Told::new(urls(&mut (0..count))),
            owners: nodes.owners.clone(),
            this,
            others: match this {
                Some(this) => urls(&mut from(this).skip(1)),
                None => urls(&mut (0..count)),
            },
        }
    }
}

impl Told {
    fn new(urls: Vec<String>) -> Arc<Self> {
        let nodes = Nodes { nodes: urls };
        let frame = encode(&nodes);
        let mut hasher = DefaultHasher::new();
        hasher.write(&frame);
        Arc::new(Self { urls: nodes.nodes, frame, mark: hasher.finish().max(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize) -> ClientNodes {
        let urls = (0..count).map(|node| vec![format!("ws://n{node}"), format!("tcp://n{node}")]).collect();
        let owners = (0..4096).map(|slot| slot % count as u16).collect();
        ClientNodes { epoch: 0, urls, this: Some(1), owners }
    }

    fn user_of(owner: u16, count: u16) -> UserId {
        let users = (1..).map(|number| UserId::new(number).expect("an id"));
        users.into_iter().find(|user| Slot::of_user(*user).number() % count == owner).expect("some user")
    }

    #[test]
    fn the_owner_comes_first_and_everybody_else_follows() {
        let list = NodeList::new(&nodes(3));
        assert_eq!(
            list.for_user(user_of(2, 3)).urls,
            ["ws://n2", "tcp://n2", "ws://n0", "tcp://n0", "ws://n1", "tcp://n1"]
        );
        assert_eq!(list.others(), ["ws://n2", "tcp://n2", "ws://n0", "tcp://n0"]);
    }

    #[test]
    fn lists_differ_by_their_mark_and_only_then() {
        let list = NodeList::new(&nodes(3));
        let (zero, one) = (list.for_user(user_of(0, 3)), list.for_user(user_of(1, 3)));
        assert_ne!(zero.mark, one.mark);
        list.set(&nodes(3));
        assert_eq!(list.for_user(user_of(0, 3)).mark, zero.mark);
        list.set(&nodes(4));
        assert_ne!(list.for_user(user_of(0, 4)).mark, zero.mark);
    }

    #[test]
    fn the_list_of_an_earlier_view_does_not_replace_that_of_a_later_one() {
        let list = NodeList::new(&nodes(3));
        list.set(&ClientNodes { epoch: 7, ..nodes(4) });
        list.set(&ClientNodes { epoch: 6, ..nodes(3) });
        assert_eq!(list.for_user(user_of(0, 4)).urls.len(), 8);
    }

    #[test]
    fn nobody_is_sent_to_a_node_without_urls() {
        let mut draining = nodes(3);
        draining.urls[2].clear();
        let list = NodeList::new(&draining);
        assert_eq!(list.for_user(user_of(2, 3)).urls, ["ws://n0", "tcp://n0", "ws://n1", "tcp://n1"]);
        assert_eq!(list.others(), ["ws://n0", "tcp://n0"]);
    }

    #[test]
    fn a_large_cluster_is_told_in_part_and_not_to_all_the_same_part() {
        let list = NodeList::new(&nodes(200));
        let (some, others) = (list.for_user(user_of(0, 200)), list.for_user(user_of(150, 200)));
        assert_eq!((some.urls.len(), others.urls.len()), (URLS_MAX, URLS_MAX));
        assert_eq!((some.urls[0].as_str(), others.urls[0].as_str()), ("ws://n0", "ws://n150"));
        assert!(some.urls.iter().all(|url| !others.urls.contains(url)));
    }

    #[test]
    fn a_node_that_knows_no_view_is_the_owner_and_indices_out_of_range_are_no_harm() {
        let alone = ClientNodes { owners: Vec::new(), ..nodes(2) };
        assert_eq!(NodeList::new(&alone).for_user(user_of(0, 2)).urls[0], "ws://n1");
        let strange = ClientNodes { owners: vec![9; 4096], this: Some(7), ..nodes(2) };
        let list = NodeList::new(&strange);
        assert_eq!(list.for_user(user_of(0, 2)).urls[0], "ws://n0");
        assert_eq!(list.others().len(), 4);
        let nobody = NodeList::new(&ClientNodes::default());
        assert!(nobody.for_user(user_of(0, 2)).urls.is_empty() && nobody.others().is_empty());
    }
}
