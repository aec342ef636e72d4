//! The first words on a connection between nodes: who dials, whom it means, and the answer.
//!
//! They come before ractor_cluster sees the connection, so that a connection nobody wants never gets that far. Layout,
//! numbers big-endian: two bytes of length, then
//!
//! - [`Hello`]: `RKLK`, version (2), token (8), router (8), the dialler's id (1 of length, text), the other's id (same);
//! - [`Answer`]: verdict (1), token (8), router (8).
//!
//! Fields may be appended: a reader ignores what follows those it knows.

use std::io;

use rookery_store::keys::node::NodeId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const MAGIC: &[u8; 4] = b"RKLK";

/// Of the words here and of the frames that follow. Nodes of different versions do not link.
pub(super) const VERSION: u16 = 1;

/// The longest hello that is read: two ids, and room for fields to come.
const BYTES_MAX: usize = 1024;

/// What the one who dials says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) version: u16,
    /// Who it is.
    pub(super) from: NodeId,
    /// Whom it means to talk to.
    pub(super) to: NodeId,
    pub(super) end: End,
}

/// How batches for one side of a connection are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Stands with each batch: a secret of the two, so that it tells who sent it and on which connection.
    pub(super) token: u64,
    /// The process id of its router.
    pub(super) router: u64,
}

/// What the other answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The connection is the link from now on.
    Welcome(End),
    /// Not so.
    Refused(Verdict),
}

/// Why a connection does not become a link. The numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Verdict {
    /// Who dials is no member as far as the other knows, which may learn of it in a moment.
    Unknown = 1,
    /// There is a link, and the other is the one to dial when there is none.
    Busy = 2,
    /// Who is dialled is not who is meant: another node, or another run of it.
    Another = 3,
    /// The versions differ.
    Version = 4,
    /// The certificate is not that of the node it says it is.
    Name = 5,
}

impl Verdict {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_node",
            Self::Busy => "busy",
            Self::Another => "other_node",
            Self::Version => "version",
            Self::Name => "other_name",
        }
    }

    fn of(number: u8) -> Option<Self> {
        [Self::Unknown, Self::Busy, Self::Another, Self::Version, Self::Name]
            .into_iter()
            .find(|verdict| *verdict as u8 == number)
    }
}

pub(super) async fn write_hello(stream: &mut (impl AsyncWrite + Unpin), hello: &Hello) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(hello.version.to_be_bytes());
    put_end(&mut bytes, hello.end);
    for id in [&hello.from, &hello.to] {
        let id = id.to_string();
        bytes.push(u8::try_from(id.len()).expect("a name has 64 bytes, a number 20"));
        bytes.extend(id.as_bytes());
    }
    write(stream, &bytes).await
}

pub(super) async fn read_hello(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Hello> {
    let bytes = read(stream).await?;
    parse_hello(&bytes).ok_or_else(unreadable)
}

pub(super) async fn write_answer(stream: &mut (impl AsyncWrite + Unpin), answer: Answer) -> io::Result<()> {
    let mut bytes = Vec::new();
    let (verdict, end) = match answer {
        Answer::Welcome(end) => (0, end),
        Answer::Refused(verdict) => (verdict as u8, End { token: 0, router: 0 }),
    };
    bytes.push(verdict);
    put_end(&mut bytes, end);
    write(stream, &bytes).await
}

pub(super) async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Answer> {
    let bytes = read(stream).await?;
    let mut rest = bytes.as_slice();
    let answer = match take::<1>(&mut rest) {
        Some([0]) => take_end(&mut rest).map(Answer::Welcome),
        Some([number]) => Verdict::of(number).map(Answer::Refused),
        None => None,
    };
    answer.ok_or_else(unreadable)
}

fn parse_hello(bytes: &[u8]) -> Option<Hello> {
    let mut rest = bytes;
    if take::<4>(&mut rest)? != *MAGIC {
        return None;
    }
    let version = u16::from_be_bytes(take(&mut rest)?);
    let end = take_end(&mut rest)?;
    let (from, to) = (take_id(&mut rest)?, take_id(&mut rest)?);
    Some(Hello { version, from, to, end })
}

fn put_end(bytes: &mut Vec<u8>, end: End) {
    bytes.extend(end.token.to_be_bytes());
    bytes.extend(end.router.to_be_bytes());
}

fn take_end(rest: &mut &[u8]) -> Option<End> {
    Some(End { token: u64::from_be_bytes(take(rest)?), router: u64::from_be_bytes(take(rest)?) })
}

fn take_id(rest: &mut &[u8]) -> Option<NodeId> {
    let [len] = take(rest)?;
    let (text, after) = rest.split_at_checked(len.into())?;
    *rest = after;
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let len = u16::try_from(bytes.len()).expect("two ids are far shorter than that");
    let mut framed = len.to_be_bytes().to_vec();
    framed.extend(bytes);
    stream.write_all(&framed).await?;
    stream.flush().await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let len = usize::from(stream.read_u16().await?);
    if len > BYTES_MAX {
        return Err(unreadable());
    }
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "these are not the first words of a link")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            version: VERSION,
            from: "node-1-7".parse().unwrap(),
            to: "b-18446744073709551615".parse().unwrap(),
            end: End { token: 0x0102_0304_0506_0708, router: 9 },
        }
    }

    async fn bytes_of(hello: &Hello) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_hello(&mut bytes, hello).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_hello_is_read_as_it_was_written_and_may_have_grown() {
        let mut bytes = bytes_of(&hello()).await;
        assert_eq!(read_hello(&mut bytes.as_slice()).await.unwrap(), hello());
        bytes.extend(b"more");
        bytes[1] += 4;
        assert_eq!(read_hello(&mut bytes.as_slice()).await.unwrap(), hello());
    }

    #[tokio::test]
    async fn answers_are_read_as_they_were_written() {
        let refused = [Verdict::Unknown, Verdict::Busy, Verdict::Another, Verdict::Version, Verdict::Name];
        let welcome = Answer::Welcome(End { token: 7, router: u64::MAX });
        for answer in refused.map(Answer::Refused).into_iter().chain([welcome]) {
            let mut bytes = Vec::new();
            write_answer(&mut bytes, answer).await.unwrap();
            assert_eq!(read_answer(&mut bytes.as_slice()).await.unwrap(), answer);
        }
    }

    #[tokio::test]
    async fn a_cut_or_garbled_hello_is_an_error_and_never_a_panic() {
        let bytes = bytes_of(&hello()).await;
        for cut in 0..bytes.len() {
            assert!(read_hello(&mut &bytes[..cut]).await.is_err());
            if let Some(len) = cut.checked_sub(2) {
                let mut shorter = bytes.clone();
                shorter[..2].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
                assert!(read_hello(&mut shorter.as_slice()).await.is_err());
            }
        }
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut garbled = bytes.clone();
                garbled[at] ^= change;
                let _ = read_hello(&mut garbled.as_slice()).await;
            }
        }
        assert!(read_hello(&mut [0xff; 70_000].as_slice()).await.is_err());
    }
}
