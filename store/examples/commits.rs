//! How many operations a second an LMDB store commits here, next to what the disk's sync costs in the same minute.
//!
//! `cargo run --release -p rookery-store --example commits [DIRECTORY] [SECONDS]`

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rookery_protocol::{Body, ConversationId, DeviceId, Handle, MessageId, UserId};
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::{Store, StoreConfig, ops};

const USERS: u64 = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let parent = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = Duration::from_secs(args.next().map_or(Ok(5), |text| text.parse())?);
    let dir = parent.join(format!("rookery-commits-{}", std::process::id()));

    let commits = Arc::new(AtomicU64::new(0));
    let engine = Arc::new(LmdbEngine::open(LmdbConfig::new(&dir))?);
    let counted = commits.clone();
    let store = Store::start_observed(engine, StoreConfig::default(), move |_, _| {
        counted.fetch_add(1, Relaxed);
    });
    for user in 1..=USERS {
        let (user, handle): (_, Handle) = (UserId::new(user)?, format!("user{user}").parse()?);
        store.submit(&user, ops::AddUser { user, handle, time_ms: 0 }).await?.answer?;
        store.submit(&user, ops::AddDevice { user, name: "it".into(), time_ms: 0 }).await?.answer?;
    }

    println!(
        "{:>10} {:>12} {:>10} {:>10} {:>14}",
        "submitters", "fdatasync", "commits/s", "sends/s", "p50 of a send"
    );
    for submitters in [1, 16, 256] {
        let sync = fdatasync_p50(&dir)?;
        commits.store(0, Relaxed);
        let begun = Instant::now();
        let tasks =
            (0..submitters).map(|submitter| tokio::spawn(send(store.clone(), submitter, begun + seconds)));
        let mut times = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            times.extend(task.await?);
        }
        let elapsed = begun.elapsed().as_secs_f64();
        println!(
            "{submitters:>10} {sync:>12.1?} {:>10.0} {:>10.0} {:>14.1?}",
            commits.load(Relaxed) as f64 / elapsed,
            times.len() as f64 / elapsed,
            p50(times),
        );
    }
    store.close().await;
    drop(store);
    Ok(std::fs::remove_dir_all(&dir)?)
}

/// Sends one message after another, and returns how long each took.
async fn send(store: Store, submitter: u64, until: Instant) -> Vec<Duration> {
    let user = |number| UserId::new(number).expect("small numbers are ids");
    let (sender, peer) = (user(submitter % USERS + 1), user((submitter + 1) % USERS + 1));
    let conversation = ConversationId::direct(sender, peer);
    let mut times = Vec::new();
    while Instant::now() < until {
        let id = (u128::from(submitter) << 64)
            + times.len() as u128
            + (u128::from(until.elapsed().subsec_nanos()) << 96);
        let author = ops::Author {
            user: sender,
            device: DeviceId::new(1),
            generation: 1,
            id: MessageId::from_bytes(id.to_be_bytes()),
            time_ms: 0,
        };
        let message =
            ops::SendMessage { conversation, author, after: None, body: Body::new(vec![b'x'; 100]) };
        let begun = Instant::now();
        store.submit(&conversation, message).await.expect("the store takes messages");
        times.push(begun.elapsed());
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
