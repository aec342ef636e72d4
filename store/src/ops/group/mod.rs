//! Groups: made, changed, left, ended.

mod change;
mod changed;
mod create;
mod operator;
mod withdraw;

pub use change::ChangeGroup;
pub use create::CreateGroup;
pub use operator::{DeleteGroup, RemoveMember};
pub use withdraw::Withdraw;
