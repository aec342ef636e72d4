//! A user's conversations, and how they stand.

use rookery_protocol::{
    Conversation, ConversationList, ListConversations, Message, UserId, decode_value, limits,
};
use rookery_store::StoreError;
use rookery_store::engine::Snapshot;
use rookery_store::queries::{self, Listed, Standing};

use super::Refusal;

/// Last messages read at once, before it is known how long they are.
const CHUNK: usize = 16;

pub(super) async fn conversations(
    snapshot: &dyn Snapshot,
    user: UserId,
    list: &ListConversations,
    now_ms: u64,
) -> Result<ConversationList, Refusal> {
    // One more than a page, to know whether there is another.
    let limit = limits::CONVERSATIONS_MAX + 1;
    let listed = queries::conversations(snapshot, user, list.after, limit).await?;
    let (mut conversations, mut bytes) = (Vec::new(), 0);
    let page = &listed[..listed.len().min(limits::CONVERSATIONS_MAX)];
    'page: for some in page.chunks(CHUNK) {
        for (listed, standing) in some.iter().zip(queries::standings(snapshot, user, some).await?) {
            bytes += standing.last.as_ref().map_or(0, |last| last.len());
            if bytes > limits::HISTORY_BYTES_MAX && !conversations.is_empty() {
                break 'page;
            }
            conversations.push(conversation((user, now_ms), listed, standing)?);
        }
    }
    let more = conversations.len() < listed.len();
    Ok(ConversationList { request: list.request, conversations, more })
}

fn conversation(
    (user, now_ms): (UserId, u64),
    listed: &Listed,
    standing: Standing,
) -> Result<Conversation, StoreError> {
    let Standing { first, head, read, last, is_last_hidden } = standing;
    let last = last.map(|logged| decode_value::<Message>(&logged)).transpose();
    let last = last.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let is_own = last.as_ref().is_some_and(|message| message.sender == user);
    let seen = read.get().max(first.get().saturating_sub(1));
    Ok(Conversation {
        conversation: listed.conversation,
        settings: listed.chat.settings.clone(),
        first,
        head,
        read,
        unread: if is_own { 0 } else { head.get().saturating_sub(seen) },
        last: last.filter(|_| !is_last_hidden).map(|message| message.at(now_ms)),
        is_member: listed.is_member,
        is_followed: listed.is_followed,
    })
}
