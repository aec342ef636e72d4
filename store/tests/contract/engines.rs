//! The engines under test, each with an empty store of its own.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rookery_store::engine::{BoxFuture, Engine};
use rookery_store::engines::{FdbConfig, FdbEngine, LmdbConfig, LmdbEngine, MemoryEngine};
use rookery_store::{Store, StoreConfig};

/// A test of the suite.
pub(crate) type Contract = fn(UnderTest) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long a test may take. Far more than it does.
const DEADLINE: Duration = Duration::from_secs(120);

/// An engine, and how to get another on the same data.
pub(crate) struct UnderTest {
    backing: Box<dyn Backing>,
    engine: Option<Arc<dyn Engine>>,
}

/// Where an engine's data is, for as long as this lives.
trait Backing: Send + Sync {
    /// Opens an engine on it.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Engine>>;

    /// Whether one process may open it several times at once.
    fn opens_twice(&self) -> bool;
}

impl UnderTest {
    fn new(backing: impl Backing + 'static) -> Self {
        Self { backing: Box::new(backing), engine: None }
    }

    pub(crate) async fn engine(&mut self) -> Arc<dyn Engine> {
        if self.engine.is_none() {
            self.engine = Some(self.backing.open().await);
        }
        self.engine.clone().expect("it was just opened")
    }

    /// A store on the engine.
    pub(crate) async fn store(&mut self) -> Store {
        Store::start(self.engine().await, StoreConfig::default())
    }

    /// A store on another engine with the same data; on the same engine, where a process may have only one.
    pub(crate) async fn second_store(&mut self) -> Store {
        let engine = if self.backing.opens_twice() { self.backing.open().await } else { self.engine().await };
        Store::start(engine, StoreConfig::default())
    }

    /// Closes the engine, whose stores have been closed and dropped, and opens its data again.
    pub(crate) async fn reopen(&mut self) -> Store {
        self.engine = None;
        self.store().await
    }
}

pub(crate) async fn within_deadline(test: impl Future<Output = ()>) {
    tokio::time::timeout(DEADLINE, test).await.expect("the test ends within its deadline");
}

pub(crate) fn memory() -> UnderTest {
    UnderTest::new(Memory(MemoryEngine::new()))
}

struct Memory(MemoryEngine);

impl Backing for Memory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Engine>> {
        Box::pin(async { Arc::new(self.0.clone()) as Arc<dyn Engine> })
    }

    fn opens_twice(&self) -> bool {
        true
    }
}

pub(crate) fn lmdb() -> UnderTest {
    UnderTest::new(Lmdb(tempfile::tempdir().expect("a directory can be made")))
}

struct Lmdb(tempfile::TempDir);

impl Backing for Lmdb {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Engine>> {
        Box::pin(async {
            // What a power failure does is not tested here, and the disk is shared.
            let config = LmdbConfig { durable: false, ..LmdbConfig::new(self.0.path()) };
            Arc::new(LmdbEngine::open(config).expect("an empty directory becomes a store")) as Arc<dyn Engine>
        })
    }

    fn opens_twice(&self) -> bool {
        false
    }
}

/// A prefix of the cluster's keys, of this test alone. What is under it is left there: clear it by hand, or use a
/// cluster made for tests.
struct FoundationDb {
    config: FdbConfig,
}

fn foundationdb(cluster_file: PathBuf) -> UnderTest {
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos();
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("rookery-test/{}-{nanos}-{test}/", std::process::id()).into_bytes();
    UnderTest::new(FoundationDb { config: FdbConfig { prefix, ..FdbConfig::new(cluster_file) } })
}

impl Backing for FoundationDb {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Engine>> {
        Box::pin(async {
            Arc::new(FdbEngine::open(self.config.clone()).await.expect("the cluster answers"))
                as Arc<dyn Engine>
        })
    }

    fn opens_twice(&self) -> bool {
        true
    }
}

/// Runs the tests, one after the other, against the cluster that the environment names.
pub(crate) fn run_on_foundationdb(tests: Vec<(&'static str, Contract)>) {
    let Some(cluster_file) = std::env::var_os("ROOKERY_FDB_CLUSTER_FILE") else {
        say("skipped: foundationdb contract (ROOKERY_FDB_CLUSTER_FILE is not set)");
        return;
    };
    let cluster_file = PathBuf::from(cluster_file);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let failed: Vec<&str> = runtime.block_on(async {
        let mut failed = Vec::new();
        for (name, test) in tests {
            let under_test = foundationdb(cluster_file.clone());
            let ended = tokio::spawn(within_deadline(test(under_test))).await;
            say(&format!("foundationdb {name}: {}", if ended.is_ok() { "ok" } else { "FAILED" }));
            if ended.is_err() {
                failed.push(name);
            }
        }
        failed
    });
    assert!(failed.is_empty(), "failed on foundationdb: {failed:#?}");
}

/// Past the test harness, which keeps what passing tests print.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("stderr is there");
}
