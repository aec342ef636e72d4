//! A node's clock, set forward and back while it runs.
//!
//! The node has no switch for it: it is Debian's `libfaketime`, preloaded, that shifts the time of day by what a file
//! says. The monotonic clock stays, as it does when somebody sets a machine's clock. Without the library there is no
//! such fault.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

/// Names the library, when it is not where the Debian package puts it.
const LIBRARY_ENV: &str = "ROOKERY_FAKETIME";

/// The one for programs with threads.
const USUAL: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// What shifts a node's time of day.
#[derive(Debug)]
pub(super) struct Clock {
    library: PathBuf,
    file: PathBuf,
}

/// Whether clocks can be shifted on this machine.
pub(crate) fn is_possible() -> bool {
    library().is_some()
}

fn library() -> Option<PathBuf> {
    let named = std::env::var_os(LIBRARY_ENV).map(PathBuf::from);
    named.into_iter().chain(USUAL.map(PathBuf::from)).find(|path| path.exists())
}

impl Clock {
    /// A clock that is right, for a node with its files in `directory`. None where there is no library.
    pub(super) fn new(directory: &Path) -> Result<Option<Self>> {
        let Some(library) = library() else { return Ok(None) };
        let clock = Self { library, file: directory.join("clock") };
        clock.shift(0)?;
        Ok(Some(clock))
    }

    /// Lets a program that is about to be started live by this clock.
    pub(super) fn govern(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        // The file is read once a second, not at each look at the clock.
        command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.env("DONT_FAKE_MONOTONIC", "1");
    }

    /// Shifts the time of day by so many seconds against the machine's.
    pub(super) fn shift(&self, seconds: i64) -> Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(new, &self.file)?)
    }
}
