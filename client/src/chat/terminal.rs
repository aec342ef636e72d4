//! The full-screen chat, and the plain one for when there is no terminal to draw on.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crossterm::event::{Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, event, execute, terminal};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::editor::{Edit, Editor};
use super::line_reader::{Line, LineReader};
use super::screen::{self, Terminal};
use super::session::{Next, Session};
use super::{ChatError, ChatOptions};
use crate::Started;

/// After the last line of the plain chat: how long to wait for messages on the way.
const FINISHING: Duration = Duration::from_secs(10);
/// Events applied before the screen is drawn again.
const EVENTS_A_FRAME_MAX: usize = 256;

pub(super) async fn run(options: &ChatOptions, started: Started) -> Result<(), ChatError> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        run_screen(options, started).await
    } else {
        run_plain(options, started).await
    }
}

/// The terminal in raw mode on its second screen; as it was when dropped, also by a panic.
struct Borrowed;

impl Borrowed {
    fn borrow() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let borrowed = Self;
        // Terminals differ in how wide some letters are: a line that turns out too long must not push the others down.
        execute!(
            io::stdout(),
            terminal::EnterAlternateScreen,
            terminal::DisableLineWrap,
            event::EnableBracketedPaste,
            event::EnableFocusChange
        )?;
        Ok(borrowed)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // There is nobody left to tell when this fails.
        let _ = execute!(
            io::stdout(),
            event::DisableFocusChange,
            event::DisableBracketedPaste,
            terminal::EnableLineWrap,
            terminal::LeaveAlternateScreen,
            cursor::Show
        );
        let _ = terminal::disable_raw_mode();
    }
}

async fn run_screen(options: &ChatOptions, started: Started) -> Result<(), ChatError> {
    let (mut session, mut updates) = Session::new(&started, options);
    let mut events = started.events;
    let mut editor = Editor::default();
    let mut keys = EventStream::new();
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let borrowed = Borrowed::borrow()?;
    loop {
        let (columns, rows) = terminal::size()?;
        let size = Terminal { columns: columns.into(), rows: rows.into(), colours };
        session.mark_shown();
        session.look();
        let over = session.pass_time();
        let mut stdout = io::stdout().lock();
        stdout.write_all(screen::draw(&session, &editor, size).as_bytes())?;
        stdout.flush()?;
        drop(stdout);
        tokio::select! {
            input = keys.next() => match input {
                Some(Ok(input)) => {
                    if handle_input(&mut session, &mut editor, input) == Next::Quit {
                        break;
                    }
                }
                Some(Err(error)) => return Err(error.into()),
                None => break,
            },
            event = events.next() => {
                let Some(event) = event else { break };
                session.event(event);
                for _ in 0..EVENTS_A_FRAME_MAX {
                    let Some(event) = events.try_next() else { break };
                    session.event(event);
                }
            }
            Some(update) = updates.recv() => session.update(update),
            () = until(over) => {}
        }
    }
    drop(borrowed);
    if let Some(line) = session.left_unsent() {
        println!("{line}");
    }
    session.client.close().await;
    session.ended.map_or(Ok(()), |error| Err(error.into()))
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn handle_input(session: &mut Session, editor: &mut Editor, input: Input) -> Next {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => handle_key(session, editor, key),
        Input::Paste(text) => {
            let letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
            letters.for_each(|letter| editor.edit(Edit::Insert(letter)));
            session.typed(&editor.text());
            Next::GoOn
        }
        Input::FocusGained | Input::FocusLost => {
            session.focus(input == Input::FocusGained);
            Next::GoOn
        }
        _ => Next::GoOn,
    }
}

fn handle_key(session: &mut Session, editor: &mut Editor, key: KeyEvent) -> Next {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let by_word = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    let edit = match key.code {
        KeyCode::Enter => return session.enter(&editor.submit()),
        KeyCode::Tab => {
            let several = editor.complete(&session.completions());
            if !several.is_empty() {
                session.notices = vec![several.join("  ")];
            }
            return Next::GoOn;
        }
        KeyCode::Char('c') if control && editor.text().is_empty() => return Next::Quit,
        KeyCode::Char('d') if control && editor.text().is_empty() => return Next::Quit,
        KeyCode::Char('c') if control => {
            editor.edit(Edit::End);
            Edit::EraseToStart
        }
        KeyCode::Char('d') if control => Edit::Delete,
        KeyCode::Char('a') if control => Edit::Home,
        KeyCode::Char('e') if control => Edit::End,
        KeyCode::Char('b') if control => Edit::Left,
        KeyCode::Char('f') if control => Edit::Right,
        KeyCode::Char('k') if control => Edit::EraseToEnd,
        KeyCode::Char('u') if control => Edit::EraseToStart,
        KeyCode::Char('w') if control => Edit::EraseWord,
        KeyCode::Char('b') if by_word => Edit::WordLeft,
        KeyCode::Char('f') if by_word => Edit::WordRight,
        KeyCode::Char(_) if control => return Next::GoOn,
        KeyCode::Char(letter) => Edit::Insert(letter),
        KeyCode::Backspace if by_word => Edit::EraseWord,
        KeyCode::Backspace => Edit::Backspace,
        KeyCode::Delete => Edit::Delete,
        KeyCode::Left if by_word => Edit::WordLeft,
        KeyCode::Right if by_word => Edit::WordRight,
        KeyCode::Left => Edit::Left,
        KeyCode::Right => Edit::Right,
        KeyCode::Home => Edit::Home,
        KeyCode::End => Edit::End,
        KeyCode::Up => Edit::Older,
        KeyCode::Down => Edit::Newer,
        KeyCode::Esc => {
            session.dismiss();
            return Next::GoOn;
        }
        KeyCode::PageUp => {
            session.scroll_back();
            return Next::GoOn;
        }
        KeyCode::PageDown => {
            session.scroll_on();
            return Next::GoOn;
        }
        _ => return Next::GoOn,
    };
    let before = editor.text();
    editor.edit(edit);
    let after = editor.text();
    if after != before {
        session.typed(&after);
    }
    Next::GoOn
}

/// Lines in, lines out: for pipes and dumb terminals.
async fn run_plain(options: &ChatOptions, started: Started) -> Result<(), ChatError> {
    let (mut session, mut updates) = Session::new(&started, options);
    session.is_plain = true;
    let mut events = started.events;
    let mut lines = LineReader::new(tokio::io::stdin());
    let mut stdout = tokio::io::stdout();
    loop {
        let said = tokio::select! {
            line = lines.next(), if !session.is_busy() => match line? {
                Line::Text(line) => {
                    if session.enter(&line) == Next::Quit {
                        break;
                    }
                    None
                }
                Line::Unusable(why) => Some(why.to_owned()),
                Line::End => break,
            },
            event = events.next() => match event {
                Some(event) => session.event(event),
                None => break,
            },
            Some(update) = updates.recv() => {
                session.update(update);
                None
            }
        };
        if let Some((conversation, seq)) = session.rooms.mark_shown() {
            session.client.read(conversation, seq);
        }
        let mut output = String::new();
        for line in session.notices.drain(..).chain(said) {
            output.push_str(&line);
            output.push('\n');
        }
        stdout.write_all(output.as_bytes()).await?;
        stdout.flush().await?;
    }
    let finish = async {
        while session.has_unsent() {
            let Some(event) = events.next().await else { break };
            if let Some(line) = session.event(event) {
                stdout.write_all(format!("{line}\n").as_bytes()).await?;
                stdout.flush().await?;
            }
        }
        Ok::<_, io::Error>(())
    };
    // What is not confirmed in time is sent by the next run.
    if let Ok(finished) = timeout(FINISHING, finish).await {
        finished?;
    }
    if let Some(line) = session.left_unsent() {
        stdout.write_all(format!("{line}\n").as_bytes()).await?;
        stdout.flush().await?;
    }
    session.client.close().await;
    session.ended.map_or(Ok(()), |error| Err(error.into()))
}
