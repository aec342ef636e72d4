//! Groups: made, changed, left.

mod change;
mod create;

pub use change::ChangeGroup;
pub use create::CreateGroup;
