//! One user writing to a room (XEP-0045) in which all others are, as [`workload::group`](crate::workload::group) has it for a
//! node's group.
//!
//! A message is confirmed when the server's count of stanzas it has handled (XEP-0198) includes it. A room is none that keeps
//! its members: those who are not in it at the time get nothing.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use quick_xml::escape::escape;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::body::{self, RunId, Said};
use super::connection::{Connection, Management, Reader, Writer, ns};
use super::element::Element;
use super::usage::Usage;
use super::{Target, each};
use crate::peer::server::Server;
use crate::probe;
use crate::report::Report;
use crate::workload::fanout::{LOOK_EVERY, Load, Run};
use crate::workload::measure::{
    CONNECTING_AT_ONCE, SETTLE_TIME_MAX, Window, finish, first_failure, next_due, pace,
};

/// In the presence of the user to whom it is sent.
const SELF_PRESENCE: &str = "110";

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Users in the room, the writer among them.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
    /// The domain of the server's rooms [default: `conference.` and its domain].
    #[arg(long, value_name = "DOMAIN")]
    rooms: Option<String>,
    #[command(flatten)]
    load: Load,
}

/// Measures.
pub(super) async fn run(target: &Target, server: &Server, data: &Path, args: Args) -> anyhow::Result<Report> {
    let Args { members, rooms, load } = args;
    ensure!(load.body as usize >= body::SAYS_BYTES, "a body is of {} bytes at least", body::SAYS_BYTES);
    let mut report = Report::new(format!("group: a room of {members}, {load}, at {}", target.label));
    let disk_before = probe::fdatasync(data, load.every())?;
    let id = RunId::random()?;
    let rooms = rooms.unwrap_or_else(|| format!("conference.{}", target.domain));
    let room: Arc<str> = format!("bench-{id}@{}", escape(rooms.as_str())).into();

    let login = |login| async move { Connection::login(&login).await };
    let mut connections = each("connecting", target.logins(members as usize), login).await?;
    let writer = Writing::open(connections.remove(0), room.clone(), id).await?;
    let others = connections.len() as u32;
    let (run, mut reading) = (Arc::new(OnceLock::new()), JoinSet::new());
    let mut connections = connections.into_iter().enumerate();
    loop {
        let mut entering = Vec::new();
        for (number, connection) in connections.by_ref().take(CONNECTING_AT_ONCE) {
            let (tell, entered) = oneshot::channel();
            reading.spawn(read(connection, room.clone(), (number, id), run.clone(), tell));
            entering.push(entered);
        }
        if entering.is_empty() {
            break;
        }
        for entered in entering {
            let entered = timeout(SETTLE_TIME_MAX, entered)
                .await
                .context("the server lets nobody more into the room")?;
            if entered.is_err() {
                first_failure(&mut reading).await?;
            }
        }
    }

    let load_run = Arc::new(Run::new(load.phases(), others, load.window)?);
    ensure!(run.set(load_run.clone()).is_ok(), "it is set once");
    let run = load_run;
    let phases = run.phases;
    let due = load.rate.map(|rate| {
        let (tell, due) = mpsc::unbounded_channel();
        std::thread::spawn(move || pace(phases, rate, &[tell]));
        due
    });
    let mut writing = JoinSet::new();
    writing.spawn(writer.run(run.clone(), due, load.body as usize));
    tokio::select! {
        counted = count(&run, server, &mut report) => counted?,
        failed = first_failure(&mut writing) => failed?,
        failed = first_failure(&mut reading) => failed?,
    }
    let finished = finish(&mut writing, &mut reading).await;
    finished.context("the last messages did not arrive in time")??;
    reading.shutdown().await;

    let disk_after = probe::fdatasync(data, load.every())?;
    run.add_times("member", &mut report)?;
    report.disk_around(&disk_before, &disk_after);
    Ok(report)
}

/// Counts between the phases' ends, with a bar.
async fn count(run: &Run, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let messages = || run.messages.load(Ordering::Relaxed) as f64;
    let counting = async {
        sleep_until(run.phases.count_from).await;
        messages()
    };
    let counted = run
        .phases
        .count_with(&run.delivered, async || Usage::read(run.delivered.load(Ordering::Relaxed), server));
    let (counted, messages_before) = tokio::join!(counted, counting);
    let Window { before, after, seconds, done_over_time } = counted?;
    let (messages, deliveries) = (messages() - messages_before, after.done - before.done);
    let delivered = report.add("deliveries", deliveries / seconds, "/s");
    report.headline(delivered);
    report.series("deliveries", "/s", done_over_time);
    report.add("messages, confirmed", messages / seconds, "/s");
    after.add(&before, seconds, ("delivery", deliveries), server, report)
}

/// The writer, in the room.
struct Writing {
    reader: Reader,
    writer: Writer,
    management: Management,
    room: Arc<str>,
    id: RunId,
    body: String,
    pushed: u32,
    confirmed: u32,
}

impl Writing {
    /// Makes the room, and waits until the server has confirmed all that took.
    async fn open(connection: Connection, room: Arc<str>, id: RunId) -> anyhow::Result<Self> {
        let Connection { mut reader, mut writer } = connection;
        let mut management = Management::default();
        enter(&room, "writer", &mut writer).await?;
        let presence = async {
            loop {
                let element = reader.next().await?;
                management.take(&element).context("the server opens no room")?;
                if is_own_presence(&element) {
                    return anyhow::Ok(());
                }
            }
        };
        timeout(SETTLE_TIME_MAX, presence).await.context("the server opens no room: see --rooms")??;
        // With the server's own settings: until it is told so, the room may be locked.
        writer.push(format_args!(
            "<iq type='set' id='open' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>"
        ));
        Management::ask(&mut writer);
        writer.flush().await?;
        let (mut is_open, mut is_confirmed) = (false, false);
        while !(is_open && is_confirmed) {
            let element = reader.next().await?;
            is_confirmed |= management.take(&element)? > 0;
            if element.is("iq", ns::CLIENT) && element.attribute("id") == Some("open") {
                ensure!(element.attribute("type") == Some("result"), "the server opens no room: {element}");
                is_open = true;
            }
        }
        Ok(Self { reader, writer, management, room, id, body: String::new(), pushed: 0, confirmed: 0 })
    }

    /// Writes until the time is up and all have every message.
    async fn run(
        mut self,
        run: Arc<Run>,
        mut due: Option<mpsc::UnboundedReceiver<Instant>>,
        bytes: usize,
    ) -> anyhow::Result<()> {
        let (is_closed, mut is_over, mut asked) = (due.is_none(), false, 0);
        loop {
            if is_closed {
                is_over = Instant::now() >= run.phases.send_until;
            }
            if is_over && self.confirmed == self.pushed && run.is_with_all(self.pushed.into()) {
                return Ok(());
            }
            tokio::select! {
                element = self.reader.next() => {
                    let mut element = Some(element?);
                    while let Some(taken) = element {
                        let newly = self.management.take(&taken)?;
                        ensure!(newly <= self.pushed - self.confirmed, "the server confirms more messages than there were");
                        self.confirmed += newly;
                        run.messages.fetch_add(newly.into(), Ordering::Relaxed);
                        element = self.reader.buffered()?;
                    }
                }
                at = next_due(&mut due), if !is_over => match at {
                    Some(at) => self.push(&run, at, bytes)?,
                    None => is_over = true,
                },
                room = run.window.acquire(), if is_closed && !is_over => {
                    room.expect("it is never closed").forget();
                    self.push(&run, Instant::now(), bytes)?;
                }
                () = sleep(LOOK_EVERY), if is_over => {}
            }
            if asked != self.pushed {
                Management::ask(&mut self.writer);
                asked = self.pushed;
            }
            self.management.answer(&mut self.writer);
            self.writer.flush().await?;
        }
    }

    /// Writes the next message, due at this time.
    fn push(&mut self, run: &Run, due: Instant, bytes: usize) -> anyhow::Result<()> {
        run.begin(self.pushed.into())?;
        let said = Said { number: self.pushed, due: due.saturating_duration_since(run.phases.origin) };
        body::write(&mut self.body, self.id, said, bytes);
        let Self { room, pushed, body, .. } = self;
        self.writer.push(format_args!(
            "<message type='groupchat' to='{room}' id='{pushed:x}'><body>{body}</body></message>"
        ));
        self.pushed += 1;
        Ok(())
    }
}

/// Enters the room, says so, and reads until the run is over, when it is ended.
async fn read(
    connection: Connection,
    room: Arc<str>,
    (number, id): (usize, RunId),
    run: Arc<OnceLock<Arc<Run>>>,
    entered: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let Connection { mut reader, mut writer } = connection;
    let (mut management, mut entered) = (Management::default(), Some(entered));
    enter(&room, &format!("reader{number}"), &mut writer).await?;
    loop {
        let mut element = Some(reader.next().await?);
        let now = Instant::now();
        while let Some(taken) = element {
            management.take(&taken)?;
            if is_own_presence(&taken) {
                // Nobody waits any more when all is over.
                let _ = entered.take().map(|entered| entered.send(()));
            }
            let body = taken.child("body", ns::CLIENT);
            if let (Some(said), Some(run)) = (body.and_then(|body| body::read(&body.text, id)), run.get()) {
                run.received(number, &said.to_bytes(), now)?;
            }
            element = reader.buffered()?;
        }
        management.answer(&mut writer);
        writer.flush().await?;
    }
}

async fn enter(room: &str, nick: &str, writer: &mut Writer) -> anyhow::Result<()> {
    writer.push(format_args!(
        "<presence to='{room}/{nick}'><x xmlns='{}'><history maxstanzas='0'/></x></presence>",
        ns::ROOM
    ));
    writer.flush().await
}

fn is_own_presence(element: &Element) -> bool {
    let user = element.is("presence", ns::CLIENT).then(|| element.child("x", ns::ROOM_USER)).flatten();
    user.is_some_and(|user| {
        user.children
            .iter()
            .any(|child| child.name == "status" && child.attribute("code") == Some(SELF_PRESENCE))
    })
}
