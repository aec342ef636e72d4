//! Builds the stand-in client library of `tests/fake_client.c`.

use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A compiled library, removed when dropped.
pub(crate) struct FakeClient {
    directory: TempDir,
}

impl FakeClient {
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("libfdb_c.so")
    }
}

/// Compiles the library with `flags` in a directory of its own.
pub(crate) fn build(flags: &[&str]) -> FakeClient {
    let fake = FakeClient { directory: tempfile::tempdir().expect("temporary directory") };
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
        .arg(fake.path())
        .args(flags)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_client.c"))
        .status()
        .expect("a C compiler is what Rust links with");
    assert!(status.success(), "cc {flags:?}: {status}");
    fake
}
