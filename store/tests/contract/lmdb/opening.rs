//! Directories that are a store, and those that are not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rookery_store::engines::{LmdbConfig, LmdbEngine, OpenError};

fn open(path: &Path) -> Result<LmdbEngine, OpenError> {
    LmdbEngine::open(LmdbConfig::new(path))
}

#[test]
fn a_missing_directory_is_made_and_opens_again() {
    let parent = tempfile::tempdir().expect("a directory can be made");
    let path = parent.path().join("data/store");
    drop(open(&path).expect("it is made"));
    drop(open(&path).expect("it opens again"));
}

#[test]
fn a_file_in_its_place_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    let error = open(file.path()).expect_err("it is a file");
    assert!(matches!(error, OpenError::NotADirectory(_)), "{error:?}");
    let error = open(&file.path().join("below")).expect_err("it is below a file");
    assert!(matches!(error, OpenError::NotADirectory(_)), "{error:?}");
}

#[test]
fn other_peoples_files_are_left_alone() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(directory.path().join("letter.txt"), "dear").expect("it can be written");
    let error = open(directory.path()).expect_err("it is somebody's");
    assert!(
        matches!(&error, OpenError::ForeignData { found, .. } if found.contains("letter.txt")),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 1);
}

#[test]
fn a_data_file_of_something_else_is_refused() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(directory.path().join("data.mdb"), vec![b'x'; 100_000]).expect("it can be written");
    let error = open(directory.path()).expect_err("it is not a database");
    assert!(matches!(error, OpenError::ForeignData { .. }), "{error:?}");
}

#[test]
fn a_format_of_another_version_is_refused() {
    for (format, newer) in
        [(9_u32.to_be_bytes().to_vec(), true), (b"else".to_vec(), true), (b"?".to_vec(), false)]
    {
        let directory = tempfile::tempdir().expect("a directory can be made");
        drop(open(directory.path()).expect("it is made"));
        write_format(directory.path(), &format);
        let error = open(directory.path()).expect_err("it is of another version");
        match error {
            OpenError::NewerFormat { known, .. } => assert!(newer && known == 1),
            OpenError::ForeignData { .. } => assert!(!newer),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn write_format(directory: &Path, format: &[u8]) {
    use rookery_store::{Store, StoreConfig};
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let engine = std::sync::Arc::new(open(directory).expect("it is a store"));
    runtime.block_on(async {
        let store = Store::start(engine, StoreConfig::default());
        let format = format.to_vec();
        let op = crate::probe::probe(&[], move |_, writes| {
            writes.put(rookery_store::keys::meta::format_key(), format.clone());
        });
        store.submit(&0, op).await.expect("it commits");
        store.close().await;
    });
}

#[test]
fn a_process_opens_a_directory_once() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let engine = open(directory.path()).expect("it is made");
    let error = open(directory.path()).expect_err("it is open");
    assert!(matches!(error, OpenError::AlreadyOpen(_)), "{error:?}");
    drop(engine);
    open(directory.path()).expect("it is closed");
}

#[test]
fn a_map_larger_than_the_address_space_is_refused() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let config = LmdbConfig { map_bytes: 1 << 60, ..LmdbConfig::new(directory.path()) };
    let error = LmdbEngine::open(config).expect_err("no machine maps that much");
    assert!(matches!(error, OpenError::MapTooLarge { .. }), "{error:?}");
}

#[test]
fn a_directory_without_permission_is_named() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("locked");
    std::fs::create_dir(&path).expect("it can be made");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("it is ours");
    // Somebody who may do everything is not refused.
    if std::fs::read_dir(&path).is_err() {
        let error = open(&path).expect_err("it is locked");
        assert!(matches!(error, OpenError::NoPermission { .. }), "{error:?}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
}
