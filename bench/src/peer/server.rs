//! The processes of the server under test, which somebody else has started: what they take.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

use crate::process;

/// The server's processes: those named, and all that they have started.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    roots: Vec<u32>,
}

impl Server {
    /// # Errors
    /// When there is no process of such a number.
    pub(crate) fn new(roots: Vec<u32>) -> anyhow::Result<Self> {
        for pid in &roots {
            process::rss_bytes(*pid).with_context(|| format!("--pid {pid}"))?;
        }
        Ok(Self { roots })
    }

    /// Whether none was named, and nothing can be said of what they take.
    pub(crate) fn is_unknown(&self) -> bool {
        self.roots.is_empty()
    }

    /// The processor time of all that run.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        // One that ends meanwhile takes no more.
        Ok(self.processes()?.into_iter().filter_map(|pid| process::cpu(pid).ok()).sum())
    }

    /// The memory of all, in bytes. Of pages that several share, as PostgreSQL's do, each has its part.
    pub(crate) fn rss_bytes(&self) -> anyhow::Result<u64> {
        // One that has ended meanwhile holds no more.
        Ok(self.processes()?.into_iter().filter_map(memory_bytes).sum())
    }

    fn processes(&self) -> anyhow::Result<BTreeSet<u32>> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let pid = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let parent = pid.and_then(|pid| Some((pid, parent(pid)?)));
            parents.extend(parent);
        }
        let mut found: BTreeSet<u32> = self.roots.iter().copied().collect();
        // A child's number may be lower than its parent's.
        loop {
            let more = parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid);
            let more: BTreeSet<u32> = more.filter(|pid| !found.contains(pid)).collect();
            if more.is_empty() {
                return Ok(found);
            }
            found.extend(more);
        }
    }
}

/// `None` for a process that is gone. Of another user's the kernel may not tell what is shared: then all counts.
fn memory_bytes(pid: u32) -> Option<u64> {
    let shares = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let part =
        shares.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok());
    part.map(|kib: u64| kib * 1024).or_else(|| process::rss_bytes(pid).ok())
}

/// `None` for a process that is gone.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_a_process_has_started_belongs_to_it() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let server = Server::new(vec![std::process::id()]).unwrap();
        assert!(server.processes().unwrap().contains(&child.id()));
        assert!(!Server::new(vec![child.id()]).unwrap().processes().unwrap().contains(&std::process::id()));
        let own = memory_bytes(std::process::id()).unwrap();
        assert!((own / 2..=process::rss_bytes(std::process::id()).unwrap() * 2).contains(&own));
        assert!(server.rss_bytes().unwrap() >= memory_bytes(child.id()).unwrap() + own / 2);
        // Its input ends, and so does it.
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_not_there_is_said() {
        let failure = Server::new(vec![u32::MAX]).unwrap_err();
        assert!(format!("{failure:#}").contains("--pid 4294967295: the process is gone"), "{failure:#}");
    }
}
