//! No room: in the map, and on the disk.

use std::path::Path;
use std::sync::Arc;

use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::{KeyRange, Store, StoreConfig, StoreError};

use crate::probe::{get, increment, key, number, probe, under};

fn store(config: LmdbConfig) -> Store {
    Store::start(Arc::new(LmdbEngine::open(config).expect("it opens")), StoreConfig::default())
}

/// Writes values until there is no room, and answers how many there are.
async fn fill(store: &Store) -> u64 {
    for written in 0.. {
        let op = probe(&[], move |_, writes| writes.put(key(&format!("fill/{written:09}")), vec![7; 50_000]));
        match store.submit(&0, op).await {
            Ok(_) => {}
            Err(StoreError::Full(_)) => return written,
            Err(other) => panic!("{other:?}"),
        }
    }
    unreachable!("there is always an end")
}

async fn count(store: &Store) -> u64 {
    crate::probe::range(store, &KeyRange { limit: 100_000, ..under("fill/") }).await.len() as u64
}

async fn clear(store: &Store, keep: u64) {
    let op = probe(&[], move |_, writes| {
        writes.clear_range(key(&format!("fill/{keep:09}")), under("fill/").end);
    });
    store.submit(&0, op).await.expect("there is room to remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_map_refuses_and_works_again_when_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let small = LmdbConfig { map_bytes: 8 << 20, ..LmdbConfig::new(directory.path()) };
    let small_store = store(small);
    small_store.submit(&0, increment("n")).await.expect("it commits");
    let written = fill(&small_store).await;
    assert_eq!(count(&small_store).await, written, "what was refused is not there");
    clear(&small_store, written / 2).await;
    small_store.submit(&0, increment("n")).await.expect("there is room again");
    assert!(fill(&small_store).await > 0);

    // A larger map makes room as well.
    small_store.close().await;
    drop(small_store);
    let store = store(LmdbConfig::new(directory.path()));
    store.submit(&0, increment("n")).await.expect("there is room");
    assert_eq!(number(get(&store, "n").await.as_deref()), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_works_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        use std::io::Write;
        writeln!(std::io::stderr(), "skipped: a full disk (a small file system cannot be mounted here)")
            .expect("stderr is there");
        return;
    };
    let store = store(LmdbConfig::new(disk.path().join("store")));
    store.submit(&0, increment("n")).await.expect("it commits");
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 4 << 20]).expect("there is room");
    let written = fill(&store).await;
    assert_eq!(count(&store).await, written, "what was refused is not there");
    assert!(matches!(
        store.submit(&0, probe(&[], |_, writes| writes.put(key("large"), vec![7; 90_000]))).await,
        Err(StoreError::Full(_))
    ));
    std::fs::remove_file(ballast).expect("it is there");
    store.submit(&0, increment("n")).await.expect("there is room again");
    let more = fill(&store).await;
    assert!(more > written);
    assert_eq!(number(get(&store, "n").await.as_deref()), 2);
    store.close().await;
}

/// A file system of 16 MiB, where this user may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(directory.path())
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is open keeps it until it is closed.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
