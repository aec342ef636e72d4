//! Accepting a message.

use rookery_protocol::{
    Body, ConversationId, MessageId, Reference, ReferenceKind, Role, Seq, UserId, limits,
};

use super::entry::{Accepted, Author, Content, Outcome, Refusal, Said, append, next_seq};
use super::reference::{self, Sender, refer};
use crate::audience::{blocks, reads_blocks};
use crate::error::StoreError;
use crate::keys::chat::{self, Chat};
use crate::keys::conversation::withheld_key;
use crate::keys::group::{Members, members_key};
use crate::keys::user::Standing;
use crate::keys::{self, user};
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
    /// The message it is about; [`Reference::check`] has found nothing wrong with it.
    pub reference: Option<Reference>,
    /// It disappears so long after this, in seconds; 0: never. Of a timer: what it sets.
    pub expires_s: u32,
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

    /// What the sender may do, and who is to have it.
    fn sender(
        &self,
        view: &View<'_>,
        Standing { is_shadow_banned, .. }: Standing,
    ) -> Result<Result<Sender, Refusal>, StoreError> {
        let sender = self.author.user;
        let (from, is_admin, is_in_channel) = (Seq::ZERO.next(), false, false);
        let direct =
            |told| Sender { from, is_admin, is_shadow_banned, may_set_timer: true, told, is_in_channel };
        match self.place() {
            Place::Direct { peer } if view.get(&user::key(peer)).is_none() => {
                Ok(Err(Refusal::NoSuchUser(peer)))
            }
            Place::Direct { peer } if peer == sender => Ok(Ok(direct(vec![sender]))),
            Place::Direct { peer } => Ok(match blocks(view, sender, peer)? {
                (true, _) => Err(Refusal::Blocked),
                (false, true) => Err(Refusal::NotTaken),
                (false, false) => Ok(direct(vec![sender, peer])),
            }),
            Place::Group { members } => {
                let Some(members) = view.get(&members) else { return Ok(Err(Refusal::NotMember)) };
                let members = Members::decode(&members)?;
                Ok(match members.get(sender) {
                    None => Err(Refusal::NotMember),
                    Some(member) if members.settings.only_admins_send && member.role != Role::Admin => {
                        Err(Refusal::OnlyAdmins)
                    }
                    Some(member) => {
                        let is_admin = member.role == Role::Admin;
                        Ok(Sender {
                            from: member.from,
                            is_admin,
                            is_shadow_banned,
                            may_set_timer: is_admin || !members.settings.only_admins_edit,
                            told: members.users().collect(),
                            is_in_channel: members.settings.is_channel,
                        })
                    }
                })
            }
        }
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Outcome, StoreError> {
        let Self { conversation, author, after, body, reference, expires_s } = self;
        let standing = match author.admitted(*conversation, view)? {
            Ok(standing) => standing,
            Err(outcome) => return Ok(outcome),
        };
        if after.is_some_and(|after| view.get(&author.sent_key(*conversation, after)).is_none()) {
            return Ok(Outcome::OutOfOrder);
        }
        let sender = match self.sender(view, standing)? {
            Ok(sender) => sender,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        let place = (*conversation, next_seq(*conversation, view)?);
        let mut said = Said { body: body.clone(), reference: *reference, expires_ms: 0, timer_s: 0 };
        if *expires_s != 0 {
            said.expires_ms = author.time_ms.saturating_add(1000 * u64::from(*expires_s));
        }
        if let Some(reference) = *reference {
            match refer(view, writes, (author, &sender), place, reference)? {
                Ok(expires_ms) => said.expires_ms = expires_ms.unwrap_or(said.expires_ms),
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            }
            if reference.kind == ReferenceKind::Timer {
                said.timer_s = *expires_s;
            }
        }
        let (mut told, mut is_for_followers) = (sender.told, sender.is_in_channel);
        if sender.is_shadow_banned {
            writes.put(withheld_key(*conversation, place.1), vec![1]);
            told = vec![author.user];
            is_for_followers = false;
        }
        self.list(view, writes, &told);
        let accepted = append(writes, author, place, Content::Message(said), told);
        Ok(Outcome::Accepted(Accepted { is_for_followers, ..accepted }))
    }

    /// Puts the conversation, if it is a direct one, into the lists of those who get the message, unless it is there.
    fn list(&self, view: &View<'_>, writes: &mut Writes<'_>, told: &[UserId]) {
        if self.conversation.group_id().is_none() {
            let keys = told.iter().map(|side| chat::key(*side, self.conversation));
            for key in keys.filter(|key| view.get(key).is_none()) {
                writes.put(key, keys::encode(&Chat::default()));
            }
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
        if let Some(reference) = self.reference {
            reference::reads(self.conversation, reference, reads);
        }
        match self.place() {
            Place::Direct { peer } => {
                reads.key(user::key(peer));
                reads.key(chat::key(peer, self.conversation));
                reads.key(chat::key(self.author.user, self.conversation));
                reads_blocks(self.author.user, peer, reads);
            }
            Place::Group { members } => reads.key(members),
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Outcome {
        let decided = self.decide(view, writes);
        self.author.settle(decided, view, writes)
    }

    fn bytes_hint(&self) -> usize {
        // How many members a group has is not known before: as many as groups mostly have. A batch with larger ones ends
        // when it has written enough.
        let members = if self.conversation.group_id().is_some() { 64 } else { 2 };
        let is_deletion = self.reference.is_some_and(|it| it.kind == ReferenceKind::Delete);
        let deleted = if is_deletion { 128 * limits::EDITS_MAX } else { 0 };
        480 + self.body.len() + 80 * members + deleted
    }
}
