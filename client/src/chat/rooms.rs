//! What a person sees: conversations, names, who is there and who is typing. No terminal, no network.

use std::collections::{BTreeMap, HashMap};

use rookery_protocol::{
    Availability, ConversationId, Doing, GroupChange, Handle, MemberMark, MessageId, Presence, Receipt,
    Reference, ReferenceKind, Seq, UserId, limits,
};
use tokio::time::{Duration, Instant};

pub(super) use super::room::{Line, Now, Room, Tick, Unsent, What, is_line};
use super::words::{self, By};
use crate::{Change, Identity, Message};

/// Columns of a message that another is about.
const QUOTED_MAX: usize = 40;

/// All conversations and names.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) me: Option<Identity>,
    pub(super) rooms: BTreeMap<ConversationId, Room>,
    pub(super) open: Option<ConversationId>,
    names: HashMap<UserId, Handle>,
    presence: HashMap<UserId, Presence>,
    /// Who is at what where, and until when that holds.
    doing: HashMap<(ConversationId, UserId), (Doing, Instant)>,
}

impl Rooms {
    pub(super) fn learn(&mut self, user: UserId, handle: Handle) {
        self.names.insert(user, handle);
    }

    pub(super) fn name(&self, user: UserId) -> String {
        self.names.get(&user).map_or_else(|| format!("user {user}"), ToString::to_string)
    }

    pub(super) fn knows(&self, user: UserId) -> bool {
        self.names.contains_key(&user)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Handle> {
        self.names.values()
    }

    pub(super) fn is_me(&self, user: UserId) -> bool {
        self.me.as_ref().is_some_and(|me| me.user == user)
    }

    /// The other user of a direct conversation.
    pub(super) fn peer(&self, conversation: ConversationId) -> Option<UserId> {
        conversation.direct_peer(self.me.as_ref()?.user)
    }

    pub(super) fn title(&self, conversation: ConversationId) -> String {
        if let Some(peer) = self.peer(conversation) {
            return self.name(peer);
        }
        let name = self.rooms.get(&conversation).and_then(Room::name);
        // A group may have the name of a person.
        name.map_or_else(|| conversation.to_string(), |name| format!("#{name}"))
    }

    /// The groups with this name, or the one with this number.
    pub(super) fn groups_called(&self, name: &str) -> Vec<ConversationId> {
        if let Ok(conversation) = name.parse::<ConversationId>() {
            return conversation.group_id().map(|_| conversation).into_iter().collect();
        }
        let name = name.strip_prefix('#').unwrap_or(name);
        let called = self.rooms.iter().filter(|(_, room)| room.name() == Some(name));
        called.map(|(conversation, _)| *conversation).collect()
    }

    /// What is known of users' names.
    pub(super) fn all_names(&self) -> &HashMap<UserId, Handle> {
        &self.names
    }

    pub(super) fn room(&mut self, conversation: ConversationId) -> &mut Room {
        self.rooms.entry(conversation).or_default()
    }

    /// A message came, now or from history.
    pub(super) fn add(&mut self, message: Message, is_new: bool) {
        let own = self.is_me(message.sender);
        if is_new {
            self.doing.remove(&(message.conversation, message.sender));
        }
        self.room(message.conversation).take(message, own, is_new);
    }

    /// A group has changed, now or in its history.
    pub(super) fn change(&mut self, change: Change) {
        let by = By::of(&change);
        let Change { conversation, seq, sender, time_ms, change, .. } = change;
        let own = self.is_me(sender);
        let room = self.rooms.entry(conversation).or_default();
        if let GroupChange::Created { name, .. } | GroupChange::Named(name) = &change {
            room.call(seq, name);
        }
        room.change(seq, own, Line { sender, time_ms, what: What::Changed(by, change), answers: None });
    }

    /// A change in a sentence, on one line: a description must not pass for what somebody says.
    pub(super) fn words(&self, by: By, sender: UserId, change: &GroupChange) -> String {
        printable(&words::of_change(change, by, &self.name(sender), |user| self.name(user)))
            .replace('\n', " ")
    }

    pub(super) fn sent(&mut self, conversation: ConversationId, id: MessageId, seq: Seq, time_ms: u64) {
        let Some(me) = self.me.as_ref().map(|me| me.user) else { return };
        self.room(conversation).sent(me, id, seq, time_ms);
    }

    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        let Receipt { conversation, user, delivered, read } = *receipt;
        let own = self.is_me(user);
        if own {
            self.room(conversation).read_here(read);
        }
        // In notes to oneself the reader is the other side as well.
        if !own || self.peer(conversation) == Some(user) {
            self.room(conversation).receipt(delivered, read);
        }
    }

    /// Others have come further.
    pub(super) fn reach(&mut self, conversation: ConversationId, marks: Vec<MemberMark>) {
        let is_direct = conversation.group_id().is_none();
        let room = self.room(conversation);
        if is_direct {
            marks.iter().for_each(|mark| room.receipt(mark.delivered, mark.read));
        } else {
            room.reach(marks);
        }
    }

    /// Those at the side: all that are not put away, and the open one.
    pub(super) fn at_the_side(&self) -> Vec<(ConversationId, &Room)> {
        let open = self.archived().into_iter().filter(|(conversation, _)| self.open == Some(*conversation));
        self.listed().into_iter().chain(open).collect()
    }

    /// All that are not put away, as they are listed: pinned ones first, then by their newest message.
    pub(super) fn listed(&self) -> Vec<(ConversationId, &Room)> {
        self.sorted(|room| !room.settings.archived)
    }

    /// Those that are put away.
    pub(super) fn archived(&self) -> Vec<(ConversationId, &Room)> {
        self.sorted(|room| room.settings.archived)
    }

    fn sorted(&self, which: impl Fn(&Room) -> bool) -> Vec<(ConversationId, &Room)> {
        let rooms = self.rooms.iter().filter(|(_, room)| which(room));
        let mut rooms: Vec<_> = rooms.map(|(conversation, room)| (*conversation, room)).collect();
        rooms.sort_by_key(|(_, room)| (!room.settings.pinned, u64::MAX - room.newest_ms));
        rooms
    }

    /// What a message says now, with the one it answers above.
    pub(super) fn said(&self, room: &Room, seq: Seq) -> String {
        let mut said = match room.says(seq) {
            None => String::new(),
            Some(Now::Deleted) => return "(deleted)".to_owned(),
            Some(Now::As(text)) => text.to_owned(),
            Some(Now::Edited(text)) => format!("{text} (edited)"),
        };
        if let Some(answers) = room.lines.get(&seq).and_then(|line| line.answers) {
            said = format!("↳ {}\n{said}", self.quoted(room, answers));
        }
        said
    }

    /// The reactions to a message: "[+1 bob, ha carol]".
    pub(super) fn reactions(&self, room: &Room, seq: Seq) -> Option<String> {
        let each = room.reactions(seq).map(|(user, text)| format!("{text} {}", self.name_or_me(user)));
        let each = each.collect::<Vec<_>>();
        (!each.is_empty()).then(|| format!("[{}]", each.join(", ")))
    }

    /// A message that another is about, in a few words.
    pub(super) fn quoted(&self, room: &Room, seq: Seq) -> String {
        let Some(line) = room.lines.get(&seq) else { return format!("#{seq}") };
        let text = match room.says(seq) {
            None => return format!("#{seq}"),
            Some(Now::Deleted) => "(deleted)",
            Some(Now::As(text) | Now::Edited(text)) => text,
        };
        let text = text.replace('\n', " ");
        let short: String = text.chars().take(QUOTED_MAX).collect();
        let rest = if short.len() < text.len() { "…" } else { "" };
        format!("{}: {short}{rest}", self.name_or_me(line.sender))
    }

    pub(super) fn name_or_me(&self, user: UserId) -> String {
        if self.is_me(user) { "me".to_owned() } else { self.name(user) }
    }

    /// What a message does to another, in a sentence, before it does so; `None` for one that stands for itself.
    pub(super) fn does(&self, message: &Message) -> Option<String> {
        let Reference { kind, seq } = message.reference.as_ref()?;
        let who = self.name(message.sender);
        let text = printable(&String::from_utf8_lossy(message.body.as_bytes()));
        let default = Room::default();
        let room = self.rooms.get(&message.conversation).unwrap_or(&default);
        let what = self.quoted(room, *seq);
        match kind {
            ReferenceKind::Timer => Some(format!("{who}: {}", words::of_timer(message.timer_s))),
            ReferenceKind::Edit => Some(format!("{who} has edited “{what}”: {text}")),
            ReferenceKind::Delete => Some(format!("{who} has deleted “{what}”")),
            ReferenceKind::Reaction if text.is_empty() => {
                Some(format!("{who} has taken back the reaction to “{what}”"))
            }
            ReferenceKind::Reaction => Some(format!("{who} reacts to “{what}” with {text}")),
            ReferenceKind::Reply | ReferenceKind::Unknown(_) => None,
        }
    }

    pub(super) fn seen(&mut self, people: Vec<Presence>) {
        self.presence.extend(people.into_iter().map(|presence| (presence.user, presence)));
    }

    /// Without a connection nothing is known of who is there.
    pub(super) fn lose_sight(&mut self) {
        self.presence.clear();
        self.doing.clear();
    }

    /// Only of those whom this user watches: of others it is not known.
    pub(super) fn forget_presence_of_others(&mut self, watched: &[UserId]) {
        self.presence.retain(|user, _| watched.contains(user));
    }

    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.presence.get(&user).is_some_and(|presence| presence.availability == Availability::Online)
    }

    pub(super) fn does_something(
        &mut self,
        conversation: ConversationId,
        user: UserId,
        doing: Doing,
        now: Instant,
    ) {
        if doing == Doing::Nothing {
            self.doing.remove(&(conversation, user));
        } else {
            let until = now + Duration::from_millis(limits::TYPING_MS.into());
            self.doing.insert((conversation, user), (doing, until));
        }
    }

    /// What nobody has said again in time is over. Gives the next time at which something is.
    pub(super) fn pass_time(&mut self, now: Instant) -> Option<Instant> {
        self.doing.retain(|_, (_, until)| *until > now);
        self.doing.values().map(|(_, until)| *until).min()
    }

    /// What is going on in the open conversation: who is typing, or whether the other one is there.
    pub(super) fn going_on(&self) -> Option<String> {
        let open = self.open?;
        let mut busy: Vec<_> = self
            .doing
            .iter()
            .filter(|((conversation, _), _)| *conversation == open)
            .map(|((_, user), (doing, _))| (*user, *doing))
            .collect();
        busy.sort_unstable_by_key(|(user, _)| *user);
        if let Some((_, doing)) = busy.first() {
            let what = if *doing == Doing::Recording { "recording" } else { "typing" };
            let users: Vec<_> = busy.iter().map(|(user, _)| *user).collect();
            let verb = if users.len() == 1 { "is" } else { "are" };
            return Some(format!("{} {verb} {what}…", words::of_users(&users, |user| self.name(user))));
        }
        let peer = self.peer(open).filter(|peer| !self.is_me(*peer))?;
        let presence = self.presence.get(&peer)?;
        let name = self.name(peer);
        Some(match presence.availability {
            Availability::Online => format!("{name} is online"),
            Availability::Idle => format!("{name} is connected, but away"),
            Availability::Offline if presence.last_seen_ms > 0 => {
                format!("{name} was last seen {}", moment(presence.last_seen_ms))
            }
            Availability::Offline => format!("{name} is offline"),
        })
    }

    /// What the server should hear as read, now that the open conversation is on the screen.
    pub(super) fn mark_shown(&mut self) -> Option<(ConversationId, Seq)> {
        let conversation = self.open?;
        let room = self.rooms.get_mut(&conversation)?;
        room.mark_shown().map(|seq| (conversation, seq))
    }
}

/// A text without what could take the terminal over.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\t' => ' ',
            '\n' => '\n',
            letter if letter.is_control() || is_bidi_control(letter) => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

fn is_bidi_control(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Hours and minutes, UTC.
pub(super) fn clock(time_ms: u64) -> String {
    let minutes = time_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Day, hours and minutes, UTC.
pub(super) fn moment(time_ms: u64) -> String {
    let (year, month, day) = super::calendar::date_of(time_ms / 86_400_000);
    format!("{year:04}-{month:02}-{day:02} {}", clock(time_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rookery_protocol::{Body, DeviceId};

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn rooms() -> (Rooms, ConversationId) {
        let me = Identity { user: user(1), handle: "alice".parse().unwrap(), device: DeviceId::new(1) };
        (Rooms { me: Some(me), ..Rooms::default() }, ConversationId::direct(user(1), user(2)))
    }

    #[test]
    fn ticks_follow_the_receipts_and_never_go_back() {
        let (mut rooms, conversation) = rooms();
        let receipt = |delivered, read| Receipt {
            conversation,
            user: user(2),
            delivered: Seq::new(delivered),
            read: Seq::new(read),
        };
        rooms.receipt(&receipt(2, 1));
        rooms.receipt(&receipt(1, 0));
        let room = rooms.room(conversation);
        let ticks = [1, 2, 3].map(|seq| room.tick(user(1), Seq::new(seq)));
        assert_eq!(ticks, [Tick::Read, Tick::Delivered, Tick::Sent]);
    }

    #[test]
    fn what_is_shown_is_marked_read_once() {
        let (mut rooms, conversation) = rooms();
        let message = Message {
            conversation,
            seq: Seq::new(3),
            sender: user(2),
            device: DeviceId::new(1),
            id: MessageId::from_bytes([0; 16]),
            time_ms: 0,
            body: Body::new("hi"),
            reference: None,
            deleted: false,
            expires_ms: 0,
            timer_s: 0,
        };
        rooms.add(message, true);
        assert_eq!(rooms.mark_shown(), None);
        assert_eq!(rooms.room(conversation).unread, 1);
        rooms.open = Some(conversation);
        assert_eq!(rooms.mark_shown(), Some((conversation, Seq::new(3))));
        assert_eq!(rooms.mark_shown(), None);
    }

    #[test]
    fn a_message_cannot_give_the_terminal_orders() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
