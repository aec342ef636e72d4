//! How many operations a second an LMDB store commits here, next to what the disk's sync costs in the same minute:
//! messages between two, and messages to a group of as many as there may be.
//!
//! `cargo run --release -p rookery-store --example commits [DIRECTORY] [SECONDS]`

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rookery_protocol::{
    Body, ConversationId, DeviceId, GroupChange, GroupId, GroupSettings, Handle, MessageId, UserId, limits,
};
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::{Store, StoreConfig, ops};

const USERS: u64 = 256;
const MEMBERS: u64 = limits::GROUP_MEMBERS_MAX as u64;

/// The next message's id. Below are those of the group's making.
static IDS: AtomicU64 = AtomicU64::new(1_000);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let parent = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = Duration::from_secs(args.next().map_or(Ok(5), |text| text.parse())?);
    let dir = parent.join(format!("rookery-commits-{}", std::process::id()));

    let commits = Arc::new(AtomicU64::new(0));
    let engine = Arc::new(LmdbEngine::open(LmdbConfig::new(&dir))?);
    let counted = commits.clone();
    let store = Store::start_observed(engine, StoreConfig::default(), move |_| {
        counted.fetch_add(1, Relaxed);
    });
    for user in 1..=MEMBERS {
        let (user, handle): (_, Handle) = (UserId::new(user)?, format!("user{user}").parse()?);
        store.submit(&user, ops::AddUser { user, handle, time_ms: 0 }).await?.answer?;
        store.submit(&user, ops::AddDevice { user, name: "it".into(), time_ms: 0 }).await?.answer?;
    }

    println!(
        "{:>10} {:>12} {:>10} {:>10} {:>14}",
        "submitters", "fdatasync", "commits/s", "sends/s", "p50 of a send"
    );
    for submitters in [1, 16, 256] {
        let direct =
            |number| ConversationId::direct(user(number % USERS + 1), user((number + 1) % USERS + 1));
        let measured = measure(&store, &dir, &commits, submitters, seconds, direct).await?;
        println!("{submitters:>10} {measured}");
    }

    println!("\nto a group of {MEMBERS}, each of whom has a pointer to every message:");
    let group = ConversationId::group(full_group(&store).await?);
    for submitters in [1, 16] {
        let measured = measure(&store, &dir, &commits, submitters, seconds, |_| group).await?;
        let pointers = measured.sends_per_s * MEMBERS as f64;
        println!("{submitters:>10} {measured} {pointers:>10.0} pointers/s");
    }
    store.close().await;
    drop(store);
    Ok(std::fs::remove_dir_all(&dir)?)
}

/// What some submitters reached together.
struct Measured {
    fdatasync: Duration,
    commits_per_s: f64,
    sends_per_s: f64,
    send_p50: Duration,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fdatasync, commits_per_s, sends_per_s, send_p50 } = self;
        write!(f, "{fdatasync:>12.1?} {commits_per_s:>10.0} {sends_per_s:>10.0} {send_p50:>14.1?}")
    }
}

/// Lets each submitter send into its conversation for so many seconds.
async fn measure(
    store: &Store,
    dir: &Path,
    commits: &AtomicU64,
    submitters: u64,
    seconds: Duration,
    conversation: impl Fn(u64) -> ConversationId,
) -> Result<Measured, Box<dyn Error>> {
    let fdatasync = fdatasync_p50(dir)?;
    commits.store(0, Relaxed);
    let begun = Instant::now();
    let tasks = (0..submitters).map(|submitter| {
        let sending = send(store.clone(), submitter, conversation(submitter), begun + seconds);
        tokio::spawn(sending)
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await?);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    Ok(Measured {
        fdatasync,
        commits_per_s: commits.load(Relaxed) as f64 / elapsed,
        sends_per_s: times.len() as f64 / elapsed,
        send_p50: p50(times),
    })
}

/// Makes a group of everybody.
async fn full_group(store: &Store) -> Result<GroupId, Box<dyn Error>> {
    let create = ops::CreateGroup {
        author: author(user(1), 1),
        name: "everybody".into(),
        members: Vec::new(),
        settings: GroupSettings::default(),
    };
    let group = create.group();
    store.submit(&group, create).await?;
    let everybody: Vec<UserId> = (2..=MEMBERS).map(user).collect();
    for (number, users) in (2..).zip(everybody.chunks(limits::GROUP_USERS_AT_ONCE_MAX)) {
        let change = GroupChange::Added(users.to_vec());
        let op = ops::ChangeGroup { group, author: author(user(1), number), change };
        let added = store.submit(&group, op).await?.answer;
        assert!(matches!(added, ops::Outcome::Accepted(_)), "{added:?}");
    }
    Ok(group)
}

fn user(number: u64) -> UserId {
    UserId::new(number).expect("small numbers are ids")
}

fn author(user: UserId, id: u128) -> ops::Author {
    let id = MessageId::from_bytes(id.to_be_bytes());
    ops::Author { user, device: DeviceId::new(1), generation: 1, admitted: 0, id, time_ms: 0 }
}

/// Sends one message after another, and returns how long each took.
async fn send(store: Store, submitter: u64, conversation: ConversationId, until: Instant) -> Vec<Duration> {
    let sender = user(submitter % USERS + 1);
    let mut times = Vec::new();
    while Instant::now() < until {
        let message = ops::SendMessage {
            conversation,
            author: author(sender, IDS.fetch_add(1, Relaxed).into()),
            after: None,
            body: Body::new(vec![b'x'; 100]),
            reference: None,
            expires_s: 0,
        };
        let begun = Instant::now();
        let sent = store.submit(&conversation, message).await.expect("the store takes messages").answer;
        times.push(begun.elapsed());
        assert!(matches!(sent, ops::Outcome::Accepted(_)), "{sent:?}");
    }
    times
}

fn fdatasync_p50(dir: &Path) -> std::io::Result<Duration> {
    let mut file = std::fs::File::create(dir.with_extension("sync"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        file.write_all(&[7; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(dir.with_extension("sync"))?;
    Ok(p50(times))
}

fn p50(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
