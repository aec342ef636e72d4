//! What the load's messages say: which run they are of, which message, and when it was to be sent; then filling.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

/// Bytes of what it says: the least a body has.
pub(crate) const SAYS_BYTES: usize = 32;

/// The run, so that what was left over by an earlier one is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunId(u32);

impl RunId {
    pub(crate) fn random() -> anyhow::Result<Self> {
        let mut random = [0; 4];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow::anyhow!("there is no randomness"))?;
        Ok(Self(u32::from_be_bytes(random)))
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A message's number within its run or pair, and when it was due after the run's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) number: u32,
    pub(crate) due: Duration,
}

impl Said {
    /// As other workloads' bodies have it: when it was due in nanoseconds, and its number.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&u64::try_from(self.due.as_nanos()).unwrap_or(u64::MAX).to_be_bytes());
        bytes[8..].copy_from_slice(&u64::from(self.number).to_be_bytes());
        bytes
    }

    /// When it was due, in a run that began then.
    pub(crate) fn due_at(self, origin: Instant) -> Instant {
        origin + self.due
    }
}

/// Makes a body of so many bytes in `body`.
pub(crate) fn write(body: &mut String, run: RunId, said: Said, bytes: usize) {
    body.clear();
    let nanos = u64::try_from(said.due.as_nanos()).unwrap_or(u64::MAX);
    write!(body, "{run}{:08x}{nanos:016x}", said.number).expect("writing to memory does not fail");
    body.extend(std::iter::repeat_n('Z', bytes.saturating_sub(SAYS_BYTES)));
}

/// What a body says, if it is of this run.
pub(crate) fn read(body: &str, run: RunId) -> Option<Said> {
    let part = |from, to| body.get(from..to).and_then(|part| u64::from_str_radix(part, 16).ok());
    if part(0, 8)? != u64::from(run.0) {
        return None;
    }
    Some(Said { number: part(8, 16)? as u32, due: Duration::from_nanos(part(16, SAYS_BYTES)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_was_written_and_has_its_length() {
        let (run, said) = (RunId(7), Said { number: u32::MAX, due: Duration::from_nanos(123_456_789) });
        let mut body = String::new();
        for bytes in [SAYS_BYTES, 128] {
            write(&mut body, run, said, bytes);
            assert_eq!((body.len(), read(&body, run)), (bytes, Some(said)));
            assert_eq!(read(&body, RunId(8)), None);
        }
    }

    #[test]
    fn other_bodies_say_nothing() {
        for body in ["", "hello", "00000007", "0000000700000001ü", &"g".repeat(SAYS_BYTES)] {
            assert_eq!(read(body, RunId(7)), None, "{body}");
        }
    }
}
