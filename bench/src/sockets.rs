//! What the kernel's memory of sockets is, by its own account: of the whole machine, so both ends of a connection that
//! does not leave it are in it, and whatever other programs open meanwhile.

use std::fs;

use anyhow::Context as _;

/// The kernel's caches of what every TCP connection has one of at each end: socket, inode, file, place in an epoll set.
/// Entries of directories (one a socket) are not told apart from those of files, so they are left out, as is what lies in
/// the caches for all kinds of things: ports in use, wait queues, timers.
const CACHES: [&str; 5] = ["TCP", "TCPv6", "sock_inode_cache", "filp", "eventpoll_epi"];

/// Kernel memory of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketMemory {
    /// Pages of the caches that hold sockets.
    pub(crate) caches_bytes: u64,
    /// What TCP has taken for bytes on their way.
    pub(crate) buffers_bytes: u64,
}

impl SocketMemory {
    /// As it is now.
    ///
    /// # Errors
    /// When the kernel does not tell: only root may read what its caches take.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let read = |path| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
        let page_bytes = rustix::param::page_size() as u64;
        Ok(Self {
            caches_bytes: cache_pages(&read("/proc/slabinfo")?)
                .context("/proc/slabinfo has an unknown form")?
                * page_bytes,
            buffers_bytes: buffer_pages(&read("/proc/net/sockstat")?)
                .context("/proc/net/sockstat has an unknown form")?
                * page_bytes,
        })
    }

    /// Bytes taken since then; says why where the kernel does not tell.
    pub(crate) fn taken_since(before: anyhow::Result<Self>) -> Option<f64> {
        match (before, Self::read()) {
            (Ok(before), Ok(after)) => Some(after.since(&before)),
            (Err(error), _) | (_, Err(error)) => {
                eprintln!("the kernel's memory of sockets is not counted: {error:#}");
                None
            }
        }
    }

    /// Bytes taken since then.
    fn since(&self, before: &Self) -> f64 {
        self.total() - before.total()
    }

    fn total(&self) -> f64 {
        (self.caches_bytes + self.buffers_bytes) as f64
    }
}

/// Lines are `name <objects> <objects> <size> <objects per slab> <pages per slab> : ... : slabdata <slabs> <slabs> <n>`.
fn cache_pages(slabinfo: &str) -> Option<u64> {
    let caches = slabinfo
        .lines()
        .filter(|line| line.split_whitespace().next().is_some_and(|name| CACHES.contains(&name)));
    let pages = caches.map(|line| {
        let pages_per_slab: u64 = line.split_whitespace().nth(5)?.parse().ok()?;
        let slabs: u64 = line.rsplit_once("slabdata")?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some(pages_per_slab * slabs)
    });
    let pages: Vec<u64> = pages.collect::<Option<_>>()?;
    (!pages.is_empty()).then(|| pages.iter().sum())
}

/// A line is `TCP: inuse <n> orphan <n> tw <n> alloc <n> mem <pages>`.
fn buffer_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLABINFO: &str = "\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
MPTCP                  0      0   1984   16    8 : tunables    0    0    0 : slabdata      0      0      0
tw_sock_TCP          144    208    256   16    1 : tunables    0    0    0 : slabdata     13     13      0
TCP                  105    169   2368   13    8 : tunables    0    0    0 : slabdata     12     13      0
sock_inode_cache     204    266    832   19    4 : tunables    0    0    0 : slabdata     14     14      0
";

    #[test]
    fn caches_of_sockets_are_told_from_others_by_their_whole_name() {
        assert_eq!(cache_pages(SLABINFO), Some(8 * 13 + 4 * 14));
    }

    #[test]
    fn an_unknown_form_is_no_memory_of_nothing() {
        assert_eq!(cache_pages("slabinfo - version: 3.0\n"), None);
        assert_eq!(cache_pages("TCP 105 169\n"), None);
        assert_eq!(buffer_pages("sockets: used 21\nTCP: inuse 2 orphan 0\n"), None);
    }

    #[test]
    fn buffers_are_those_of_tcp() {
        let sockstat = "sockets: used 21\nTCP: inuse 2 orphan 0 tw 1 alloc 2 mem 37\nUDP: inuse 0 mem 5\n";
        assert_eq!(buffer_pages(sockstat), Some(37));
    }
}
