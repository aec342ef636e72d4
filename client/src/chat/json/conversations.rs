//! Commands about how conversations are listed and what of them is shown.

use rookery_protocol::{ConversationId, ConversationSettings, Seq, Shown};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entries::EntryLine;
use super::{Complaint, Output};
use crate::chat::people::People;
use crate::{Client, Entry};

/// How a conversation is listed; of a command, what is left out is 0 or false.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListingLine {
    muted_until_ms: u64,
    archived: bool,
    pinned: bool,
    unread: bool,
}

impl From<ConversationSettings> for ListingLine {
    fn from(settings: ConversationSettings) -> Self {
        let ConversationSettings { muted_until_ms, archived, pinned, unread } = settings;
        Self { muted_until_ms, archived, pinned, unread }
    }
}

impl From<ListingLine> for ConversationSettings {
    fn from(line: ListingLine) -> Self {
        let ListingLine { muted_until_ms, archived, pinned, unread } = line;
        Self { muted_until_ms, archived, pinned, unread }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct StandingLine {
    conversation: String,
    settings: ListingLine,
    first: u64,
    head: u64,
    read: u64,
    unread: u64,
    last: Option<EntryLine>,
    is_member: bool,
    is_followed: bool,
}

/// What has changed in how a conversation is shown.
#[derive(Debug, Serialize)]
pub(super) struct ShownLine {
    conversation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<ListingLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_up_to: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden: Vec<u64>,
}

impl From<Shown> for ShownLine {
    fn from(Shown { conversation, settings, up_to, seqs }: Shown) -> Self {
        Self {
            conversation: conversation.to_string(),
            settings: settings.map(ListingLine::from),
            hidden_up_to: (up_to > Seq::ZERO).then_some(up_to.get()),
            hidden: seqs.into_iter().map(Seq::get).collect(),
        }
    }
}

pub(super) async fn list(
    people: &People,
    client: &Client,
    after: Option<String>,
    tag: Option<Value>,
) -> Result<Output, Complaint> {
    let after = after.map(|after| after.parse::<ConversationId>()).transpose();
    let page = client.conversations(after.map_err(|error| Complaint::usage(error.to_string()))?).await?;
    let mut conversations = Vec::with_capacity(page.conversations.len());
    for standing in page.conversations {
        let last = match standing.last {
            Some(last) => Some(EntryLine::name(people, Entry::of_history(last)).await),
            None => None,
        };
        conversations.push(StandingLine {
            conversation: standing.conversation.to_string(),
            settings: standing.settings.into(),
            first: standing.first.get(),
            head: standing.head.get(),
            read: standing.read.get(),
            unread: standing.unread,
            last,
            is_member: standing.is_member,
            is_followed: standing.is_followed,
        });
    }
    Ok(Output::Conversations { conversations, more: page.more, tag })
}
