//! Copies of a store in use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rookery_protocol::UserId;
use rookery_store::engine::BackupError;
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::{Store, StoreConfig, queries};

use crate::people::{add_user, user};

fn open(path: &std::path::Path) -> Store {
    let config = LmdbConfig { durable: false, ..LmdbConfig::new(path) };
    Store::start(Arc::new(LmdbEngine::open(config).expect("it opens")), StoreConfig::default())
}

async fn users(store: &Store) -> Vec<UserId> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let users = queries::users(&*snapshot, None, 100_000).await.expect("and its users");
    users.into_iter().map(|(user, _)| user).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_writes_is_a_store_as_of_one_moment() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(&directory.path().join("store"));
    for number in 1..=50 {
        add_user(&store, number).await;
    }
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 51..=200 {
                add_user(&store, number).await;
            }
        }
    });
    let copy = directory.path().join("copy");
    let bytes = store.backup(copy.clone()).await.expect("it is written");
    writing.await.expect("it writes");
    assert_eq!(copy.join("data.mdb").metadata().expect("it is there").len(), bytes);
    let copied = users(&open(&copy)).await;
    // The users were added in the order of their numbers, one after another.
    let expected: Vec<UserId> = (1..=copied.len() as u64).map(user).collect();
    assert!(copied.len() >= 50);
    assert_eq!(copied, expected);
    assert_eq!(users(&store).await.len(), 200);
}

#[tokio::test]
async fn a_directory_that_holds_something_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(&directory.path().join("store"));
    let refused = store.backup(directory.path().to_path_buf()).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))), "{refused:?}");
    let refused = store.backup(directory.path().join("a/b")).await;
    assert!(matches!(refused, Err(BackupError::Failed(_))), "{refused:?}");
    assert!(!directory.path().join("data.mdb").exists());
}

#[tokio::test]
async fn a_copy_is_its_owners_alone_in_a_directory_that_others_may_read() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(&directory.path().join("store"));
    let copy = directory.path().join("copy");
    fs::create_dir(&copy).expect("a directory can be made");
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("it is ours");
    store.backup(copy.clone()).await.expect("it is written");
    let mode = copy.join("data.mdb").metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
