//! A part of a conversation: what of it its user may see, and has not hidden.

use std::collections::BTreeSet;

use rookery_protocol::{
    ConversationId, ErrorCode, History, HistoryPage, Message, Seq, UserId, decode_value, limits,
};
use rookery_store::engine::Snapshot;
use rookery_store::{StoreError, queries};

use super::{Refusal, not_member};

/// The first and the last entry of a conversation that a user may see.
async fn visible(
    snapshot: &dyn Snapshot,
    user: UserId,
    conversation: ConversationId,
) -> Result<(Seq, Seq), Refusal> {
    let head = queries::head(snapshot, conversation).await?;
    match conversation.group_id() {
        Some(group) if queries::follows(snapshot, user, group).await? => Ok((Seq::ZERO.next(), head)),
        Some(group) => {
            let membership = queries::membership(snapshot, user, group).await?.ok_or_else(not_member)?;
            Ok((membership.from, membership.until.map_or(head, |until| until.min(head))))
        }
        None if conversation.direct_peer(user).is_some() => Ok((Seq::ZERO.next(), head)),
        None => Err(not_member()),
    }
}

pub(super) async fn page(
    snapshot: &dyn Snapshot,
    user: UserId,
    history: &History,
    now_ms: u64,
) -> Result<HistoryPage, Refusal> {
    let History { request, conversation, mut from, mut to, backwards, time_ms } = *history;
    let (first, head) = visible(snapshot, user, conversation).await?;
    if from > to || from == Seq::ZERO {
        return Err(Refusal(ErrorCode::BadRequest, "from must be at least 1 and at most to".into()));
    }
    if time_ms > 0 {
        let since = queries::first_since(snapshot, conversation, (first, head), time_ms).await?;
        if backwards {
            to = before(since);
        } else {
            from = since;
        }
    }
    let hidden_up_to = queries::chat(snapshot, user, conversation).await?.hidden_up_to;
    let there = (from.max(first).max(hidden_up_to.next()), to.min(head));
    let limit = limits::HISTORY_MESSAGES_MAX as usize;
    let logged = if backwards {
        queries::log_backwards(snapshot, conversation, there, limit).await?
    } else {
        queries::log(snapshot, conversation, there, limit).await?
    };
    let is_all = logged.len() < limit;
    let mut wanted: Vec<(Message, usize)> = Vec::with_capacity(logged.len());
    for logged in logged {
        let message: Message =
            decode_value(&logged).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        wanted.push((message.at(now_ms), logged.len()));
    }

    // Where the page ends, if it says something about all that there is.
    let complete = if backwards { before(from) } else { there.1.next().max(from) };
    let after = |seq: Seq| if backwards { before(seq) } else { seq.next() };
    let mut next = match wanted.last() {
        Some((last, _)) if !is_all => after(last.seq),
        _ => complete,
    };
    let hidden = hidden(snapshot, user, conversation, &wanted).await?;
    let (mut messages, mut bytes) = (Vec::with_capacity(wanted.len()), 0);
    for (message, length) in wanted.into_iter().filter(|(message, _)| !hidden.contains(&message.seq)) {
        bytes += length;
        if bytes > limits::HISTORY_BYTES_MAX && !messages.is_empty() {
            next = message.seq;
            break;
        }
        messages.push(message);
    }
    if backwards {
        messages.reverse();
    }
    Ok(HistoryPage { request, head, next, messages })
}

/// Which of some messages, ascending or descending, are hidden by name, or are for their senders alone.
async fn hidden(
    snapshot: &dyn Snapshot,
    user: UserId,
    conversation: ConversationId,
    messages: &[(Message, usize)],
) -> Result<BTreeSet<Seq>, Refusal> {
    let (Some((one, _)), Some((other, _))) = (messages.first(), messages.last()) else {
        return Ok(BTreeSet::new());
    };
    let range = (one.seq.min(other.seq), one.seq.max(other.seq));
    let mut hidden = queries::hidden(snapshot, user, conversation, range, messages.len()).await?;
    let withheld = queries::withheld(snapshot, conversation, range, messages.len()).await?;
    let is_own =
        |seq: &Seq| messages.iter().any(|(message, _)| message.seq == *seq && message.sender == user);
    hidden.extend(withheld.into_iter().filter(|seq| !is_own(seq)));
    Ok(hidden)
}

/// The place before this one; before the first, none.
fn before(seq: Seq) -> Seq {
    Seq::new(seq.get().saturating_sub(1))
}
