//! A person's chat, whatever it is shown on: commands, and what the network says, applied to the [`Rooms`].

mod broadcasts;
mod channels;
mod chats;
mod contacts;
mod groups;
mod history;
mod looking;
mod messages;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use rookery_protocol::{
    Conversation, ConversationId, ConversationSettings, Group, GroupId, Handle, MemberMark, ReferenceKind,
    Seq, UserId,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ChatOptions;
use super::channel_command;
use super::contact_command::{self, ContactCommand};
use super::group_command;
use super::listing_command::{self, ListingCommand};
use super::message_command::{self, MessageCommand};
use super::rooms::{Rooms, clock, is_line, printable};
use super::words::By;
use crate::{Client, Entry, Event, Refusal, RequestError, Started, TerminalError};

pub(super) const COMMANDS: [(&str, &str); 10] = [
    ("/to NAME", "open the conversation with NAME"),
    ("/chats", "list conversations"),
    ("/broadcast @NAME,@NAME,... TEXT", "say it to each of them alone"),
    ("/groups", "list the groups that you are in"),
    ("/help messages", "reply, react, edit, delete, hide, report"),
    ("/help chats", "pin, mute, put away, go back in what was said"),
    ("/help people", "contacts, blocking, privacy, profiles"),
    ("/help groups", "make groups and change them"),
    ("/help channels", "follow channels, and make them"),
    ("/quit", "leave; what is not sent yet is sent next time"),
];

const LEGEND: [&str; 2] = [
    "✓ sent, ✓✓ delivered, ✓✓ coloured: read; … waiting; times are UTC",
    "Tab completes, arrows move and recall, a message with / in front begins with //",
];
/// Columns of a command in the help; a longer one pushes what it does to the right.
const USAGE_COLUMNS_MAX: usize = 36;

/// An answer that came while other things went on.
pub(super) enum Update {
    Opened(Handle, UserId),
    Named(UserId, Handle),
    /// A broadcast goes to these.
    Addressed(Vec<(UserId, Handle)>, String),
    /// A group is made.
    Made(GroupId, String),
    /// A channel is followed from now on, and what it is if that could be had.
    Following(GroupId, Option<Group>),
    Unfollowed(GroupId),
    /// What a group is called is news, perhaps.
    Called(Group),
    /// An answer for the person, and names learnt with it.
    Told(Vec<String>, HashMap<UserId, Handle>),
    Groups(Vec<Group>, usize),
    /// To be shown, and told in lines if these are all there is.
    History {
        conversation: ConversationId,
        entries: Vec<Entry>,
        told: bool,
    },
    /// What was said from some time on.
    Past {
        since_ms: u64,
        entries: Vec<Entry>,
    },
    /// How conversations stand, and names learnt with it.
    Chats {
        conversations: Vec<Conversation>,
        names: HashMap<UserId, Handle>,
        /// These are all.
        are_all: bool,
    },
    /// A conversation is listed so from now on, and what the person is told of that.
    Listed(ConversationId, ConversationSettings, String),
    /// Who is in a group.
    Crew(Group),
    /// How far the others of a conversation have come.
    Marks(ConversationId, Vec<MemberMark>),
    Problem(String),
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Quit,
}

pub(super) struct Session {
    pub(super) client: Client,
    pub(super) rooms: Rooms,
    /// One line about the connection.
    pub(super) connection: String,
    pub(super) connected: bool,
    /// For the person, until the next command.
    pub(super) notices: Vec<String>,
    pub(super) ended: Option<TerminalError>,
    /// Lines are all there is.
    pub(super) is_plain: bool,
    /// The messages' numbers are shown.
    pub(super) numbers: bool,
    /// The last message that is on the screen, when the person has gone back.
    pub(super) scrolled: Option<Seq>,
    /// What was asked for of the history before what is shown.
    asked_before: HashMap<ConversationId, Seq>,
    /// What the server was told that the person looks at.
    looking: (Vec<UserId>, Option<ConversationId>),
    is_away: bool,
    /// By the clock of this machine, as of the last thing that happened.
    pub(super) now_ms: u64,
    asked_chats: bool,
    /// The channels that the person follows.
    followed: Vec<GroupId>,
    /// Who was meant to chat.
    meant: Option<Handle>,
    /// To open once it is known who this is.
    open_first: Option<Handle>,
    /// A command is being carried out on which those behind it may depend: a conversation is opened, say.
    busy: bool,
    /// Whose names have been asked for.
    asked: HashSet<UserId>,
    asked_groups: HashSet<GroupId>,
    updates: mpsc::Sender<Update>,
}

impl Session {
    pub(super) fn new(started: &Started, options: &ChatOptions) -> (Self, mpsc::Receiver<Update>) {
        let (updates, received) = mpsc::channel(64);
        let mut rooms = Rooms::default();
        for (conversation, _) in &started.conversations {
            rooms.room(*conversation);
        }
        let session = Self {
            client: started.client.clone(),
            rooms,
            connection: "connecting".to_owned(),
            connected: false,
            notices: Vec::new(),
            ended: None,
            is_plain: false,
            numbers: false,
            scrolled: None,
            asked_before: HashMap::new(),
            looking: (Vec::new(), None),
            is_away: false,
            now_ms: chats::now_ms(),
            asked_chats: false,
            followed: Vec::new(),
            meant: options.me.clone(),
            open_first: options.open.clone(),
            busy: false,
            asked: HashSet::new(),
            asked_groups: HashSet::new(),
            updates,
        };
        (session, received)
    }

    /// A line was entered.
    pub(super) fn enter(&mut self, line: &str) -> Next {
        self.notices.clear();
        let line = line.trim();
        if let Some(command) = line.strip_prefix('/').filter(|command| !command.starts_with('/')) {
            let (name, argument) = command.split_once(' ').unwrap_or((command, ""));
            return self.command(name, argument.trim());
        }
        // Two slashes begin a message that begins with one.
        let text = if line.starts_with("//") { &line[1..] } else { line };
        if !text.is_empty() {
            self.say(text);
        }
        Next::GoOn
    }

    fn command(&mut self, name: &str, argument: &str) -> Next {
        if let Some(command) = MessageCommand::parse(name, argument) {
            self.message_command(command);
            return Next::GoOn;
        }
        if let Some(command) = ListingCommand::parse(name, argument) {
            self.listing_command(command);
            return Next::GoOn;
        }
        if let Some(command) = ContactCommand::parse(name, argument) {
            self.contact_command(command);
            return Next::GoOn;
        }
        match name {
            "to" => self.open_by_name(argument),
            "broadcast" => self.broadcast(argument),
            "chats" | "list" => self.list(),
            "group" => self.group_command(argument),
            "groups" => self.list_groups(),
            "channel" => self.channel_command(argument),
            "receipts" | "who" => self.show_receipts(),
            "numbers" => self.numbers = !self.numbers,
            "history" => self.show_history(argument),
            "read" => self.mark_read(),
            "help" | "?" => self.help(argument),
            "quit" | "q" | "exit" => return Next::Quit,
            _ => self.notices.push(format!("there is no command /{name}; /help lists them")),
        }
        Next::GoOn
    }

    fn say(&mut self, text: &str) {
        if let Some(conversation) = self.open_or_notice() {
            self.send(conversation, text, None, text.to_owned());
        }
    }

    /// The open conversation; without one the person is told how to open one.
    fn open_or_notice(&mut self) -> Option<ConversationId> {
        if self.rooms.open.is_none() {
            self.notices.push("no conversation is open: /to NAME opens one".to_owned());
        }
        self.rooms.open
    }

    fn help(&mut self, topic: &str) {
        let commands: Vec<_> = match topic {
            "" => COMMANDS.iter().collect(),
            "messages" => message_command::COMMANDS.iter().collect(),
            "chats" => listing_command::COMMANDS.iter().collect(),
            "people" => contact_command::COMMANDS.iter().collect(),
            "groups" => group_command::COMMANDS.iter().collect(),
            "channels" => channel_command::COMMANDS.iter().collect(),
            "all" => COMMANDS
                .iter()
                .chain(&message_command::COMMANDS)
                .chain(&listing_command::COMMANDS)
                .chain(&contact_command::COMMANDS)
                .chain(&group_command::COMMANDS)
                .chain(&channel_command::COMMANDS)
                .collect(),
            _ => {
                let usage = "it goes /help, or /help messages|chats|people|groups|channels|all";
                return self.notices.push(usage.to_owned());
            }
        };
        let lengths = commands.iter().map(|(usage, _)| usage.len());
        let columns = lengths.filter(|length| *length <= USAGE_COLUMNS_MAX).max().unwrap_or(0);
        let line = |(usage, what): &(&str, &str)| format!("{usage:<columns$}  {what}");
        self.notices = commands.into_iter().map(line).collect();
        if topic.is_empty() {
            self.notices.extend(LEGEND.map(str::to_owned));
        }
    }

    fn open_by_name(&mut self, name: &str) {
        // A name is a person's: a group could have been given any.
        if let Ok(conversation) = name.parse::<ConversationId>()
            && conversation.group_id().is_some()
        {
            return self.open(conversation);
        }
        let handle: Handle = match name.parse() {
            Ok(handle) => handle,
            Err(error) => {
                self.notices.push(format!("/to {name}: {error}"));
                return;
            }
        };
        self.ask(|client| async move {
            match client.lookup(handle.clone()).await {
                Ok(found) => Update::Opened(found.handle, found.user),
                Err(error) => Update::Problem(format!("{handle}: {}", plainly(&error))),
            }
        });
    }

    /// Carries a command out in the background.
    fn ask<F: Future<Output = Update> + Send + 'static>(&mut self, asking: impl FnOnce(Client) -> F) {
        self.busy = true;
        let (asking, updates) = (asking(self.client.clone()), self.updates.clone());
        tokio::spawn(async move {
            // Nobody listens any more when the chat is over.
            let _ = updates.send(asking.await).await;
        });
    }

    fn mark_read(&mut self) {
        if let Some((conversation, seq)) = self.rooms.mark_shown() {
            self.client.read(conversation, seq);
        }
    }

    /// An answer came.
    pub(super) fn update(&mut self, update: Update) {
        match update {
            Update::Opened(handle, user) => {
                self.busy = false;
                self.rooms.learn(user, handle.clone());
                match &self.rooms.me {
                    Some(me) => self.open(ConversationId::direct(me.user, user)),
                    // The answer has overtaken the news that there is a connection.
                    None => self.open_first = Some(handle),
                }
            }
            Update::Named(user, handle) => self.rooms.learn(user, handle),
            Update::Addressed(users, text) => {
                self.busy = false;
                self.broadcast_to(users, &text);
            }
            Update::Made(group, name) => {
                self.busy = false;
                let conversation = ConversationId::group(group);
                self.rooms.room(conversation).call(Seq::new(1), &name);
                self.open(conversation);
            }
            Update::Following(group, what) => self.following(group, what.as_ref()),
            Update::Unfollowed(group) => self.unfollowed(group),
            Update::Called(group) => self.called(&group),
            Update::Told(lines, names) => {
                self.busy = false;
                names.into_iter().for_each(|(user, handle)| self.rooms.learn(user, handle));
                self.notices.extend(lines);
            }
            Update::Groups(groups, others) => {
                self.busy = false;
                for group in &groups {
                    self.called(group);
                    self.notices.push(group_command::summary(group));
                }
                match (groups.len(), others) {
                    (0, 0) => self.notices.push("no groups: /group create makes one".to_owned()),
                    (_, 0) => {}
                    (_, others) => self.notices.push(format!("and {others} others")),
                }
            }
            Update::History { conversation, entries, told } => self.history(conversation, entries, told),
            Update::Past { since_ms, entries } => {
                self.busy = false;
                self.past(since_ms, entries);
            }
            Update::Chats { conversations, names, are_all } => {
                self.chats_stand(conversations, names, are_all);
            }
            Update::Listed(conversation, settings, line) => {
                self.busy = false;
                // The event that says so may come later than the next command.
                self.rooms.room(conversation).settings = settings;
                self.notices.push(line);
            }
            Update::Crew(group) => {
                self.called(&group);
                self.rooms.room(ConversationId::group(group.group)).members = group.members;
            }
            Update::Marks(conversation, marks) => self.rooms.reach(conversation, marks),
            Update::Problem(problem) => {
                self.busy = false;
                self.notices.push(problem);
            }
        }
    }

    /// Whether lines that are entered now may be meant for a conversation that is not open yet, or a group as it will be.
    pub(super) fn is_busy(&self) -> bool {
        self.busy || self.open_first.is_some()
    }

    /// Whether messages wait for confirmation.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent() > 0
    }

    fn unsent(&self) -> usize {
        let unsent = self.rooms.rooms.values().flat_map(|room| &room.unsent);
        unsent.filter(|unsent| unsent.refused.is_none()).count()
    }

    /// A line for the person who leaves while messages wait.
    pub(super) fn left_unsent(&self) -> Option<String> {
        match self.unsent() {
            0 => None,
            1 => Some("1 message is not sent yet: the next chat as this device sends it".to_owned()),
            many => {
                Some(format!("{many} messages are not sent yet: the next chat as this device sends them"))
            }
        }
    }

    pub(super) fn open(&mut self, conversation: ConversationId) {
        self.rooms.open = Some(conversation);
        self.scrolled = None;
        self.ask_group(conversation);
        self.ask_marks(conversation);
        self.opened(conversation);
        let room = self.rooms.room(conversation);
        if !std::mem::replace(&mut room.history_asked, true) {
            self.fetch_history(conversation, history::HISTORY_ON_OPENING, false);
        }
    }

    /// Something happened. Gives a line that says so, where lines are all there is.
    pub(super) fn event(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Connected(identity) => {
                let line = format!("connected as {}", identity.handle);
                self.connection = "connected".to_owned();
                self.connected = true;
                self.rooms.learn(identity.user, identity.handle.clone());
                if let Some(meant) = self.meant.take().filter(|meant| *meant != identity.handle) {
                    self.notices.push(format!("the token is not {meant}'s: you are {}", identity.handle));
                }
                self.rooms.me = Some(identity);
                let peers: Vec<_> = self.rooms.rooms.keys().filter_map(|id| self.rooms.peer(*id)).collect();
                peers.into_iter().for_each(|peer| self.ask_name(peer));
                let rooms: Vec<_> = self.rooms.rooms.keys().copied().collect();
                rooms.into_iter().for_each(|room| self.ask_group(room));
                if !std::mem::replace(&mut self.asked_chats, true) {
                    self.ask_chats(None);
                }
                if let Some(handle) = self.open_first.take() {
                    self.open_by_name(handle.as_str());
                }
                Some(line)
            }
            Event::Disconnected { retry_in, reason } => {
                self.connected = false;
                self.rooms.lose_sight();
                let seconds = retry_in.as_secs_f32().ceil();
                // The end of it is cut off where there is no room.
                self.connection = format!("offline, again in {seconds} s: {}", printable(&reason));
                Some(self.connection.clone())
            }
            Event::Message(message) => {
                self.ask_name(message.sender);
                self.ask_group(message.conversation);
                let group = self.group_mark(message.conversation);
                let line = indented(&format!("{} {group}{}", clock(message.time_ms), self.told(&message)));
                let own = self.rooms.is_me(message.sender);
                self.rooms.add(message, true);
                (!own).then_some(line)
            }
            Event::Change(change) => {
                let words = self.rooms.words(By::of(&change), change.sender, &change.change);
                let (conversation, time) = (change.conversation, clock(change.time_ms));
                if self.rooms.open == Some(conversation) && Self::changes_members(&change.change) {
                    self.ask_marks(conversation);
                }
                self.changed(change);
                Some(format!("{time} {}{words}", self.group_mark(conversation)))
            }
            Event::Stored { .. } => None,
            Event::Sent { id, conversation, seq, time_ms } => {
                self.rooms.sent(conversation, id, seq, time_ms);
                Some(format!("✓ sent ({seq})"))
            }
            Event::SendFailed { id, conversation, refusal } => {
                let why = refused_words(&refusal);
                let is_elsewhere = self.rooms.open != Some(conversation);
                let to = if is_elsewhere {
                    format!(" to {}", self.rooms.title(conversation))
                } else {
                    String::new()
                };
                if is_elsewhere && !self.is_plain {
                    self.notices.push(format!("✗ not sent{to}: {why}"));
                }
                let room = self.rooms.room(conversation);
                let place = room.unsent.iter().position(|unsent| unsent.id == id);
                match place.and_then(|place| room.unsent.get_mut(place)) {
                    Some(unsent) if is_line(unsent.reference.as_ref()) => unsent.refused = Some(why.clone()),
                    // It would stand below the conversation, and say nothing there.
                    Some(_) => {
                        let unsent = room.unsent.remove(place.unwrap_or_default());
                        if !self.is_plain {
                            let what = match unsent.reference.map(|reference| reference.kind) {
                                Some(ReferenceKind::Edit) => "edit",
                                Some(ReferenceKind::Delete) => "deletion",
                                _ => "reaction",
                            };
                            self.notices.push(format!("✗ the {what} was refused: {why}"));
                        }
                    }
                    None => {}
                }
                Some(format!("✗ not sent{to}: {why}"))
            }
            Event::Receipt(receipt) => {
                let me = self.rooms.me.as_ref().map_or(receipt.user, |me| me.user);
                let before = self.rooms.room(receipt.conversation).tick(me, receipt.read.max(Seq::new(1)));
                self.rooms.receipt(&receipt);
                let is_news = !self.rooms.is_me(receipt.user) && before != super::rooms::Tick::Read;
                is_news.then(|| format!("✓✓ delivered to {}, read to {}", receipt.delivered, receipt.read))
            }
            Event::Shown(shown) => {
                self.rooms.room(shown.conversation).shown(shown);
                None
            }
            Event::Expired { conversation, seq } => {
                self.rooms.room(conversation).delete(seq);
                None
            }
            // Each command asks for what it needs of these.
            Event::Account { .. } => None,
            Event::Followed(groups) => {
                self.follows(groups);
                None
            }
            Event::Watching => {
                if let Some(open) = self.rooms.open {
                    self.ask_marks(open);
                }
                None
            }
            Event::Presence(people) => {
                self.rooms.seen(people);
                None
            }
            Event::Typing { conversation, user, doing } => {
                self.ask_name(user);
                self.rooms.does_something(conversation, user, doing, Instant::now());
                None
            }
            Event::Receipts { conversation, marks } => {
                self.rooms.reach(conversation, marks);
                None
            }
            Event::Terminal(error) => {
                self.connected = false;
                self.connection = format!("ended: {error}");
                self.ended = Some(error);
                None
            }
        }
    }

    fn ask_name(&mut self, user: UserId) {
        if self.rooms.knows(user) || !self.asked.insert(user) {
            return;
        }
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            if let Ok(found) = client.lookup_user(user).await {
                let _ = updates.send(Update::Named(found.user, found.handle)).await;
            }
        });
    }

    /// Whole lines that Tab may complete to.
    pub(super) fn completions(&self) -> Vec<String> {
        let mut lines: Vec<String> = COMMANDS
            .iter()
            .map(|(usage, _)| match usage.split_once(" NAME") {
                Some((name, _)) => format!("{name} "),
                None => usage.split_inclusive('@').next().unwrap_or(usage).to_owned(),
            })
            .chain(self.rooms.names().map(|name| format!("/to {name}")))
            .chain(command_names(&message_command::COMMANDS))
            .chain(command_names(&listing_command::COMMANDS))
            .chain(contact_command::completions())
            .chain(
                contact_command::WITH_HANDLES
                    .iter()
                    .flat_map(|command| self.rooms.names().map(move |name| format!("{command} {name}"))),
            )
            .chain(group_command::completions())
            .chain(
                group_command::WITH_HANDLES
                    .iter()
                    .flat_map(|word| self.rooms.names().map(move |name| format!("/group {word} {name}"))),
            )
            .chain(self.rooms.rooms.values().filter_map(|room| Some(format!("/group open {}", room.name()?))))
            .chain(channel_command::completions())
            .chain(self.followed.iter().flat_map(|group| self.channel_completions(*group)))
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}

/// Commands as they begin, without what they take.
fn command_names<'a>(commands: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = String> + 'a {
    commands.iter().map(|(usage, _)| match usage.split_once(' ') {
        Some((name, _)) => format!("{name} "),
        None => (*usage).to_owned(),
    })
}

/// One entry where lines are all there is: a message of several lines must not pass for several messages.
fn indented(entry: &str) -> String {
    entry.replace('\n', "\n    ")
}

/// What the server says, for people; the code only where it says nothing.
fn refused_words(refusal: &Refusal) -> String {
    if refusal.text.is_empty() { refusal.to_string() } else { printable(&refusal.text) }
}

pub(super) fn plainly(error: &RequestError) -> String {
    match error {
        RequestError::Refused(refusal) => refused_words(refusal),
        other => other.to_string(),
    }
}
