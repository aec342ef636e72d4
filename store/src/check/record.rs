//! What is under a key, whatever its family.

use bytes::Bytes;
use rookery_protocol::{
    ConversationId, DeviceId, GroupId, Handle, Message, MessageHead, MessageId, PrivacySettings, Profile,
    Seq, Stamp, UserId,
};

use super::Counts;
use crate::error::StoreError;
use crate::keys::ban::{Ban, BanList};
use crate::keys::channel::Following;
use crate::keys::chat::Chat;
use crate::keys::conversation::{Mark, SentRecord};
use crate::keys::device::Device;
use crate::keys::expiry::Expiry;
use crate::keys::group::{Group, Members, Membership};
use crate::keys::inbox::InboxEntry;
use crate::keys::mail::{Bell, Entry};
use crate::keys::node::{Lease, NodeName};
use crate::keys::person::Person;
use crate::keys::user::User;
use crate::keys::view::ClusterView;
use crate::keys::{
    ban, channel, chat, conversation, cursor, decode, device, expiry, family, group, handle, hidden,
    last_seen, mail, meta, node, person, report, user, view,
};

/// What is under a key.
#[derive(Debug)]
pub(super) enum Record {
    User(UserId, User),
    Handle(Handle, UserId),
    Device(UserId, DeviceId),
    Cursor(UserId, DeviceId, Stamp),
    Event(UserId, Stamp, InboxEntry),
    /// Something else that is kept for a user, and what that is.
    Kept(UserId, &'static str),
    Person(UserId),
    Chat(UserId, ConversationId, Chat),
    Hidden(UserId, ConversationId, Seq),
    Head(ConversationId),
    /// What is noted of an edit of this message.
    Edit(ConversationId, Seq, MessageHead),
    Following(UserId, GroupId),
    Follower(GroupId, UserId),
    Message(ConversationId, Seq, Message),
    Expiry(Expiry),
    Mark(ConversationId, UserId, Mark),
    Answer(Answer),
    Group(GroupId),
    Members(GroupId, Members),
    Membership(UserId, GroupId, Membership),
    Lease(NodeName, Lease),
    View(ClusterView),
    /// An entry of mail, or what is kept about it.
    Mail(NodeName, MailPart),
    Ban,
    Report,
    /// Something that refers to nothing else.
    Alone,
    /// Of a family that this version does not know.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailPart {
    Entry,
    Other,
}

/// The answer to a message id.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) conversation: ConversationId,
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) id: MessageId,
    pub(super) seq: Seq,
}

/// The parts of a key that follow each other.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (part, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*part)
    }

    fn user(&mut self) -> Option<UserId> {
        UserId::new(u64::from_be_bytes(self.array()?)).ok()
    }

    fn group(&mut self) -> Option<GroupId> {
        GroupId::new(u64::from_be_bytes(self.array()?)).ok()
    }

    fn device(&mut self) -> Option<DeviceId> {
        self.array().map(u32::from_be_bytes).map(DeviceId::new)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        self.array().map(Stamp::from_bytes)
    }

    fn seq(&mut self) -> Option<Seq> {
        self.array().map(u64::from_be_bytes).map(Seq::new)
    }

    fn text(&mut self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.0).ok()?;
        self.0 = &[];
        Some(text)
    }
}

impl Record {
    /// Reads a key and its value, or says what is wrong with them.
    pub(super) fn parse(key: &[u8], value: &Bytes) -> Result<Self, String> {
        let record = parse(key, value).map_err(|error| match error {
            StoreError::Corrupt(what) => what,
            other => other.to_string(),
        })?;
        record.ok_or_else(|| "it is not of its family's form".into())
    }

    pub(super) fn count(&self, counts: &mut Counts) {
        let count = match self {
            Self::User(..) => &mut counts.users,
            Self::Handle(..) => &mut counts.handles,
            Self::Device(..) => &mut counts.devices,
            Self::Cursor(..) => &mut counts.cursors,
            Self::Event(_, _, entry) => {
                counts.unknown += u64::from(matches!(entry, InboxEntry::Unknown(_)));
                &mut counts.events
            }
            Self::Person(_) => &mut counts.people,
            Self::Chat(..) => &mut counts.chats,
            Self::Hidden(..) => &mut counts.hidden,
            Self::Head(_) => &mut counts.conversations,
            Self::Edit(..) => &mut counts.edits,
            Self::Following(..) => &mut counts.followed,
            Self::Message(..) => &mut counts.messages,
            Self::Expiry(_) => &mut counts.expiries,
            Self::Mark(..) => &mut counts.marks,
            Self::Answer(_) => &mut counts.answers,
            Self::Group(_) => &mut counts.groups,
            Self::Membership(..) => &mut counts.memberships,
            Self::Lease(..) => &mut counts.leases,
            Self::Mail(_, MailPart::Entry) => &mut counts.mail,
            Self::Ban => &mut counts.bans,
            Self::Report => &mut counts.reports,
            Self::Unknown => &mut counts.unknown,
            Self::Kept(..)
            | Self::Follower(..)
            | Self::Members(..)
            | Self::View(_)
            | Self::Mail(..)
            | Self::Alone => return,
        };
        *count += 1;
    }
}

/// `None`: the key is not of its family's form.
fn parse(key: &[u8], value: &Bytes) -> Result<Option<Record>, StoreError> {
    let Some((ordinal, rest)) = key.split_first() else { return Ok(None) };
    let mut parts = Parts(rest);
    let record = match *ordinal {
        family::META => return parse_meta(key, value),
        family::CONVERSATION => return parse_conversation(key, value),
        family::MAIL => return parse_mail(key, value),
        family::REPORT => return parse_report(key, value),
        family::USER => match parts.user() {
            Some(user) => Record::User(user, decode(value)?),
            None => return Ok(None),
        },
        family::HANDLE => match parts.text().and_then(|text| text.parse::<Handle>().ok()) {
            // Upper case is folded on reading, and so never in a key.
            Some(text) if handle::key(&text) == key => Record::Handle(text, handle::decode(value)?),
            _ => return Ok(None),
        },
        family::DEVICE => match (parts.user(), parts.device()) {
            (Some(user), Some(device)) => {
                decode::<Device>(value)?;
                Record::Device(user, device)
            }
            _ => return Ok(None),
        },
        family::CURSOR => match (parts.user(), parts.device()) {
            (Some(user), Some(device)) => Record::Cursor(user, device, cursor::decode(value)?),
            _ => return Ok(None),
        },
        family::LAST_SEEN => match parts.user() {
            Some(_) => {
                last_seen::decode(value)?;
                Record::Alone
            }
            None => return Ok(None),
        },
        family::INBOX => match (parts.user(), parts.stamp()) {
            (Some(user), Some(stamp)) => Record::Event(user, stamp, InboxEntry::decode(value)?),
            _ => return Ok(None),
        },
        family::PRIVACY => match parts.user() {
            Some(user) => {
                decode::<PrivacySettings>(value)?;
                Record::Kept(user, "privacy")
            }
            None => return Ok(None),
        },
        family::PROFILE => match parts.user() {
            Some(user) => {
                decode::<Profile>(value)?;
                Record::Kept(user, "profile")
            }
            None => return Ok(None),
        },
        family::PERSON => match (parts.user(), parts.user()) {
            (Some(user), Some(_)) => {
                decode::<Person>(value)?;
                Record::Person(user)
            }
            (Some(user), None) => {
                person::decode_count(value)?;
                Record::Kept(user, "count of people")
            }
            _ => return Ok(None),
        },
        family::CHAT => match chat::chat_of(key) {
            Some((user, conversation)) => {
                return Ok(Some(Record::Chat(user, conversation, decode(value)?)));
            }
            None => return Ok(None),
        },
        family::HIDDEN => match hidden::hidden_of(key) {
            Some((user, conversation, seq)) => {
                hidden::decode(value)?;
                return Ok(Some(Record::Hidden(user, conversation, seq)));
            }
            None => return Ok(None),
        },
        family::FOLLOWING => match (parts.user(), parts.group()) {
            (Some(user), Some(group)) => {
                decode::<Following>(value)?;
                Record::Following(user, group)
            }
            _ => return Ok(None),
        },
        family::FOLLOWERS => match (parts.group(), parts.array()) {
            (Some(_), Some([shard])) if usize::from(shard) < channel::SHARDS => {
                if channel::decode_count(value)? == 0 {
                    return Err(StoreError::Corrupt("a count of no followers".into()));
                }
                Record::Alone
            }
            _ => return Ok(None),
        },
        family::FOLLOWER => match (parts.group(), parts.user()) {
            (Some(group), Some(user)) => Record::Follower(group, user),
            _ => return Ok(None),
        },
        family::EXPIRY => match Expiry::of(key) {
            Some(expiry) => {
                expiry::decode(value)?;
                return Ok(Some(Record::Expiry(expiry)));
            }
            None => return Ok(None),
        },
        family::GROUP => match parts.group() {
            Some(group) => {
                decode::<Group>(value)?;
                Record::Group(group)
            }
            None => return Ok(None),
        },
        family::MEMBERS => match parts.group() {
            Some(group) => Record::Members(group, Members::decode(value)?),
            None => return Ok(None),
        },
        family::MEMBER_OF => match (parts.user(), parts.group()) {
            (Some(user), Some(group)) => Record::Membership(user, group, decode(value)?),
            _ => return Ok(None),
        },
        family::NODE => match parts.text().and_then(|text| text.parse().ok()) {
            Some(name) => Record::Lease(name, decode(value)?),
            None => return Ok(None),
        },
        family::VIEW => Record::View(ClusterView::decode(value)?),
        family::BAN if key == ban::list_key() => {
            decode::<BanList>(value)?;
            return Ok(Some(Record::Alone));
        }
        family::BAN => {
            let network = ban::network_of(key)?;
            decode::<Ban>(value)?;
            return Ok((ban::key(network) == key).then_some(Record::Ban));
        }
        family::INCARNATION => match parts.text().and_then(|text| text.parse::<NodeName>().ok()) {
            Some(_) => {
                node::decode_incarnation(value)?;
                Record::Alone
            }
            None => return Ok(None),
        },
        _ => return Ok(Some(Record::Unknown)),
    };
    // Nothing follows.
    Ok(parts.0.is_empty().then_some(record))
}

fn parse_meta(key: &[u8], value: &Bytes) -> Result<Option<Record>, StoreError> {
    if key == meta::commit_key() {
        meta::decode_commit(Some(value))?;
    } else if key == meta::format_key() {
        if value[..] != meta::FORMAT.to_be_bytes() {
            return Err(StoreError::Corrupt(format!("the store's format: {value:02x?}")));
        }
    } else {
        return Ok(Some(Record::Unknown));
    }
    Ok(Some(Record::Alone))
}

fn parse_conversation(key: &[u8], value: &Bytes) -> Result<Option<Record>, StoreError> {
    let Some(conversation) = conversation::conversation_of(key) else { return Ok(None) };
    let rest = key.get(conversation::prefix(conversation).len()..).unwrap_or_default();
    let Some((part, rest)) = rest.split_first() else { return Ok(None) };
    let mut parts = Parts(rest);
    let record = match part {
        b'h' => {
            conversation::decode_head(value)?;
            Record::Head(conversation)
        }
        b'e' => match (parts.seq(), parts.seq()) {
            (Some(of), Some(edit)) => {
                let head: MessageHead = decode(value)?;
                if (head.conversation, head.seq) != (conversation, edit) {
                    return Ok(None);
                }
                Record::Edit(conversation, of, head)
            }
            _ => return Ok(None),
        },
        b'l' => match parts.seq() {
            Some(seq) => Record::Message(conversation, seq, decode(value)?),
            None => return Ok(None),
        },
        b'm' => match parts.user() {
            Some(user) => Record::Mark(conversation, user, decode(value)?),
            None => return Ok(None),
        },
        b's' => match (parts.user(), parts.device(), parts.array().map(MessageId::from_bytes)) {
            (Some(user), Some(device), Some(id)) => {
                let SentRecord { seq, .. } = decode(value)?;
                Record::Answer(Answer { conversation, user, device, id, seq })
            }
            _ => return Ok(None),
        },
        b'w' => match parts.seq() {
            Some(_) => Record::Alone,
            None => return Ok(None),
        },
        _ => return Ok(Some(Record::Unknown)),
    };
    Ok(parts.0.is_empty().then_some(record))
}

fn parse_report(key: &[u8], value: &Bytes) -> Result<Option<Record>, StoreError> {
    if report::stamp_of(key).is_ok() {
        decode::<report::Report>(value)?;
        return Ok(Some(Record::Report));
    }
    if report::is_evidence(key) {
        decode::<Vec<report::Evidence>>(value)?;
        return Ok(Some(Record::Alone));
    }
    if report::is_digest(key) {
        return Ok((value[..] == *report::DIGEST_VALUE).then_some(Record::Alone));
    }
    let reporter = key.strip_prefix(&[family::REPORT, b'u']).and_then(|rest| Parts(rest).user());
    let is_count = key == report::count_key() || reporter.is_some_and(|of| key == report::reporter_key(of));
    if is_count {
        report::decode_count(value)?;
    }
    Ok(is_count.then_some(Record::Alone))
}

fn parse_mail(key: &[u8], value: &Bytes) -> Result<Option<Record>, StoreError> {
    // No name has a byte this small.
    let Some(at) = key.iter().skip(1).position(|byte| *byte < b' ').map(|at| at + 1) else { return Ok(None) };
    let name = std::str::from_utf8(&key[1..at]).ok().and_then(|text| text.parse::<NodeName>().ok());
    let Some(name) = name else { return Ok(None) };
    if key == mail::bell_key(&name) {
        decode::<Bell>(value)?;
    } else if key == mail::taken_key(&name) {
        mail::decode_taken(value)?;
    } else if mail::stamp_of(key).is_ok_and(|stamp| key == mail::entry_key(&name, stamp)) {
        Entry::decode(value)?;
        return Ok(Some(Record::Mail(name, MailPart::Entry)));
    } else {
        return Ok(None);
    }
    Ok(Some(Record::Mail(name, MailPart::Other)))
}

/// What a record refers to by keys.
pub(super) fn refers_to(record: &Record, keys: &mut Vec<Vec<u8>>) {
    use conversation::{edit_key, head_key, log_key, mark_key, sent_key, withheld_key};
    match record {
        Record::User(_, User { handle, .. }) => keys.push(handle::key(handle)),
        Record::Handle(_, user) | Record::Device(user, _) | Record::Kept(user, _) | Record::Person(user) => {
            keys.push(user::key(*user));
        }
        Record::Cursor(user, device, _) => keys.push(device::key(*user, *device)),
        Record::Event(_, _, InboxEntry::Message(pointer)) => {
            keys.push(log_key(pointer.conversation, pointer.seq));
            keys.push(head_key(pointer.conversation));
        }
        Record::Event(_, _, InboxEntry::Receipt(receipt)) => {
            keys.push(mark_key(receipt.conversation, receipt.user));
        }
        Record::Message(conversation, seq, message) => {
            keys.push(head_key(*conversation));
            keys.extend(seq.get().checked_add(1).map(|next| log_key(*conversation, Seq::new(next))));
            keys.push(sent_key(*conversation, message.sender, message.device, message.id));
            if let Some(reference) = message.reference {
                keys.push(log_key(*conversation, reference.seq));
                keys.push(edit_key(*conversation, reference.seq, *seq));
                keys.push(withheld_key(*conversation, *seq));
            }
            if message.expires_ms != 0 {
                keys.push(Expiry::from(message).key());
            }
        }
        Record::Edit(conversation, of, edit) => {
            keys.push(log_key(*conversation, *of));
            keys.push(log_key(*conversation, edit.seq));
        }
        Record::Expiry(expiry) => {
            keys.push(log_key(expiry.conversation, expiry.seq));
            keys.push(head_key(expiry.conversation));
        }
        Record::Head(conversation) => {
            for side in sides(*conversation) {
                keys.push(user::key(side));
                keys.push(chat::key(side, *conversation));
            }
        }
        Record::Chat(user, conversation, _) => {
            keys.push(user::key(*user));
            keys.push(head_key(*conversation));
            keys.extend(conversation.group_id().iter().flat_map(|group| {
                [group::membership_key(*user, *group), channel::following_key(*user, *group)]
            }));
        }
        Record::Hidden(user, conversation, _) => {
            keys.push(chat::key(*user, *conversation));
            keys.push(head_key(*conversation));
        }
        Record::Mark(conversation, ..) => keys.push(head_key(*conversation)),
        Record::Answer(answer) => {
            keys.push(log_key(answer.conversation, answer.seq));
            keys.push(head_key(answer.conversation));
        }
        Record::Following(user, group) => {
            keys.push(user::key(*user));
            keys.push(group::key(*group));
            keys.push(channel::follower_key(*group, *user));
        }
        Record::Follower(group, user) => {
            keys.push(channel::following_key(*user, *group));
            keys.push(channel::count_key(*group, *user));
        }
        Record::Group(group) => keys.push(head_key(ConversationId::group(*group))),
        Record::Members(group, members) => {
            keys.push(group::key(*group));
            keys.push(head_key(ConversationId::group(*group)));
            keys.extend(members.users().map(|user| group::membership_key(user, *group)));
        }
        Record::Membership(user, group, _) => {
            keys.push(user::key(*user));
            keys.push(group::key(*group));
            keys.push(group::members_key(*group));
            keys.push(head_key(ConversationId::group(*group)));
        }
        Record::Lease(name, _) => {
            keys.push(view::key());
            keys.push(node::incarnation_key(name));
        }
        Record::View(view) => keys.extend(view.members.iter().map(|member| node::key(&member.name))),
        // Once for each node, not for each entry.
        Record::Mail(name, MailPart::Entry) => keys.push(mail::bell_key(name)),
        Record::Mail(name, MailPart::Other) => keys.push(node::key(name)),
        Record::Event(_, _, InboxEntry::Shown(_) | InboxEntry::Account(_) | InboxEntry::Unknown(_))
        | Record::Ban
        | Record::Report
        | Record::Alone
        | Record::Unknown => {}
    }
}

/// The two of a direct conversation.
pub(super) fn sides(conversation: ConversationId) -> impl Iterator<Item = UserId> {
    conversation.direct_users().into_iter().flat_map(|(low, high)| [low, high])
}

/// The message a record points to, if it does.
pub(super) fn points_to(record: &Record) -> Option<(ConversationId, Seq)> {
    match record {
        Record::Event(_, _, InboxEntry::Message(pointer)) => Some((pointer.conversation, pointer.seq)),
        Record::Answer(answer) => Some((answer.conversation, answer.seq)),
        Record::Expiry(expiry) => Some((expiry.conversation, expiry.seq)),
        _ => None,
    }
}
