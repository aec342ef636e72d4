//! Reading an inbox: what it points to becomes frames, as it is to be read at this time.

use bytes::Bytes;
use rookery_protocol::{
    AccountEvent, AccountPart, ConversationEvent, ConversationId, HEADER_BYTES, Message, MessageEvent,
    Opcode, ReceiptEvent, Seq, Stamp, UserId, decode_value, encode, encode_event, limits,
};
use rookery_store::engine::Snapshot;
use rookery_store::keys::inbox::{AccountChange, InboxEntry, MessagePointer};
use rookery_store::{Store, StoreError, queries};

use super::hint::Hint;
use super::machine::{Event, Sweep};

/// Bytes of messages that a sweep reads: a window's worth. What comes after is read when there is room again.
const SWEEP_BYTES_MAX: usize = limits::WINDOW_BYTES_MAX;

/// Messages read at once, before it is known how long they are.
const CHUNK: usize = 16;

/// What a sweep found.
#[derive(Debug)]
pub(crate) struct Swept {
    pub(super) events: Vec<Event<Bytes>>,
    pub(super) exhausted: bool,
    /// What others show the user may be more than before, or less.
    pub(super) is_about_seeing: bool,
    /// The user may follow other channels than before.
    pub(super) is_about_following: bool,
}

/// Reads what follows `sweep.after`. `hints` spare reading the log. What has disappeared by `now_ms` is given without what it
/// said, from the log, whether it has been emptied there or not.
pub(super) async fn sweep(
    store: Store,
    user: UserId,
    sweep: Sweep,
    hints: Vec<Hint>,
    now_ms: u64,
) -> Result<Swept, StoreError> {
    let snapshot = store.snapshot().await?;
    let mut entries = queries::inbox_after(&*snapshot, user, sweep.after, sweep.limit).await?;
    let mut exhausted = entries.len() < sweep.limit;

    let hint_for = |stamp, pointer: &MessagePointer| match pointer.has_expired(now_ms) {
        true => None,
        false => hints.iter().find(|hint| hint.stamp == stamp),
    };
    let places = entries.iter().filter_map(|(stamp, entry)| match entry {
        InboxEntry::Message(pointer) if hint_for(*stamp, pointer).is_none() => {
            Some((*stamp, (pointer.conversation, pointer.seq)))
        }
        _ => None,
    });
    let (logged, unread) = read_log(&*snapshot, &places.collect::<Vec<_>>()).await?;
    if let Some(unread) = unread {
        entries.retain(|(stamp, _)| *stamp < unread);
        exhausted = false;
    }
    let mut logged = logged.into_iter();

    let is_about_seeing = entries.iter().any(|(_, entry)| match entry {
        InboxEntry::Account(change) => matches!(change.part, AccountPart::Privacy | AccountPart::People),
        _ => false,
    });
    let is_about_following = entries.iter().any(|(_, entry)| match entry {
        InboxEntry::Account(change) => change.part == AccountPart::Followed,
        _ => false,
    });
    let events = entries.into_iter().map(|(stamp, entry)| match entry {
        InboxEntry::Message(pointer) => {
            let (frame, for_sender) = match hint_for(stamp, &pointer) {
                Some(hint) => (Some(hint.frame.clone()), hint.sender.clone()),
                None => {
                    // Retention may have removed the message before this device came for it.
                    let message = logged.next().expect("one answer for each place asked for");
                    (message.and_then(|message| frame_of(stamp, &pointer, &message, now_ms)), None)
                }
            };
            let receipt = (pointer.sender != user).then_some((pointer.conversation, pointer.seq));
            Event { stamp, bytes: frame.as_ref().map_or(0, Bytes::len), frame, for_sender, receipt }
        }
        InboxEntry::Receipt(receipt) => told(stamp, encode(&ReceiptEvent { stamp, receipt })),
        InboxEntry::Shown(change) => told(stamp, encode(&ConversationEvent { stamp, shown: change.shown() })),
        InboxEntry::Account(AccountChange { part, person, .. }) => {
            told(stamp, encode(&AccountEvent { stamp, part, person }))
        }
        InboxEntry::Unknown(kind) => {
            tracing::debug!(%user, %stamp, kind, "an event of a kind this version does not know");
            Event { stamp, bytes: HEADER_BYTES, frame: None, for_sender: None, receipt: None }
        }
    });
    Ok(Swept { events: events.collect(), exhausted, is_about_seeing, is_about_following })
}

/// The frame of a message as logged. `None`: it has disappeared, and what is left of it cannot be read.
fn frame_of(stamp: Stamp, pointer: &MessagePointer, logged: &Bytes, now_ms: u64) -> Option<Bytes> {
    if !pointer.has_expired(now_ms) {
        return Some(encode_event(Opcode::MessageEvent, stamp, logged));
    }
    match decode_value::<Message>(logged) {
        Ok(message) => Some(encode(&MessageEvent { stamp, message: message.emptied() })),
        Err(error) => {
            let MessagePointer { conversation, seq, .. } = pointer;
            tracing::error!(%conversation, %seq, %error, "a message cannot be read");
            None
        }
    }
}

/// An event that is no message: acknowledging it moves no mark.
fn told(stamp: Stamp, frame: Bytes) -> Event<Bytes> {
    Event { stamp, bytes: frame.len(), frame: Some(frame), for_sender: None, receipt: None }
}

/// Messages' bytes, in order, and the stamp of the first that was left for later.
async fn read_log(
    snapshot: &dyn Snapshot,
    places: &[(Stamp, (ConversationId, Seq))],
) -> Result<(Vec<Option<Bytes>>, Option<Stamp>), StoreError> {
    let mut logged = Vec::with_capacity(places.len());
    let mut bytes = 0;
    let mut chunk = CHUNK;
    while logged.len() < places.len() && bytes < SWEEP_BYTES_MAX {
        let next = places[logged.len()..].iter().take(chunk).map(|(_, place)| *place);
        let messages = queries::messages(snapshot, next).await?;
        bytes += messages.iter().flatten().map(Bytes::len).sum::<usize>();
        logged.extend(messages);
        // As many as there is room for, if those to come are like those before.
        chunk = (SWEEP_BYTES_MAX.saturating_sub(bytes) * logged.len() / bytes.max(1)).max(1);
    }
    let unread = places.get(logged.len()).map(|(stamp, _)| *stamp);
    Ok((logged, unread))
}
