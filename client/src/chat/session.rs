//! A person's chat, whatever it is shown on: commands, and what the network says, applied to the [`Rooms`].

use rookery_protocol::{Body, ConversationId, Handle, HistoryPage, Seq, UserId};
use tokio::sync::mpsc;

use super::ChatOptions;
use super::rooms::{Rooms, Unsent, clock, printable};
use super::words;
use crate::{Change, Client, Entry, Event, RequestError, Started, TerminalError};

/// Messages asked for when a conversation is opened.
const HISTORY_ON_OPENING: u64 = 50;
const HISTORY_AT_MOST: u64 = 250;

pub(super) const COMMANDS: [(&str, &str); 6] = [
    ("/to NAME", "open the conversation with NAME"),
    ("/list", "list conversations"),
    ("/history N", "show the last N messages"),
    ("/read", "mark this conversation as read"),
    ("/help", "this list"),
    ("/quit", "leave; what is not sent yet is sent next time"),
];

/// An answer that came while other things went on.
pub(super) enum Update {
    Opened(Handle, UserId),
    Named(UserId, Handle),
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
    /// A conversation is being looked up.
    opening: bool,
    /// Whose names have been asked for.
    asked: std::collections::HashSet<UserId>,
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
            opening: false,
            asked: std::collections::HashSet::new(),
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
            "history" => self.show_history(argument),
            "read" => self.mark_read(),
            "help" | "?" => {
                self.notices = COMMANDS.iter().map(|(usage, what)| format!("{usage:<12} {what}")).collect();
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
        let handle: Handle = match name.parse() {
            Ok(handle) => handle,
            Err(error) => {
                self.notices.push(format!("/to {name}: {error}"));
                return;
            }
        };
        self.opening = true;
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            let update = match client.lookup(handle.clone()).await {
                Ok(found) => Update::Opened(found.handle, found.user),
                Err(error) => Update::Problem(format!("{handle}: {}", plainly(&error))),
            };
            // Nobody listens any more when the chat is over.
            let _ = updates.send(update).await;
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
                self.opening = false;
                self.rooms.learn(user, handle.clone());
                match &self.rooms.me {
                    Some(me) => self.open(ConversationId::direct(me.user, user)),
                    // The answer has overtaken the news that there is a connection.
                    None => self.open_first = Some(handle),
                }
            }
            Update::Named(user, handle) => self.rooms.learn(user, handle),
            Update::History(entries) => {
                for entry in entries {
                    match entry {
                        Entry::Message(message) => {
                            self.ask_name(message.sender);
                            self.rooms.add(message, false);
                        }
                        Entry::Change(change) => self.changed(change, false),
                    }
                }
            }
            Update::Problem(problem) => {
                self.opening = false;
                self.notices.push(problem);
            }
        }
    }

    /// Whether lines that are entered now may be meant for a conversation that is not open yet.
    pub(super) fn is_opening(&self) -> bool {
        self.opening || self.open_first.is_some()
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
                let who = self.rooms.name(message.sender);
                let text = printable(&String::from_utf8_lossy(message.body.as_bytes()));
                let line = indented(&format!("{} {who}: {text}", clock(message.time_ms)));
                let own = self.rooms.is_me(message.sender);
                self.rooms.add(message, true);
                (!own).then_some(line)
            }
            Event::Change(change) => {
                let line =
                    format!("{} {}", clock(change.time_ms), self.rooms.words(change.sender, &change.change));
                let own = self.rooms.is_me(change.sender);
                self.changed(change, true);
                (!own).then_some(indented(&line))
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
            Event::Terminal(error) => {
                self.connected = false;
                self.connection = format!("ended: {error}");
                self.ended = Some(error);
                None
            }
        }
    }

    fn changed(&mut self, change: Change, is_new: bool) {
        self.ask_name(change.sender);
        words::users_of(&change.change).iter().for_each(|user| self.ask_name(*user));
        self.rooms.change(change, is_new);
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
            .collect();
        lines.sort_unstable();
        lines
    }
}

/// One entry where lines are all there is: a message of several lines must not pass for several messages.
fn indented(entry: &str) -> String {
    entry.replace('\n', "\n    ")
}

fn plainly(error: &RequestError) -> String {
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
