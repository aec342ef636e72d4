//! What a file system's device has been made to write, by anybody: what is put into a file is a fraction of it, for a page is
//! written whole whatever has changed in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{major, minor};

/// The kernel counts in these, whatever the device's own are.
const SECTOR_BYTES: u64 = 512;

/// Written since the machine's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Requests that the device has carried out.
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
}

impl Written {
    /// To the device that `path` is on. `None` where the kernel tells of none, as for what is in memory.
    pub(crate) fn under(path: &Path) -> Option<Self> {
        let device = fs::metadata(path).ok()?.dev();
        Self::parse(
            &fs::read_to_string(format!("/sys/dev/block/{}:{}/stat", major(device), minor(device))).ok()?,
        )
    }

    fn parse(stat: &str) -> Option<Self> {
        // Of reads: requests, merged, sectors, milliseconds. Of writes the same. Others follow.
        let mut writes = stat.split_whitespace().skip(4).map(str::parse::<u64>);
        let (requests, _, sectors) = (writes.next()?.ok()?, writes.next()?, writes.next()?.ok()?);
        Some(Self { requests, bytes: sectors * SECTOR_BYTES })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_says_what_was_written() {
        let line =
            "  998349    51680 84461946  2493628 107277481   229518 1366216240 91804433        0  1535604\n";
        let written = Written { requests: 107_277_481, bytes: 1_366_216_240 * 512 };
        assert_eq!(Written::parse(line), Some(written));
        assert_eq!(Written::parse("1 2 3 4 5 6"), None);
        assert_eq!(Written::parse("1 2 3 4 five 6 7"), None);
    }

    #[test]
    fn what_is_in_memory_is_on_no_device() {
        assert_eq!(Written::under(Path::new("/proc")), None);
        assert_eq!(Written::under(Path::new("/nowhere/at/all")), None);
    }
}
