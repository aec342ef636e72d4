//! Many seeds, each in a process of its own, as many at once as there are processors. Ctrl-C ends it with what has been found.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rand::RngExt;
use rookery_sim::plan::Keep;

use super::outcome::{Outcome, replay};
use super::{Arguments, interrupt, shrink};

/// Runs all of them.
///
/// # Errors
/// When one cannot be run.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let keep = arguments.keep();
    let mut seeds: Vec<u64> = arguments.seeds.iter().flat_map(|seeds| seeds.0.clone()).collect();
    // Numbers that are easy to type.
    seeds.extend((0..arguments.fresh).map(|_| rand::rng().random_range(1_000_000..1_000_000_000_u64)));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or(processors, usize::from).min(seeds.len());
    let bar = ProgressBar::new(seeds.len() as u64);
    let style = "{elapsed_precise} {bar:40} {pos} of {len} seeds, {per_sec}, {eta} left  {msg}";
    bar.set_style(ProgressStyle::with_template(style).context("the bar")?);

    let begun = Instant::now();
    let total = seeds.len();
    let waiting = Mutex::new(seeds.into_iter());
    let (enough, asked) = (AtomicBool::new(false), interrupt::asked_to_end()?);
    eprintln!("{total} seeds, {jobs} at once; Ctrl-C ends it with what has been found so far");
    let (tell, outcomes) = mpsc::channel();
    let (mut run, mut lasted_ms, mut accepted, mut handed) = (0_u64, 0, 0, 0);
    let mut failed = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..jobs {
            let (tell, waiting, keep) = (tell.clone(), &waiting, &keep);
            let is_over = || enough.load(Ordering::Relaxed) || asked.load(Ordering::Relaxed);
            scope.spawn(move || {
                while !is_over() {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(seed) = next else { return };
                    let outcome = outcome_of(seed, arguments, keep);
                    if tell.send((seed, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        for (seed, outcome) in outcomes {
            let outcome = outcome.inspect_err(|_| enough.store(true, Ordering::Relaxed))?;
            let Some(outcome) = outcome else {
                asked.store(true, Ordering::Relaxed);
                continue;
            };
            bar.inc(1);
            run += 1;
            lasted_ms += outcome.lasted_ms;
            accepted += outcome.accepted;
            handed += outcome.handed;
            if let Some(wrong) = &outcome.wrong {
                // Said at once, also where there is no terminal for a bar.
                bar.suspend(|| {
                    eprintln!("seed {seed}: {wrong}\n    {}", replay(seed, arguments.minutes, &keep));
                    let surprises = outcome.verdict.lines().filter(|line| line.starts_with("  !"));
                    surprises.take(5).for_each(|line| eprintln!("{line}"));
                });
                failed.push(outcome);
                bar.set_message(format!("{} failed", failed.len()));
                if failed.len() as u64 >= arguments.failures {
                    enough.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();

    let wall = begun.elapsed();
    let world = Duration::from_millis(lasted_ms);
    println!(
        "{run} of {total} seeds in {}: {:.1} hours of the world ({:.0} times as fast), {accepted} messages, {handed} hand-ups, {} \
         failed",
        humantime::format_duration(Duration::from_secs(wall.as_secs())),
        world.as_secs_f64() / 3600.0,
        world.as_secs_f64() / wall.as_secs_f64(),
        failed.len()
    );
    for outcome in &failed {
        let wrong = outcome.wrong.as_deref().unwrap_or_default();
        println!("seed {}: {wrong}\n    {}", outcome.seed, replay(outcome.seed, arguments.minutes, &keep));
    }
    if let Some(first) = failed.first().filter(|_| arguments.shrink && !asked.load(Ordering::Relaxed)) {
        return shrink::run(first.seed, arguments.minutes, keep);
    }
    Ok(match (failed.is_empty(), run == total as u64) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(2),
        (false, _) => ExitCode::FAILURE,
    })
}

/// `None`: a Ctrl-C has ended it.
fn outcome_of(seed: u64, arguments: &Arguments, keep: &Keep) -> Result<Option<Outcome>> {
    let outcome = Outcome::from_process(seed, arguments.minutes, keep)?;
    if arguments.twice
        && let Some(outcome) = &outcome
    {
        let Some(again) = Outcome::from_process(seed, arguments.minutes, keep)? else { return Ok(None) };
        if again != *outcome {
            let wrong = Some("the same seed gave another run".to_owned());
            let verdict = format!("  ! digests {} and {}\n", outcome.digest, again.digest);
            return Ok(Some(Outcome { wrong, verdict, ..outcome.clone() }));
        }
    }
    Ok(outcome)
}
