//! Groups: made, changed, left.

mod change;
mod changed;
mod create;
mod withdraw;

pub use change::ChangeGroup;
pub use create::CreateGroup;
pub use withdraw::Withdraw;
