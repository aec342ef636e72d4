//! Leaves out of a failing run whatever does not matter for its failure, part by part, as long as it fails in the same way.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rookery_sim::plan::{Keep, Kept};

use super::outcome::{Outcome, replay};

/// Runs at most.
const RUNS_MAX: u64 = 400;

/// Shrinks a seed, and says what is left.
///
/// # Errors
/// When it does not fail, or cannot be run.
pub(super) fn run(seed: u64, minutes: u64, keep: Keep) -> Result<ExitCode> {
    let run = |keep: &Keep| Outcome::from_process(seed, minutes, keep)?.context("interrupted");
    let first = run(&keep)?;
    let Some(wrong) = first.wrong else {
        bail!("seed {seed} does not fail, so there is nothing to shrink: {}", replay(seed, minutes, &keep));
    };
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{elapsed_precise} {pos} runs: {msg}")?);
    let [troubles, faults, doings] = first.events;
    // By place in the whole plan.
    let places = |kept: &Kept, count: usize| match kept {
        Kept::All => (0..count).collect(),
        Kept::These(places) => places.clone(),
    };
    let mut left =
        [places(&keep.troubles, troubles), places(&keep.faults, faults), places(&keep.doings, doings)];
    let fails = |left: &[Vec<usize>; 3]| -> Result<bool> {
        bar.inc(1);
        let [troubles, faults, doings] = left;
        bar.set_message(format!(
            "{} troubles, {} faults, {} doings",
            troubles.len(),
            faults.len(),
            doings.len()
        ));
        Ok(run(&kept(left))?.wrong.as_ref() == Some(&wrong))
    };
    // What clients do is most of it: first away with much of that, then with what befalls, then with the rest.
    for list in [2, 1, 0, 2] {
        let mut part = left[list].len().div_ceil(2).max(1);
        while !left[list].is_empty() && bar.position() < RUNS_MAX {
            let mut at = 0;
            while at < left[list].len() && bar.position() < RUNS_MAX {
                let mut fewer = left.clone();
                let end = (at + part).min(fewer[list].len());
                fewer[list].drain(at..end);
                if fails(&fewer)? {
                    left = fewer;
                } else {
                    at += part;
                }
            }
            if part == 1 {
                break;
            }
            part = part.div_ceil(2);
        }
    }
    bar.finish_and_clear();
    let [troubles, faults, doings] = &left;
    println!(
        "seed {seed}: {wrong}\nstill so with {} troubles, {} faults of clients and {} doings:\n    {} --timeline",
        troubles.len(),
        faults.len(),
        doings.len(),
        replay(seed, minutes, &kept(&left))
    );
    Ok(ExitCode::FAILURE)
}

fn kept([troubles, faults, doings]: &[Vec<usize>; 3]) -> Keep {
    let these = |places: &Vec<usize>| Kept::These(places.clone());
    Keep { troubles: these(troubles), faults: these(faults), doings: these(doings) }
}
