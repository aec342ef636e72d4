//! What is read of a conversation's log.

use bytes::Bytes;
use rookery_protocol::{ConversationId, MessageHead, Seq};

use super::get;
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::conversation::{decode_head, head_key, log_key, withheld_key};
use crate::keys::decode;
use crate::op::KeyRange;

/// Messages' bytes as logged, `None` where there is none any more.
///
/// # Errors
/// When the store cannot be read.
pub async fn messages(
    snapshot: &dyn Snapshot,
    places: impl IntoIterator<Item = (ConversationId, Seq)>,
) -> Result<Vec<Option<Bytes>>, StoreError> {
    let keys: Vec<Vec<u8>> =
        places.into_iter().map(|(conversation, seq)| log_key(conversation, seq)).collect();
    snapshot.get_many(&keys).await
}

/// A conversation's last message's place.
///
/// # Errors
/// When the store cannot be read.
pub async fn head(snapshot: &dyn Snapshot, conversation: ConversationId) -> Result<Seq, StoreError> {
    let value = get(snapshot, head_key(conversation)).await?;
    Ok(value.map(|value| decode_head(&value)).transpose()?.unwrap_or(Seq::ZERO))
}

/// Messages `from..=to` of a conversation as logged, in order, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn log(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    range: (Seq, Seq),
    limit: usize,
) -> Result<Vec<Bytes>, StoreError> {
    part(snapshot, conversation, range, limit, false).await
}

/// The same from the last on.
///
/// # Errors
/// When the store cannot be read.
pub async fn log_backwards(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    range: (Seq, Seq),
    limit: usize,
) -> Result<Vec<Bytes>, StoreError> {
    part(snapshot, conversation, range, limit, true).await
}

async fn part(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    (from, to): (Seq, Seq),
    limit: usize,
    reverse: bool,
) -> Result<Vec<Bytes>, StoreError> {
    if from > to {
        return Ok(Vec::new());
    }
    let mut end = log_key(conversation, to);
    end.push(0);
    let range = KeyRange { begin: log_key(conversation, from), end, limit, reverse };
    Ok(snapshot.range(&range).await?.into_iter().map(|(_, value)| value).collect())
}

/// Which of the messages `from..=to` of a conversation only their senders see, in order, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn withheld(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    (from, to): (Seq, Seq),
    limit: usize,
) -> Result<Vec<Seq>, StoreError> {
    if from > to {
        return Ok(Vec::new());
    }
    let mut end = withheld_key(conversation, to);
    end.push(0);
    let range = KeyRange { begin: withheld_key(conversation, from), end, limit, reverse: false };
    let seq = |(key, _): (Bytes, Bytes)| {
        let bytes = key.last_chunk().copied().unwrap_or_default();
        Seq::new(u64::from_be_bytes(bytes))
    };
    Ok(snapshot.range(&range).await?.into_iter().map(seq).collect())
}

/// The place of the first message that is left of a conversation's log.
///
/// # Errors
/// When the store cannot be read.
pub async fn first_seq(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
) -> Result<Option<Seq>, StoreError> {
    let range = KeyRange {
        begin: log_key(conversation, Seq::ZERO),
        end: log_key(conversation, Seq::new(u64::MAX)),
        limit: 1,
        reverse: false,
    };
    let key = snapshot.range(&range).await?.pop().map(|(key, _)| key);
    Ok(key.and_then(|key| key.last_chunk().map(|bytes| Seq::new(u64::from_be_bytes(*bytes)))))
}

/// The first of the messages `from..=to` that was accepted at a time or later; the place after `to` if none was.
///
/// It is looked for by halves, as if the times of a log never went back. Nodes' clocks differ, so they may, a little: then
/// it is one near to the first.
///
/// # Errors
/// When the store cannot be read.
pub async fn first_since(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    (from, to): (Seq, Seq),
    time_ms: u64,
) -> Result<Seq, StoreError> {
    let first = first_seq(snapshot, conversation).await?.unwrap_or(Seq::ZERO);
    // All before `low` are older, all from `high` on are not.
    let (mut low, mut high) = (from.max(first).get(), to.next().get());
    while low < high {
        let middle = low + (high - low) / 2;
        let logged = get(snapshot, log_key(conversation, Seq::new(middle))).await?;
        let is_older = match logged {
            Some(logged) => decode::<MessageHead>(&logged)?.time_ms < time_ms,
            None => false,
        };
        if is_older {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Seq::new(low))
}
