//! Lines of bounded length from a byte stream.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Longest line taken: the largest body with every character escaped, and room around it.
const LINE_BYTES_MAX: usize = 6 * rookery_protocol::limits::BODY_BYTES_MAX + 4096;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// A line over the limit, or not UTF-8; it was skipped.
    Unusable(&'static str),
    End,
}

/// Reads lines. Dropping [`next`](Self::next) loses nothing.
pub(super) struct LineReader<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    too_long: bool,
    number: u64,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new(), too_long: false, number: 0 }
    }

    /// The number of the line read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            let at_end = bytes.is_empty();
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let taken = newline.unwrap_or(bytes.len());
            if self.line.len() + taken > LINE_BYTES_MAX {
                self.too_long = true;
                self.line.clear();
            }
            if !self.too_long {
                self.line.extend_from_slice(&bytes[..taken]);
            }
            self.reader.consume(taken + usize::from(newline.is_some()));
            if newline.is_some() || (at_end && (self.too_long || !self.line.is_empty())) {
                return Ok(self.finish());
            }
            if at_end {
                return Ok(Line::End);
            }
        }
    }

    fn finish(&mut self) -> Line {
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return Line::Unusable("the line is too long");
        }
        String::from_utf8(line).map_or(Line::Unusable("the line is not UTF-8"), Line::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_is_too_long_or_not_text_is_skipped_and_the_next_one_read() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX + 1];
        bytes.extend_from_slice(b"\n\xff\nlast");
        let mut lines = LineReader::new(&bytes[..]);
        assert_eq!(lines.next().await.unwrap(), Line::Unusable("the line is too long"));
        assert_eq!(lines.next().await.unwrap(), Line::Unusable("the line is not UTF-8"));
        assert_eq!(lines.next().await.unwrap(), Line::Text("last".into()));
        assert_eq!((lines.next().await.unwrap(), lines.number()), (Line::End, 3));
    }
}
