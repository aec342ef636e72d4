//! One JSON command a line in, one JSON event a line out. `docs/chat-json.md` has the same in words.
//!
//! A line is written and flushed before the event behind it counts as taken, so what was printed and what was
//! acknowledged agree.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rookery_protocol::{
    Body, ConversationId, GroupChange, GroupSettings, Handle, HistoryPage, MessageId, Receipt, Seq, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::ChatError;
use super::line_reader::{Line, LineReader};
use super::people::People;
use super::words;
use crate::{
    Change, Client, Entry, Event, Message, Refusal, RequestError, Started, TerminalError, code_name,
};

/// After `quit` or the end of the input: how long to wait for messages on the way.
const FINISHING: Duration = Duration::from_secs(10);
/// How many messages `history` gives when it does not say.
const HISTORY_DEFAULT: u64 = 50;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    Send {
        to: Option<Handle>,
        conversation: Option<String>,
        text: String,
        tag: Option<Value>,
    },
    Read {
        to: Option<Handle>,
        conversation: Option<String>,
        seq: Option<u64>,
        tag: Option<Value>,
    },
    Lookup {
        handle: Option<Handle>,
        user: Option<UserId>,
        tag: Option<Value>,
    },
    History {
        to: Option<Handle>,
        conversation: Option<String>,
        from: Option<u64>,
        upto: Option<u64>,
        tag: Option<Value>,
    },
    State {
        tag: Option<Value>,
    },
    Quit,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Output {
    Ready {
        version: &'static str,
        unsent: usize,
    },
    Connected {
        user: UserId,
        handle: Handle,
        device: u32,
    },
    Disconnected {
        retry_in_ms: u64,
        reason: String,
    },
    Message(MessageLine),
    Change(ChangeLine),
    Queued {
        id: String,
        conversation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Sent {
        id: String,
        conversation: String,
        seq: u64,
        time_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Delivered {
        conversation: String,
        user: UserId,
        handle: Option<Handle>,
        seq: u64,
    },
    Read {
        conversation: String,
        user: UserId,
        handle: Option<Handle>,
        seq: u64,
    },
    Failed {
        id: String,
        conversation: String,
        code: String,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Found {
        user: UserId,
        handle: Handle,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    History {
        conversation: String,
        head: u64,
        next: u64,
        messages: Vec<EntryLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    State {
        connected: bool,
        user: Option<UserId>,
        handle: Option<Handle>,
        device: Option<u32>,
        outbox: usize,
        conversations: Vec<ConversationLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u64>,
        code: String,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Bye {
        unsent: usize,
    },
}

#[derive(Debug, Serialize)]
struct MessageLine {
    conversation: String,
    seq: u64,
    id: String,
    from: Option<Handle>,
    user: UserId,
    device: u32,
    time_ms: u64,
    /// `None` when the body is not UTF-8.
    text: Option<String>,
}

/// What has happened to a group. `users`, `text` and `settings` where the change has them.
#[derive(Debug, Serialize)]
struct ChangeLine {
    conversation: String,
    seq: u64,
    id: String,
    from: Option<Handle>,
    user: UserId,
    device: u32,
    time_ms: u64,
    change: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<PersonLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<SettingsLine>,
}

#[derive(Debug, Serialize)]
struct PersonLine {
    user: UserId,
    handle: Option<Handle>,
}

#[derive(Debug, Serialize)]
struct SettingsLine {
    only_admins_send: bool,
    only_admins_edit: bool,
    only_admins_add: bool,
    backlog: u32,
}

impl From<GroupSettings> for SettingsLine {
    fn from(settings: GroupSettings) -> Self {
        let GroupSettings { only_admins_send, only_admins_edit, only_admins_add, backlog } = settings;
        Self { only_admins_send, only_admins_edit, only_admins_add, backlog }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum EntryLine {
    Message(MessageLine),
    Change(ChangeLine),
}

impl EntryLine {
    /// With the names of those it is about.
    async fn name(people: &People, entry: Entry) -> Self {
        let change = match entry {
            Entry::Message(message) => {
                let from = people.handle(message.sender).await;
                return Self::Message(MessageLine::new(message, from));
            }
            Entry::Change(change) => change,
        };
        let from = people.handle(change.sender).await;
        let mut users = Vec::new();
        for user in words::users_of(&change.change) {
            users.push(PersonLine { user: *user, handle: people.handle(*user).await });
        }
        Self::Change(ChangeLine::new(change, from, users))
    }
}

impl From<EntryLine> for Output {
    fn from(line: EntryLine) -> Self {
        match line {
            EntryLine::Message(message) => Self::Message(message),
            EntryLine::Change(change) => Self::Change(change),
        }
    }
}

impl ChangeLine {
    fn new(change: Change, from: Option<Handle>, users: Vec<PersonLine>) -> Self {
        let Change { conversation, seq, sender, device, id, time_ms, change } = change;
        let word = change_word(&change);
        let (text, settings) = match change {
            GroupChange::Created { name, .. } | GroupChange::Named(name) => (Some(name), None),
            GroupChange::Described(text) | GroupChange::Pictured(text) => (Some(text), None),
            GroupChange::Set(settings) => (None, Some(settings.into())),
            _ => (None, None),
        };
        Self {
            conversation: conversation.to_string(),
            seq: seq.get(),
            id: id.to_string(),
            from,
            user: sender,
            device: device.get(),
            time_ms,
            change: word,
            users,
            text,
            settings,
        }
    }
}

fn change_word(change: &GroupChange) -> &'static str {
    match change {
        GroupChange::Created { .. } => "created",
        GroupChange::Added(_) => "added",
        GroupChange::Removed(_) => "removed",
        GroupChange::Left { .. } => "left",
        GroupChange::Promoted(_) => "promoted",
        GroupChange::Demoted(_) => "demoted",
        GroupChange::Named(_) => "named",
        GroupChange::Described(_) => "described",
        GroupChange::Pictured(_) => "pictured",
        GroupChange::Set(_) => "set",
        GroupChange::Deleted => "deleted",
        GroupChange::Unknown(_) => "unknown",
    }
}

#[derive(Debug, Serialize)]
struct ConversationLine {
    conversation: String,
    seq: u64,
}

impl MessageLine {
    fn new(message: Message, from: Option<Handle>) -> Self {
        Self {
            conversation: message.conversation.to_string(),
            seq: message.seq.get(),
            id: message.id.to_string(),
            from,
            user: message.sender,
            device: message.device.get(),
            time_ms: message.time_ms,
            text: std::str::from_utf8(message.body.as_bytes()).ok().map(str::to_owned),
        }
    }
}

/// Why a command came to nothing.
struct Complaint {
    code: String,
    text: String,
}

/// What is looked for in a line that is no command, so that whoever wrote it knows which one is meant.
#[derive(Deserialize)]
struct Tagged {
    tag: Option<Value>,
}

impl Complaint {
    fn usage(text: impl Into<String>) -> Self {
        Self { code: "bad_command".to_owned(), text: text.into() }
    }
}

impl From<RequestError> for Complaint {
    fn from(error: RequestError) -> Self {
        let code = match &error {
            RequestError::Refused(Refusal { code, .. }) => code_name(*code),
            RequestError::Timeout => "timeout".to_owned(),
            RequestError::Full => "full".to_owned(),
            RequestError::Closed => "closed".to_owned(),
        };
        let text = match error {
            RequestError::Refused(refusal) => refusal.text,
            other => other.to_string(),
        };
        Self { code, text }
    }
}

/// Chats in JSON lines over a client that has been started.
///
/// # Errors
/// When the client ends by itself, or `stdout` is closed.
pub async fn run_json_on(
    started: Started,
    stdin: impl AsyncRead + Unpin,
    mut stdout: impl AsyncWrite + Unpin,
) -> Result<(), ChatError> {
    let Started { client, mut events, conversations, unsent } = started;
    let people = People::new(client.clone());
    let mut chat = Chat {
        client: client.clone(),
        people: &people,
        heads: conversations.into_iter().collect(),
        receipts: HashMap::new(),
        on_the_way: unsent.into_iter().map(|(_, id)| (id, None)).collect(),
    };
    let mut lines = LineReader::new(stdin);
    let ready = Output::Ready { version: env!("CARGO_PKG_VERSION"), unsent: chat.on_the_way.len() };
    write(&mut stdout, &[ready]).await?;

    // At most one command and one event are in work, each waiting for a name or an answer, so both keep their order.
    let mut command: Option<Work<'_, Done>> = None;
    let mut naming: Option<Work<'_, Vec<Output>>> = None;
    let mut finishing: Option<Instant> = None;
    let mut end = Ok(());
    loop {
        let quiet = command.is_none() && naming.is_none();
        if let Some(deadline) = finishing
            && ((quiet && chat.on_the_way.is_empty()) || deadline <= Instant::now())
        {
            break;
        }
        let output = tokio::select! {
            biased;
            output = working(&mut naming) => {
                naming = None;
                output
            }
            done = working(&mut command) => {
                command = None;
                chat.finish(done)
            }
            event = events.next(), if naming.is_none() => match event {
                Some(Event::Terminal(error)) => {
                    let (code, text) = terminal_words(&error);
                    end = Err(ChatError::Ended(error));
                    write(&mut stdout, &[Output::Error { line: None, code, text, tag: None }]).await?;
                    break;
                }
                Some(event) => {
                    naming = Some(chat.name(event));
                    Vec::new()
                }
                None => break,
            },
            line = lines.next(), if command.is_none() && finishing.is_none() => match line {
                Ok(Line::Text(line)) if line.trim().is_empty() => Vec::new(),
                Ok(Line::Text(line)) => match serde_json::from_str(&line) {
                    Ok(Command::Quit) => {
                        finishing = Some(Instant::now() + FINISHING);
                        Vec::new()
                    }
                    Ok(wanted) => {
                        command = Some(chat.begin(wanted, lines.number()));
                        Vec::new()
                    }
                    Err(error) => {
                        let tag = serde_json::from_str(&line).map_or(None, |Tagged { tag }| tag);
                        vec![complaint(Complaint::usage(error.to_string()), lines.number(), tag)]
                    }
                },
                Ok(Line::Unusable(why)) => vec![complaint(Complaint::usage(why), lines.number(), None)],
                Ok(Line::End) | Err(_) => {
                    finishing = Some(Instant::now() + FINISHING);
                    Vec::new()
                }
            },
            () = until(finishing) => Vec::new(),
        };
        write(&mut stdout, &output).await?;
    }
    let unsent = chat.on_the_way.len();
    client.close().await;
    if end.is_ok() {
        write(&mut stdout, &[Output::Bye { unsent }]).await?;
    }
    end
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A command's result.
enum Done {
    Say(Vec<Output>),
    Send { conversation: ConversationId, text: String, tag: Option<Value>, line: u64 },
}

struct Chat<'a> {
    client: Client,
    people: &'a People,
    /// The last message seen, by conversation.
    heads: HashMap<ConversationId, Seq>,
    receipts: HashMap<(ConversationId, UserId), (Seq, Seq)>,
    /// Messages without an outcome, and the tag each was given with.
    on_the_way: HashMap<MessageId, Option<Value>>,
}

impl<'a> Chat<'a> {
    fn begin(&self, command: Command, line: u64) -> Work<'a, Done> {
        let (people, client) = (self.people, self.client.clone());
        match command {
            Command::Send { to, conversation, text, tag } => Box::pin(async move {
                match target(people, &client, to, conversation).await {
                    Ok(conversation) => Done::Send { conversation, text, tag, line },
                    Err(error) => Done::Say(vec![complaint(error, line, tag)]),
                }
            }),
            Command::Read { to, conversation, seq, tag } => {
                let heads = self.heads.clone();
                Box::pin(async move {
                    match target(people, &client, to, conversation).await {
                        Ok(conversation) => {
                            let head = heads.get(&conversation).copied().unwrap_or_default();
                            client.read(conversation, seq.map_or(head, Seq::new));
                            Done::Say(Vec::new())
                        }
                        Err(error) => Done::Say(vec![complaint(error, line, tag)]),
                    }
                })
            }
            Command::Lookup { handle, user, tag } => Box::pin(async move {
                let found = match (handle, user) {
                    (Some(handle), None) => client.lookup(handle).await.map_err(Complaint::from),
                    (None, Some(user)) => client.lookup_user(user).await.map_err(Complaint::from),
                    _ => Err(Complaint::usage("lookup takes one of \"handle\" and \"user\"")),
                };
                Done::Say(vec![match found {
                    Ok(found) => {
                        people.learn(found.user, &found.handle);
                        Output::Found { user: found.user, handle: found.handle, tag }
                    }
                    Err(error) => complaint(error, line, tag),
                }])
            }),
            Command::History { to, conversation, from, upto, tag } => Box::pin(async move {
                let history = async {
                    let conversation = target(people, &client, to, conversation).await?;
                    let page = history(&client, conversation, from, upto).await?;
                    Ok::<_, Complaint>((conversation, page))
                };
                Done::Say(vec![match history.await {
                    Ok((conversation, page)) => history_output(people, conversation, page, tag).await,
                    Err(error) => complaint(error, line, tag),
                }])
            }),
            Command::State { tag } => {
                let status = client.status();
                let identity = status.identity;
                let mut heads: Vec<_> = self.heads.iter().map(|(id, seq)| (*id, *seq)).collect();
                heads.sort_unstable();
                let conversations = heads
                    .into_iter()
                    .map(|(id, seq)| ConversationLine { conversation: id.to_string(), seq: seq.get() })
                    .collect();
                let state = Output::State {
                    connected: status.connected,
                    user: identity.as_ref().map(|identity| identity.user),
                    device: identity.as_ref().map(|identity| identity.device.get()),
                    handle: identity.map(|identity| identity.handle),
                    outbox: self.on_the_way.len(),
                    conversations,
                    tag,
                };
                Box::pin(std::future::ready(Done::Say(vec![state])))
            }
            Command::Quit => Box::pin(std::future::ready(Done::Say(Vec::new()))),
        }
    }

    fn finish(&mut self, done: Done) -> Vec<Output> {
        match done {
            Done::Say(output) => output,
            Done::Send { conversation, text, tag, line } => {
                match self.client.send(conversation, Body::new(text.into_bytes())) {
                    Ok(ticket) => {
                        // It is called queued once the local store has it.
                        self.on_the_way.insert(ticket.id(), tag);
                        Vec::new()
                    }
                    Err(error) => {
                        let code = match error {
                            crate::EnqueueError::Full(_) => "full",
                            crate::EnqueueError::BodyTooLarge { .. } => "body_too_large",
                            crate::EnqueueError::Closed => "closed",
                        };
                        let error = Complaint { code: code.to_owned(), text: error.to_string() };
                        vec![complaint(error, line, tag)]
                    }
                }
            }
        }
    }

    /// Says what an event is about, with the names of those in it.
    fn name(&mut self, event: Event) -> Work<'a, Vec<Output>> {
        let people = self.people;
        let now = |output| -> Work<'a, Vec<Output>> { Box::pin(std::future::ready(vec![output])) };
        match event {
            Event::Connected(identity) => {
                people.learn(identity.user, &identity.handle);
                let (user, device) = (identity.user, identity.device.get());
                now(Output::Connected { user, handle: identity.handle, device })
            }
            Event::Disconnected { retry_in, reason } => {
                let retry_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
                now(Output::Disconnected { retry_in_ms, reason })
            }
            Event::Message(message) => self.name_entry(Entry::Message(message)),
            Event::Change(change) => self.name_entry(Entry::Change(change)),
            Event::Stored { id, conversation } => {
                let tag = self.on_the_way.get(&id).cloned().flatten();
                now(Output::Queued { id: id.to_string(), conversation: conversation.to_string(), tag })
            }
            Event::Sent { id, conversation, seq, time_ms } => {
                let tag = self.on_the_way.remove(&id).flatten();
                let (id, conversation) = (id.to_string(), conversation.to_string());
                now(Output::Sent { id, conversation, seq: seq.get(), time_ms, tag })
            }
            Event::SendFailed { id, conversation, refusal } => {
                let tag = self.on_the_way.remove(&id).flatten();
                let (id, conversation) = (id.to_string(), conversation.to_string());
                now(Output::Failed {
                    id,
                    conversation,
                    code: code_name(refusal.code),
                    text: refusal.text,
                    tag,
                })
            }
            Event::Receipt(receipt) => self.name_receipt(receipt),
            Event::Terminal(error) => {
                let (code, text) = terminal_words(&error);
                now(Output::Error { line: None, code, text, tag: None })
            }
        }
    }

    fn name_entry(&mut self, entry: Entry) -> Work<'a, Vec<Output>> {
        let people = self.people;
        let (conversation, seq) = entry.place();
        self.heads.insert(conversation, seq);
        Box::pin(async move { vec![EntryLine::name(people, entry).await.into()] })
    }

    fn name_receipt(&mut self, receipt: Receipt) -> Work<'a, Vec<Output>> {
        let Receipt { conversation, user, delivered, read } = receipt;
        let known = self.receipts.entry((conversation, user)).or_default();
        let before = *known;
        *known = (before.0.max(delivered), before.1.max(read));
        let people = self.people;
        Box::pin(async move {
            let mut output = Vec::new();
            let handle = people.handle(user).await;
            let conversation = conversation.to_string();
            if delivered > before.0 {
                let (conversation, handle) = (conversation.clone(), handle.clone());
                output.push(Output::Delivered { conversation, user, handle, seq: delivered.get() });
            }
            if read > before.1 {
                output.push(Output::Read { conversation, user, handle, seq: read.get() });
            }
            output
        })
    }
}

async fn target(
    people: &People,
    client: &Client,
    to: Option<Handle>,
    conversation: Option<String>,
) -> Result<ConversationId, Complaint> {
    match (to, conversation) {
        (Some(handle), None) => {
            let user = people.user(&handle).await?;
            let Some(me) = client.status().identity else {
                return Err(Complaint { code: "closed".to_owned(), text: "not connected yet".to_owned() });
            };
            Ok(ConversationId::direct(me.user, user))
        }
        (None, Some(conversation)) => conversation
            .parse()
            .map_err(|error: rookery_protocol::ConversationIdError| Complaint::usage(error.to_string())),
        _ => Err(Complaint::usage("name one of \"to\" and \"conversation\"")),
    }
}

/// The messages asked for, or the last ones.
async fn history(
    client: &Client,
    conversation: ConversationId,
    from: Option<u64>,
    upto: Option<u64>,
) -> Result<HistoryPage, RequestError> {
    let upto = match upto {
        Some(upto) => upto,
        None => client.history(conversation, Seq::new(1), Seq::new(1)).await?.head.get(),
    };
    let upto = upto.max(1);
    let from = from.unwrap_or((upto + 1).saturating_sub(HISTORY_DEFAULT)).clamp(1, upto);
    client.history(conversation, Seq::new(from), Seq::new(upto)).await
}

async fn history_output(
    people: &People,
    conversation: ConversationId,
    page: HistoryPage,
    tag: Option<Value>,
) -> Output {
    let mut messages = Vec::with_capacity(page.messages.len());
    for message in page.messages {
        messages.push(EntryLine::name(people, Entry::of_history(message)).await);
    }
    let (head, next) = (page.head.get(), page.next.get());
    Output::History { conversation: conversation.to_string(), head, next, messages, tag }
}

fn complaint(Complaint { code, text }: Complaint, line: u64, tag: Option<Value>) -> Output {
    Output::Error { line: Some(line), code, text, tag }
}

fn terminal_words(error: &TerminalError) -> (String, String) {
    match error {
        TerminalError::Refused(refusal) => (code_name(refusal.code), refusal.text.clone()),
        TerminalError::LocalStore(source) => ("local_store".to_owned(), source.to_string()),
        TerminalError::OtherDevice { .. } => ("other_device".to_owned(), error.to_string()),
    }
}

async fn write(stdout: &mut (impl AsyncWrite + Unpin), output: &[Output]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for line in output {
        serde_json::to_writer(&mut bytes, line).map_err(std::io::Error::from)?;
        bytes.push(b'\n');
    }
    if bytes.is_empty() {
        return Ok(());
    }
    stdout.write_all(&bytes).await?;
    stdout.flush().await
}

async fn working<T>(work: &mut Option<Work<'_, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
