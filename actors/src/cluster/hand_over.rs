//! How a node gives away what is its own, before it stops.

use std::time::Duration;

use rookery_store::keys::node::NodeName;
use rookery_store::keys::view::ClusterView;
use rookery_store::ops::{MoveSlots, SetDraining};
use rookery_store::{Store, StoreError};

/// What orders the changes of the view: there is one view.
pub const VIEW: &str = "view";

/// Slots given away at a time: their users are registered with their new owners before the next ones move.
const STEP_SLOTS: u16 = 512;

/// Between two steps.
const STEP_PAUSE: Duration = Duration::from_millis(50);

/// Steps at most: as many as there are slots for, and some for what others change meanwhile.
const STEPS_MAX: usize = 64;

/// Gives a node's slots to the others, in steps. How many it still has: all, when no other takes slots.
///
/// # Errors
/// When the store does not take a step; those before it stay taken.
pub async fn hand_over(store: &Store, name: &NodeName) -> Result<usize, StoreError> {
    let view = store.submit(&VIEW, SetDraining { name: name.clone(), draining: true }).await?.answer?;
    let Some(mut view) = view else { return Ok(0) };
    if !others_take_slots(&view, name) {
        return Ok(view.slots_of(name));
    }
    for _ in 0..STEPS_MAX {
        let moved = store.submit(&VIEW, MoveSlots { at_most: STEP_SLOTS }).await?.answer?;
        view = moved.view;
        if moved.left == 0 {
            break;
        }
        tokio::time::sleep(STEP_PAUSE).await;
    }
    Ok(view.slots_of(name))
}

/// Whether there is another member that takes a node's slots: one that is not draining and has a weight.
pub fn others_take_slots(view: &ClusterView, name: &NodeName) -> bool {
    view.members.iter().any(|member| member.name != *name && !member.draining && member.weight > 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rookery_store::StoreConfig;
    use rookery_store::engines::MemoryEngine;
    use rookery_store::keys::node::Incarnation;
    use rookery_store::ops::Join;
    use rookery_store::placement::SLOTS;

    use super::*;

    async fn join(store: &Store, name: &str) {
        let join = Join {
            name: name.parse().unwrap(),
            after: Incarnation::NONE,
            link: String::new(),
            admin: String::new(),
            clients: Vec::new(),
            weight: 100,
            version: "0".into(),
            pid: 1,
            nonce: 1,
        };
        store.submit(&VIEW, join).await.unwrap().answer.unwrap();
    }

    #[tokio::test]
    async fn slots_that_nobody_takes_are_left_and_others_are_not() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        let (first, second) = ("chat1".parse().unwrap(), "chat2".parse().unwrap());
        join(&store, "chat1").await;
        assert_eq!(hand_over(&store, &first).await.unwrap(), usize::from(SLOTS));
        join(&store, "chat2").await;
        assert_eq!(hand_over(&store, &first).await.unwrap(), 0);
        assert_eq!(hand_over(&store, &second).await.unwrap(), usize::from(SLOTS));
    }
}
