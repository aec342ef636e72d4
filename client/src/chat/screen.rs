//! What the terminal shows, as text with escape sequences, made anew from the session each time.

use std::fmt::Write;

use rookery_protocol::{ConversationId, Seq};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::editor::Editor;
use super::rooms::{Now, Room, Tick, What, clock, is_line};
use super::session::Session;

/// Terminals narrower than this show no list of conversations.
const LIST_FROM_COLUMNS: usize = 64;
const LIST_COLUMNS: usize = 20;

/// The terminal's size and abilities.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) colours: bool,
}

#[derive(Debug, Clone, Copy)]
enum Style {
    Plain,
    Dim,
    Bold,
    Own,
    Other,
    Read,
    Alarm,
}

impl Terminal {
    fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            _ if !self.colours => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Dim => "2",
            Style::Bold => "1",
            Style::Own => "36",
            Style::Other => "33",
            Style::Read => "1;32",
            Style::Alarm => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The whole screen, cursor included.
pub(super) fn draw(session: &Session, editor: &Editor, terminal: Terminal) -> String {
    let columns = terminal.columns.max(10);
    let rows = terminal.rows.max(4);
    let list_columns = if columns >= LIST_FROM_COLUMNS { LIST_COLUMNS } else { 0 };
    let body_rows = rows - 3;
    let body = body_lines(session, terminal, columns - list_columns, body_rows);
    let list = list_lines(session, terminal, list_columns, body_rows);

    let mut screen = String::from("\x1b[?25l\x1b[H");
    let me = session.rooms.me.as_ref().map_or("rookery".to_owned(), |me| format!("rookery · {}", me.handle));
    let state = if session.connected { Style::Read } else { Style::Alarm };
    let title = fit(&format!(" {me} "), columns / 2);
    let connection = fit(&format!("● {}", session.connection), columns - title.width() - 1);
    let gap = columns - title.width() - connection.width() - 1;
    let title = terminal.paint(Style::Bold, &title);
    // Each row is cleared first: at the end of a full one the cursor stands on its last letter.
    let _ = write!(screen, "\x1b[K{title}{}{}\r\n", " ".repeat(gap), terminal.paint(state, &connection));
    for row in 0..body_rows {
        screen.push_str("\x1b[K");
        if list_columns > 0 {
            screen.push_str(list.get(row).map_or("", String::as_str));
            let _ = write!(screen, "\x1b[{}G", list_columns + 1);
        }
        screen.push_str(body.get(row).map_or("", String::as_str));
        screen.push_str("\r\n");
    }
    let rule = rule(session, columns);
    let _ = write!(screen, "\x1b[K{}\r\n", terminal.paint(Style::Dim, &rule));
    let prompt =
        session.rooms.open.map_or("> ".to_owned(), |open| format!("{}> ", session.rooms.title(open)));
    let prompt = fit(&prompt, columns / 2);
    let (text, cursor) = editor.view(columns - prompt.width() - 1);
    let column = prompt.width() + cursor + 1;
    let _ = write!(screen, "\x1b[K{}{text}\x1b[{column}G\x1b[?25h", terminal.paint(Style::Bold, &prompt));
    screen
}

/// The line between the conversation and what is being written: what is going on there.
fn rule(session: &Session, columns: usize) -> String {
    let below = session.messages_below();
    let words = if below > 0 {
        Some(format!("{below} below; Page Down goes there, Escape to the end"))
    } else {
        session.rooms.going_on()
    };
    let Some(words) = words else { return "─".repeat(columns) };
    let words = fit(&words, columns.saturating_sub(6));
    format!("── {words} {}", "─".repeat(columns.saturating_sub(words.width() + 4)))
}

fn list_lines(session: &Session, terminal: Terminal, columns: usize, rows: usize) -> Vec<String> {
    if columns == 0 {
        return Vec::new();
    }
    let line = |(id, room): (ConversationId, &Room)| {
        let is_open = session.rooms.open == Some(id);
        let is_online = session.rooms.peer(id).is_some_and(|peer| session.rooms.is_online(peer));
        let unread = match room.unread {
            0 if room.settings.unread => " (•)".to_owned(),
            0 => String::new(),
            unread => format!(" ({unread})"),
        };
        let marker = match (is_open, is_online) {
            (true, _) => "▸",
            (false, true) => "•",
            (false, false) => " ",
        };
        let text = format!("{marker}{}{unread}", session.rooms.title(id));
        let style = match (is_open, room.settings.muted_until_ms) {
            (true, _) => Style::Bold,
            (false, until) if until > session.now_ms => Style::Dim,
            (false, _) if room.unread > 0 || room.settings.unread => Style::Bold,
            _ => Style::Plain,
        };
        let text = fit(&text, columns - 2);
        let padding = " ".repeat(columns - 2 - text.width());
        format!("{}{padding}{}", terminal.paint(style, &text), terminal.paint(Style::Dim, "│"))
    };
    let mut lines: Vec<String> = session.rooms.at_the_side().into_iter().map(line).take(rows).collect();
    let empty = format!("{}{}", " ".repeat(columns - 2), terminal.paint(Style::Dim, "│"));
    lines.resize(rows, empty);
    lines
}

/// The last lines that fit: messages, then notices.
fn body_lines(session: &Session, terminal: Terminal, columns: usize, rows: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if let Some((open, room)) =
        session.rooms.open.and_then(|open| Some((open, session.rooms.rooms.get(&open)?)))
    {
        let until = session.scrolled.unwrap_or(Seq::new(u64::MAX));
        let shown: Vec<_> = room.lines.range(..=until).rev().take(rows).collect();
        let newest = session.rooms.me.as_ref().and_then(|me| room.newest(me.user, true));
        for (seq, line) in shown.into_iter().rev() {
            let number = if session.numbers { format!(" #{seq}") } else { String::new() };
            let time = format!("{}{number}", clock(line.time_ms));
            let text = match &line.what {
                What::Said(_) => session.rooms.said(room, *seq),
                What::Changed(by, change) => {
                    let words = format!("{time} {}", session.rooms.words(*by, line.sender, change));
                    let wrapped = wrap(&words, columns).into_iter();
                    lines.extend(wrapped.map(|line| terminal.paint(Style::Dim, &line)));
                    continue;
                }
            };
            let own = session.rooms.is_me(line.sender);
            let (who, style) = if own {
                ("me".to_owned(), Style::Own)
            } else {
                (session.rooms.name(line.sender), Style::Other)
            };
            // In notes to oneself nobody else's receipts come.
            let is_deleted = room.says(*seq) == Some(Now::Deleted);
            let is_told = own && !is_deleted && session.rooms.peer(open) != Some(line.sender);
            let tick = is_told.then(|| room.tick(line.sender, *seq));
            lines.extend(message_lines(terminal, columns, &time, (&who, style), &text, tick));
            if let Some(reactions) = session.rooms.reactions(room, *seq) {
                let reactions = fit(&format!("{:6}{reactions}", ""), columns);
                lines.push(terminal.paint(Style::Dim, &reactions));
            }
            if let Some(reached) = room.reached(line.sender, *seq).filter(|it| it.has_audience())
                && is_told
                && newest == Some(*seq)
            {
                let counts = fit(&format!("{:6}{}", "", reached.counts()), columns);
                lines.push(terminal.paint(Style::Dim, &counts));
            }
        }
        for unsent in room.unsent.iter().filter(|_| session.scrolled.is_none()) {
            let style = if is_line(unsent.reference.as_ref()) { Style::Own } else { Style::Dim };
            let tick = if unsent.refused.is_some() { Tick::Failed } else { Tick::Waiting };
            lines.extend(message_lines(terminal, columns, "  :  ", ("me", style), &unsent.text, Some(tick)));
            if let Some(why) = &unsent.refused {
                let why = format!("{:8}{why} (Escape takes it away)", "");
                lines.extend(wrap(&why, columns).iter().map(|line| terminal.paint(Style::Alarm, line)));
            }
        }
    } else if session.notices.is_empty() {
        lines.push("/to NAME opens a conversation, /help tells the rest".to_owned());
    }
    for notice in &session.notices {
        lines.extend(wrap(notice, columns).into_iter().map(|line| terminal.paint(Style::Dim, &line)));
    }
    let skipped = lines.len().saturating_sub(rows);
    let mut shown = vec![String::new(); rows.saturating_sub(lines.len())];
    shown.extend(lines.into_iter().skip(skipped));
    shown
}

fn message_lines(
    terminal: Terminal,
    columns: usize,
    time: &str,
    (who, style): (&str, Style),
    text: &str,
    tick: Option<Tick>,
) -> Vec<String> {
    let (mark, mark_style) = match tick {
        None => ("", Style::Plain),
        Some(Tick::Waiting) => (" …", Style::Dim),
        Some(Tick::Sent) => (" ✓", Style::Dim),
        Some(Tick::Delivered) => (" ✓✓", Style::Dim),
        Some(Tick::Read) => (" ✓✓", Style::Read),
        Some(Tick::Failed) => (" ✗", Style::Alarm),
    };
    // Without colours something else must tell read from delivered.
    let mark = if matches!(tick, Some(Tick::Read)) && !terminal.colours { " ✓✓ read" } else { mark };
    // In a narrow terminal the text keeps half of it, at the cost of the name and then the time.
    let who = fit(who, (columns / 2).saturating_sub(time.width() + 3).max(3));
    let time = if columns < 3 * time.width() { "" } else { time };
    let indent = time.width() + 1 + who.width() + 2;
    let room = columns.saturating_sub(indent + mark.width() + 1).max(1);
    let wrapped = wrap(text, room);
    let last = wrapped.len() - 1;
    let line = |(number, part): (usize, String)| {
        let head = if number == 0 {
            format!("{} {} ", terminal.paint(Style::Dim, time), terminal.paint(style, &format!("{who}:")))
        } else {
            " ".repeat(indent)
        };
        let mark = if number == last { terminal.paint(mark_style, mark) } else { String::new() };
        format!("{head}{part}{mark}")
    };
    wrapped.into_iter().enumerate().map(line).collect()
}

/// As much as fits, an ellipsis where something does not.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let mut fitting: String = text
        .chars()
        .take_while(|letter| {
            used += letter.width().unwrap_or(0);
            used <= columns
        })
        .collect();
    fitting.push('…');
    fitting
}

/// Breaks at spaces where there are some; at least one line.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if !line.is_empty() && line.width() + word.trim_end().width() > columns {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                if line.width() + letter.width().unwrap_or(0) > columns && letter != ' ' {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(letter);
            }
        }
        lines.push(line);
    }
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_at_spaces_and_long_or_wide_ones_anywhere() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("a\nb", 4), ["a", "b"]);
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語", 4), "日…");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 12..60 {
            let terminal = Terminal { columns, rows: 10, colours: false };
            let name = "somebody-with-a-very-long-handle";
            let lines = message_lines(terminal, columns, "10:00", (name, Style::Other), "hello there", None);
            let widest = lines.iter().map(|line| line.width()).max();
            assert!(widest <= Some(columns), "{columns} columns: {lines:?}");
        }
    }

    #[test]
    fn without_colours_read_is_told_in_words_and_there_are_no_escapes() {
        let terminal = Terminal { columns: 40, rows: 10, colours: false };
        let lines = message_lines(terminal, 40, "10:00", ("me", Style::Own), "hello", Some(Tick::Read));
        assert_eq!(lines, ["10:00 me: hello ✓✓ read"]);
    }
}
