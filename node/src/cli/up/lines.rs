//! Log lines of several nodes on one standard error: each says whose it is.

use std::io::Write;

use crate::config::LogFormat;

/// Colours that can be read on light and dark; those of levels are left out.
const COLOURS: [&str; 6] = ["36", "35", "34", "96", "95", "94"];

/// How one node's lines are shown.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    name: String,
    style: Style,
}

#[derive(Debug, Clone)]
enum Style {
    /// `name | line`.
    Prefix(String),
    /// A field in the line's object.
    Json,
}

impl Lines {
    /// For the `nth` node, counted from 0, of names at most `width` wide.
    pub(super) fn new(name: &str, nth: usize, width: usize, format: LogFormat, colour: bool) -> Self {
        let style = match format {
            LogFormat::Json => Style::Json,
            LogFormat::Human if colour => {
                let colour = COLOURS[nth % COLOURS.len()];
                Style::Prefix(format!("\x1b[{colour}m{name:width$} |\x1b[0m "))
            }
            LogFormat::Human => Style::Prefix(format!("{name:width$} | ")),
        };
        Self { name: name.to_owned(), style }
    }

    /// Writes one to standard error. That nobody reads it is no reason to stop.
    pub(super) fn show(&self, line: &str) {
        let _ = std::io::stderr().lock().write_all(self.shown(line).as_bytes());
    }

    fn shown(&self, line: &str) -> String {
        match &self.style {
            Style::Prefix(prefix) => format!("{prefix}{line}\n"),
            Style::Json => {
                let name = serde_json::Value::from(self.name.as_str());
                match line.strip_prefix('{') {
                    Some(fields) if line.ends_with('}') => format!("{{\"node\":{name},{fields}\n"),
                    // What is no log line, such as a panic's message.
                    _ => format!("{{\"node\":{name},\"message\":{}}}\n", serde_json::Value::from(line)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_people_begins_with_the_name() {
        let lines = |colour| Lines::new("rook-1", 0, 7, LogFormat::Human, colour);
        assert_eq!(lines(false).shown("INFO x"), "rook-1  | INFO x\n");
        assert_eq!(lines(true).shown("INFO x"), "\x1b[36mrook-1  |\x1b[0m INFO x\n");
    }

    #[test]
    fn a_line_for_programs_stays_one_object() {
        let lines = Lines::new("rook-1", 0, 6, LogFormat::Json, true);
        for (line, message) in [
            ("{\"message\":\"x\"}", "x"),
            ("thread 'main' panicked: \"no\"", "thread 'main' panicked: \"no\""),
        ] {
            let shown: serde_json::Value = serde_json::from_str(&lines.shown(line)).unwrap();
            assert_eq!((&shown["node"], &shown["message"]), (&"rook-1".into(), &message.into()));
        }
    }
}
