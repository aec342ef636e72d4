//! Commands and lines of what is only for those who are looking.

use rookery_protocol::{Availability, ConversationId, Doing, MemberMark, Presence, UserId};
use serde::{Deserialize, Serialize};

use super::entries::PersonLine;
use super::groups::MarkLine;
use super::{Complaint, Output};
use crate::chat::people::People;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DoingWord {
    Nothing,
    Typing,
    Recording,
}

impl From<Doing> for DoingWord {
    fn from(doing: Doing) -> Self {
        match doing {
            Doing::Nothing => Self::Nothing,
            Doing::Typing => Self::Typing,
            Doing::Recording => Self::Recording,
        }
    }
}

impl From<DoingWord> for Doing {
    fn from(word: DoingWord) -> Self {
        match word {
            DoingWord::Nothing => Self::Nothing,
            DoingWord::Typing => Self::Typing,
            DoingWord::Recording => Self::Recording,
        }
    }
}

/// Whether somebody is there.
#[derive(Debug, Serialize)]
pub(super) struct PresenceLine {
    #[serde(flatten)]
    person: PersonLine,
    availability: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_ms: Option<u64>,
}

pub(super) async fn presence(people: &People, seen: Vec<Presence>) -> Output {
    let mut lines = Vec::with_capacity(seen.len());
    for Presence { user, availability, last_seen_ms } in seen {
        let availability = match availability {
            Availability::Offline => "offline",
            Availability::Idle => "idle",
            Availability::Online => "online",
        };
        let last_seen_ms = (last_seen_ms > 0).then_some(last_seen_ms);
        lines.push(PresenceLine { person: PersonLine::name(people, user).await, availability, last_seen_ms });
    }
    Output::Presence { people: lines }
}

pub(super) async fn typing(
    people: &People,
    conversation: ConversationId,
    user: UserId,
    doing: Doing,
) -> Output {
    let handle = people.handle(user).await;
    Output::Typing { conversation: conversation.to_string(), user, handle, doing: doing.into() }
}

pub(super) async fn marks(people: &People, conversation: ConversationId, marks: Vec<MemberMark>) -> Output {
    let mut members = Vec::with_capacity(marks.len());
    for mark in marks {
        members.push(MarkLine::name(people, mark).await);
    }
    Output::ReceiptsChanged { conversation: conversation.to_string(), members }
}

/// The conversations with these ids.
pub(super) fn parsed(conversations: &[String]) -> Result<Vec<ConversationId>, Complaint> {
    let parse = |conversation: &String| {
        conversation
            .parse()
            .map_err(|error: rookery_protocol::ConversationIdError| Complaint::usage(error.to_string()))
    };
    conversations.iter().map(parse).collect()
}
