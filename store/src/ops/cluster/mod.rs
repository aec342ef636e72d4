//! Membership: who is in the cluster, whose each slot is, and mail between nodes that have no link.
//!
//! The view is one key, read and written in the transaction that changes it, so there is one sequence of epochs, whoever
//! changes it. What these operations decide is correct on any node; how soon nodes learn it is not their concern.

mod change;
mod join;
mod mail;
mod move_slots;
mod remove;
mod renew;
mod weights;

pub use join::{Join, JoinError, Joined, join};
pub use mail::{PostMail, PostOutcome, TakeMail};
pub use move_slots::{MoveSlots, Moved};
pub use remove::{RemoveNode, RemoveOutcome};
pub use renew::{Renew, RenewOutcome};
pub use weights::{SetDraining, SetWeight};

use crate::error::StoreError;
use crate::keys::view::{self, ClusterView};
use crate::op::View;

/// About how many bytes an operation that changes the view writes: that of a small cluster.
const VIEW_BYTES_HINT: usize = 10_000;

/// The cluster's view, whose key the operation has declared.
fn read(view: &View<'_>) -> Result<ClusterView, StoreError> {
    view.get(&view::key()).map_or_else(|| Ok(ClusterView::default()), |value| ClusterView::decode(&value))
}
