//! Reading an inbox: what it points to becomes frames.

use bytes::Bytes;
use rookery_protocol::{HEADER_BYTES, Opcode, ReceiptEvent, UserId, encode, encode_event};
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::{Store, StoreError, queries};

use super::hint::Hint;
use super::machine::{Event, Sweep};

/// What a sweep found.
#[derive(Debug)]
pub(crate) struct Swept {
    pub(super) events: Vec<Event<Bytes>>,
    pub(super) exhausted: bool,
}

/// Reads what follows `sweep.after`. `hints` spare reading the log.
pub(super) async fn sweep(
    store: Store,
    user: UserId,
    sweep: Sweep,
    hints: Vec<Hint>,
) -> Result<Swept, StoreError> {
    let snapshot = store.snapshot().await?;
    let entries = queries::inbox_after(&*snapshot, user, sweep.after, sweep.limit).await?;
    let exhausted = entries.len() < sweep.limit;

    let hint_for = |stamp| hints.iter().find(|hint| hint.stamp == stamp);
    let places = entries.iter().filter_map(|(stamp, entry)| match entry {
        InboxEntry::Message(pointer) if hint_for(*stamp).is_none() => {
            Some((pointer.conversation, pointer.seq))
        }
        _ => None,
    });
    let mut logged = queries::messages(&*snapshot, places).await?.into_iter();

    let events = entries.into_iter().map(|(stamp, entry)| match entry {
        InboxEntry::Message(pointer) => {
            let (frame, for_sender) = match hint_for(stamp) {
                Some(hint) => (Some(hint.frame.clone()), hint.sender.clone()),
                None => {
                    // Retention may have removed the message before this device came for it.
                    let message = logged.next().expect("one answer for each place asked for");
                    (message.map(|message| encode_event(Opcode::MessageEvent, stamp, &message)), None)
                }
            };
            let receipt = (pointer.sender != user).then_some((pointer.conversation, pointer.seq));
            Event { stamp, bytes: frame.as_ref().map_or(0, Bytes::len), frame, for_sender, receipt }
        }
        InboxEntry::Receipt(receipt) => {
            let frame = encode(&ReceiptEvent { stamp, receipt });
            Event { stamp, bytes: frame.len(), frame: Some(frame), for_sender: None, receipt: None }
        }
        InboxEntry::Unknown(kind) => {
            tracing::debug!(%user, %stamp, kind, "an event of a kind this version does not know");
            Event { stamp, bytes: HEADER_BYTES, frame: None, for_sender: None, receipt: None }
        }
    });
    Ok(Swept { events: events.collect(), exhausted })
}
