//! What clients are told of the store's failures, and of its refusals.

use rookery_protocol::ErrorCode;
use rookery_store::StoreError;
use rookery_store::ops::Refusal;

/// The code and text for a client.
pub(crate) fn of_store(error: &StoreError) -> (ErrorCode, String) {
    let (code, text) = match error {
        StoreError::Unavailable(_) | StoreError::Closed => {
            (ErrorCode::Unavailable, "the store is unavailable")
        }
        StoreError::Ambiguous(_) => {
            (ErrorCode::Unavailable, "the outcome is unknown; retry with the same id")
        }
        StoreError::Conflict | StoreError::Busy => (ErrorCode::Busy, "too much at once"),
        StoreError::Full(_) => (ErrorCode::StoreFull, "the store has no room; nothing accepted is lost"),
        StoreError::TooLarge(_) => (ErrorCode::BodyTooLarge, "the message is too large for the store"),
        StoreError::Corrupt(_) | StoreError::Panicked(_) => {
            (ErrorCode::Internal, "the node failed at this request")
        }
    };
    (code, text.into())
}

/// The code for a client whose message or change is refused.
pub(crate) fn of_refusal(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::NoSuchUser(_) => ErrorCode::NotFound,
        Refusal::NotMember => ErrorCode::NotMember,
        Refusal::OnlyAdmins | Refusal::LastAdmin => ErrorCode::NotAllowed,
        Refusal::Full => ErrorCode::Full,
        Refusal::Nothing | Refusal::Oneself => ErrorCode::BadRequest,
        Refusal::NoSuchConversation | Refusal::NoSuchMessage => ErrorCode::NotFound,
        Refusal::NoSuchChannel => ErrorCode::NotFound,
        Refusal::NotAChannel => ErrorCode::NotAllowed,
        Refusal::TooManyFollowed => ErrorCode::Full,
        Refusal::NotYours => ErrorCode::NotAllowed,
        Refusal::TooLate => ErrorCode::TooLate,
        Refusal::TooManyEdits => ErrorCode::Full,
        Refusal::Blocked => ErrorCode::Blocked,
        Refusal::NotTaken | Refusal::NotToBeAdded(_) => ErrorCode::NotAllowed,
        Refusal::Yourself => ErrorCode::BadRequest,
        Refusal::TooManyPeople | Refusal::TooManyReports => ErrorCode::Full,
        Refusal::IdTaken => ErrorCode::IdTaken,
    }
}

/// The text for a client whose account has been suspended.
pub(crate) fn suspended(reason: &str) -> String {
    let text = "this account has been suspended";
    if reason.is_empty() { text.into() } else { format!("{text}: {reason}") }
}
