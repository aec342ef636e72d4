//! What a check may find, as data and in words.

use rookery_protocol::{ConversationId, DeviceId, GroupId, Handle, MessageId, Seq, Stamp, UserId};

use crate::keys::node::{Incarnation, NodeId, NodeName};

/// Something that the store must not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A key is not of its family's form, or its value cannot be read.
    #[error("key {}: {why}", hex(.key))]
    Unreadable {
        /// The key.
        key: Vec<u8>,
        /// What is wrong with it or its value.
        why: String,
    },
    /// An account cannot be found by its handle.
    #[error("user {user}: the handle {handle} is {}", whose(.owner))]
    UserWithoutHandle {
        /// The account.
        user: UserId,
        /// Its handle.
        handle: Handle,
        /// Whose that is.
        owner: Option<UserId>,
    },
    /// A handle is that of nobody, or of somebody with another handle.
    #[error("handle {handle}: it leads to user {user}, whose it is not")]
    HandleOfNobody {
        /// The handle.
        handle: Handle,
        /// Where it leads.
        user: UserId,
    },
    /// A device is that of nobody.
    #[error("device {device} of user {user}: there is no such user")]
    DeviceOfNobody {
        /// Whose it would be.
        user: UserId,
        /// The device.
        device: DeviceId,
    },
    /// A device's number may be given again.
    #[error("device {device} of user {user}: the next device would get the number {next}")]
    DeviceNotCounted {
        /// Whose.
        user: UserId,
        /// The device.
        device: DeviceId,
        /// The number the next device will get.
        next: u32,
    },
    /// Something is kept for nobody.
    #[error("{what} of user {user}: there is no such user")]
    KeptForNobody {
        /// Whose it would be.
        user: UserId,
        /// What it is.
        what: &'static str,
    },
    /// A cursor is that of no device.
    #[error("cursor of device {device} of user {user}: there is no such device")]
    CursorOfNobody {
        /// Whose it would be.
        user: UserId,
        /// Of which device.
        device: DeviceId,
    },
    /// A device has acknowledged events that are yet to come, and would miss them.
    #[error("cursor of device {device} of user {user}: {stamp} is beyond the store's version {version}")]
    CursorAhead {
        /// Whose.
        user: UserId,
        /// Of which device.
        device: DeviceId,
        /// The cursor.
        stamp: Stamp,
        /// The store's.
        version: u64,
    },
    /// An event comes after events that are yet to come, which would be missed.
    #[error("event {stamp} of user {user}: it is beyond the store's version {version}")]
    EventAhead {
        /// In whose inbox.
        user: UserId,
        /// Its place.
        stamp: Stamp,
        /// The store's.
        version: u64,
    },
    /// An event points to a message that is not there, and was not trimmed.
    #[error("event {stamp} of user {user}: there is no message {seq} in {conversation}")]
    EventOfNothing {
        /// In whose inbox.
        user: UserId,
        /// Its place.
        stamp: Stamp,
        /// Where it points.
        conversation: ConversationId,
        /// The message's place there.
        seq: Seq,
    },
    /// An event names another sender than its message.
    #[error("event {stamp} of user {user}: message {seq} in {conversation} is not from user {sender}")]
    EventOfAnother {
        /// In whose inbox.
        user: UserId,
        /// Its place.
        stamp: Stamp,
        /// Where it points.
        conversation: ConversationId,
        /// The message's place there.
        seq: Seq,
        /// Whom it names.
        sender: UserId,
    },
    /// A receipt tells of more than its sender's mark.
    #[error(
        "receipt {stamp} of user {user}: in {conversation}, user {of} has not had all up to {delivered} and read up to \
         {read}"
    )]
    ReceiptAhead {
        /// In whose inbox.
        user: UserId,
        /// Its place.
        stamp: Stamp,
        /// Where.
        conversation: ConversationId,
        /// Of whom it tells.
        of: UserId,
        /// What is said to have been delivered.
        delivered: Seq,
        /// What is said to have been read.
        read: Seq,
    },
    /// A message lies beyond the head: the next would overwrite it, or one after that.
    #[error("message {seq} in {conversation}: the head is {head}")]
    MessageBeyondHead {
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// The head; 0 when there is none.
        head: Seq,
    },
    /// A message is missing from a log.
    #[error("{conversation}: message {} is missing, and there are messages before it (the head is {head})", .after.next())]
    Gap {
        /// Where.
        conversation: ConversationId,
        /// The last message before it.
        after: Seq,
        /// The head.
        head: Seq,
    },
    /// What lies at a place in a log says that it belongs to another.
    #[error("message {seq} in {conversation}: it says that it is another")]
    MessageOfAnother {
        /// Where it lies.
        conversation: ConversationId,
        /// At which place.
        seq: Seq,
    },
    /// A message's id has no answer, or leads elsewhere: sent again, it would be there twice.
    #[error("message {seq} in {conversation}: its id {id} does not lead to it")]
    MessageWithoutAnswer {
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// Its sender's id of it.
        id: MessageId,
    },
    /// The answer to an id names a message that is not there, and was not trimmed.
    #[error("id {id} of device {device} of user {user}: there is no message {seq} in {conversation}")]
    AnswerOfNothing {
        /// Where.
        conversation: ConversationId,
        /// The sender.
        user: UserId,
        /// From which device.
        device: DeviceId,
        /// The sender's id of it.
        id: MessageId,
        /// The place the answer names.
        seq: Seq,
    },
    /// The answer to an id names a message of another id.
    #[error("id {id} of device {device} of user {user}: message {seq} in {conversation} has another")]
    AnswerOfAnother {
        /// Where.
        conversation: ConversationId,
        /// The sender.
        user: UserId,
        /// From which device.
        device: DeviceId,
        /// The sender's id of it.
        id: MessageId,
        /// The place the answer names.
        seq: Seq,
    },
    /// A message that has been deleted still says something, or an edit of it does.
    #[error("message {seq} in {conversation}: it has been deleted, and is there")]
    DeletedAndSaid {
        /// Where.
        conversation: ConversationId,
        /// Its place, or the edit's.
        seq: Seq,
    },
    /// An edit would outlast the deletion of its message.
    #[error("edit {edit} of message {of} in {conversation}: it is not noted")]
    EditNotNoted {
        /// Where.
        conversation: ConversationId,
        /// The message's place.
        of: Seq,
        /// The edit's.
        edit: Seq,
    },
    /// What is noted as an edit of a message is none of it.
    #[error("edit {edit} of message {of} in {conversation}: it is noted, and is none")]
    EditOfAnother {
        /// Where.
        conversation: ConversationId,
        /// The message's place.
        of: Seq,
        /// What would be the edit's.
        edit: Seq,
    },
    /// An edit is noted of a message that is not there.
    #[error("edit {edit} of message {of} in {conversation}: it is noted, and there is no such message")]
    EditOfNothing {
        /// Where.
        conversation: ConversationId,
        /// What would be the message's place.
        of: Seq,
        /// The edit's.
        edit: Seq,
    },
    /// A message would never disappear that is to.
    #[error("message {seq} in {conversation}: it is to disappear at {expires_ms}, and that is not noted")]
    ExpiryNotNoted {
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// When, milliseconds since 1970.
        expires_ms: u64,
    },
    /// A message is noted to disappear that is to at another time, or never.
    #[error("message {seq} in {conversation}: it is noted to disappear at {expires_ms}, and is not to")]
    ExpiryOfAnother {
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// When it is noted to, milliseconds since 1970.
        expires_ms: u64,
    },
    /// A message is noted to disappear that is not there, and was not trimmed.
    #[error("message {seq} in {conversation}: it is noted to disappear at {expires_ms}, and is not there")]
    ExpiryOfNothing {
        /// Where it would be.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// When it is noted to, milliseconds since 1970.
        expires_ms: u64,
    },
    /// Somebody does not find a conversation in their list.
    #[error("{conversation}: user {user} has no chat of it")]
    ConversationWithoutChat {
        /// Which.
        conversation: ConversationId,
        /// One of its two sides.
        user: UserId,
    },
    /// A conversation is listed to somebody who is not and never was in it.
    #[error("chat of user {user}: the user is not in {conversation}")]
    ChatOfStranger {
        /// Whose.
        user: UserId,
        /// Of which conversation.
        conversation: ConversationId,
    },
    /// A chat is of a conversation in which there is nothing, or hides what is yet to come.
    #[error(
        "chat of user {user}: in {conversation}, all up to {hidden_up_to} is hidden, and the head is {head}"
    )]
    ChatAhead {
        /// Whose.
        user: UserId,
        /// Of which conversation.
        conversation: ConversationId,
        /// What is hidden.
        hidden_up_to: Seq,
        /// The head; 0 when there is none.
        head: Seq,
    },
    /// A message is hidden from nobody, or from somebody who has no chat of its conversation.
    #[error("message {seq} in {conversation}: it is hidden from user {user}, who has no chat of it")]
    HiddenWithoutChat {
        /// From whom.
        user: UserId,
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
    },
    /// A message is hidden by name among those that are hidden anyway.
    #[error("message {seq} in {conversation}: it is hidden from user {user}, and so is all up to there")]
    HiddenTwice {
        /// From whom.
        user: UserId,
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
    },
    /// A message is hidden that is yet to come.
    #[error("message {seq} in {conversation}: it is hidden from user {user}, and the head is {head}")]
    HiddenAhead {
        /// From whom.
        user: UserId,
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// The head; 0 when there is none.
        head: Seq,
    },
    /// More has been delivered than there is.
    #[error("mark of user {user} in {conversation}: {delivered} delivered, and the head is {head}")]
    MarkBeyondHead {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// The mark.
        delivered: Seq,
        /// The head; 0 when there is none.
        head: Seq,
    },
    /// More has been read than was delivered.
    #[error("mark of user {user} in {conversation}: {read} read, and {delivered} delivered")]
    ReadBeyondDelivered {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// The mark of what was delivered.
        delivered: Seq,
        /// The mark of what was read.
        read: Seq,
    },
    /// Others are told that more has been read than was.
    #[error("mark of user {user} in {conversation}: {shown} shown as read, and {read} read")]
    ShownBeyondRead {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// The mark of what was read.
        read: Seq,
        /// The mark of what others are told.
        shown: Seq,
    },
    /// A group has no log, though its making is an entry.
    #[error("group {group}: there is nothing in its log")]
    GroupWithoutLog {
        /// Which.
        group: GroupId,
    },
    /// There are members of a group that is not there.
    #[error("members of group {group}: there is no such group")]
    MembersOfNothing {
        /// Which it would be.
        group: GroupId,
    },
    /// Nobody may change a group.
    #[error("members of group {group}: none is an admin")]
    NoAdmin {
        /// Which.
        group: GroupId,
    },
    /// A member has joined by an entry yet to come, or may not see the entry by which they joined.
    #[error("member {user} of group {group}: since {since}, sees from {from}, and the head is {head}")]
    MemberAhead {
        /// Of which group.
        group: GroupId,
        /// Who.
        user: UserId,
        /// The entry by which they became a member.
        since: Seq,
        /// The first entry they may see.
        from: Seq,
        /// The head; 0 when there is none.
        head: Seq,
    },
    /// A member gets messages and cannot find the group, or sees another part of it.
    #[error("member {user} of group {group}: the user is not in it, or sees it from another entry on")]
    MemberWithoutMembership {
        /// Of which group.
        group: GroupId,
        /// Who.
        user: UserId,
    },
    /// Somebody finds a group whose messages they do not get.
    #[error("membership of user {user} in group {group}: the user is none of its members")]
    MembershipWithoutMember {
        /// Whose.
        user: UserId,
        /// In which group.
        group: GroupId,
    },
    /// Somebody has ceased to be a member, and still gets messages.
    #[error("membership of user {user} in group {group}: it has ended, and the user is a member")]
    MembershipEndedTooSoon {
        /// Whose.
        user: UserId,
        /// In which group.
        group: GroupId,
    },
    /// A membership ends before it begins, or by an entry yet to come.
    #[error("membership of user {user} in group {group}: from {from} until {until}, and the head is {head}")]
    MembershipAhead {
        /// Whose.
        user: UserId,
        /// In which group.
        group: GroupId,
        /// The first entry they may see.
        from: Seq,
        /// The last.
        until: Seq,
        /// The head; 0 when there is none.
        head: Seq,
    },
    /// A user follows a channel that has never been.
    #[error("channel {group} that user {user} follows: there is no such group")]
    FollowingOfNothing {
        /// Who.
        user: UserId,
        /// What it would be.
        group: GroupId,
    },
    /// A channel does not know of somebody who follows it.
    #[error("channel {group} that user {user} follows: the user is none of its followers")]
    FollowingWithoutFollower {
        /// Who.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// A follower of a channel does not know of it.
    #[error("follower {user} of channel {group}: the user does not follow it")]
    FollowerWithoutFollowing {
        /// Who.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// A follower's part of the count says that there is none.
    #[error("follower {user} of channel {group}: the user is not counted")]
    FollowerNotCounted {
        /// Who.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// A user who is not there is or was in a group.
    #[error("membership of user {user} in group {group}: there is no such user")]
    MembershipOfNobody {
        /// Whose it would be.
        user: UserId,
        /// In which group.
        group: GroupId,
    },
    /// A user is or was in a group that is not there.
    #[error("membership of user {user} in group {group}: there is no such group")]
    MembershipOfNothing {
        /// Whose.
        user: UserId,
        /// In which group it would be.
        group: GroupId,
    },
    /// A lease is that of no member.
    #[error("lease of {id}: it is not a member of the cluster")]
    LeaseOfNobody {
        /// Whose it would be.
        id: NodeId,
    },
    /// A member has no lease, or that of another incarnation.
    #[error("member {id} of the cluster: it has no lease")]
    MemberWithoutLease {
        /// Which.
        id: NodeId,
    },
    /// A node's incarnation may be given again.
    #[error("lease of {id}: its last incarnation is said to be {last}")]
    IncarnationNotCounted {
        /// Whose.
        id: NodeId,
        /// The last that is known of; 0 when none is.
        last: Incarnation,
    },
    /// Mail is for a node that is not there.
    #[error("mail of node {name}: there is no such node")]
    MailOfNobody {
        /// For whom.
        name: NodeName,
    },
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn whose(owner: &Option<UserId>) -> String {
    owner.map_or_else(|| "nobody's".into(), |owner| format!("user {owner}'s"))
}
