//! Who may write, and what to do about a process that was stopped while it may.
//!
//! LMDB's write lock passes on when its holder dies, but not when its holder is stopped (`SIGSTOP`, a terminal's ctrl-z):
//! then all the others wait until it goes on, which may be never. So each writer takes the lock of a file, `writer`,
//! around LMDB's. That lock is the kernel's, which says who holds it, and which wakes those who wait for it even if one of
//! them is stopped at that moment. (LMDB's own would wake the stopped one, and nobody else.)
//!
//! A thread watches while this process waits. When it has waited for [`PATIENCE`], and the holder then is stopped for
//! the whole of [`STOPPED`], the watch kills it: both locks pass on, and LMDB forgets the transaction that was open.
//! Killed is only who is stopped (not who is slow, waits for a disk, or is being debugged), is of this user, and runs this
//! program; everybody else is waited for.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, Signal, fcntl_getlk, getpid, kill_process};

use super::process::Process;

pub(super) const WRITER_FILE: &str = "writer";

/// How long the lock is waited for before anybody asks who has it. Far longer than a commit takes.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long its holder has to have been seen stopped.
const STOPPED: Duration = Duration::from_secs(1);

/// How often it is looked at for that long.
const LOOK: Duration = Duration::from_millis(100);

/// The turn to write, and the thread that watches whoever has it.
#[derive(Debug)]
pub(super) struct Fence {
    shared: Arc<Shared>,
    watch: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// The kernel lets go of its lock when any handle of this process on it is closed: so there is one.
    file: File,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Since when this process waits for its turn.
    since: Option<Instant>,
    /// Whether the watch will look by itself, soon enough for whoever begins to wait now.
    looks: bool,
    closed: bool,
}

/// The turn to write, or the wait for it. Ends when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    locked: bool,
}

impl Fence {
    /// For the store in a directory that this process has open, once.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(WRITER_FILE))?;
        let shared = Arc::new(Shared { file, waiting: Mutex::default(), changed: Condvar::new() });
        let watch = std::thread::Builder::new().name("store-fence".into()).spawn({
            let shared = shared.clone();
            move || shared.watch()
        })?;
        Ok(Self { shared, watch: Some(watch) })
    }

    /// Waits for the turn of this process, whose one writer calls this. Then LMDB's own lock is to be taken, and
    /// [`begun`](Turn::begun) to be called.
    pub(super) fn turn(&self) -> Turn<'_> {
        let shared = &*self.shared;
        let mut waiting = shared.waiting();
        waiting.since = Some(Instant::now());
        if !waiting.looks {
            shared.changed.notify_one();
        }
        drop(waiting);
        let mut turn = Turn { shared, locked: true };
        loop {
            match fcntl_lock(&shared.file, FlockOperation::LockExclusive) {
                Ok(()) => return turn,
                Err(Errno::INTR) => {}
                Err(error) => {
                    // LMDB's own lock is what keeps the store whole. Only, nobody will know who has it.
                    tracing::warn!(%error, "the file that says who writes to the store cannot be locked");
                    turn.locked = false;
                    return turn;
                }
            }
        }
    }
}

impl Turn<'_> {
    /// LMDB's lock has been taken: nothing is waited for any more.
    pub(super) fn begun(&self) {
        self.shared.waiting().since = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.begun();
        if self.locked
            && let Err(error) = fcntl_lock(&self.shared.file, FlockOperation::Unlock)
        {
            tracing::error!(%error, "the file that says who writes to the store cannot be unlocked");
        }
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.shared.waiting().closed = true;
        self.shared.changed.notify_one();
        if let Some(watch) = self.watch.take() {
            // It contains nothing that panics.
            let _ = watch.join();
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds this lock")
    }

    fn watch(&self) {
        let mut suspect: Option<Suspect> = None;
        let mut waiting = self.waiting();
        while !waiting.closed {
            let Some(since) = waiting.since else {
                suspect = None;
                waiting.looks = false;
                waiting = self.changed.wait(waiting).expect("nothing panics while it holds this lock");
                continue;
            };
            waiting.looks = true;
            let patience = PATIENCE.saturating_sub(since.elapsed());
            if patience.is_zero() {
                drop(waiting);
                suspect = self.look(suspect);
                waiting = self.waiting();
            } else {
                suspect = None;
            }
            let pause = if patience.is_zero() { LOOK } else { patience };
            if !waiting.closed {
                let waited = self.changed.wait_timeout(waiting, pause);
                (waiting, _) = waited.expect("nothing panics while it holds this lock");
            }
        }
    }

    /// Looks who has the turn, and kills it when it has been stopped for long enough.
    fn look(&self, suspect: Option<Suspect>) -> Option<Suspect> {
        let holder = self.holder().filter(Process::is_stopped)?;
        let Some(suspect) = suspect.filter(|suspect| suspect.process.is(&holder)) else {
            return Some(Suspect { process: holder, since: Instant::now() });
        };
        if suspect.since.elapsed() < STOPPED {
            return Some(suspect);
        }
        let pid = holder.pid.as_raw_nonzero();
        if !Process::of(getpid()).is_some_and(|this| holder.is_kin_of(&this)) {
            tracing::error!(
                pid,
                "a stopped process that is not ours holds the store's write lock: nothing is written until it is \
                 continued or killed"
            );
            return None;
        }
        match kill_process(holder.pid, Signal::KILL) {
            Ok(()) => tracing::error!(
                pid,
                "killed a process that was stopped while it held the store's write lock: no other process could have \
                 written until it went on. Its open transaction is undone"
            ),
            Err(error) => tracing::error!(
                pid,
                %error,
                "a stopped process holds the store's write lock and cannot be killed: nothing is written until it is"
            ),
        }
        None
    }

    /// Who has the turn, if it is another process.
    fn holder(&self) -> Option<Process> {
        let lock = fcntl_getlk(&self.file, &Flock::from(FlockType::WriteLock)).ok()??;
        Process::of(lock.pid?)
    }
}

/// Who was found stopped while it had the turn, and when that was first seen.
struct Suspect {
    process: Process,
    since: Instant,
}
