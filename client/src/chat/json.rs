//! One JSON command a line in, one JSON event a line out. `docs/chat-json.md` has the same in words.
//!
//! A line is written and flushed before the event behind it counts as taken, so what was printed and what was
//! acknowledged agree.

mod contacts;
mod conversations;
mod entries;
mod groups;
mod lines;
mod looking;
mod own;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rookery_protocol::{
    Body, ConversationId, Handle, HistoryPage, MemberMark, MessageId, Receipt, Reference, ReferenceKind, Seq,
    UserId,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use self::contacts::RelationLine;
use self::entries::EntryLine;
use self::groups::Wanted;
use self::lines::{Command, Output};
use super::line_reader::{Line, LineReader};
use super::people::People;
use super::{ChatError, broadcast_command};
use crate::{
    BroadcastError, Client, EnqueueError, Entry, ErrorCode, Event, Refusal, RequestError, SendTicket,
    Started, TerminalError, code_name,
};

/// After `quit` or the end of the input: how long to wait for messages on the way.
const FINISHING: Duration = Duration::from_secs(10);
/// How many messages `history` gives when it does not say.
const HISTORY_DEFAULT: u64 = 50;

/// Why a command came to nothing.
struct Complaint {
    code: String,
    text: String,
    /// Of a request that may have been done.
    id: Option<MessageId>,
}

/// What is looked for in a line that is no command, so that whoever wrote it knows which one is meant.
#[derive(Deserialize)]
struct Tagged {
    tag: Option<Value>,
}

impl Complaint {
    fn usage(text: impl Into<String>) -> Self {
        Self { code: "bad_command".to_owned(), text: text.into(), id: None }
    }

    fn not_connected() -> Self {
        Self { code: "closed".to_owned(), text: "not connected yet".to_owned(), id: None }
    }
}

impl From<RequestError> for Complaint {
    fn from(error: RequestError) -> Self {
        let code = match &error {
            RequestError::Invalid(_) => code_name(ErrorCode::BadRequest as u16),
            RequestError::Refused(Refusal { code, .. }) => code_name(*code),
            RequestError::Timeout => "timeout".to_owned(),
            RequestError::Full => "full".to_owned(),
            RequestError::Closed => "closed".to_owned(),
        };
        let text = match error {
            RequestError::Refused(refusal) => refusal.text,
            other => other.to_string(),
        };
        Self { code, text, id: None }
    }
}

impl From<EnqueueError> for Complaint {
    fn from(error: EnqueueError) -> Self {
        let code = match error {
            EnqueueError::Full(_) => "full",
            EnqueueError::BodyTooLarge { .. } => "body_too_large",
            EnqueueError::Reference(_) | EnqueueError::Expires(_) => "bad_request",
            EnqueueError::Closed => "closed",
        };
        Self { code: code.to_owned(), text: error.to_string(), id: None }
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
                    write(&mut stdout, &[Output::Error { line: None, code, text, id: None, tag: None }]).await?;
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
    Send {
        conversation: ConversationId,
        text: String,
        reference: Option<Reference>,
        tag: Option<Value>,
        line: u64,
    },
    Timer {
        conversation: ConversationId,
        seconds: u32,
        tag: Option<Value>,
        line: u64,
    },
    Broadcast {
        users: Vec<UserId>,
        text: String,
        tag: Option<Value>,
        line: u64,
    },
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
            Command::Send { to, conversation, text, reply_to, tag } => {
                let reference = reply_to.map(|seq| (ReferenceKind::Reply, seq));
                self.begin_sending((to, conversation), text, reference, tag, line)
            }
            Command::Broadcast { users, text, tag } => Box::pin(async move {
                match broadcast_to(people, users).await {
                    Ok(users) => Done::Broadcast { users, text, tag, line },
                    Err(error) => Done::Say(vec![complaint(error, line, tag)]),
                }
            }),
            Command::React { to, conversation, seq, text, tag } => {
                let reference = Some((ReferenceKind::Reaction, seq));
                self.begin_sending((to, conversation), text, reference, tag, line)
            }
            Command::Edit { to, conversation, seq, text, tag } => {
                let reference = Some((ReferenceKind::Edit, seq));
                self.begin_sending((to, conversation), text, reference, tag, line)
            }
            Command::Delete { to, conversation, seq, tag } => {
                let reference = Some((ReferenceKind::Delete, seq));
                self.begin_sending((to, conversation), String::new(), reference, tag, line)
            }
            Command::Timer { to, conversation, seconds, tag } => {
                let client = client.clone();
                Box::pin(async move {
                    match target(people, &client, to, conversation).await {
                        Ok(conversation) => Done::Timer { conversation, seconds, tag, line },
                        Err(error) => Done::Say(vec![complaint(error, line, tag)]),
                    }
                })
            }
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
            Command::History { to, conversation, from, upto, backwards, since_ms, before_ms, tag } => {
                Box::pin(async move {
                    let history = async {
                        let conversation = target(people, &client, to, conversation).await?;
                        let page = match (since_ms, before_ms) {
                            (None, None) => history(&client, conversation, from, upto, backwards).await?,
                            _ if from.is_some() || upto.is_some() || backwards => {
                                return Err(Complaint::usage("a time takes the place of the rest"));
                            }
                            (Some(since), None) => client.history_since(conversation, since).await?,
                            (None, Some(before)) => client.history_before(conversation, before).await?,
                            _ => return Err(Complaint::usage("give one of \"since_ms\" and \"before_ms\"")),
                        };
                        Ok::<_, Complaint>((conversation, page))
                    };
                    Done::Say(vec![match history.await {
                        Ok((conversation, page)) => history_output(people, conversation, page, tag).await,
                        Err(error) => complaint(error, line, tag),
                    }])
                })
            }
            Command::CreateGroup { name, members, settings, id, tag } => {
                let (what, repeated) = ((name, members, settings), tag.clone());
                answered(line, tag, async move { groups::create(people, &client, what, id, repeated).await })
            }
            Command::ChangeGroup { conversation, change, users, text, settings, id, tag } => {
                let (wanted, repeated) = (Wanted { change, users, text, settings }, tag.clone());
                answered(line, tag, async move {
                    groups::change(people, &client, conversation, wanted, id, repeated).await
                })
            }
            Command::Group { conversation, tag } => {
                let repeated = tag.clone();
                answered(
                    line,
                    tag,
                    async move { groups::describe(people, &client, conversation, repeated).await },
                )
            }
            Command::Groups { tag } => {
                let repeated = tag.clone();
                answered(line, tag, async move { groups::list(&client, repeated).await })
            }
            Command::Receipts { to, conversation, tag } => {
                let repeated = tag.clone();
                answered(line, tag, async move {
                    let conversation = target(people, &client, to, conversation).await?;
                    let members = groups::receipts(people, &client, conversation).await?;
                    let conversation = conversation.to_string();
                    Ok(Output::Receipts { conversation, members, tag: repeated })
                })
            }
            own => self.begin_own(own, line),
        }
    }

    fn begin_sending(
        &self,
        (to, conversation): (Option<Handle>, Option<String>),
        text: String,
        reference: Option<(ReferenceKind, u64)>,
        tag: Option<Value>,
        line: u64,
    ) -> Work<'a, Done> {
        let (people, client) = (self.people, self.client.clone());
        let reference = reference.map(|(kind, seq)| Reference { kind, seq: Seq::new(seq) });
        Box::pin(async move {
            match target(people, &client, to, conversation).await {
                Ok(conversation) => Done::Send { conversation, text, reference, tag, line },
                Err(error) => Done::Say(vec![complaint(error, line, tag)]),
            }
        })
    }

    fn finish(&mut self, done: Done) -> Vec<Output> {
        match done {
            Done::Say(output) => output,
            Done::Send { conversation, text, reference, tag, line } => {
                let body = Body::new(text.into_bytes());
                let sending = match reference {
                    None => self.client.send(conversation, body),
                    Some(reference) => self.client.refer(conversation, reference, body),
                };
                self.queued(sending, tag, line)
            }
            Done::Timer { conversation, seconds, tag, line } => {
                let after = (seconds != 0).then(|| Duration::from_secs(seconds.into()));
                let sending = self.client.set_timer(conversation, after);
                self.queued(sending, tag, line)
            }
            Done::Broadcast { users, text, tag, line } => {
                match self.client.broadcast(&users, Body::new(text.into_bytes())) {
                    Ok(tickets) => {
                        let messages = tickets.iter().map(|ticket| (ticket.id(), tag.clone()));
                        self.on_the_way.extend(messages);
                        Vec::new()
                    }
                    Err(BroadcastError::Enqueue(error)) => vec![complaint(error.into(), line, tag)],
                    Err(BroadcastError::NotConnected) => {
                        vec![complaint(Complaint::not_connected(), line, tag)]
                    }
                    Err(error) => vec![complaint(Complaint::usage(error.to_string()), line, tag)],
                }
            }
        }
    }

    fn queued(
        &mut self,
        sending: Result<SendTicket, EnqueueError>,
        tag: Option<Value>,
        line: u64,
    ) -> Vec<Output> {
        match sending {
            Ok(ticket) => {
                // It is called queued once the local store has it.
                self.on_the_way.insert(ticket.id(), tag);
                Vec::new()
            }
            Err(error) => vec![complaint(error.into(), line, tag)],
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
            Event::Expired { conversation, seq } => {
                now(Output::Expired { conversation: conversation.to_string(), seq: seq.get() })
            }
            Event::Shown(shown) => now(Output::Shown(shown.into())),
            Event::Account { part, person } => Box::pin(async move {
                let person = match person {
                    Some(person) => Some(RelationLine::name(people, person).await),
                    None => None,
                };
                vec![Output::Account { part: contacts::part_word(part), person }]
            }),
            Event::Followed(groups) => {
                let conversations = groups.into_iter().map(|group| ConversationId::group(group).to_string());
                now(Output::Followed { conversations: conversations.collect() })
            }
            Event::Watching => now(Output::Watching),
            Event::Presence(seen) => Box::pin(async move { vec![looking::presence(people, seen).await] }),
            Event::Typing { conversation, user, doing } => {
                Box::pin(async move { vec![looking::typing(people, conversation, user, doing).await] })
            }
            Event::Receipts { conversation, mut marks } => {
                marks.retain(|mark| self.is_news(conversation, mark));
                if marks.is_empty() {
                    return Box::pin(std::future::ready(Vec::new()));
                }
                Box::pin(async move { vec![looking::marks(people, conversation, marks).await] })
            }
            Event::Terminal(error) => {
                let (code, text) = terminal_words(&error);
                now(Output::Error { line: None, code, text, id: None, tag: None })
            }
        }
    }

    /// Whether a member has come further than was told. Notes that it is told now.
    fn is_news(&mut self, conversation: ConversationId, mark: &MemberMark) -> bool {
        let known = self.receipts.entry((conversation, mark.user)).or_default();
        let before = *known;
        *known = (before.0.max(mark.delivered), before.1.max(mark.read));
        *known != before
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

/// Says what came of a command.
fn answered<'a>(
    line: u64,
    tag: Option<Value>,
    answer: impl Future<Output = Result<Output, Complaint>> + Send + 'a,
) -> Work<'a, Done> {
    Box::pin(async move { Done::Say(vec![answer.await.unwrap_or_else(|error| complaint(error, line, tag))]) })
}

/// Says that a command is done, or why not.
fn done<'a>(
    line: u64,
    tag: Option<Value>,
    doing: impl Future<Output = Result<(), Complaint>> + Send + 'a,
) -> Work<'a, Done> {
    let repeated = tag.clone();
    answered(line, tag, async move { doing.await.map(|()| Output::Done { line, tag: repeated }) })
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
                return Err(Complaint::not_connected());
            };
            Ok(ConversationId::direct(me.user, user))
        }
        (None, Some(conversation)) => conversation
            .parse()
            .map_err(|error: rookery_protocol::ConversationIdError| Complaint::usage(error.to_string())),
        _ => Err(Complaint::usage("name one of \"to\" and \"conversation\"")),
    }
}

/// To whom a broadcast goes.
async fn broadcast_to(people: &People, handles: Vec<Handle>) -> Result<Vec<UserId>, Complaint> {
    broadcast_command::check(&handles).map_err(Complaint::usage)?;
    groups::look_up(people, &handles).await
}

/// The messages asked for, or the last ones.
async fn history(
    client: &Client,
    conversation: ConversationId,
    from: Option<u64>,
    upto: Option<u64>,
    backwards: bool,
) -> Result<HistoryPage, RequestError> {
    if backwards {
        let (from, upto) = (from.unwrap_or(1), upto.unwrap_or(u64::MAX));
        return client.history_backwards(conversation, Seq::new(from), Seq::new(upto)).await;
    }
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

fn complaint(Complaint { code, text, id }: Complaint, line: u64, tag: Option<Value>) -> Output {
    Output::Error { line: Some(line), code, text, id: id.map(|id| id.to_string()), tag }
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
