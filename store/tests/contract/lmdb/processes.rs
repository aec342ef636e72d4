//! Several processes on one directory. The other process is this test binary, told by its environment what to do.

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::{Store, StoreConfig, StoreError};
use rustix::process::{Pid, Signal, kill_process};

use crate::probe::{append, get, increment, key, number, probe, put, range, stamps, under};

const DIRECTORY: &str = "ROOKERY_TEST_DIRECTORY";
const TASK: &str = "ROOKERY_TEST_TASK";

/// Another process. Killed when dropped.
pub(super) struct Other {
    process: Child,
    pub(super) lines: Lines<BufReader<ChildStdout>>,
    input: Option<ChildStdin>,
}

impl Other {
    /// Starts this binary again, to do `task` on a directory.
    pub(super) fn start(task: &str, directory: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["--exact", "lmdb::processes::the_other_process", "--nocapture", "--quiet"])
            .env(TASK, task)
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary starts again");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let input = process.stdin.take();
        Self { process, lines, input }
    }

    /// What it says next, leaving out what the test harness says.
    pub(super) fn next(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("other: ").map(str::to_owned))
    }

    pub(super) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it has not been closed");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("it listens");
    }

    pub(super) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was started here");
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Waits for its end, and says which signal caused it.
    pub(super) fn ended_by(&mut self) -> Option<i32> {
        self.process.wait().expect("it was started here").signal()
    }

    pub(super) fn end(mut self) {
        drop(self.input.take());
        assert!(self.process.wait().expect("it was started here").success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "other: {line}").and_then(|()| stdout.flush()).expect("somebody listens");
}

pub(super) fn open(directory: &Path) -> Store {
    let engine = LmdbEngine::open(LmdbConfig::new(directory)).expect("the store opens");
    Store::start(Arc::new(engine), StoreConfig::default())
}

/// Not a test: what another process of this binary runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let (Ok(task), Some(directory)) = (std::env::var(TASK), std::env::var_os(DIRECTORY)) else { return };
    let store = open(Path::new(&directory));
    match task.as_str() {
        "increment" => {
            say("ready");
            for _ in 0..100 {
                store.submit(&0, increment("n")).await.expect("it commits");
                let committed = store.submit(&0, append("log/", "other")).await.expect("it commits");
                say(&committed.stamp(committed.answer).to_string());
            }
            say("done");
        }
        "hold" => {
            let snapshot = store.snapshot().await.expect("the store can be read");
            say("ready");
            // Until the other side goes away, or kills it.
            let _ = std::io::stdin().read_line(&mut String::new());
            drop(snapshot);
        }
        "put" => {
            say("ready");
            for line in std::io::stdin().lines() {
                store.submit(&0, put("watched", &line.expect("text"))).await.expect("it commits");
            }
        }
        "grow" => {
            for number in 0..60 {
                let op =
                    probe(&[], move |_, writes| writes.put(key(&format!("large/{number}")), vec![7; 50_000]));
                store.submit(&0, op).await.expect("it commits");
            }
            say("done");
        }
        "write slowly" => super::stopped::write_slowly(&store).await,
        "write until killed" => super::killed::write_until_killed(&store).await,
        other => panic!("no such task: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_count_together_and_their_stamps_are_in_one_order() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    let mut other = Other::start("increment", directory.path());
    assert_eq!(other.next().as_deref(), Some("ready"));
    let mut told = Vec::new();
    for _ in 0..100 {
        store.submit(&0, increment("n")).await.expect("it commits");
        let committed = store.submit(&0, append("log/", "this")).await.expect("it commits");
        told.push(committed.stamp(committed.answer).to_string());
    }
    let mut others = Vec::new();
    while let Some(line) = other.next().filter(|line| line != "done") {
        others.push(line);
    }
    other.end();
    assert_eq!((told.len(), others.len()), (100, 100));
    assert!(told.is_sorted() && others.is_sorted());
    told.extend(others);
    told.sort_unstable();
    let written: Vec<_> = stamps(&store, "log/").await.iter().map(ToString::to_string).collect();
    assert_eq!(written, told);
    assert_eq!(number(get(&store, "n").await.as_deref()), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_wakes_for_a_commit_of_another_process() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    let mut other = Other::start("put", directory.path());
    assert_eq!(other.next().as_deref(), Some("ready"));
    for value in ["1", "2", "3"] {
        let watch = store.watch(key("watched"));
        other.tell(value);
        tokio::time::timeout(std::time::Duration::from_secs(30), watch)
            .await
            .expect("it wakes")
            .expect("it watches");
        assert_eq!(get(&store, "watched").await.as_deref(), Some(value.as_bytes()));
    }
    other.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_killed_process_are_cleared() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    // A store that can have one snapshot at a time.
    let config = LmdbConfig { readers_max: 1, ..LmdbConfig::new(directory.path()) };
    let engine = LmdbEngine::open(config).expect("the store opens");
    let store = Store::start(Arc::new(engine), StoreConfig::default());
    let mut other = Other::start("hold", directory.path());
    assert_eq!(other.next().as_deref(), Some("ready"));
    assert!(store.snapshot().await.is_err(), "the other process has the only one");
    other.kill();
    store.snapshot().await.expect("a dead process has none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_another_process_has_outgrown_is_opened_again() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let config = LmdbConfig { map_bytes: 1 << 20, ..LmdbConfig::new(directory.path()) };
    let engine = LmdbEngine::open(config).expect("the store opens");
    let store = Store::start(Arc::new(engine), StoreConfig::default());
    store.submit(&0, put("a", "1")).await.expect("it commits");
    let watch = store.watch(key("a"));
    let mut other = Other::start("grow", directory.path());
    assert_eq!(other.next().as_deref(), Some("done"));
    other.end();
    assert_eq!(range(&store, &under("large/")).await.len(), 60);
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"1"[..]));
    let outcome = store.submit(&0, put("a", "2")).await;
    assert!(matches!(outcome, Ok(_) | Err(StoreError::Full(_))), "{outcome:?}");
    drop(watch);
}
