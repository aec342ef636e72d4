//! One node's process: started, listened to, signalled, waited for.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

use super::lines::Lines;

/// A longer line is shown in parts.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// How `main` begins the message of a command that fails.
const FAILURE: &str = "rookery: ";

/// What a node's process does.
#[derive(Debug)]
pub(super) enum Said {
    /// It takes connections.
    Ready,
    /// It has ended, or is about to: what it failed with, if it told.
    Ended(Option<String>),
}

/// Which node, which run of it, and what.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) node: usize,
    pub(super) said: Said,
}

/// A running process. Killed when dropped.
#[derive(Debug)]
pub(super) struct NodeProcess {
    child: Child,
}

impl NodeProcess {
    /// Starts this program with these arguments. Its log lines are shown as `lines` says; what it does comes as events of
    /// `node`, the last of them [`Said::Ended`].
    ///
    /// The process is a child of the calling thread, with which it may be told to die: call it from one that lives as
    /// long as the program.
    pub(super) fn start(
        arguments: &[std::ffi::OsString],
        node: usize,
        lines: Lines,
        events: mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        let mut command = Command::new(own_program()?);
        if let Some(called) = std::env::args_os().next() {
            command.arg0(called);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A terminal's Ctrl-C is for `up`, which tells its nodes in its own way.
        command.process_group(0);
        let mut child = command.spawn()?;
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let process = Self { child };
        let ready = events.clone();
        let listen = move || {
            for line in stdout.lines().map_while(Result::ok) {
                if line.starts_with("ready ") {
                    let _ = ready.blocking_send(Event { node, said: Said::Ready });
                }
            }
        };
        let listen = thread::Builder::new().name(format!("node-{node}-out")).spawn(listen)?;
        let show = move || {
            let failure = show_lines(stderr, &lines);
            // So that nothing is told of it after its end.
            let _ = listen.join();
            let _ = events.blocking_send(Event { node, said: Said::Ended(failure) });
        };
        thread::Builder::new().name(format!("node-{node}-log")).spawn(show)?;
        Ok(process)
    }

    /// Sends a signal, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        // Not waited for yet, so its id is nobody else's.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended. Blocks until it has, which after [`Said::Ended`] is now.
    pub(super) fn wait(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // After `wait` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended, for people.
pub(super) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// This very program, also when its file has been exchanged for a newer one.
fn own_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // Only then: a process started by this name is called `exe` in lists of processes.
    let (running, exchanged) = (Path::new("/proc/self/exe"), !program.exists());
    Ok(if exchanged && running.exists() { running.to_path_buf() } else { program })
}

/// Shows lines until there are no more, except for the message the process fails with, which is returned.
fn show_lines(mut from: impl BufRead, lines: &Lines) -> Option<String> {
    let mut failure: Option<String> = None;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return failure,
        }
        let line = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        match (&mut failure, line.strip_prefix(FAILURE)) {
            // It is the last thing it says, and may have several lines.
            (Some(failure), _) => {
                failure.push('\n');
                failure.push_str(&line);
            }
            (None, Some(message)) => failure = Some(message.to_owned()),
            (None, None) => lines.show(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;

    #[test]
    fn what_a_process_fails_with_is_its_last_words_with_all_their_lines() {
        let lines = Lines::new("rook-1", 0, 6, LogFormat::Human, false);
        let said = "2026 INFO something\nrookery: no library:\n  tried a\n  tried b\n";
        assert_eq!(show_lines(said.as_bytes(), &lines).unwrap(), "no library:\n  tried a\n  tried b");
        assert_eq!(show_lines(&b"2026 INFO something\n"[..], &lines), None);
    }
}
