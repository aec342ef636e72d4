//! What a node ought to have is changed by an operator. Its slots follow in steps, by [`MoveSlots`](super::MoveSlots).

use crate::error::StoreError;
use crate::keys::node::NodeName;
use crate::keys::view::{self, ClusterView, Member};
use crate::op::{Op, Reads, View, Writes};

/// Gives a member another weight, until it joins again with its own.
#[derive(Debug, Clone)]
pub struct SetWeight {
    /// Which.
    pub name: NodeName,
    /// Its slots ought to be in proportion to it.
    pub weight: u32,
}

/// Says whether a member's slots are to be given to the others.
#[derive(Debug, Clone)]
pub struct SetDraining {
    /// Which.
    pub name: NodeName,
    /// Whether.
    pub draining: bool,
}

impl Op for SetWeight {
    /// The view with it; `None` without such a member.
    type Answer = Result<Option<ClusterView>, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(view::key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        change(view, writes, &self.name, |member| member.weight = self.weight)
    }

    fn bytes_hint(&self) -> usize {
        super::VIEW_BYTES_HINT
    }
}

impl Op for SetDraining {
    /// The view with it; `None` without such a member.
    type Answer = Result<Option<ClusterView>, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(view::key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        change(view, writes, &self.name, |member| member.draining = self.draining)
    }

    fn bytes_hint(&self) -> usize {
        super::VIEW_BYTES_HINT
    }
}

/// Changes a member and nothing else. Without a difference there is no new epoch.
fn change(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    name: &NodeName,
    change: impl FnOnce(&mut Member),
) -> Result<Option<ClusterView>, StoreError> {
    let mut cluster = super::read(view)?;
    let Some(member) = cluster.members.iter_mut().find(|member| member.name == *name) else {
        return Ok(None);
    };
    let before = member.clone();
    change(member);
    if *member != before {
        super::change::decide(&mut cluster);
        writes.put(view::key(), cluster.encode());
    }
    Ok(Some(cluster))
}
