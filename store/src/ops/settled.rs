//! The answer of operations that change what is a user's own: how a conversation is listed, what of it is shown.

use super::entry::Refusal;
use crate::error::StoreError;

/// What became of a change of something of a user's own.
#[derive(Debug, Clone)]
pub enum Settled {
    /// It is so now, or was so before. If it is new, the user's devices have it in their inbox.
    Done,
    /// It may not be.
    Refused(Refusal),
    /// Something in the store cannot be read.
    Corrupt(StoreError),
}
