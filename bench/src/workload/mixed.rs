//! A day in a messenger, in an open loop: messages to contacts and groups, receipts, typing, presence and reconnects all at
//! once, each at its intended time whatever the others do.
//!
//! What people do is decided by [`day`](super::day); here it is done, and measured.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use hdrhistogram::Histogram;
use rand::RngExt;
use rookery_protocol::{
    Body, ConversationId, Doing, Read, Receipt, RequestId, Seq, ServerFrame, Typing, UserId, Watch, limits,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use super::client::{self, App, Client, Next, Out};
use super::day::{Day, Deed, Habits};
use super::measure::{
    LATENCY_US_MAX, Phases, SETTLE_TIME_MAX, Timeline, Window, connect, disk_pace, first_failure, pace_with,
    rate,
};
use super::outbox::Message;
use crate::node::Nodes;
use crate::probe;
use crate::report::Report;
use crate::users::{BenchUser, message_id, prepare, prepare_groups};
use crate::wire::Wire;

/// Clients say anew what they watch before it ends.
const WATCH_EVERY: Duration = Duration::from_millis(limits::WATCH_MS as u64 * 2 / 3);

/// A client says that somebody types no more often than this, in one conversation.
const TYPING_EVERY: Duration = Duration::from_millis(limits::TYPING_EVERY_MS as u64 + 500);

/// For the last receipts, once all messages have arrived.
const RECEIPTS_TIME_MAX: Duration = Duration::from_secs(10);

/// Between two looks whether all have everything, at the end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    habits: Habits,
    /// Messages per second over all users, at their intended times.
    #[arg(long, default_value_t = 200.0, value_parser = rate)]
    rate: f64,
    /// Nodes on one store. With more than one, users are at each of them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=65536))]
    body: u32,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=600))]
    warmup: u64,
    /// Seconds counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let Args { habits, rate, nodes: count, body, warmup, seconds } = args;
    let across = if count > 1 { format!(" across {count} nodes") } else { String::new() };
    let mut report =
        Report::new(format!("mixed: {} users{across}, {rate} messages/s, {body} B bodies", habits.users));
    let disk = probe::fdatasync(data, disk_pace(Some(rate)))?;
    let (users, groups) = settle(data, &habits).await?;
    let nodes = Nodes::start(rookery, data, count.into()).await?;
    let times = (Duration::from_secs(warmup), Duration::from_secs(seconds));
    let day = Day::new(habits, rate);
    let mut sizes: Vec<usize> = day.groups().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    let Loaded { window, shared } =
        load(&nodes, &users, &groups, day, Round { number: 0, body_bytes: body as usize, times }).await?;

    let Window { before, after, seconds, done_over_time } = window;
    let messages = after.done - before.done;
    let confirmed = report.add("messages confirmed", messages / seconds, "/s");
    report.headline(confirmed);
    report.series("messages confirmed", "/s", done_over_time);
    let deliveries = shared.times(Kind::Direct).len() + shared.times(Kind::Group).len();
    report.add("deliveries", deliveries as f64 / seconds, "/s");
    report.add("groups: members, median", sizes[sizes.len() / 2] as f64, "");
    report.add("groups: members, the most", sizes[sizes.len() - 1] as f64, "");
    for kind in Kind::ALL {
        let times = shared.times(kind);
        // Of what habits rule out there is nothing.
        if !times.is_empty() {
            report.add(format!("{}: times", kind.name()), times.len() as f64, "");
            let figures = report.latency(kind.name(), &times)?;
            if kind == Kind::Direct {
                report.headline(figures.p50);
                report.headline(figures.p99);
            }
        }
    }
    shared.direct_over_time.add(Kind::Direct.name(), &mut report);
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    report.add("receipts that did not come", shared.receipts_missing() as f64, "");
    report.add("typing: said, in all", count(&shared.typed), "");
    report.add("typing: shown, in all", count(&shared.typing_shown), "");
    report.add("presence: notices, in all", count(&shared.notices), "");
    report.add("requests refused for now", count(&shared.refused), "");
    after.add_processes(&before, seconds, ("message", messages), &nodes, &mut report)?;
    report.disk(&disk);
    Ok(report)
}

/// Makes the users of a day, and their groups. `data` is an empty directory.
pub(super) async fn settle(
    data: &Path,
    habits: &Habits,
) -> anyhow::Result<(Vec<BenchUser>, Vec<ConversationId>)> {
    let users = prepare(data, habits.users as usize).await?;
    // Who is in which group has nothing to do with how much is written.
    let day = Day::new(habits.clone(), 1.0);
    let members: Vec<Vec<BenchUser>> = day.groups().iter().map(|members| pick(&users, members)).collect();
    let groups = prepare_groups(data, &members).await?;
    Ok((users, groups.into_iter().map(ConversationId::group).collect()))
}

/// Which of several loads between the same users this is, and what it is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Tells its messages from those of others.
    pub(super) number: u16,
    pub(super) body_bytes: usize,
    /// Before counting, and counted.
    pub(super) times: (Duration, Duration),
}

/// What a load has done.
pub(super) struct Loaded {
    window: Window,
    shared: Arc<Shared>,
}

impl Loaded {
    /// Messages confirmed per second.
    pub(super) fn confirmed_per_second(&self) -> f64 {
        (self.window.after.done - self.window.before.done) / self.window.seconds
    }

    /// Of messages of two, from sending to receiving, in microseconds.
    pub(super) fn direct(&self) -> Histogram<u64> {
        self.shared.times(Kind::Direct)
    }
}

/// Lets users who are not connected have a day.
pub(super) async fn load(
    nodes: &Nodes,
    users: &[BenchUser],
    groups: &[ConversationId],
    day: Day,
    round: Round,
) -> anyhow::Result<Loaded> {
    let wires = connect(nodes, users).await?;
    let people = People { ids: users.iter().map(|user| user.user).collect(), groups: groups.to_vec() };
    let shared = Arc::new(Shared::new(Phases::new(round.times.0, round.times.1))?);
    let mut load = Load::start(nodes, (users, wires), (day, people), round, &shared);
    let window = tokio::select! {
        window = shared.phases.count(&shared.confirmed, nodes) => window?,
        failed = first_failure(&mut load.clients) => return Err(failed.expect_err("it ends with a failure alone")),
    };
    load.end(&shared).await?;
    Ok(Loaded { window, shared })
}

fn pick(users: &[BenchUser], numbers: &[usize]) -> Vec<BenchUser> {
    numbers.iter().map(|number| users[*number].clone()).collect()
}

/// Users and groups by their numbers in the day.
struct People {
    ids: Vec<UserId>,
    groups: Vec<ConversationId>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Direct,
    Group,
    Confirmed,
    Delivered,
    Read,
    Typing,
    Reconnect,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Direct,
        Self::Group,
        Self::Confirmed,
        Self::Delivered,
        Self::Read,
        Self::Typing,
        Self::Reconnect,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct: send to receive",
            Self::Group => "group: send to receive, each member",
            Self::Confirmed => "send to confirmed",
            Self::Delivered => "direct: send to delivered, at the sender",
            Self::Read => "direct: send to read, at the sender",
            Self::Typing => "typing: to who looks",
            Self::Reconnect => "reconnect: to WELCOME",
        }
    }
}

/// What all clients count together.
struct Shared {
    phases: Phases,
    /// Messages that were to be sent, and those that are confirmed.
    pushed: AtomicU64,
    confirmed: AtomicU64,
    /// Arrivals of messages that there are to be, and those there were.
    expected: AtomicU64,
    delivered: AtomicU64,
    /// Receipts that senders of messages of two are to get, and those they got.
    receipts_expected: AtomicU64,
    receipts: AtomicU64,
    typed: AtomicU64,
    typing_shown: AtomicU64,
    notices: AtomicU64,
    refused: AtomicU64,
    times_us: [Mutex<Histogram<u64>>; Kind::ALL.len()],
    direct_over_time: Timeline,
    /// Who said that they type, where, and when that was due.
    typing: Mutex<HashMap<(ConversationId, UserId), Instant>>,
}

impl Shared {
    fn new(phases: Phases) -> anyhow::Result<Self> {
        let empty = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?;
        Ok(Self {
            phases,
            pushed: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            receipts_expected: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            typed: AtomicU64::new(0),
            typing_shown: AtomicU64::new(0),
            notices: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            direct_over_time: Timeline::new(phases)?,
            times_us: std::array::from_fn(|_| Mutex::new(empty.clone())),
            typing: Mutex::default(),
        })
    }

    /// What was due then took until now.
    fn took(&self, kind: Kind, due: Instant, now: Instant) {
        if matches!(kind, Kind::Delivered | Kind::Read) {
            self.receipts.fetch_add(1, Ordering::Release);
        }
        if self.phases.counts(due) {
            let took_us = now.saturating_duration_since(due).as_micros() as u64;
            locked(&self.times_us[kind as usize]).saturating_record(took_us);
            if kind == Kind::Direct {
                self.direct_over_time.record(due, took_us);
            }
        }
    }

    fn times(&self, kind: Kind) -> Histogram<u64> {
        locked(&self.times_us[kind as usize]).clone()
    }

    /// Receipts that have not come.
    fn receipts_missing(&self) -> u64 {
        let wanted = self.receipts_expected.load(Ordering::Acquire);
        wanted.saturating_sub(self.receipts.load(Ordering::Acquire))
    }

    /// Whether everything that was sent is confirmed and has arrived.
    fn is_settled(&self) -> bool {
        let both =
            |wanted: &AtomicU64, is: &AtomicU64| wanted.load(Ordering::Acquire) == is.load(Ordering::Acquire);
        both(&self.pushed, &self.confirmed) && both(&self.expected, &self.delivered)
    }
}

fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everybody at work.
struct Load {
    clients: JoinSet<anyhow::Result<()>>,
    renewals: JoinSet<()>,
}

impl Load {
    fn start(
        nodes: &Nodes,
        (users, wires): (&[BenchUser], Vec<Wire>),
        (mut day, people): (Day, People),
        round: Round,
        shared: &Arc<Shared>,
    ) -> Self {
        // Those who write to a user most of all are the ones whose typing is waited for.
        let mut writers = vec![Vec::new(); users.len()];
        for (writer, contacts) in day.contacts().iter().enumerate() {
            writers[contacts[0]].push(writer);
        }
        let known = Arc::new(client::Nodes {
            all: (0..nodes.len()).map(|at| nodes.of(at).clients().clone()).collect(),
            reconnect_max: Duration::ZERO,
        });
        let mut clients = JoinSet::new();
        let mut tells = Vec::new();
        for ((number, user), wire) in users.iter().enumerate().zip(wires) {
            let (tell, told) = mpsc::unbounded_channel();
            tells.push(tell);
            let looks_at = people.looked_at(number, &day.contacts()[number], &writers[number]);
            let person = Person {
                me: user.user,
                shared: shared.clone(),
                round: round.number,
                body: vec![0x5a; round.body_bytes],
                pushed: 0,
                group_readers: day.group_readers(),
                looks_at,
                ticks: HashMap::new(),
                typed: HashMap::new(),
                reads: HashMap::new(),
                reconnecting: None,
            };
            let client = Client::new(user.clone(), known.clone(), number, person);
            clients.spawn(async move { client.run(wire, told).await.map(|_| ()) });
        }
        let mut renewals = JoinSet::new();
        renewals.spawn(renew(tells.clone()));
        let shared = shared.clone();
        std::thread::spawn(move || {
            pace_with(shared.phases, day.rate(), |due| {
                let (who, told) = people.told(&day.next(), due, &shared, &day);
                // A client that has failed has said so.
                let _ = tells[who].send(told);
            });
        });
        Self { clients, renewals }
    }

    /// Waits until everything has arrived.
    async fn end(mut self, shared: &Shared) -> anyhow::Result<()> {
        let settled = timeout(SETTLE_TIME_MAX, async {
            while !shared.is_settled() {
                sleep(LOOK_EVERY).await;
            }
        });
        tokio::select! {
            settled = settled => settled.with_context(|| {
                let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
                let (pushed, confirmed) = (of(&shared.pushed), of(&shared.confirmed));
                let (expected, delivered) = (of(&shared.expected), of(&shared.delivered));
                format!(
                    "of {pushed} messages {confirmed} were confirmed, of {expected} arrivals there were {delivered}"
                )
            })?,
            failed = first_failure(&mut self.clients) => failed?,
        }
        let receipts = timeout(RECEIPTS_TIME_MAX, async {
            while shared.receipts_missing() > 0 {
                sleep(LOOK_EVERY).await;
            }
        });
        tokio::select! {
            // Those that have not come are counted.
            _ = receipts => {}
            failed = first_failure(&mut self.clients) => failed?,
        }
        self.renewals.shutdown().await;
        self.clients.shutdown().await;
        Ok(())
    }
}

/// Has everybody say anew what they look at, spread over time, for ever.
async fn renew(tells: Vec<mpsc::UnboundedSender<Told>>) {
    let mut ticks = interval(WATCH_EVERY / tells.len() as u32);
    for tell in tells.iter().cycle() {
        ticks.tick().await;
        let _ = tell.send(Told::Look);
    }
}

impl People {
    /// Whose presence is on a user's screen, and which conversations are open.
    fn looked_at(
        &self,
        user: usize,
        contacts: &[usize],
        writers: &[usize],
    ) -> (Vec<UserId>, Vec<ConversationId>) {
        let contacts = contacts.iter().take(limits::WATCH_USERS_MAX).map(|contact| self.ids[*contact]);
        let writers = writers.iter().take(limits::WATCH_CONVERSATIONS_MAX);
        let open = writers.map(|writer| ConversationId::direct(self.ids[user], self.ids[*writer]));
        (contacts.collect(), open.collect())
    }

    /// Who is to do a deed, and what that is for their client. What it leads to is expected from then on.
    fn told(&self, deed: &Deed, due: Instant, shared: &Shared, day: &Day) -> (usize, Told) {
        let direct = |from: usize, to: usize| ConversationId::direct(self.ids[from], self.ids[to]);
        let expect = |arrivals: usize| {
            shared.expected.fetch_add(arrivals as u64, Ordering::Release);
            shared.pushed.fetch_add(1, Ordering::Release);
        };
        match *deed {
            Deed::Message { from, to, is_read } => {
                expect(1);
                shared.receipts_expected.fetch_add(1 + u64::from(is_read), Ordering::Release);
                (from, Told::Send { conversation: direct(from, to), is_read, due })
            }
            Deed::GroupMessage { from, group } => {
                expect(day.groups()[group].len() - 1);
                (from, Told::Send { conversation: self.groups[group], is_read: false, due })
            }
            Deed::Typing { from, to } => (from, Told::Type { conversation: direct(from, to), due }),
            Deed::Reconnect { who } => (who, Told::Reconnect { due }),
        }
    }
}

/// What a client is told to do.
#[derive(Debug)]
enum Told {
    Send {
        conversation: ConversationId,
        is_read: bool,
        due: Instant,
    },
    Type {
        conversation: ConversationId,
        due: Instant,
    },
    Reconnect {
        due: Instant,
    },
    /// Say what is looked at.
    Look,
}

/// A message of two whose receipts are awaited.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    seq: Seq,
    due: Instant,
}

/// A conversation of two, as a sender follows it.
#[derive(Debug, Default)]
struct Ticks {
    /// How far the other one is known to have come.
    delivered: Option<Seq>,
    read: Option<Seq>,
    undelivered: VecDeque<Awaited>,
    unread: VecDeque<Awaited>,
}

impl Ticks {
    /// The other one has come so far: tells `took` of each message that waited for it.
    fn came(&mut self, receipt: &Receipt, mut took: impl FnMut(Kind, Instant)) {
        self.delivered = self.delivered.max(Some(receipt.delivered));
        self.read = self.read.max(Some(receipt.read));
        self.settle(&mut took);
    }

    /// A message has been confirmed, perhaps after its receipts have come.
    fn sent(&mut self, message: Awaited, is_read: bool, mut took: impl FnMut(Kind, Instant)) {
        self.undelivered.push_back(message);
        if is_read {
            self.unread.push_back(message);
        }
        self.settle(&mut took);
    }

    fn settle(&mut self, took: &mut impl FnMut(Kind, Instant)) {
        let sides = [
            (Kind::Delivered, self.delivered, &mut self.undelivered),
            (Kind::Read, self.read, &mut self.unread),
        ];
        for (kind, upto, waiting) in sides {
            while let Some(first) = waiting.pop_front_if(|first| Some(first.seq) <= upto) {
                took(kind, first.due);
            }
        }
    }
}

/// A user's client.
struct Person {
    me: UserId,
    shared: Arc<Shared>,
    round: u16,
    body: Vec<u8>,
    pushed: u64,
    group_readers: f64,
    /// Whose presence is on the screen, and which conversations are open.
    looks_at: (Vec<UserId>, Vec<ConversationId>),
    ticks: HashMap<ConversationId, Ticks>,
    typed: HashMap<ConversationId, Instant>,
    /// What has been read, and is not known to be with the server.
    reads: HashMap<ConversationId, (RequestId, Seq)>,
    reconnecting: Option<Instant>,
}

impl Person {
    fn look(&self, out: &mut Out<'_>) {
        let (users, conversations) = self.looks_at.clone();
        let request = out.request();
        out.push(&Watch { request, users, conversations });
    }

    fn read(&mut self, conversation: ConversationId, seq: Seq, out: &mut Out<'_>) {
        let request = out.request();
        self.reads.insert(conversation, (request, seq));
        out.push(&Read { request, conversation, seq });
    }

    /// A message of this run has come.
    fn received(
        &mut self,
        message: &rookery_protocol::Message,
        now: Instant,
        out: &mut Out<'_>,
    ) -> anyhow::Result<()> {
        // Of one's own there are events as well, groups have entries without bodies, and what was acknowledged last in an
        // earlier round may come again.
        let is_others = message.sender != self.me && message.id.as_bytes()[8..10] == self.round.to_be_bytes();
        let Some(body) = message.body.as_ref().filter(|_| is_others) else { return Ok(()) };
        let due = self.shared.phases.origin + Duration::from_nanos(number(body, 0)?);
        let is_group = message.conversation.group_id().is_some();
        self.shared.took(if is_group { Kind::Group } else { Kind::Direct }, due, now);
        self.shared.delivered.fetch_add(1, Ordering::Release);
        let is_read =
            if is_group { rand::rng().random_bool(self.group_readers) } else { number(body, 8)? != 0 };
        if is_read {
            self.read(message.conversation, message.seq, out);
        }
        Ok(())
    }
}

fn number(body: &Body, at: usize) -> anyhow::Result<u64> {
    let bytes = body.as_bytes().get(at..).and_then(|rest| rest.first_chunk());
    Ok(u64::from_be_bytes(*bytes.context("a message of this run says in its body when it was due")?))
}

impl App for Person {
    type Command = Told;

    fn welcomed(&mut self, now: Instant, out: &mut Out<'_>) {
        if let Some(due) = self.reconnecting.take() {
            self.shared.took(Kind::Reconnect, due, now);
        }
        self.look(out);
        // What a lost connection has left unanswered is asked again.
        let reads: Vec<_> = self.reads.iter().map(|(conversation, (_, seq))| (*conversation, *seq)).collect();
        reads.into_iter().for_each(|(conversation, seq)| self.read(conversation, seq, out));
    }

    fn told(&mut self, told: Told, out: &mut Out<'_>) -> Next {
        match told {
            Told::Send { conversation, is_read, due } => {
                let since_origin = (due - self.shared.phases.origin).as_nanos() as u64;
                self.body[..8].copy_from_slice(&since_origin.to_be_bytes());
                self.body[8..16].copy_from_slice(&u64::from(is_read).to_be_bytes());
                let id = message_id(self.me, u64::from(self.round) << 48 | self.pushed);
                self.pushed += 1;
                out.message(Message { conversation, id, body: Body::new(self.body.clone()), due });
            }
            Told::Type { conversation, due } => {
                let last = self.typed.get(&conversation);
                if last.is_none_or(|last| due.saturating_duration_since(*last) >= TYPING_EVERY) {
                    self.typed.insert(conversation, due);
                    self.shared.typed.fetch_add(1, Ordering::Relaxed);
                    locked(&self.shared.typing).insert((conversation, self.me), due);
                    out.push(&Typing { conversation, doing: Doing::Typing });
                }
            }
            Told::Look => self.look(out),
            Told::Reconnect { due } => {
                self.reconnecting = Some(due);
                return Next::Reconnect;
            }
        }
        Next::Go
    }

    fn confirmed(&mut self, message: &Message, seq: Seq, now: Instant) {
        let Self { shared, ticks, .. } = self;
        shared.took(Kind::Confirmed, message.due, now);
        shared.confirmed.fetch_add(1, Ordering::Release);
        if message.conversation.group_id().is_none() {
            let is_read = number(&message.body, 8).is_ok_and(|is_read| is_read != 0);
            let ticks = ticks.entry(message.conversation).or_default();
            ticks.sent(Awaited { seq, due: message.due }, is_read, |kind, due| shared.took(kind, due, now));
        }
    }

    fn came(&mut self, frame: ServerFrame, now: Instant, out: &mut Out<'_>) -> anyhow::Result<()> {
        let Self { shared, ticks, me, .. } = self;
        match frame {
            ServerFrame::MessageEvent(event) => self.received(&event.message, now, out)?,
            ServerFrame::ReceiptEvent(event) => {
                let receipt = &event.receipt;
                if receipt.user != *me && receipt.conversation.group_id().is_none() {
                    let ticks = ticks.entry(receipt.conversation).or_default();
                    ticks.came(receipt, |kind, due| shared.took(kind, due, now));
                }
            }
            ServerFrame::TypingNotice(notice) => {
                let due = locked(&shared.typing).remove(&(notice.conversation, notice.user));
                if let Some(due) = due.filter(|_| notice.doing == Doing::Typing) {
                    shared.typing_shown.fetch_add(1, Ordering::Relaxed);
                    shared.took(Kind::Typing, due, now);
                }
            }
            ServerFrame::PresenceNotice(_) => {
                shared.notices.fetch_add(1, Ordering::Relaxed);
            }
            // READ and WATCH: they are counted, and asked again with the next of their kind.
            ServerFrame::Error(_) => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
            }
            ServerFrame::Done(done) => self.reads.retain(|_, (request, _)| *request != done.request),
            other => bail!("a user was sent {other:?}"),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(delivered: u64, read: u64) -> Receipt {
        let user = |number| UserId::new(number).unwrap();
        let conversation = ConversationId::direct(user(1), user(2));
        Receipt { conversation, user: user(2), delivered: Seq::new(delivered), read: Seq::new(read) }
    }

    fn awaited(seq: u64) -> Awaited {
        Awaited { seq: Seq::new(seq), due: Instant::now() }
    }

    #[test]
    fn a_receipt_settles_all_up_to_it_and_what_is_not_marked_read_waits_for_no_reading() {
        let (mut ticks, mut settled) = (Ticks::default(), Vec::new());
        ticks.sent(awaited(1), true, |_, _| panic!("nothing has come"));
        ticks.sent(awaited(2), false, |_, _| panic!("nothing has come"));
        ticks.came(&receipt(2, 0), |kind, _| settled.push(kind));
        assert_eq!(settled, [Kind::Delivered, Kind::Delivered]);
        ticks.came(&receipt(2, 1), |kind, _| settled.push(kind));
        assert_eq!(settled[2..], [Kind::Read]);
    }

    #[test]
    fn a_receipt_that_comes_before_the_confirmation_counts_at_that() {
        let (mut ticks, mut settled) = (Ticks::default(), Vec::new());
        ticks.came(&receipt(1, 1), |_, _| panic!("nothing was sent"));
        ticks.sent(awaited(1), true, |kind, _| settled.push(kind));
        assert_eq!(settled, [Kind::Delivered, Kind::Read]);
    }
}
