//! Accepting a message.

use rookery_protocol::{Body, ConversationId, MessageId, Role, UserId};

use super::entry::{Author, Content, Outcome, Refusal, append, next_seq};
use crate::audience::{blocks, reads_blocks};
use crate::error::StoreError;
use crate::keys::group::{Members, members_key};
use crate::keys::user;
use crate::op::{Op, Reads, View, Writes};

/// A message for a conversation.
#[derive(Debug, Clone)]
pub struct SendMessage {
    /// Which conversation; a direct one is the author's.
    pub conversation: ConversationId,
    /// Who sends.
    pub author: Author,
    /// The message that must have been accepted before.
    pub after: Option<MessageId>,
    /// What it says.
    pub body: Body,
}

/// Who gets a message: everybody in the conversation.
enum Place {
    Direct { peer: UserId },
    Group { members: Vec<u8> },
}

impl SendMessage {
    fn place(&self) -> Place {
        match self.conversation.group_id() {
            Some(group) => Place::Group { members: members_key(group) },
            None => {
                let peer = self.conversation.direct_peer(self.author.user);
                Place::Direct { peer: peer.expect("a session sends only to its user's conversations") }
            }
        }
    }

    /// Who is to have it.
    fn told(&self, view: &View<'_>) -> Result<Result<Vec<UserId>, Refusal>, StoreError> {
        let sender = self.author.user;
        match self.place() {
            Place::Direct { peer } if view.get(&user::key(peer)).is_none() => {
                Ok(Err(Refusal::NoSuchUser(peer)))
            }
            Place::Direct { peer } if peer == sender => Ok(Ok(vec![sender])),
            Place::Direct { peer } => Ok(match blocks(view, sender, peer)? {
                (true, _) => Err(Refusal::Blocked),
                (false, true) => Err(Refusal::NotTaken),
                (false, false) => Ok(vec![sender, peer]),
            }),
            Place::Group { members } => {
                let Some(members) = view.get(&members) else { return Ok(Err(Refusal::NotMember)) };
                let members = Members::decode(&members)?;
                Ok(match members.get(sender) {
                    None => Err(Refusal::NotMember),
                    Some(member) if members.settings.only_admins_send && member.role != Role::Admin => {
                        Err(Refusal::OnlyAdmins)
                    }
                    Some(_) => Ok(members.users().collect()),
                })
            }
        }
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Outcome, StoreError> {
        let Self { conversation, author, after, body } = self;
        if let Some(objection) = author.objection(*conversation, view)? {
            return Ok(objection);
        }
        if after.is_some_and(|after| view.get(&author.sent_key(*conversation, after)).is_none()) {
            return Ok(Outcome::OutOfOrder);
        }
        match self.told(view)? {
            Ok(told) => {
                let seq = next_seq(*conversation, view)?;
                let content = Content::Body(body.clone());
                Ok(Outcome::Accepted(append(writes, author, (*conversation, seq), content, told)))
            }
            Err(refusal) => Ok(Outcome::Refused(refusal)),
        }
    }
}

impl Op for SendMessage {
    type Answer = Outcome;

    fn reads(&self, reads: &mut Reads) {
        self.author.reads(self.conversation, reads);
        if let Some(after) = self.after {
            reads.key(self.author.sent_key(self.conversation, after));
        }
        match self.place() {
            Place::Direct { peer } => {
                reads.key(user::key(peer));
                reads_blocks(self.author.user, peer, reads);
            }
            Place::Group { members } => reads.key(members),
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Outcome {
        self.decide(view, writes).unwrap_or_else(Outcome::Corrupt)
    }

    fn bytes_hint(&self) -> usize {
        // How many members a group has is not known before: as many as groups mostly have. A batch with larger ones ends
        // when it has written enough.
        let members = if self.conversation.group_id().is_some() { 64 } else { 2 };
        400 + self.body.len() + 80 * members
    }
}
