//! An entry of a conversation's log, and how it comes there: log, head, the answer to its id, and a pointer in the inbox
//! of everyone who is to have it.

use bytes::Bytes;
use rookery_protocol::{
    Body, ConversationId, DeviceId, GroupChange, Message, MessageId, Reference, Seq, UserId,
};

use super::asker::{Admitted, Asker, Objection};
use crate::error::StoreError;
use crate::keys;
use crate::keys::conversation::{SentRecord, decode_head, encode_head, head_key, log_key, sent_key};
use crate::keys::expiry::{self, Expiry};
use crate::keys::inbox::{self, InboxEntry, MessagePointer};
use crate::keys::user::Standing;
use crate::op::{Reads, View, Writes};
use crate::stamp::StampSlot;

/// Who writes an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The generation of the token the device showed.
    pub generation: u32,
    /// The version of the store at which the device's connection was admitted.
    pub admitted: u64,
    /// The author's id of the entry.
    pub id: MessageId,
    /// The clock when it arrived, milliseconds since 1970.
    pub time_ms: u64,
}

/// What became of an entry.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It has been put in the log and the inboxes.
    Accepted(Accepted),
    /// It was accepted before, as this.
    Duplicate(SentRecord),
    /// The message that must come before has not been accepted.
    OutOfOrder,
    /// It may not be.
    Refused(Refusal),
    /// The device has connected anew, and has been refused something or has changed something from there: this came too
    /// late.
    Superseded,
    /// The device's token has been revoked, or the device removed.
    Revoked,
    /// The author's account has been suspended, for this reason.
    Suspended(String),
    /// Something in the store cannot be read.
    Corrupt(StoreError),
}

/// An entry that has been written.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its place in the conversation.
    pub seq: Seq,
    /// Its place in all inboxes.
    pub slot: StampSlot,
    /// As it was written to the log: what a push carries.
    pub logged: Bytes,
    /// Who has it in their inbox.
    pub told: Vec<UserId>,
    /// When it disappears, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
    /// Whether it is for those who follow a channel as well.
    pub is_for_followers: bool,
}

/// Why an entry may not be, as the store is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has this number.
    #[error("there is no user {0}")]
    NoSuchUser(UserId),
    /// The author is not in the conversation, or there is none.
    #[error("not a member of this group, or there is none")]
    NotMember,
    /// The group leaves it to its admins.
    #[error("only admins of the group may do that")]
    OnlyAdmins,
    /// Somebody must stay an admin.
    #[error("a group has at least one admin: make somebody else one first")]
    LastAdmin,
    /// There is no room for more.
    #[error("a group has at most {} members", rookery_protocol::limits::GROUP_MEMBERS_MAX)]
    Full,
    /// It is so already, or they are not in the group.
    #[error("nothing would change")]
    Nothing,
    /// One leaves by leaving.
    #[error("nobody removes themselves: leave instead")]
    Oneself,
    /// The id's number is another group's.
    #[error("the id belongs to another group: choose another")]
    IdTaken,
    /// Nothing has been said there.
    #[error("there is nothing in this conversation")]
    NoSuchConversation,
    /// It is not there, the author may not see it, or it is none to refer to.
    #[error("there is no such message, or it has been deleted, or is itself a change of something")]
    NoSuchMessage,
    /// It is another's.
    #[error("only its sender may edit a message; an admin of its group may delete it, too")]
    NotYours,
    /// It has been there for longer.
    #[error("the message is too old for that")]
    TooLate,
    /// There is no such group, or none any more.
    #[error("there is no such channel")]
    NoSuchChannel,
    /// Nobody follows it.
    #[error("this group is no channel")]
    NotAChannel,
    /// There is no room for more channels.
    #[error("a user follows at most {} channels", rookery_protocol::limits::FOLLOWED_MAX)]
    TooManyFollowed,
    /// There is no room for more edits.
    #[error("a message is edited at most {} times", rookery_protocol::limits::EDITS_MAX)]
    TooManyEdits,
    /// The author has blocked the other side.
    #[error("you have blocked this user: unblock them first")]
    Blocked,
    /// The other side has blocked the author.
    #[error("this user takes no messages from you")]
    NotTaken,
    /// This user's audience of that is without the author.
    #[error("you may not add user {0} to groups")]
    NotToBeAdded(UserId),
    /// Nobody is a contact of their own.
    #[error("that is yourself: name another user")]
    Yourself,
    /// There is no room for more.
    #[error("at most {} people are anything to a user", rookery_protocol::limits::PEOPLE_PER_USER_MAX)]
    TooManyPeople,
    /// There is no room for more.
    #[error("as many reports wait for the moderators as may")]
    TooManyReports,
}

impl Author {
    fn asker(&self) -> Asker {
        let Self { user, device, generation, admitted, time_ms, .. } = *self;
        Asker { user, device, generation, admitted, time_ms }
    }

    pub(super) fn sent_key(&self, conversation: ConversationId, id: MessageId) -> Vec<u8> {
        sent_key(conversation, self.user, self.device, id)
    }

    /// Declares what [`admitted`](Self::admitted) and [`append`] look at.
    pub(super) fn reads(&self, conversation: ConversationId, reads: &mut Reads) {
        self.asker().reads(reads);
        reads.key(self.sent_key(conversation, self.id));
        reads.key(head_key(conversation));
    }

    /// The outcome of an entry. A refusal is noted with the device: its client has no more to do with the entry then, so that
    /// one that still lies at a node that hangs must not become true when what stood against it has gone.
    pub(super) fn settle(
        &self,
        decided: Result<Outcome, StoreError>,
        view: &View<'_>,
        writes: &mut Writes<'_>,
    ) -> Outcome {
        let noted = match &decided {
            Ok(Outcome::Refused(_)) => self.asker().supersede(view, writes).map(|_| ()),
            _ => Ok(()),
        };
        noted.and(decided).unwrap_or_else(Outcome::Corrupt)
    }

    /// What operators have said of the author, or what is to be answered whatever the entry is, if it is not to be
    /// written.
    pub(super) fn admitted(
        &self,
        conversation: ConversationId,
        view: &View<'_>,
    ) -> Result<Result<Standing, Outcome>, StoreError> {
        let Admitted { standing, is_superseded } = match self.asker().admitted(view)? {
            Ok(admitted) => admitted,
            Err(Objection::Revoked) => return Ok(Err(Outcome::Revoked)),
            Err(Objection::Suspended(reason)) => return Ok(Err(Outcome::Suspended(reason))),
        };
        match view.get(&self.sent_key(conversation, self.id)) {
            Some(record) => Ok(Err(Outcome::Duplicate(keys::decode(&record)?))),
            None if is_superseded => Ok(Err(Outcome::Superseded)),
            None => Ok(Ok(standing)),
        }
    }
}

/// What an entry says: something of a member's, or a change.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Message(Said),
    Change(GroupChange),
}

/// What a member says, perhaps about another message, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) body: Body,
    pub(super) reference: Option<Reference>,
    /// When it disappears; 0: never.
    pub(super) expires_ms: u64,
    /// Of a timer: what it sets.
    pub(super) timer_s: u32,
}

/// The place of the conversation's next entry.
pub(super) fn next_seq(conversation: ConversationId, view: &View<'_>) -> Result<Seq, StoreError> {
    let head = view.get(&head_key(conversation));
    Ok(head.map(|value| decode_head(&value)).transpose()?.unwrap_or(Seq::ZERO).next())
}

/// Writes the entry `seq`, which is the next, for those who are `told`.
pub(super) fn append(
    writes: &mut Writes<'_>,
    author: &Author,
    (conversation, seq): (ConversationId, Seq),
    content: Content,
    told: Vec<UserId>,
) -> Accepted {
    let (body, change, reference, expires_ms, timer_s) = match content {
        Content::Message(Said { body, reference, expires_ms, timer_s }) => {
            (Some(body), None, reference, expires_ms, timer_s)
        }
        Content::Change(change) => (None, Some(change), None, 0, 0),
    };
    let Author { user: sender, device, id, time_ms, .. } = *author;
    let logged = keys::encode(&Message {
        conversation,
        seq,
        sender,
        device,
        id,
        time_ms,
        body,
        change,
        reference,
        deleted: false,
        expires_ms,
        timer_s,
    });
    writes.put(head_key(conversation), encode_head(seq));
    writes.put(log_key(conversation, seq), logged.clone());
    writes.put(author.sent_key(conversation, id), keys::encode(&SentRecord { seq, time_ms }));

    if expires_ms != 0 {
        writes.put(Expiry { expires_ms, conversation, seq }.key(), Bytes::from_static(expiry::VALUE));
    }

    let slot = writes.new_stamp();
    let pointer = InboxEntry::Message(MessagePointer { conversation, seq, sender, expires_ms }).encode();
    for user in &told {
        writes.put_stamped(inbox::prefix(*user), slot, pointer.clone());
    }
    Accepted { seq, slot, logged, told, expires_ms, is_for_followers: false }
}
