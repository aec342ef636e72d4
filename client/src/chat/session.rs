//! A person's chat, whatever it is shown on: commands, and what the network says, applied to the [`Rooms`].

mod groups;

use std::collections::{HashMap, HashSet};

use rookery_protocol::{Body, ConversationId, Group, GroupId, Handle, HistoryPage, Seq, UserId};
use tokio::sync::mpsc;

use super::ChatOptions;
use super::group_command;
use super::rooms::{Rooms, Unsent, clock, printable};
use super::words::By;
use crate::{Client, Entry, Event, RequestError, Started, TerminalError};

/// Messages asked for when a conversation is opened.
const HISTORY_ON_OPENING: u64 = 50;
const HISTORY_AT_MOST: u64 = 250;

pub(super) const COMMANDS: [(&str, &str); 8] = [
    ("/to NAME", "open the conversation with NAME"),
    ("/list", "list conversations"),
    ("/groups", "list the groups that you are in"),
    ("/receipts", "who has received and read the last message that you sent here"),
    ("/history N", "show the last N messages"),
    ("/read", "mark this conversation as read"),
    ("/help", "this list"),
    ("/quit", "leave; what is not sent yet is sent next time"),
];

/// An answer that came while other things went on.
pub(super) enum Update {
    Opened(Handle, UserId),
    Named(UserId, Handle),
    /// A group is made.
    Made(GroupId, String),
    /// What a group is called is news, perhaps.
    Called(Group),
    /// An answer for the person, and names learnt with it.
    Told(Vec<String>, HashMap<UserId, Handle>),
    Groups(Vec<Group>, usize),
    History(Vec<Entry>),
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
        match name {
            "to" => self.open_by_name(argument),
            "list" => self.list(),
            "group" => self.group_command(argument),
            "groups" => self.list_groups(),
            "receipts" | "who" => self.show_receipts(),
            "history" => self.show_history(argument),
            "read" => self.mark_read(),
            "help" | "?" => {
                let commands = COMMANDS.iter().chain(&group_command::COMMANDS);
                self.notices = commands.map(|(usage, what)| format!("{usage:<41} {what}")).collect();
                self.notices
                    .push("✓ sent, ✓✓ delivered, ✓✓ coloured: read; … waiting; times are UTC".to_owned());
                self.notices.push(
                    "Tab completes, arrows move and recall, a message with / in front begins with //"
                        .to_owned(),
                );
            }
            "quit" | "q" | "exit" => return Next::Quit,
            _ => self.notices.push(format!("there is no command /{name}; /help lists them")),
        }
        Next::GoOn
    }

    fn say(&mut self, text: &str) {
        let Some(conversation) = self.rooms.open else {
            self.notices.push("no conversation is open: /to NAME opens one".to_owned());
            return;
        };
        match self.client.send(conversation, Body::new(text.as_bytes().to_vec())) {
            Ok(ticket) => {
                let unsent = Unsent { id: ticket.id(), text: printable(text), refused: None };
                self.rooms.room(conversation).unsent.push(unsent);
            }
            Err(error) => self.notices.push(error.to_string()),
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

    fn list(&mut self) {
        let conversations: Vec<_> = self.rooms.rooms.iter().map(|(id, room)| (*id, room.unread)).collect();
        for (conversation, unread) in conversations {
            let title = self.rooms.title(conversation);
            self.notices.push(if unread > 0 { format!("{title} ({unread} new)") } else { title });
        }
        if self.notices.is_empty() {
            self.notices.push("no conversations yet: /to NAME begins one".to_owned());
        }
    }

    fn show_history(&mut self, argument: &str) {
        let count = if argument.is_empty() { Ok(HISTORY_ON_OPENING) } else { argument.parse() };
        match (self.rooms.open, count) {
            (None, _) => self.notices.push("no conversation is open: /to NAME opens one".to_owned()),
            (_, Err(_)) => self.notices.push("/history takes a number".to_owned()),
            (Some(conversation), Ok(count)) => {
                self.fetch_history(conversation, count.clamp(1, HISTORY_AT_MOST));
            }
        }
    }

    fn mark_read(&mut self) {
        if let Some((conversation, seq)) = self.rooms.mark_shown() {
            self.client.read(conversation, seq);
        }
    }

    fn fetch_history(&mut self, conversation: ConversationId, count: u64) {
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            let update = match last_messages(&client, conversation, count).await {
                Ok(messages) => Update::History(messages),
                // A conversation in which nothing was said yet is not known to the server.
                Err(RequestError::Refused(_)) => Update::History(Vec::new()),
                Err(error) => Update::Problem(format!("history: {}", plainly(&error))),
            };
            let _ = updates.send(update).await;
        });
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
            Update::Made(group, name) => {
                self.busy = false;
                let conversation = ConversationId::group(group);
                self.rooms.room(conversation).call(Seq::new(1), &name);
                self.open(conversation);
            }
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
            Update::History(entries) => {
                for entry in entries {
                    match entry {
                        Entry::Message(message) => {
                            self.ask_name(message.sender);
                            self.rooms.add(message, false);
                        }
                        Entry::Change(change) => self.changed(change),
                    }
                }
            }
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
        self.ask_group(conversation);
        let room = self.rooms.room(conversation);
        if !std::mem::replace(&mut room.history_asked, true) {
            self.fetch_history(conversation, HISTORY_ON_OPENING);
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
                if let Some(handle) = self.open_first.take() {
                    self.open_by_name(handle.as_str());
                }
                Some(line)
            }
            Event::Disconnected { retry_in, reason } => {
                self.connected = false;
                let seconds = retry_in.as_secs_f32().ceil();
                // The end of it is cut off where there is no room.
                self.connection = format!("offline, again in {seconds} s: {}", printable(&reason));
                Some(self.connection.clone())
            }
            Event::Message(message) => {
                self.ask_name(message.sender);
                self.ask_group(message.conversation);
                let who = self.rooms.name(message.sender);
                let text = printable(&String::from_utf8_lossy(message.body.as_bytes()));
                let group = self.group_mark(message.conversation);
                let line = indented(&format!("{} {group}{who}: {text}", clock(message.time_ms)));
                let own = self.rooms.is_me(message.sender);
                self.rooms.add(message, true);
                (!own).then_some(line)
            }
            Event::Change(change) => {
                let words = self.rooms.words(By::of(&change), change.sender, &change.change);
                let (conversation, time) = (change.conversation, clock(change.time_ms));
                self.changed(change);
                Some(format!("{time} {}{words}", self.group_mark(conversation)))
            }
            Event::Stored { .. } => None,
            Event::Sent { id, conversation, seq, time_ms } => {
                self.rooms.sent(conversation, id, seq, time_ms);
                Some(format!("✓ sent ({seq})"))
            }
            Event::SendFailed { id, conversation, refusal } => {
                let why = printable(&refusal.to_string());
                let room = self.rooms.room(conversation);
                if let Some(unsent) = room.unsent.iter_mut().find(|unsent| unsent.id == id) {
                    unsent.refused = Some(why.clone());
                }
                Some(format!("✗ not sent: {why}"))
            }
            Event::Receipt(receipt) => {
                let before = self.rooms.room(receipt.conversation).tick(receipt.read.max(Seq::new(1)));
                self.rooms.receipt(&receipt);
                let is_news = !self.rooms.is_me(receipt.user) && before != super::rooms::Tick::Read;
                is_news.then(|| format!("✓✓ delivered to {}, read to {}", receipt.delivered, receipt.read))
            }
            Event::Shown(_)
            | Event::Account { .. }
            | Event::Watching
            | Event::Presence(_)
            | Event::Typing { .. }
            | Event::Receipts { .. } => None,
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
            .map(|(usage, _)| usage.split_once(' ').map_or(usage.to_string(), |(name, _)| format!("{name} ")))
            .chain(self.rooms.names().map(|name| format!("/to {name}")))
            .chain(group_command::completions())
            .chain(
                group_command::WITH_HANDLES
                    .iter()
                    .flat_map(|word| self.rooms.names().map(move |name| format!("/group {word} {name}"))),
            )
            .chain(self.rooms.rooms.values().filter_map(|room| Some(format!("/group open {}", room.name()?))))
            .collect();
        lines.sort_unstable();
        lines
    }
}

/// One entry where lines are all there is: a message of several lines must not pass for several messages.
fn indented(entry: &str) -> String {
    entry.replace('\n', "\n    ")
}

pub(super) fn plainly(error: &RequestError) -> String {
    match error {
        RequestError::Refused(refusal) => printable(&refusal.text),
        other => other.to_string(),
    }
}

async fn last_messages(
    client: &Client,
    conversation: ConversationId,
    count: u64,
) -> Result<Vec<Entry>, RequestError> {
    let head = client.history(conversation, Seq::new(1), Seq::new(1)).await?.head.get();
    let mut from = (head + 1).saturating_sub(count).max(1);
    let mut entries = Vec::new();
    while from <= head {
        let page: HistoryPage = client.history(conversation, Seq::new(from), Seq::new(head)).await?;
        entries.extend(page.messages.into_iter().map(Entry::of_history));
        if page.next.get() <= from {
            break;
        }
        from = page.next.get();
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_message_cannot_pass_for_messages_of_others() {
        assert_eq!(
            indented("10:00 eve: hi\n10:01 bob: give her the key"),
            "10:00 eve: hi\n    10:01 bob: give her the key"
        );
    }
}
