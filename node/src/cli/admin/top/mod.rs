//! `rookery admin top`: all nodes on a screen, looked at again and again.

mod metrics;
mod sample;
mod screen;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::{Result, ensure};
use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::time::{MissedTickBehavior, interval};

use super::arguments::ReachArguments;
use super::show::write_json;
use sample::Sampler;
use screen::Screen;

/// A look may take so long at least, however often there is one.
const LOOK_MIN: Duration = Duration::from_secs(1);

pub(super) async fn run(reach: &ReachArguments, every: Duration, count: Option<u64>) -> Result<()> {
    // A node that says nothing is not to hold the others' figures up.
    let reach = ReachArguments { timeout: reach.timeout.min(every.max(LOOK_MIN)), ..reach.clone() };
    let count = count.unwrap_or(u64::MAX);
    if reach.json {
        return lines(&reach, every, count).await;
    }
    ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "this is a screen for a terminal: add --json for a program"
    );
    // A mistake that can be made in the first look is told in words, not on a screen.
    let mut sampler = Sampler::default();
    let mut screen = Screen::default();
    screen.take(Ok(sampler.look(&reach).await?));
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, &mut screen, sampler, &reach, every, count).await;
    ratatui::try_restore()?;
    shown
}

/// One line of JSON a look.
async fn lines(reach: &ReachArguments, every: Duration, count: u64) -> Result<()> {
    let mut sampler = Sampler::default();
    let mut ticks = ticks(every);
    for _ in 0..count {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
        if write_json(&sampler.look(reach).await?).is_err() {
            break;
        }
    }
    Ok(())
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn show(
    terminal: &mut DefaultTerminal,
    screen: &mut Screen,
    sampler: Sampler,
    reach: &ReachArguments,
    every: Duration,
    count: u64,
) -> Result<()> {
    let (looks, mut looked) = tokio::sync::mpsc::channel(1);
    let looking = look_again(sampler, reach.clone(), every, count, looks);
    let looking = tokio::spawn(looking);
    let mut keys = EventStream::new();
    let ended = loop {
        if let Err(error) = terminal.draw(|frame| screen.draw(frame)) {
            break Err(error.into());
        }
        tokio::select! {
            look = looked.recv() => match look {
                Some(look) => screen.take(look),
                None => break Ok(()),
            },
            event = keys.next() => match event {
                Some(Ok(event)) if quits(&event) => break Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            },
        }
    };
    looking.abort();
    ended
}

/// Looks on a task of its own, so that keys are heard meanwhile.
async fn look_again(
    mut sampler: Sampler,
    reach: ReachArguments,
    every: Duration,
    count: u64,
    looks: tokio::sync::mpsc::Sender<Result<sample::Sample>>,
) {
    let mut ticks = ticks(every);
    ticks.tick().await;
    for _ in 1..count {
        ticks.tick().await;
        if looks.send(sampler.look(&reach).await).await.is_err() {
            return;
        }
    }
    // The last look stays on the screen for as long as the others did.
    ticks.tick().await;
}

fn quits(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let is_control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && (is_control_c || matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc))
}
