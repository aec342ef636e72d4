//! A run that is told to end leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "what helpers of tests cannot do fails the test")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a run may take to begin, and to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn entries(directory: &Path) -> usize {
    directory.read_dir().unwrap().count()
}

/// Asks now and then until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        sleep(Duration::from_millis(10));
    }
}

fn ends_with(signal: Signal, told: &str) {
    let data = tempfile::tempdir().unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_rookery-bench"))
        .args(["limits", "--repeat", "5", "--data"])
        .arg(data.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it has data", || entries(data.path()) > 0);
    kill_process(Pid::from_child(&run), signal).unwrap();
    until("it has ended", || run.try_wait().unwrap().is_some());
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(told), "{said}");
    assert_eq!(entries(data.path()), 0);
}

#[test]
fn a_run_that_is_told_to_end_takes_its_data_with_it() {
    ends_with(Signal::TERM, "terminated: nothing is kept");
    ends_with(Signal::INT, "interrupted: nothing is kept");
    ends_with(Signal::HUP, "its terminal is gone: nothing is kept");
}
