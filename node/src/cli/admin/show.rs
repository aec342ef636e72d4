//! How answers look: tables and figures for people, JSON for programs, and how far something has come.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, UNIX_EPOCH};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

/// A table with these columns; those whose name ends in `#` are numbers.
pub(super) fn table<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(columns.map(|column| column.trim_end_matches('#')));
    for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.ends_with('#')) {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Prints lines. That nobody reads them is no reason to fail.
pub(super) fn say(text: impl std::fmt::Display) {
    let _ = write_line(text);
}

/// Prints lines, and says whether somebody reads them.
pub(super) fn write_line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// Prints a JSON document, or a line of several.
pub(super) fn say_json(value: &impl Serialize) {
    let _ = write_json(value);
}

/// Prints a line of JSON, and says whether somebody reads it.
pub(super) fn write_json(value: &impl Serialize) -> io::Result<()> {
    write_line(serde_json::to_string(value).expect("what is shown has a form in JSON"))
}

/// Prints a table, or what there is to say when it is empty.
pub(super) fn say_table(table: &Table, empty: &str) {
    if table.row_count() == 0 { say(empty) } else { say(table.trim_fmt()) }
}

/// A length of time in two units at the most.
pub(super) fn length(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => format!("{ms} ms"),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Bytes, to three digits or so.
pub(super) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].iter().peekable();
    let mut unit = "B";
    while let Some(next) = units.next() {
        unit = next;
        if value < 1_024.0 || units.peek().is_none() {
            break;
        }
        value /= 1_024.0;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// A time, to the second.
pub(super) fn moment(ms: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

/// A time of day, to the millisecond.
pub(super) fn time_of_day(ms: u64) -> String {
    let text = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
    text.get(11..23).unwrap_or(&text).to_owned()
}

/// What there is, or a dash.
pub(super) fn or_dash(text: impl Into<String>) -> String {
    let text = text.into();
    if text.is_empty() { "-".into() } else { text }
}

/// A text of somebody else's on a line of its own.
pub(super) fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// How far something has come, on standard error: one line that changes on a terminal, else lines when something has
/// changed.
pub(super) struct Progress {
    terminal: bool,
    shown: String,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: String::new() }
    }

    pub(super) fn show(&mut self, text: &str) {
        if text == self.shown {
            return;
        }
        let mut out = io::stderr().lock();
        let _ = if self.terminal {
            write!(out, "\r{text}\x1b[K").and_then(|()| out.flush())
        } else {
            writeln!(out, "{text}")
        };
        text.clone_into(&mut self.shown);
    }

    /// Makes room for other lines.
    pub(super) fn end(&mut self) {
        if self.terminal && !self.shown.is_empty() {
            eprint!("\r\x1b[K");
        }
        self.shown.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_bytes_are_short() {
        for (ms, text) in [
            (7, "7 ms"),
            (59_999, "59 s"),
            (61_000, "1 min 1 s"),
            (3_600_000 * 5 + 60_000, "5 h 1 min"),
            (86_400_000 * 3, "3 d 0 h"),
        ] {
            assert_eq!(length(ms), text);
        }
        for (number, text) in [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (5 << 20, "5.0 MiB")] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn a_table_is_plain_text_with_numbers_to_the_right() {
        let mut table = table(["node", "slots#"]);
        table.add_row(["rook-1", "7"]);
        table.add_row(["rook-2", "4089"]);
        assert_eq!(table.trim_fmt(), " node    slots\n rook-1      7\n rook-2   4089");
    }
}
