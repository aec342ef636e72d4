//! Errors that point: file, line, caret, what was expected.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{0}")]
    Wrong(Pointed),
    /// The ports of several nodes go beyond the last.
    #[error("`{setting}` is too high a port for so many nodes: node {nth} would have port {port}")]
    NoPort {
        /// Which setting.
        setting: &'static str,
        /// For which node on this machine, counted from 1.
        nth: u32,
        /// Where it would listen.
        port: u32,
    },
    /// Two nodes on one machine, or two listeners of one node, would have the same address.
    #[error(
        "{address} is both `{}` of node {} and `{}` of node {}: each node's ports are 10 above the last one's, so take \
         others", first.0, first.1, second.0, second.1
    )]
    SameAddress {
        /// Where.
        address: SocketAddr,
        /// A setting, and for which node, counted from 1.
        first: (&'static str, u32),
        /// The other.
        second: (&'static str, u32),
    },
}

/// A message and the place it is about.
#[derive(Debug)]
pub struct Pointed {
    file: PathBuf,
    message: String,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    line: usize,
    column: usize,
    text: String,
    width: usize,
}

impl ConfigError {
    pub(super) fn at(
        file: &Path,
        text: &str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
    ) -> Self {
        let place = span.map(|span| Place::new(text, span));
        Self::Wrong(Pointed { file: file.to_path_buf(), message: message.into(), place })
    }
}

impl Place {
    fn new(text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let marked = &text[start..text.floor_char_boundary(span.end.clamp(start, line_end))];
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end().to_owned(),
            width: marked.chars().count().max(1),
        }
    }
}

impl fmt::Display for Pointed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Place { line, column, text, width }) = &self.place else {
            return write!(f, "{}: {}", self.file.display(), self.message);
        };
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{}:{line}:{column}: {}", self.file.display(), self.message)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {text}")?;
        write!(f, "{gutter} | {}{}", " ".repeat(column - 1), "^".repeat(*width))
    }
}
