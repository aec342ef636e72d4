//! The host's side: what each connection of this node watches, and what it has been told. No IO.
//!
//! `C` is a way to a connection.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use rookery_protocol::{
    Availability, ConversationId, GroupId, MemberMark, Presence, PresenceNotice, ReceiptsNotice,
    TypingNotice, UserId, Watch, encode_channel_notice, limits,
};
use tokio::time::Instant;

use super::actor::STEP;
use super::news::{News, Topic};
use super::owner::merge;
use super::turns::Turns;
use crate::connection::ConnectionId;
use crate::metrics::{Counted, WATCHES};

/// How long a WATCH lasts.
const WATCH_LASTS: Duration = Duration::from_millis(limits::WATCH_MS as u64);
/// After which an owner is told anew.
const RENEWED_EVERY: Duration = Duration::from_millis(limits::WATCH_MS as u64 / 2);
/// Between two looks for what has lasted so long.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two notices of presence on one connection.
const PRESENCE_EVERY: Duration = Duration::from_millis(500);
/// Connections that may be told of presence with one step, however few there are.
const TOLD_AT_ONCE_MIN: usize = 32;
/// Steps between two notices of presence on one connection: so many have their turn with each that all have had it then.
const TOLD_IN_STEPS: usize = (PRESENCE_EVERY.as_millis() / STEP.as_millis()) as usize;
/// Between two messages to owners of how far members here have come.
const MARKS_EVERY: Duration = Duration::from_secs(1);
/// Marks of members here that wait to be told, at most.
const MARKS_MAX: usize = 65_536;
/// When somebody was last seen is told to the minute.
const MINUTE_MS: u64 = 60_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Host<C> {
    watchers: HashMap<ConnectionId, Watcher<C>>,
    topics: HashMap<Topic, Followed>,
    followers: HashMap<ConnectionId, Follower<C>>,
    /// Watchers who may have to be told of presence, each by when the next notice may come.
    due: BTreeSet<(Instant, ConnectionId)>,
    /// Of members here, not told yet.
    marks: BTreeMap<ConversationId, BTreeMap<UserId, MemberMark>>,
    marks_count: usize,
    marks_at: Instant,
    look_at: Instant,
    turns: Turns<Turn>,
    /// Of watches and of looks for what may be seen.
    numbers: u64,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Turn {
    /// What may be seen on a connection, of those whose sight waits.
    Sights(ConnectionId),
    /// Who of those who have it open is in a conversation.
    Members(ConversationId),
}

/// A connection that watches.
#[derive(Debug)]
struct Watcher<C> {
    to: C,
    user: UserId,
    /// The number of its WATCH.
    watch: u64,
    until: Instant,
    /// The next notice of presence comes no sooner.
    not_before: Instant,
    /// Of whose presence it may have to tell.
    untold: BTreeSet<UserId>,
    /// By user, ascending.
    users: Vec<Seen>,
    /// Those that the user is in.
    conversations: Vec<ConversationId>,
    _counted: Counted,
}

/// A connection whose user follows channels, or has done so. It ends with the connection.
#[derive(Debug)]
struct Follower<C> {
    to: C,
    /// The version of the store that says what is followed.
    version: u64,
    channels: Vec<Topic>,
}

/// A user as one connection sees them.
#[derive(Debug, Clone)]
struct Seen {
    user: UserId,
    /// None: not known yet.
    sight: Option<Sight>,
    /// The number of the last look for it that has begun; none while it waits for one. What an earlier one finds is out of
    /// date.
    look: Option<u64>,
    told: Option<(Availability, u64)>,
    /// What was told last did not get through.
    is_lost: bool,
}

/// What may be seen of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) online: bool,
    pub(crate) last_seen: bool,
    /// When the user was last seen, as the store knows.
    pub(crate) last_seen_ms: u64,
}

impl Sight {
    /// Nothing may be seen.
    const NONE: Self = Self { online: false, last_seen: false, last_seen_ms: 0 };
}

/// A topic that is watched here.
#[derive(Debug)]
struct Followed {
    watchers: Vec<ConnectionId>,
    presence: Option<Presence>,
    /// When the owner was last told.
    renewed: Instant,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect<C> {
    /// Tell the topics' owners.
    Watching(Vec<Topic>),
    /// Tell the topics' owners.
    Unwatching(Vec<Topic>),
    /// Read what may be seen of these users, then call [`Host::seen`], or [`Host::unseen`] if it cannot be read, and
    /// [`Host::looked`].
    Look { connection: ConnectionId, look: u64, viewer: UserId, users: Vec<UserId> },
    /// Read which of these users are not in the conversation, then call [`Host::closed`], and [`Host::looked`].
    Check { conversation: ConversationId, watchers: Vec<(ConnectionId, UserId)> },
    /// Tell these connections.
    Push(Vec<C>, Notice),
    /// Tell the conversation's owner.
    Publish(News),
}

/// What connections are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    Presence(PresenceNotice),
    Typing(TypingNotice),
    Receipts(ReceiptsNotice),
    /// The frame of an entry of a channel.
    Channel(Bytes),
}

impl<C: Clone> Host<C> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            watchers: HashMap::new(),
            topics: HashMap::new(),
            followers: HashMap::new(),
            due: BTreeSet::new(),
            marks: BTreeMap::new(),
            marks_count: 0,
            marks_at: now,
            look_at: now,
            turns: Turns::new(),
            numbers: 0,
        }
    }

    /// A user watches this on a connection, in place of what was before. What may be seen is to be read, then
    /// [`opened`](Self::opened) and [`seen`](Self::seen) called, or [`unseen`](Self::unseen). Returns the watch's number.
    pub(crate) fn watch(
        &mut self,
        now: Instant,
        (connection, to): (ConnectionId, C),
        user: UserId,
        watch: &Watch,
        effects: &mut Vec<Effect<C>>,
    ) -> u64 {
        self.numbers += 1;
        let number = self.numbers;
        let watcher = self.watchers.entry(connection).or_insert_with(|| Watcher {
            to,
            user,
            watch: number,
            until: now,
            not_before: now,
            untold: BTreeSet::new(),
            users: Vec::new(),
            conversations: Vec::new(),
            _counted: Counted::new(WATCHES),
        });
        (watcher.watch, watcher.until) = (number, now + WATCH_LASTS);
        let before = watcher.topics();
        let mut users = watch.users.clone();
        users.sort_unstable();
        users.dedup();
        let known = std::mem::take(&mut watcher.users);
        let seen = |user| match known.binary_search_by_key(&user, |seen| seen.user) {
            Ok(at) => Seen { look: Some(number), ..known[at].clone() },
            Err(_) => Seen { user, sight: None, look: Some(number), told: None, is_lost: false },
        };
        watcher.users = users.into_iter().map(seen).collect();
        watcher.conversations.retain(|open| watch.conversations.contains(open));
        let after = watcher.topics();
        self.change(now, connection, &before, &after, effects);
        number
    }

    /// These of the conversations that a connection watches are its user's.
    pub(crate) fn opened(
        &mut self,
        now: Instant,
        (connection, number): (ConnectionId, u64),
        mut conversations: Vec<ConversationId>,
        effects: &mut Vec<Effect<C>>,
    ) {
        let Some(watcher) = self.watchers.get_mut(&connection) else { return };
        // Of an earlier watch: the later one says what is open.
        if watcher.watch != number {
            return;
        }
        conversations.sort_unstable();
        conversations.dedup();
        let before = watcher.topics();
        watcher.conversations = conversations;
        let after = watcher.topics();
        self.change(now, connection, &before, &after, effects);
    }

    /// This may be seen of these users on a connection, as the look of this number has found.
    pub(crate) fn seen(
        &mut self,
        (connection, look): (ConnectionId, u64),
        sights: impl IntoIterator<Item = (UserId, Sight)>,
    ) {
        let Some(watcher) = self.watchers.get_mut(&connection) else { return };
        for (user, sight) in sights {
            let Ok(at) = watcher.users.binary_search_by_key(&user, |seen| seen.user) else { continue };
            let seen = &mut watcher.users[at];
            if seen.look == Some(look) {
                seen.sight = Some(sight);
                watcher.untold.insert(user);
                self.due.insert((watcher.not_before, connection));
            }
        }
    }

    /// The look of this number has failed. Of whom nothing else is known, nothing is shown until the client watches anew.
    pub(crate) fn unseen(&mut self, (connection, look): (ConnectionId, u64)) {
        let Some(watcher) = self.watchers.get_mut(&connection) else { return };
        for seen in watcher.users.iter_mut().filter(|seen| seen.look == Some(look) && seen.sight.is_none()) {
            seen.sight = Some(Sight::NONE);
            watcher.untold.insert(seen.user);
            self.due.insert((watcher.not_before, connection));
        }
    }

    /// A connection has gone.
    pub(crate) fn gone(&mut self, connection: ConnectionId, effects: &mut Vec<Effect<C>>) {
        if let Some(follower) = self.followers.remove(&connection) {
            self.leave_all(connection, follower.channels, effects);
        }
        self.watches_no_more(connection, effects);
    }

    /// The user of a connection follows these channels, by this version of the store.
    pub(crate) fn follows(
        &mut self,
        now: Instant,
        (connection, to): (ConnectionId, C),
        version: u64,
        channels: impl IntoIterator<Item = GroupId>,
        effects: &mut Vec<Effect<C>>,
    ) {
        let new = || Follower { to, version, channels: Vec::new() };
        let follower = self.followers.entry(connection).or_insert_with(new);
        if version < follower.version {
            return;
        }
        let after: Vec<Topic> = channels.into_iter().map(Topic::Channel).collect();
        follower.version = version;
        let before = std::mem::replace(&mut follower.channels, after.clone());
        self.change(now, connection, &before, &after, effects);
    }

    fn watches_no_more(&mut self, connection: ConnectionId, effects: &mut Vec<Effect<C>>) {
        let Some(watcher) = self.watchers.remove(&connection) else { return };
        self.due.remove(&(watcher.not_before, connection));
        self.leave_all(connection, watcher.topics(), effects);
    }

    fn leave_all(&mut self, connection: ConnectionId, topics: Vec<Topic>, effects: &mut Vec<Effect<C>>) {
        let unwatched: Vec<Topic> =
            topics.into_iter().filter(|topic| self.leave(connection, *topic)).collect();
        if !unwatched.is_empty() {
            effects.push(Effect::Unwatching(unwatched));
        }
    }

    /// A connection has not taken this notice of presence: it is told again of these users.
    pub(crate) fn not_taken(&mut self, now: Instant, connection: ConnectionId, notice: &PresenceNotice) {
        let Some(watcher) = self.watchers.get_mut(&connection) else { return };
        self.due.remove(&(watcher.not_before, connection));
        watcher.not_before = now + PRESENCE_EVERY;
        self.due.insert((watcher.not_before, connection));
        for Presence { user, .. } in &notice.people {
            let Ok(at) = watcher.users.binary_search_by_key(user, |seen| seen.user) else { continue };
            watcher.users[at].is_lost = true;
            watcher.untold.insert(*user);
        }
    }

    /// An owner tells something.
    pub(crate) fn news(&mut self, news: News, effects: &mut Vec<Effect<C>>) {
        match news {
            News::Presence(people) => {
                for presence in people {
                    let Some(followed) = self.topics.get_mut(&Topic::User(presence.user)) else { continue };
                    if followed.presence.as_ref() != Some(&presence) {
                        for connection in &followed.watchers {
                            let Some(watcher) = self.watchers.get_mut(connection) else { continue };
                            watcher.untold.insert(presence.user);
                            self.due.insert((watcher.not_before, *connection));
                        }
                        followed.presence = Some(presence);
                    }
                }
            }
            News::Typing(typing) => {
                let open = self.watchers_of(Topic::Conversation(typing.conversation));
                let others = open.filter(|watcher| watcher.user != typing.user);
                let to: Vec<C> = others.map(|watcher| watcher.to.clone()).collect();
                if !to.is_empty() {
                    effects.push(Effect::Push(to, Notice::Typing(typing)));
                }
            }
            News::Receipts(ReceiptsNotice { conversation, marks }) => {
                self.tell_receipts(conversation, &marks, effects);
            }
            News::Said(group, entry) => {
                let here = self.topics.get(&Topic::Channel(group)).map_or(&[][..], |it| &it.watchers);
                let followers = here.iter().filter_map(|connection| self.followers.get(connection));
                let to: Vec<C> = followers.map(|follower| follower.to.clone()).collect();
                if !to.is_empty() {
                    effects.push(Effect::Push(to, Notice::Channel(encode_channel_notice(&entry))));
                }
            }
            // Channels are open to all.
            News::Recheck(Topic::Channel(_)) => {}
            News::Recheck(Topic::Conversation(conversation)) => {
                if self.topics.contains_key(&Topic::Conversation(conversation)) {
                    self.turns.wait(Turn::Members(conversation));
                }
            }
            News::Recheck(Topic::User(user)) => self.look_again_at(user, |_| true),
            News::RecheckViewer { user, viewer } => self.look_again_at(user, |it| it == viewer),
        }
    }

    /// What the user of these connections may see of others may have changed.
    pub(crate) fn recheck_for(&mut self, connections: &[ConnectionId]) {
        for connection in connections {
            self.look_again(*connection, |_| true);
        }
    }

    /// What was to be read has been, or has failed: the next have their turn.
    pub(crate) fn looked(&mut self, effects: &mut Vec<Effect<C>>) {
        self.turns.over();
        self.take_turns(effects);
    }

    /// The users of these connections are not in a conversation any more.
    pub(crate) fn closed(
        &mut self,
        now: Instant,
        conversation: ConversationId,
        connections: &[ConnectionId],
        effects: &mut Vec<Effect<C>>,
    ) {
        for connection in connections {
            let Some(watcher) = self.watchers.get_mut(connection) else { continue };
            let before = watcher.topics();
            watcher.conversations.retain(|open| *open != conversation);
            let after = watcher.topics();
            self.change(now, *connection, &before, &after, effects);
        }
    }

    /// A member of a group who is here has come further. Whether there was room for it.
    pub(crate) fn moved(&mut self, conversation: ConversationId, mark: MemberMark) -> bool {
        if self.marks_count >= MARKS_MAX {
            return false;
        }
        let marks = self.marks.entry(conversation).or_default();
        let before = marks.len();
        merge(marks, vec![mark]);
        self.marks_count += marks.len() - before;
        true
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant, effects: &mut Vec<Effect<C>>) {
        self.take_turns(effects);
        if now >= self.marks_at && !self.marks.is_empty() {
            self.marks_at = now + MARKS_EVERY;
            self.marks_count = 0;
            for (conversation, marks) in std::mem::take(&mut self.marks) {
                let marks = marks.into_values().collect();
                effects.push(Effect::Publish(News::Receipts(ReceiptsNotice { conversation, marks })));
            }
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            let over = self.watchers.iter().filter(|(_, watcher)| watcher.until <= now);
            let over: Vec<ConnectionId> = over.map(|(connection, _)| *connection).collect();
            over.into_iter().for_each(|connection| self.watches_no_more(connection, effects));
            self.renew_before(now, now.checked_sub(RENEWED_EVERY), |_| true, effects);
        }
    }

    /// Tells the owners of these topics anew.
    pub(crate) fn renew(
        &mut self,
        now: Instant,
        which: impl Fn(Topic) -> bool,
        effects: &mut Vec<Effect<C>>,
    ) {
        self.renew_before(now, Some(now), which, effects);
    }

    fn renew_before(
        &mut self,
        now: Instant,
        before: Option<Instant>,
        which: impl Fn(Topic) -> bool,
        effects: &mut Vec<Effect<C>>,
    ) {
        let mut due = Vec::new();
        for (topic, followed) in &mut self.topics {
            if before.is_some_and(|before| followed.renewed <= before) && which(*topic) {
                followed.renewed = now;
                due.push(*topic);
            }
        }
        if !due.is_empty() {
            effects.push(Effect::Watching(due));
        }
    }

    /// A connection watches other topics now.
    fn change(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        before: &[Topic],
        after: &[Topic],
        effects: &mut Vec<Effect<C>>,
    ) {
        let (mut watching, mut unwatching) = (Vec::new(), Vec::new());
        for topic in after.iter().filter(|topic| !before.contains(topic)) {
            let followed = self.topics.entry(*topic).or_insert_with(|| {
                watching.push(*topic);
                Followed { watchers: Vec::with_capacity(1), presence: None, renewed: now }
            });
            followed.watchers.push(connection);
        }
        for topic in before.iter().filter(|topic| !after.contains(topic)) {
            if self.leave(connection, *topic) {
                unwatching.push(*topic);
            }
        }
        if !watching.is_empty() {
            effects.push(Effect::Watching(watching));
        }
        if !unwatching.is_empty() {
            effects.push(Effect::Unwatching(unwatching));
        }
    }

    /// Whether nobody here watches the topic any more.
    fn leave(&mut self, connection: ConnectionId, topic: Topic) -> bool {
        let Some(followed) = self.topics.get_mut(&topic) else { return false };
        followed.watchers.retain(|watcher| *watcher != connection);
        followed.watchers.is_empty() && self.topics.remove(&topic).is_some()
    }

    fn watchers_of(&self, topic: Topic) -> impl Iterator<Item = &Watcher<C>> {
        let watchers = self.topics.get(&topic).map_or(&[][..], |followed| &followed.watchers);
        watchers.iter().filter_map(|connection| self.watchers.get(connection))
    }

    /// What some viewers may see of a user may have changed.
    fn look_again_at(&mut self, user: UserId, is_viewer: impl Fn(UserId) -> bool) {
        let Some(followed) = self.topics.get(&Topic::User(user)) else { return };
        for connection in followed.watchers.clone() {
            if self.watchers.get(&connection).is_some_and(|watcher| is_viewer(watcher.user)) {
                self.look_again(connection, |seen| seen.user == user);
            }
        }
    }

    /// Until it is known what may be seen of some users, nothing more is told of them. It is read when it is the
    /// connection's turn, of all for whom it waits by then.
    fn look_again(&mut self, connection: ConnectionId, whom: impl Fn(&Seen) -> bool) {
        let Some(watcher) = self.watchers.get_mut(&connection) else { return };
        for seen in watcher.users.iter_mut().filter(|seen| whom(seen)) {
            (seen.sight, seen.look) = (None, None);
            self.turns.wait(Turn::Sights(connection));
        }
    }

    /// Has read what it is the turn of.
    fn take_turns(&mut self, effects: &mut Vec<Effect<C>>) {
        while let Some(turn) = self.turns.next() {
            match self.turn(turn) {
                Some(effect) => effects.push(effect),
                None => self.turns.over(),
            }
        }
    }

    fn turn(&mut self, turn: Turn) -> Option<Effect<C>> {
        match turn {
            Turn::Sights(connection) => {
                let watcher = self.watchers.get_mut(&connection)?;
                self.numbers += 1;
                let (look, mut users) = (self.numbers, Vec::new());
                for seen in watcher.users.iter_mut().filter(|seen| seen.look.is_none()) {
                    seen.look = Some(look);
                    users.push(seen.user);
                }
                // None if the client has watched anew.
                (!users.is_empty()).then_some(Effect::Look { connection, look, viewer: watcher.user, users })
            }
            Turn::Members(conversation) => {
                let watchers = &self.topics.get(&Topic::Conversation(conversation))?.watchers;
                let users = watchers.iter().filter_map(|it| Some((*it, self.watchers.get(it)?.user)));
                Some(Effect::Check { conversation, watchers: users.collect() })
            }
        }
    }

    /// Whether somebody may have to be told of presence now: then [`step`](Self::step) is to be called.
    pub(crate) fn is_telling(&self, now: Instant) -> bool {
        self.due.first().is_some_and(|(not_before, _)| *not_before <= now)
    }

    /// Tells watchers what has changed, those first who were told longest ago. Only of those who may have changed: many may
    /// come and go at once whom many watch. Where many are to be told, not all are with the same step, nor the next time: what
    /// else there is to be written is not kept waiting.
    pub(crate) fn step(&mut self, now: Instant, effects: &mut Vec<Effect<C>>) {
        let mut room = self.watchers.len().div_ceil(TOLD_IN_STEPS).max(TOLD_AT_ONCE_MIN);
        while room > 0 && self.is_telling(now) {
            let Some((_, connection)) = self.due.pop_first() else { return };
            let Some(watcher) = self.watchers.get_mut(&connection) else { continue };
            let mut people = Vec::new();
            for user in std::mem::take(&mut watcher.untold) {
                let Ok(at) = watcher.users.binary_search_by_key(&user, |seen| seen.user) else { continue };
                let seen = &mut watcher.users[at];
                let known = self.topics.get(&Topic::User(seen.user)).and_then(|it| it.presence.as_ref());
                let is_news = |shown: &_| seen.is_lost || seen.told != Some(*shown);
                let Some(shown) = seen.shown(known).filter(is_news) else { continue };
                (seen.told, seen.is_lost) = (Some(shown), false);
                let (availability, last_seen_ms) = shown;
                people.push(Presence { user: seen.user, availability, last_seen_ms });
            }
            // Whom nothing is shown of what has changed, takes nobody's turn.
            if !people.is_empty() {
                room -= 1;
                watcher.not_before = now + PRESENCE_EVERY;
                let notice = Notice::Presence(PresenceNotice { people });
                effects.push(Effect::Push(vec![watcher.to.clone()], notice));
            }
        }
    }

    fn tell_receipts(
        &self,
        conversation: ConversationId,
        marks: &[MemberMark],
        effects: &mut Vec<Effect<C>>,
    ) {
        let mut others = Vec::new();
        for watcher in self.watchers_of(Topic::Conversation(conversation)) {
            if !marks.iter().any(|mark| mark.user == watcher.user) {
                others.push(watcher.to.clone());
                continue;
            }
            // How far users themselves have come is no news to them.
            let rest = marks.iter().filter(|mark| mark.user != watcher.user).cloned().collect::<Vec<_>>();
            if !rest.is_empty() {
                let notice = Notice::Receipts(ReceiptsNotice { conversation, marks: rest });
                effects.push(Effect::Push(vec![watcher.to.clone()], notice));
            }
        }
        if !others.is_empty() {
            let notice = Notice::Receipts(ReceiptsNotice { conversation, marks: marks.to_vec() });
            effects.push(Effect::Push(others, notice));
        }
    }
}

impl<C> Watcher<C> {
    fn topics(&self) -> Vec<Topic> {
        let users = self.users.iter().map(|seen| Topic::User(seen.user));
        users.chain(self.conversations.iter().copied().map(Topic::Conversation)).collect()
    }
}

impl Seen {
    /// What is shown of the user, if anything is.
    fn shown(&self, known: Option<&Presence>) -> Option<(Availability, u64)> {
        let sight = self.sight?;
        if !sight.online {
            // Who could be seen before, and has hidden since, looks like one who has gone.
            return self.told.map(|_| (Availability::Offline, 0));
        }
        let known = known?;
        let is_dated = sight.last_seen && known.availability == Availability::Offline;
        let last_seen_ms = if is_dated { known.last_seen_ms.max(sight.last_seen_ms) } else { 0 };
        Some((known.availability, last_seen_ms - last_seen_ms % MINUTE_MS))
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
