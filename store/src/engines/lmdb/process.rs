//! What `/proc` says of a process of this machine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// A process as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// When it was started: no other process of this number was started then.
    started: u64,
    state: u8,
    uid: u32,
    program: Program,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    file: (u64, u64),
}

impl Process {
    /// The process, if there is one and it can be looked at.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        let Stat { state, started } = stat(&fs::read_to_string(folder.join("stat")).ok()?)?;
        let uid = fs::metadata(&folder).ok()?.uid();
        Some(Self { pid, started, state, uid, program: program(&folder.join("exe"))? })
    }

    /// Whether it is stopped, as by `SIGSTOP`: it does nothing until somebody tells it to go on. One that waits for a
    /// disk, or that a debugger has stopped, is not.
    pub(super) fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    /// Whether it is the same process as `before`, whatever it does.
    pub(super) fn is(&self, before: &Self) -> bool {
        (self.pid, self.started) == (before.pid, before.started)
    }

    /// Whether it is one of ours: of the same user, and running the same program, or what was in its place before.
    pub(super) fn is_kin_of(&self, other: &Self) -> bool {
        let same_program = self.program.file == other.program.file || self.program.path == other.program.path;
        self.uid == other.uid && same_program
    }
}

struct Stat {
    state: u8,
    started: u64,
}

/// The fields of a process's `stat`, see proc(5). The program's name is in parentheses, and may have some itself.
fn stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(") ")?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    // From the third field, the state, to the 22nd.
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, started })
}

fn program(link: &Path) -> Option<Program> {
    let path = fs::read_link(link).ok()?;
    // It is replaced while it runs, when a new version is installed.
    let path =
        path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map_or(path.clone(), PathBuf::from);
    let file = fs::metadata(link).ok()?;
    Some(Program { path, file: (file.dev(), file.ino()) })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn a_stat_has_state_and_start_whatever_the_programs_name() {
        let after = "1 2 3 0 -1 4194304 76 0 1 0 0 0 0 0 20 0 1 0 1273278 2990080 445";
        for name in ["(sleep)", "(a) T 7 (b c)", "())", "(T)"] {
            let Stat { state, started } = stat(&format!("30 {name} S {after}")).expect("it is one");
            assert_eq!((state, started), (b'S', 1_273_278), "{name}");
        }
        for text in
            ["", "30", "30 (sleep)", "30 (sleep) ", "30 (sleep) S 1 2", "30 (sleep) S 1 2 3 4 5 6 7 8 9 x"]
        {
            assert!(stat(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_a_stopped_process_is_stopped() {
        let in_state = |state| Process { state, ..Process::of(getpid()).expect("this process is there") };
        assert!(in_state(b'T').is_stopped());
        for state in *b"RSDtZXI" {
            assert!(!in_state(state).is_stopped(), "{}", char::from(state));
        }
    }

    #[test]
    fn kin_is_the_same_users_same_program() {
        let this = Process::of(getpid()).expect("this process is there");
        assert!(this.is(&this) && this.is_kin_of(&this));
        let upgraded = Process { program: Program { file: (0, 0), ..this.program.clone() }, ..this };
        let renamed = Process { program: Program { path: "/x".into(), ..this.program.clone() }, ..this };
        let other_program = Process { program: Program { file: (0, 0), path: "/x".into() }, ..this };
        let other_user = Process { uid: this.uid + 1, ..this.clone() };
        let later = Process { started: this.started + 1, ..this.clone() };
        assert!(upgraded.is_kin_of(&this) && renamed.is_kin_of(&this));
        assert!(!other_program.is_kin_of(&this) && !other_user.is_kin_of(&this));
        assert!(!later.is(&this));

        let mut sleeping = Command::new("sleep").arg("60").spawn().expect("there is sleep");
        let pid = Pid::from_child(&sleeping);
        // It is this program until it has become the other.
        while Process::of(pid).is_some_and(|process| process.is_kin_of(&this)) {
            std::thread::yield_now();
        }
        assert!(Process::of(pid).is_some_and(|process| !process.is_kin_of(&this) && !process.is_stopped()));
        sleeping.kill().and_then(|()| sleeping.wait()).expect("it is ours");
        assert!(Process::of(pid).is_none());
    }
}
