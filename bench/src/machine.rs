//! Which machine this is, and what else it was busy with.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::process;

/// A machine, as its kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Processors this process may use.
    pub(crate) processors: usize,
    /// Their model, where the kernel knows a name for it.
    pub(crate) model: Option<String>,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Memory in all, in bytes.
    pub(crate) memory_bytes: u64,
    /// The kind of the file system that holds the data directory.
    pub(crate) file_system: String,
    /// What that file system is on.
    pub(crate) device: String,
}

impl Machine {
    /// This machine, with the file system of the directory `data`, which exists.
    pub(crate) fn this(data: &Path) -> anyhow::Result<Self> {
        let data = data.canonicalize().with_context(|| format!("cannot find {}", data.display()))?;
        let mounts =
            fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
        let (file_system, device) = file_system(&mounts, &data)
            .with_context(|| format!("no mount in /proc/self/mountinfo holds {}", data.display()))?;
        let meminfo = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
        let kib = field(&meminfo, "MemTotal").and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok());
        Ok(Self {
            processors: process::cpus(),
            model: field(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default(), "model name"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .context("cannot read the kernel's release")?
                .trim()
                .to_owned(),
            memory_bytes: kib.context("/proc/meminfo has MemTotal")? * 1024,
            file_system,
            device,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model.as_deref().unwrap_or("unknown");
        let gib = self.memory_bytes as f64 / (1 << 30) as f64;
        write!(f, "{} processors ({model}), {gib:.0} GiB, Linux {}, ", self.processors, self.kernel)?;
        write!(f, "{} on {}", self.file_system, self.device)
    }
}

/// The value of `name: value` in a file of /proc.
fn field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))?.1;
    Some(value.trim().to_owned())
}

/// The kind and the device of the mount that holds a path: the deepest one, the last of those at one place.
fn file_system(mounts: &str, path: &Path) -> Option<(String, String)> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?.replace("\\040", " ");
        let mut words = file_system.split(' ');
        let found = (words.next()?.to_owned(), words.next()?.to_owned());
        path.starts_with(&point).then(|| (Path::new(&point).components().count(), found))
    });
    Some(mounts.max_by_key(|(depth, _)| *depth)?.1)
}

/// The processors' time since the machine's start, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessorTime {
    all: u64,
    stolen: u64,
}

impl ProcessorTime {
    /// So far. `None` where the kernel does not tell.
    pub(crate) fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // User, nice, system, idle, iowait, irq, softirq, steal; what guests had, which follows, is in the first two.
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { all: ticks.iter().sum(), stolen: *ticks.get(7)? })
    }

    /// Which share of the time since then the machine's host gave to others while a processor here had work.
    pub(crate) fn stolen_since(&self, before: &Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        self.stolen.saturating_sub(before.stolen) as f64 / all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 24 0:22 / /proc rw - proc proc rw
31 24 254:16 / /mnt rw,relatime shared:2 - xfs /dev/vdb rw
33 24 254:32 / /mnt rw,relatime - btrfs /dev/vdc rw
32 24 0:40 / /mnt/with\\040space rw - tmpfs none rw";

    #[test]
    fn deepest_and_last_mount_holds_a_path() {
        let found = |path: &str| file_system(MOUNTS, Path::new(path));
        let some = |kind: &str, device: &str| Some((kind.to_owned(), device.to_owned()));
        assert_eq!(found("/home/bench-data"), some("ext4", "/dev/vda"));
        assert_eq!(found("/mntnot/data"), some("ext4", "/dev/vda"));
        assert_eq!(found("/mnt/data"), some("btrfs", "/dev/vdc"));
        assert_eq!(found("/mnt/with space/data"), some("tmpfs", "none"));
    }

    #[test]
    fn stolen_time_is_a_share_of_all_processors_time() {
        let read = |line| ProcessorTime::parse(line).expect("it is one");
        let before = read("cpu  100 0 50 800 10 0 20 20 7 0\ncpu0 1 1 1 1 1 1 1 1 0 0");
        let after = read("cpu  140 0 60 840 10 0 20 30 9 0\n");
        assert_eq!(after.stolen_since(&before), 0.1);
        assert_eq!(after.stolen_since(&after), 0.0);
        assert!(ProcessorTime::parse("cpu  1 2 3\n").is_none());
    }

    #[test]
    fn this_machine_has_processors_memory_and_a_file_system() {
        let machine = Machine::this(Path::new(".")).expect("the kernel tells");
        assert!(machine.processors > 0 && machine.memory_bytes > 0);
        assert!(!machine.file_system.is_empty() && !machine.kernel.is_empty());
    }
}
