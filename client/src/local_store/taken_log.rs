//! Positions taken since the last commit, in two small files that are written without waiting for the disk.
//!
//! A record is 32 bytes: the conversation's length (1) and bytes (17, zero-padded), the seq (8, big-endian), two zero
//! bytes and a checksum (4). Reading stops at the first bad record: what lies behind it was never acknowledged.
//! While a commit is under way new records go to the other file, so that the commit's can then be dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rookery_protocol::{ConversationId, Seq};

const RECORD_BYTES: usize = 32;

/// Two files, one of which grows.
#[derive(Debug)]
pub(super) struct TakenLog {
    files: [File; 2],
    current: usize,
}

impl TakenLog {
    /// Opens or makes both files.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let open = |name| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join(name))
        };
        Ok(Self { files: [open("taken.0")?, open("taken.1")?], current: 0 })
    }

    /// All that the files hold, and leaves them ready for appending.
    pub(super) fn read(&mut self) -> io::Result<Vec<(ConversationId, Seq)>> {
        let mut taken = Vec::new();
        for file in &mut self.files {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut bytes)?;
            let records = bytes.as_chunks::<RECORD_BYTES>().0.iter().map_while(decode);
            let before = taken.len();
            taken.extend(records);
            let whole = (taken.len() - before) * RECORD_BYTES;
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok(taken)
    }

    /// Appends a position.
    pub(super) fn append(&mut self, conversation: ConversationId, seq: Seq) -> io::Result<()> {
        self.files[self.current].write_all(&encode(conversation, seq))
    }

    /// From now on positions go to the other file.
    pub(super) fn switch(&mut self) {
        self.current ^= 1;
    }

    /// The file that does not grow is in the database.
    pub(super) fn drop_committed(&mut self) -> io::Result<()> {
        let committed = &mut self.files[self.current ^ 1];
        committed.set_len(0)?;
        committed.seek(SeekFrom::Start(0)).map(drop)
    }
}

fn encode(conversation: ConversationId, seq: Seq) -> [u8; RECORD_BYTES] {
    let bytes = conversation.to_bytes();
    let mut record = [0; RECORD_BYTES];
    record[0] = u8::try_from(bytes.len()).expect("a conversation has at most 17 bytes");
    record[1..=bytes.len()].copy_from_slice(&bytes);
    record[18..26].copy_from_slice(&seq.get().to_be_bytes());
    let sum = checksum(&record[..28]);
    record[28..].copy_from_slice(&sum.to_be_bytes());
    record
}

fn decode(record: &[u8; RECORD_BYTES]) -> Option<(ConversationId, Seq)> {
    if checksum(&record[..28]).to_be_bytes() != record[28..] {
        return None;
    }
    let conversation = ConversationId::from_bytes(record[1..18].get(..usize::from(record[0]))?).ok()?;
    let seq = u64::from_be_bytes(record[18..26].try_into().ok()?);
    Some((conversation, Seq::new(seq)))
}

/// FNV-1a: enough to tell a whole record from a torn one.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rookery_protocol::UserId;

    fn conversation(other: u64) -> ConversationId {
        ConversationId::direct(UserId::new(1).unwrap(), UserId::new(other).unwrap())
    }

    #[test]
    fn a_torn_last_record_is_dropped_and_the_log_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = TakenLog::open(directory.path()).unwrap();
        log.append(conversation(2), Seq::new(1)).unwrap();
        log.append(conversation(3), Seq::new(7)).unwrap();
        drop(log);
        let path = directory.path().join("taken.0");
        let length = std::fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(length - 5).unwrap();

        let mut log = TakenLog::open(directory.path()).unwrap();
        assert_eq!(log.read().unwrap(), [(conversation(2), Seq::new(1))]);
        log.append(conversation(2), Seq::new(2)).unwrap();
        let whole = [(conversation(2), Seq::new(1)), (conversation(2), Seq::new(2))];
        assert_eq!(TakenLog::open(directory.path()).unwrap().read().unwrap(), whole);
    }

    #[test]
    fn positions_appended_during_a_commit_outlive_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = TakenLog::open(directory.path()).unwrap();
        log.append(conversation(2), Seq::new(1)).unwrap();
        log.switch();
        log.append(conversation(2), Seq::new(2)).unwrap();
        log.drop_committed().unwrap();
        assert_eq!(log.read().unwrap(), [(conversation(2), Seq::new(2))]);
    }
}
