//! How a conversation is shown to one of those in it: how it is listed, and what of it is hidden. Nobody else learns that.
//!
//! There must be something in the conversation.

use rookery_protocol::{ConversationId, ConversationSettings, Seq, Shown, UserId};

use super::asker::Asker;
use super::entry::Refusal;
use super::settled::Settled;
use crate::error::StoreError;
use crate::keys::channel::following_key;
use crate::keys::chat::{self, Chat};
use crate::keys::conversation::{decode_head, head_key};
use crate::keys::group::{Membership, membership_key};
use crate::keys::inbox::{self, InboxEntry, ShownChange};
use crate::keys::{self, hidden};
use crate::op::{KeyRange, Op, Reads, View, Writes};

/// A user wants a conversation listed so.
#[derive(Debug, Clone)]
pub struct SetConversation {
    /// Who.
    pub asker: Asker,
    /// Which; a direct one is the user's.
    pub conversation: ConversationId,
    /// How.
    pub settings: ConversationSettings,
}

/// A user does not want to see these messages any more.
#[derive(Debug, Clone)]
pub struct Hide {
    /// Who.
    pub asker: Asker,
    /// Where; a direct conversation is the user's.
    pub conversation: ConversationId,
    /// All up to here; beyond the last that the user may see means that one.
    pub up_to: Seq,
    /// And these.
    pub seqs: Vec<Seq>,
}

/// A user's place in a conversation.
struct Place {
    chat: Chat,
    /// The first message that they may see ...
    first: Seq,
    /// ... and the last.
    last: Seq,
}

/// Declares what [`place`] looks at, and whether the asker may do anything.
fn reads(asker: &Asker, conversation: ConversationId, reads: &mut Reads) {
    let user = asker.user;
    asker.reads(reads);
    reads.key(head_key(conversation));
    reads.key(chat::key(user, conversation));
    if let Some(group) = conversation.group_id() {
        reads.key(membership_key(user, group));
        reads.key(following_key(user, group));
    }
}

fn place(
    view: &View<'_>,
    (user, conversation): (UserId, ConversationId),
) -> Result<Result<Place, Refusal>, StoreError> {
    let head = view.get(&head_key(conversation)).map(|value| decode_head(&value)).transpose()?;
    let head = head.unwrap_or(Seq::ZERO);
    let (mut first, mut last) = (Seq::ZERO.next(), head);
    if let Some(group) = conversation.group_id() {
        let membership = view.get(&membership_key(user, group));
        let membership = membership.map(|value| keys::decode::<Membership>(&value)).transpose()?;
        // Who follows a channel sees all of it.
        if view.get(&following_key(user, group)).is_none() {
            let Some(membership) = membership else { return Ok(Err(Refusal::NotMember)) };
            first = membership.from;
            last = membership.until.map_or(head, |until| until.min(head));
        }
    }
    if head == Seq::ZERO {
        return Ok(Err(Refusal::NoSuchConversation));
    }
    let chat = view.get(&chat::key(user, conversation)).map(|value| keys::decode(&value)).transpose()?;
    Ok(Ok(Place { chat: chat.unwrap_or_default(), first, last }))
}

/// Forgets how a conversation was shown to a user.
pub(super) fn forget(writes: &mut Writes<'_>, user: UserId, conversation: ConversationId) {
    writes.delete(chat::key(user, conversation));
    let KeyRange { begin, end, .. } = KeyRange::prefix(&hidden::conversation_prefix(user, conversation), 0);
    writes.clear_range(begin, end);
}

/// Writes a chat that has changed, and puts that into the inbox of its user.
fn show(writes: &mut Writes<'_>, asker: &Asker, chat: &Chat, shown: Shown) {
    let user = asker.user;
    writes.put(chat::key(user, shown.conversation), keys::encode(chat));
    let slot = writes.new_stamp();
    let change = ShownChange::new(shown, asker.time_ms);
    writes.put_stamped(inbox::prefix(user), slot, InboxEntry::Shown(change).encode());
}

impl SetConversation {
    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let Self { asker: Asker { user, .. }, conversation, ref settings } = *self;
        let mut chat = match place(view, (user, conversation))? {
            Ok(place) => place.chat,
            Err(refusal) => return Ok(Settled::Refused(refusal)),
        };
        if chat.settings != *settings {
            chat.settings = settings.clone();
            let settings = Some(settings.clone());
            let shown = Shown { conversation, settings, up_to: Seq::ZERO, seqs: Vec::new() };
            show(writes, &self.asker, &chat, shown);
        }
        Ok(Settled::Done)
    }
}

impl Op for SetConversation {
    type Answer = Settled;

    fn reads(&self, declared: &mut Reads) {
        reads(&self.asker, self.conversation, declared);
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, writes, |writes| self.decide(view, writes))
    }
}

impl Hide {
    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let Self { asker: Asker { user, .. }, conversation, ref seqs, .. } = *self;
        let Place { mut chat, first, last } = match place(view, (user, conversation))? {
            Ok(place) => place,
            Err(refusal) => return Ok(Settled::Refused(refusal)),
        };
        if seqs.iter().any(|seq| *seq < first || *seq > last) {
            return Ok(Settled::Refused(Refusal::NoSuchMessage));
        }
        let before = chat.hidden_up_to;
        chat.hidden_up_to = before.max(self.up_to.min(last));
        let up_to = if chat.hidden_up_to > before { chat.hidden_up_to } else { Seq::ZERO };
        let mut seqs = seqs.clone();
        seqs.sort_unstable();
        seqs.dedup();
        seqs.retain(|seq| {
            *seq > chat.hidden_up_to && view.get(&hidden::key(user, conversation, *seq)).is_none()
        });
        if up_to == Seq::ZERO && seqs.is_empty() {
            return Ok(Settled::Done);
        }
        if up_to > Seq::ZERO {
            let KeyRange { begin, .. } =
                KeyRange::prefix(&hidden::conversation_prefix(user, conversation), 0);
            writes.clear_range(begin, hidden::key(user, conversation, up_to.next()));
        }
        for seq in &seqs {
            writes.put(hidden::key(user, conversation, *seq), hidden::VALUE);
        }
        show(writes, &self.asker, &chat, Shown { conversation, settings: None, up_to, seqs });
        Ok(Settled::Done)
    }
}

impl Op for Hide {
    type Answer = Settled;

    fn reads(&self, declared: &mut Reads) {
        reads(&self.asker, self.conversation, declared);
        for seq in &self.seqs {
            declared.key(hidden::key(self.asker.user, self.conversation, *seq));
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, writes, |writes| self.decide(view, writes))
    }

    fn bytes_hint(&self) -> usize {
        256 + 64 * self.seqs.len()
    }
}
