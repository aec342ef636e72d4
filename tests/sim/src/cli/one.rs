//! One seed, in this process.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rookery_sim::plan::Plan;
use rookery_sim::trace::{Trace, text};
use rookery_sim::{entropy, run as carry_out};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::Arguments;
use super::outcome::Outcome;

/// What actors say when they are asked to panic.
const ASKED_TO: &str = "asked to fail";

/// Panics that nobody asked for.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a seed.
///
/// # Errors
/// When something fails that is not under test.
pub(super) fn run(seed: u64, arguments: &Arguments) -> Result<ExitCode> {
    // Before anything is made that asks for randomness.
    entropy::grow_from(seed);
    note_panics();
    let plan = Plan::new(seed, Duration::from_secs(60 * arguments.minutes)).keep(&arguments.keep());
    let events = [plan.troubles.len(), plan.faults.len(), plan.doings.len()];
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let report = runtime.context("a runtime")?.block_on(async {
        let trace = Trace::new(arguments.steps);
        if arguments.logs {
            let trace = trace.clone();
            // With logs it is the same run.
            entropy::apart(|| show_logs(trace));
        }
        carry_out(plan, trace, &panics).await
    })?;
    let outcome = Outcome::of(seed, events, &report);
    if arguments.json {
        println!("{}", serde_json::to_string(&outcome)?);
    } else {
        if arguments.timeline {
            print!("{}", text(&report.lines));
        }
        let [troubles, faults, doings] = events;
        println!(
            "seed {seed}: {} of the world, {troubles} troubles, {faults} faults of clients, {doings} doings, {} messages, {} \
             hand-ups, {} steps, digest {}",
            humantime::format_duration(Duration::from_secs(report.lasted.as_secs())),
            outcome.accepted,
            outcome.handed,
            outcome.steps,
            outcome.digest
        );
        print!("{}", outcome.verdict);
    }
    Ok(ExitCode::from(u8::from(outcome.wrong.is_some())))
}

fn note_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text == ASKED_TO {
            return;
        }
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(format!("panicked at {place}: {text}"));
        usual(panic);
    }));
}

fn panics() -> Vec<String> {
    std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The world's time instead of this machine's.
struct WorldTime(Trace);

impl FormatTime for WorldTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:>10.3}", self.0.now().as_secs_f64())
    }
}

fn show_logs(trace: Trace) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("debug"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_timer(WorldTime(trace));
    logs.with_writer(std::io::stderr).with_ansi(false).init();
}
