//! Backups that are whole, those that are not, and stores made of them.

use std::path::Path;
use std::sync::Arc;

use rookery_protocol::{ConversationId, Seq};
use rookery_store::Store;
use rookery_store::StoreConfig;
use rookery_store::check::Check;
use rookery_store::engines::{LmdbBackup, LmdbConfig, LmdbEngine, OpenError, RESTORE_GAP, RestoreError};

use crate::people::{ack, acked, add, inbox, send};
use crate::probe::{get, number};

fn open(path: &Path) -> Store {
    let config = LmdbConfig { durable: false, ..LmdbConfig::new(path) };
    Store::start(Arc::new(LmdbEngine::open(config).expect("it opens")), StoreConfig::default())
}

async fn close(store: Store) {
    store.close().await;
    drop(store);
}

async fn version(store: &Store) -> u64 {
    store.snapshot().await.expect("the store can be read").version().await.expect("it has one")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_under_writes_has_nothing_wrong_and_its_restored_stamps_are_all_new() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(&directory.path().join("store"));
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    let (tell, mut told) = tokio::sync::watch::channel(0);
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 1..=400 {
                send(&store, anna, bert.user, number).await;
                if number % 5 == 0 {
                    let last = inbox(&store, bert.user).await.pop().expect("it was just sent").0;
                    acked(&store, ack(bert, last, &[(conversation, Seq::new(number as u64))])).await;
                }
                tell.send_replace(number);
            }
        }
    });
    told.wait_for(|sent| *sent >= 50).await.expect("it sends more");
    let copy = directory.path().join("copy");
    let bytes = store.backup(copy.clone()).await.expect("it is written");
    writing.await.expect("everything is accepted");
    let last = inbox(&store, anna.user).await.pop().expect("much was sent").0;

    let found = LmdbEngine::verify(&copy).expect("it is whole");
    assert_eq!(found.bytes, bytes);
    assert!(found.commits > 50 && found.commits < version(&store).await, "{found:?}");
    assert_eq!(std::fs::read_dir(&copy).expect("it is there").count(), 1, "nothing was written");

    let to = directory.path().join("a/restored");
    assert_eq!(LmdbEngine::restore(&copy, &to).expect("there is room"), found);
    let restored = open(&to);
    let mut check = Check::new(50);
    assert_eq!(check.finish(&restored, 10).await.expect("it is read"), []);
    let counts = check.counts();
    assert!((50..400).contains(&counts.messages) && counts.events > counts.messages, "{counts:?}");
    assert_eq!(version(&restored).await, found.commits + RESTORE_GAP);
    send(&restored, anna, bert.user, 1_000).await;
    let next = inbox(&restored, anna.user).await.pop().expect("it was just sent").0;
    assert!(next > last, "{next} was given after {last}");
    close(restored).await;
    // What it was made of is as it was.
    assert_eq!(LmdbEngine::verify(&copy).expect("it is whole"), found);
}

#[tokio::test]
async fn a_store_is_restored_only_where_nothing_is() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("store");
    let store = open(&path);
    store.submit(&0, crate::probe::increment("n")).await.expect("it commits");
    let copy = directory.path().join("copy");
    store.backup(copy.clone()).await.expect("it is written");
    close(store).await;

    let refused = LmdbEngine::restore(&copy, &path);
    assert!(matches!(refused, Err(RestoreError::NotEmpty(_))), "{refused:?}");
    let refused = LmdbEngine::restore(&copy, &copy.join("data.mdb"));
    assert!(matches!(refused, Err(RestoreError::Failed(_))), "{refused:?}");
    let empty = directory.path().join("empty");
    let refused = LmdbEngine::restore(&empty, &directory.path().join("restored"));
    assert!(matches!(refused, Err(RestoreError::Backup(OpenError::ForeignData { .. }))), "{refused:?}");
    assert!(!directory.path().join("restored").exists());

    std::fs::create_dir(&empty).expect("it can be made");
    LmdbEngine::restore(&copy, &empty).expect("an empty directory will do");
    assert_eq!(std::fs::read_dir(&empty).expect("it is there").count(), 1);
    let restored = open(&empty);
    assert_eq!(number(get(&restored, "n").await.as_deref()), 1);
    // And of a store that nobody has open, and of one that was restored itself.
    close(restored).await;
    let again = LmdbEngine::restore(&empty, &directory.path().join("again")).expect("it is a store");
    assert_eq!(again.commits, 1 + RESTORE_GAP);
    assert!(LmdbEngine::restore(&path, &directory.path().join("too")).is_ok());
}

#[tokio::test]
async fn what_is_no_whole_store_of_this_version_is_not_taken_for_one() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(&directory.path().join("store"));
    for name in 0..200 {
        store.submit(&0, crate::probe::put(&name.to_string(), &"x".repeat(1_000))).await.expect("it commits");
    }
    let copy = directory.path().join("copy");
    store.backup(copy.clone()).await.expect("it is written");
    close(store).await;
    let data = std::fs::read(copy.join("data.mdb")).expect("it is there");
    let LmdbBackup { keys, bytes, .. } = LmdbEngine::verify(&copy).expect("it is whole");
    assert_eq!((keys, bytes), (202, data.len() as u64));

    let verify = |data: &[u8]| {
        std::fs::write(copy.join("data.mdb"), data).expect("it can be written");
        LmdbEngine::verify(&copy).expect_err("it is not whole")
    };
    for cut_short in [data.len() - 1, data.len() / 2, 3 * 4096] {
        let error = verify(&data[..cut_short]);
        assert!(matches!(error, OpenError::Damaged { .. }), "{cut_short}: {error:?}");
    }
    for foreign in [Vec::new(), b"something else".to_vec(), vec![b'x'; 100_000]] {
        let error = verify(&foreign);
        assert!(matches!(error, OpenError::ForeignData { .. } | OpenError::Damaged { .. }), "{error:?}");
    }
    std::fs::write(copy.join("data.mdb"), &data).expect("it can be written");
    // It has a runtime of its own.
    let written = || super::opening::write_format(&copy, &9_u32.to_be_bytes());
    std::thread::scope(|scope| scope.spawn(written).join()).expect("it is written");
    let error = LmdbEngine::verify(&copy).expect_err("it is of another version");
    assert!(matches!(error, OpenError::NewerFormat { found: 9, .. }), "{error:?}");
    let missing = LmdbEngine::verify(&directory.path().join("missing")).expect_err("it is missing");
    assert!(matches!(missing, OpenError::ForeignData { .. }), "{missing:?}");
    assert!(!directory.path().join("missing").exists());
}
