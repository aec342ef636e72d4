//! What nodes tell one another of what is looked at, and how it is written. Numbers are big-endian.

use bytes::{BufMut, Bytes};
use rookery_protocol::{
    ConversationId, GroupId, Presence, PresenceNotice, ReceiptsNotice, TypingNotice, UserId, decode_value,
    encode_value,
};
use rookery_store::placement::Slot;

/// Topics in one message between nodes, at most.
pub(crate) const WATCHED_AT_ONCE_MAX: usize = 1024;

/// What can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// Whether a user is there.
    User(UserId),
    /// Who is typing in a conversation and, in a group, how far members have come.
    Conversation(ConversationId),
    /// What is said in a channel, for those who follow it.
    Channel(GroupId),
}

/// Bytes of a topic, at most.
const TOPIC_BYTES_MAX: usize = 17;
/// What begins a user's topic: no conversation begins with it.
const USER: u8 = b'u';
/// What begins a channel's.
const CHANNEL: u8 = b'c';

impl Topic {
    /// Its slot, whose owner is the topic's.
    pub(crate) fn slot(self) -> Slot {
        match self {
            Self::User(user) => Slot::of_user(user),
            Self::Conversation(conversation) => Slot::of_conversation(conversation),
            Self::Channel(group) => Slot::of_conversation(ConversationId::group(group)),
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::User(user) => {
                out.put_u8(USER);
                out.put_u64(user.get());
            }
            Self::Conversation(conversation) => out.extend_from_slice(&conversation.to_bytes()),
            Self::Channel(group) => {
                out.put_u8(CHANNEL);
                out.put_u64(group.get());
            }
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let length = match bytes.first()? {
            b'd' => TOPIC_BYTES_MAX,
            _ => 9,
        };
        let (topic, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        match topic {
            [USER, user @ ..] => UserId::new(u64::from_be_bytes(user.try_into().ok()?)).ok().map(Self::User),
            [CHANNEL, group @ ..] => {
                GroupId::new(u64::from_be_bytes(group.try_into().ok()?)).ok().map(Self::Channel)
            }
            _ => ConversationId::from_bytes(topic).ok().map(Self::Conversation),
        }
    }
}

/// Writes topics.
pub(crate) fn put_topics(topics: &[Topic], out: &mut Vec<u8>) {
    topics.iter().for_each(|topic| topic.put(out));
}

/// Reads topics, if these bytes are some, and not too many.
pub(crate) fn read_topics(mut bytes: &[u8]) -> Option<Vec<Topic>> {
    let mut topics = Vec::with_capacity((bytes.len() / 9).min(WATCHED_AT_ONCE_MAX));
    while !bytes.is_empty() {
        topics.push(Topic::take(&mut bytes)?);
        if topics.len() > WATCHED_AT_ONCE_MAX {
            return None;
        }
    }
    Some(topics)
}

/// About how many bytes they take.
pub(crate) fn topics_bytes_hint(topics: &[Topic]) -> usize {
    TOPIC_BYTES_MAX * topics.len()
}

/// Something that those want to know who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// Whether users are there. Of those who are offline since when as exactly as the owner knows; 0: the store knows.
    Presence(Vec<Presence>),
    /// Somebody is typing.
    Typing(TypingNotice),
    /// Members of a group have come further.
    Receipts(ReceiptsNotice),
    /// Who may look at this may have changed: who sees what of a user, who is in a group.
    Recheck(Topic),
    /// What one viewer may see of a user may have changed.
    RecheckViewer { user: UserId, viewer: UserId },
    /// An entry of a channel's log, as it was written there.
    Said(GroupId, Bytes),
}

impl News {
    /// Writes it.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Presence(people) => {
                out.put_u8(1);
                encode_value(out, &PresenceNotice { people: people.clone() });
            }
            Self::Typing(typing) => {
                out.put_u8(2);
                encode_value(out, typing);
            }
            Self::Receipts(receipts) => {
                out.put_u8(3);
                encode_value(out, receipts);
            }
            Self::Recheck(topic) => {
                out.put_u8(4);
                topic.put(out);
            }
            Self::RecheckViewer { user, viewer } => {
                out.put_u8(5);
                put_topics(&[Topic::User(*user), Topic::User(*viewer)], out);
            }
            Self::Said(group, entry) => {
                out.put_u8(6);
                out.put_u64(group.get());
                out.extend_from_slice(entry);
            }
        }
    }

    /// Reads it, if these bytes are some.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            1 => decode_value(rest).ok().map(|PresenceNotice { people }| Self::Presence(people)),
            2 => decode_value(rest).ok().map(Self::Typing),
            3 => decode_value(rest).ok().map(Self::Receipts),
            4 => match read_topics(rest)?[..] {
                [topic] => Some(Self::Recheck(topic)),
                _ => None,
            },
            5 => match read_topics(rest)?[..] {
                [Topic::User(user), Topic::User(viewer)] => Some(Self::RecheckViewer { user, viewer }),
                _ => None,
            },
            6 => {
                let (group, entry) = rest.split_first_chunk()?;
                let group = GroupId::new(u64::from_be_bytes(*group)).ok()?;
                Some(Self::Said(group, Bytes::copy_from_slice(entry)))
            }
            _ => None,
        }
    }

    /// What it is about, if it is about one topic.
    pub(super) fn topic(&self) -> Option<Topic> {
        match self {
            Self::Presence(_) => None,
            Self::Typing(typing) => Some(Topic::Conversation(typing.conversation)),
            Self::Receipts(receipts) => Some(Topic::Conversation(receipts.conversation)),
            Self::Recheck(topic) => Some(*topic),
            Self::RecheckViewer { user, .. } => Some(Topic::User(*user)),
            Self::Said(group, _) => Some(Topic::Channel(*group)),
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes_hint(&self) -> usize {
        match self {
            Self::Presence(people) => 8 + 20 * people.len(),
            Self::Typing(_) => 40,
            Self::Receipts(receipts) => 40 + 46 * receipts.marks.len(),
            Self::Recheck(_) | Self::RecheckViewer { .. } => 1 + 2 * TOPIC_BYTES_MAX,
            Self::Said(_, entry) => 9 + entry.len(),
        }
    }
}
