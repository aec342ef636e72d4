//! Some records, what they refer to, and whether that fits. What a record refers to and cannot be read is not this
//! record's fault: it is found where it lies.

use std::collections::HashMap;

use bytes::Bytes;
use rookery_protocol::{
    ConversationId, GroupId, Message, MessageHead, Reference, ReferenceKind, Seq, Stamp, UserId,
};

use super::finding::Finding;
use super::record::{Answer, MailPart, Record, points_to, refers_to, sides};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::channel::{count_key, follower_key, following_key};
use crate::keys::chat::{self, Chat};
use crate::keys::conversation::{
    Mark, SentRecord, decode_head, edit_key, head_key, log_key, mark_key, sent_key, withheld_key,
};
use crate::keys::expiry::Expiry;
use crate::keys::group::{self, Member, Members, Membership, members_key, membership_key};
use crate::keys::inbox::{InboxEntry, MessagePointer};
use crate::keys::node::{self, Incarnation, Lease, NodeId};
use crate::keys::user::User;
use crate::keys::view::{self, ClusterView};
use crate::keys::{decode, device, handle, mail, user};
use crate::queries::first_seq;

/// What some records refer to, in one snapshot.
pub(super) struct Page {
    version: u64,
    /// `None`: there is none.
    values: HashMap<Vec<u8>, Option<Bytes>>,
    /// The first messages of the conversations in which one was not found that is pointed to.
    firsts: HashMap<ConversationId, Option<Seq>>,
}

impl Page {
    pub(super) async fn fetch(
        snapshot: &dyn Snapshot,
        records: &[(Bytes, Bytes, Record)],
    ) -> Result<Self, StoreError> {
        let mut values: HashMap<Vec<u8>, Option<Bytes>> =
            records.iter().map(|(key, value, _)| (key.to_vec(), Some(value.clone()))).collect();
        let mut keys = Vec::new();
        records.iter().for_each(|(_, _, record)| refers_to(record, &mut keys));
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| !values.contains_key(key));
        let fetched = snapshot.get_many(&keys).await?;
        values.extend(keys.into_iter().zip(fetched));

        let mut firsts = HashMap::new();
        for (conversation, seq) in records.iter().filter_map(|(_, _, record)| points_to(record)) {
            let missing = values.get(&log_key(conversation, seq)).is_none_or(Option::is_none);
            if missing && !firsts.contains_key(&conversation) {
                firsts.insert(conversation, first_seq(snapshot, conversation).await?);
            }
        }
        Ok(Self { version: snapshot.version().await?, values, firsts })
    }

    fn value(&self, key: &[u8]) -> Option<&Bytes> {
        self.values.get(key).expect("what a record refers to was fetched").as_ref()
    }

    /// What is wrong with one of the records.
    pub(super) fn judge(&self, record: &Record) -> Vec<Finding> {
        match record {
            Record::User(user, account) => {
                let owner = self.value(&handle::key(&account.handle)).map(|value| handle::decode(value));
                match owner.transpose() {
                    Ok(owner) => found(owner != Some(*user), || Finding::UserWithoutHandle {
                        user: *user,
                        handle: account.handle.clone(),
                        owner,
                    }),
                    Err(_) => Vec::new(),
                }
            }
            Record::Handle(handle, user) => {
                let is_theirs = match self.value(&user::key(*user)).map(|value| decode::<User>(value)) {
                    Some(Ok(account)) => account.handle == *handle,
                    Some(Err(_)) => true,
                    None => false,
                };
                found(!is_theirs, || Finding::HandleOfNobody { handle: handle.clone(), user: *user })
            }
            Record::Device(user, device) => {
                let (user, device) = (*user, *device);
                match self.value(&user::key(user)).map(|value| decode::<User>(value)) {
                    Some(Ok(User { next_device: next, .. })) => {
                        found(next <= device.get(), || Finding::DeviceNotCounted { user, device, next })
                    }
                    Some(Err(_)) => Vec::new(),
                    None => vec![Finding::DeviceOfNobody { user, device }],
                }
            }
            Record::Cursor(user, device, stamp) => {
                let (user, device, stamp, version) = (*user, *device, *stamp, self.version);
                let mut findings = found(self.value(&device::key(user, device)).is_none(), || {
                    Finding::CursorOfNobody { user, device }
                });
                findings.extend(found(self.is_ahead(stamp), || Finding::CursorAhead {
                    user,
                    device,
                    stamp,
                    version,
                }));
                findings
            }
            Record::Event(user, stamp, entry) => {
                let (user, stamp, version) = (*user, *stamp, self.version);
                let mut findings =
                    found(self.is_ahead(stamp), || Finding::EventAhead { user, stamp, version });
                findings.extend(self.judge_event(user, stamp, entry));
                findings
            }
            Record::Kept(user, what) => self.judge_kept(*user, what),
            Record::Person(user) => self.judge_kept(*user, "person"),
            Record::Head(conversation) => {
                let is_unlisted = |user: &UserId| {
                    self.value(&user::key(*user)).is_some()
                        && self.value(&chat::key(*user, *conversation)).is_none()
                };
                let (conversation, users) = (*conversation, sides(*conversation).filter(is_unlisted));
                users.map(|user| Finding::ConversationWithoutChat { conversation, user }).collect()
            }
            Record::Expiry(expiry) => self.judge_expiry(*expiry),
            Record::Edit(conversation, of, edit) => self.judge_edit(*conversation, *of, edit),
            Record::Chat(user, conversation, chat) => self.judge_chat(*user, *conversation, chat),
            Record::Hidden(user, conversation, seq) => self.judge_hidden(*user, *conversation, *seq),
            Record::Following(user, group) => self.judge_following(*user, *group),
            Record::Follower(group, user) => {
                let (group, user) = (*group, *user);
                let is_followed = self.value(&following_key(user, group)).is_some();
                let is_counted = self.value(&count_key(group, user)).is_some();
                let mut findings = found(!is_followed, || Finding::FollowerWithoutFollowing { user, group });
                findings.extend(found(!is_counted, || Finding::FollowerNotCounted { user, group }));
                findings
            }
            Record::Message(conversation, seq, message) => self.judge_message(*conversation, *seq, message),
            Record::Mark(conversation, user, mark) => {
                let (conversation, user, Mark { delivered, read, .. }) = (*conversation, *user, mark.clone());
                let shown = mark.shown();
                let mut findings = Vec::new();
                if let Some(head) = self.head(conversation).filter(|head| delivered > *head) {
                    findings.push(Finding::MarkBeyondHead { conversation, user, delivered, head });
                }
                findings.extend(found(read > delivered, || Finding::ReadBeyondDelivered {
                    conversation,
                    user,
                    delivered,
                    read,
                }));
                findings.extend(found(shown > read, || Finding::ShownBeyondRead {
                    conversation,
                    user,
                    read,
                    shown,
                }));
                findings
            }
            Record::Answer(answer) => self.judge_answer(answer),
            Record::Group(group) => {
                let is_empty = self.value(&head_key(ConversationId::group(*group))).is_none();
                found(is_empty, || Finding::GroupWithoutLog { group: *group })
            }
            Record::Members(group, members) => self.judge_members(*group, members),
            Record::Membership(user, group, membership) => self.judge_membership(*user, *group, membership),
            Record::Lease(name, lease) => {
                let id = NodeId { name: name.clone(), incarnation: lease.incarnation };
                let view = self.value(&view::key()).map(|value| ClusterView::decode(value));
                let is_member =
                    view.is_some_and(|view| view.is_err() || view.is_ok_and(|view| view.has(&id)));
                let last = self.value(&node::incarnation_key(name));
                let last = last.map_or(Ok(Incarnation::NONE), |value| node::decode_incarnation(value));
                let mut findings = found(!is_member, || Finding::LeaseOfNobody { id: id.clone() });
                if let Some(last) = last.ok().filter(|last| *last < id.incarnation) {
                    findings.push(Finding::IncarnationNotCounted { id, last });
                }
                findings
            }
            Record::View(view) => {
                let has_lease = |id: &NodeId| match self
                    .value(&node::key(&id.name))
                    .map(|value| decode::<Lease>(value))
                {
                    Some(Ok(lease)) => lease.incarnation == id.incarnation,
                    Some(Err(_)) => true,
                    None => false,
                };
                let members = view.members.iter().map(|member| member.id());
                members.filter(|id| !has_lease(id)).map(|id| Finding::MemberWithoutLease { id }).collect()
            }
            Record::Mail(name, part) => {
                let refers_to = match part {
                    MailPart::Entry => mail::bell_key(name),
                    MailPart::Other => node::key(name),
                };
                found(self.value(&refers_to).is_none(), || Finding::MailOfNobody { name: name.clone() })
            }
            Record::Ban | Record::Report | Record::Alone | Record::Unknown => Vec::new(),
        }
    }

    fn judge_kept(&self, user: UserId, what: &'static str) -> Vec<Finding> {
        found(self.value(&user::key(user)).is_none(), || Finding::KeptForNobody { user, what })
    }

    fn judge_following(&self, user: UserId, group: GroupId) -> Vec<Finding> {
        let mut findings = self.judge_kept(user, "followed channel");
        findings.extend(found(self.value(&group::key(group)).is_none(), || Finding::FollowingOfNothing {
            user,
            group,
        }));
        let is_known = self.value(&follower_key(group, user)).is_some();
        findings.extend(found(!is_known, || Finding::FollowingWithoutFollower { user, group }));
        findings
    }

    fn judge_event(&self, user: UserId, stamp: Stamp, entry: &InboxEntry) -> Vec<Finding> {
        match entry {
            InboxEntry::Message(MessagePointer { conversation, seq, sender, .. }) => {
                let (conversation, seq, sender) = (*conversation, *seq, *sender);
                match self.message(conversation, seq) {
                    Pointed::Missing => vec![Finding::EventOfNothing { user, stamp, conversation, seq }],
                    Pointed::There(message) => found(message.sender != sender, || Finding::EventOfAnother {
                        user,
                        stamp,
                        conversation,
                        seq,
                        sender,
                    }),
                    Pointed::Gone => Vec::new(),
                }
            }
            InboxEntry::Receipt(receipt) => {
                let (conversation, of) = (receipt.conversation, receipt.user);
                let (delivered, read) = (receipt.delivered, receipt.read);
                let mark = match self.value(&mark_key(conversation, of)).map(|value| decode::<Mark>(value)) {
                    Some(Ok(mark)) => mark,
                    Some(Err(_)) => return Vec::new(),
                    None => Mark::NONE,
                };
                found(delivered > mark.delivered || read > mark.read, || Finding::ReceiptAhead {
                    user,
                    stamp,
                    conversation,
                    of,
                    delivered,
                    read,
                })
            }
            InboxEntry::Shown(_) | InboxEntry::Account(_) | InboxEntry::Unknown(_) => Vec::new(),
        }
    }

    fn judge_message(&self, conversation: ConversationId, seq: Seq, message: &Message) -> Vec<Finding> {
        if (message.conversation, message.seq) != (conversation, seq) {
            return vec![Finding::MessageOfAnother { conversation, seq }];
        }
        let mut findings = Vec::new();
        match self.head(conversation) {
            Some(head) if seq > head => {
                findings.push(Finding::MessageBeyondHead { conversation, seq, head });
            }
            Some(head) if seq < head && self.value(&log_key(conversation, seq.next())).is_none() => {
                findings.push(Finding::Gap { conversation, after: seq, head });
            }
            _ => {}
        }
        let id = message.id;
        let answer = self.value(&sent_key(conversation, message.sender, message.device, id));
        let leads_here = match answer.map(|value| decode::<SentRecord>(value)) {
            Some(Ok(answer)) => answer.seq == seq,
            Some(Err(_)) => true,
            None => false,
        };
        findings.extend(found(!leads_here, || Finding::MessageWithoutAnswer { conversation, seq, id }));
        let expires_ms = message.expires_ms;
        let is_to_expire = expires_ms != 0 && !message.deleted;
        let is_noted = is_to_expire && self.value(&Expiry::from(message).key()).is_some();
        findings.extend(found(is_to_expire && !is_noted, || Finding::ExpiryNotNoted {
            conversation,
            seq,
            expires_ms,
        }));
        findings.extend(found(message.deleted && message.body.is_some(), || Finding::DeletedAndSaid {
            conversation,
            seq,
        }));
        if let Some(Reference { kind, seq: of }) = message.reference
            && let Some(about) = self.logged(conversation, of)
        {
            let is_edit = kind == ReferenceKind::Edit;
            let is_noted = self.value(&edit_key(conversation, of, seq)).is_some();
            findings.extend(found(is_edit && !is_noted, || Finding::EditNotNoted {
                conversation,
                of,
                edit: seq,
            }));
            // Of a message and an edit that disappear together one may be the first.
            let is_left = is_edit && about.deleted && !message.deleted && expires_ms == 0;
            findings.extend(found(is_left, || Finding::DeletedAndSaid { conversation, seq }));
            // What nobody else sees has deleted nothing that they do.
            let is_withheld = self.value(&withheld_key(conversation, seq)).is_some();
            let is_left = kind == ReferenceKind::Delete && !about.deleted && !is_withheld;
            findings.extend(found(is_left, || Finding::DeletedAndSaid { conversation, seq: of }));
        }
        findings
    }

    fn judge_expiry(&self, expiry: Expiry) -> Vec<Finding> {
        let Expiry { expires_ms, conversation, seq } = expiry;
        match self.message(conversation, seq) {
            Pointed::Missing => vec![Finding::ExpiryOfNothing { conversation, seq, expires_ms }],
            Pointed::There(message) => found(message.expires_ms != expires_ms, || Finding::ExpiryOfAnother {
                conversation,
                seq,
                expires_ms,
            }),
            Pointed::Gone => Vec::new(),
        }
    }

    fn judge_edit(&self, conversation: ConversationId, of: Seq, edit: &MessageHead) -> Vec<Finding> {
        let is_edit = match self.value(&log_key(conversation, edit.seq)).map(|value| decode::<Message>(value))
        {
            Some(Ok(message)) => {
                let reference = Some(Reference { kind: ReferenceKind::Edit, seq: of });
                let MessageHead { sender, device, id, time_ms, .. } = *edit;
                (message.reference, message.sender, message.device, message.id, message.time_ms)
                    == (reference, sender, device, id, time_ms)
            }
            Some(Err(_)) => true,
            None => false,
        };
        let edit = edit.seq;
        let mut findings = found(!is_edit, || Finding::EditOfAnother { conversation, of, edit });
        let is_of_nothing = self.value(&log_key(conversation, of)).is_none();
        findings.extend(found(is_of_nothing, || Finding::EditOfNothing { conversation, of, edit }));
        findings
    }

    fn judge_chat(&self, user: UserId, conversation: ConversationId, chat: &Chat) -> Vec<Finding> {
        let mut findings = self.judge_kept(user, "chat");
        let is_in = match conversation.group_id() {
            Some(group) => {
                let keys = [membership_key(user, group), following_key(user, group)];
                keys.iter().any(|key| self.value(key).is_some())
            }
            None => conversation.direct_peer(user).is_some(),
        };
        findings.extend(found(!is_in, || Finding::ChatOfStranger { user, conversation }));
        let hidden_up_to = chat.hidden_up_to;
        if let Some(head) = self.head(conversation)
            && (head == Seq::ZERO || hidden_up_to > head)
        {
            findings.push(Finding::ChatAhead { user, conversation, hidden_up_to, head });
        }
        findings
    }

    fn judge_hidden(&self, user: UserId, conversation: ConversationId, seq: Seq) -> Vec<Finding> {
        let mut findings = match self.value(&chat::key(user, conversation)).map(|value| decode::<Chat>(value))
        {
            Some(Ok(chat)) => {
                found(seq <= chat.hidden_up_to, || Finding::HiddenTwice { user, conversation, seq })
            }
            Some(Err(_)) => Vec::new(),
            None => vec![Finding::HiddenWithoutChat { user, conversation, seq }],
        };
        if let Some(head) = self.head(conversation).filter(|head| seq > *head || seq == Seq::ZERO) {
            findings.push(Finding::HiddenAhead { user, conversation, seq, head });
        }
        findings
    }

    fn judge_answer(&self, answer: &Answer) -> Vec<Finding> {
        let Answer { conversation, user, device, id, seq } = *answer;
        match self.message(conversation, seq) {
            Pointed::Missing => vec![Finding::AnswerOfNothing { conversation, user, device, id, seq }],
            Pointed::There(message) => {
                let same = (message.sender, message.device, message.id) == (user, device, id);
                found(!same, || Finding::AnswerOfAnother { conversation, user, device, id, seq })
            }
            Pointed::Gone => Vec::new(),
        }
    }

    fn judge_members(&self, group: GroupId, members: &Members) -> Vec<Finding> {
        let mut findings =
            found(self.value(&group::key(group)).is_none(), || Finding::MembersOfNothing { group });
        findings.extend(found(!members.has_admin(), || Finding::NoAdmin { group }));
        let head = self.head(ConversationId::group(group));
        for Member { user, since, from, .. } in members.list().iter().copied() {
            if let Some(head) = head.filter(|head| since > *head || from > since) {
                findings.push(Finding::MemberAhead { group, user, since, from, head });
            }
            let membership = self.value(&membership_key(user, group));
            let fits = match membership.map(|value| decode::<Membership>(value)) {
                // One that has ended says so itself.
                Some(Ok(membership)) => !membership.is_current() || membership.from == from,
                Some(Err(_)) => true,
                None => false,
            };
            findings.extend(found(!fits, || Finding::MemberWithoutMembership { group, user }));
        }
        findings
    }

    fn judge_membership(&self, user: UserId, group: GroupId, membership: &Membership) -> Vec<Finding> {
        let mut findings =
            found(self.value(&user::key(user)).is_none(), || Finding::MembershipOfNobody { user, group });
        if self.value(&group::key(group)).is_none() {
            findings.push(Finding::MembershipOfNothing { user, group });
        }
        let members = self.value(&members_key(group)).map(|value| Members::decode(value));
        let is_member = match members {
            Some(Ok(members)) => Some(members.get(user).is_some()),
            Some(Err(_)) => None,
            None => Some(false),
        };
        match (membership.until, is_member) {
            (None, Some(false)) => findings.push(Finding::MembershipWithoutMember { user, group }),
            (Some(_), Some(true)) => findings.push(Finding::MembershipEndedTooSoon { user, group }),
            _ => {}
        }
        let from = membership.from;
        let head = self.head(ConversationId::group(group));
        if let (Some(until), Some(head)) = (membership.until, head)
            && (until < from || until > head)
        {
            findings.push(Finding::MembershipAhead { user, group, from, until, head });
        }
        findings
    }

    /// A conversation's head; `None` when it cannot be read.
    fn head(&self, conversation: ConversationId) -> Option<Seq> {
        self.value(&head_key(conversation)).map_or(Some(Seq::ZERO), |value| decode_head(value).ok())
    }

    /// A message of a log, if it is there and can be read.
    fn logged(&self, conversation: ConversationId, seq: Seq) -> Option<Message> {
        self.value(&log_key(conversation, seq)).and_then(|value| decode(value).ok())
    }

    fn message(&self, conversation: ConversationId, seq: Seq) -> Pointed {
        if let Some(logged) = self.value(&log_key(conversation, seq)) {
            return decode(logged).map_or(Pointed::Gone, Pointed::There);
        }
        let first = *self.firsts.get(&conversation).expect("it was fetched when the message was not found");
        let trimmed = first.is_none_or(|first| seq < first);
        match self.head(conversation) {
            Some(head) if !trimmed || seq > head || seq == Seq::ZERO => Pointed::Missing,
            _ => Pointed::Gone,
        }
    }

    /// Whether a stamp is greater than those that the next commit gives.
    fn is_ahead(&self, stamp: Stamp) -> bool {
        let commit = stamp.as_bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        commit.is_some_and(|commit| commit > self.version)
    }
}

/// What a pointer to a message leads to.
enum Pointed {
    There(Message),
    /// It was trimmed, or cannot be read, which is found where it lies.
    Gone,
    Missing,
}

fn found(wrong: bool, finding: impl FnOnce() -> Finding) -> Vec<Finding> {
    if wrong { vec![finding()] } else { Vec::new() }
}
