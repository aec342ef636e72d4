//! How a run went, as one process tells another; and running one in a process of its own.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rookery_sim::Report;
use rookery_sim::plan::Keep;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::SignalKind;

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Which.
    pub(super) seed: u64,
    /// A number that differs where runs differ.
    pub(super) digest: String,
    /// Steps of the world.
    pub(super) steps: u64,
    /// Milliseconds of the world.
    pub(super) lasted_ms: u64,
    /// Messages that were accepted.
    pub(super) accepted: usize,
    /// Messages that were handed up.
    pub(super) handed: usize,
    /// Troubles, clients' faults, and what clients said and did: how many there were of each.
    pub(super) events: [usize; 3],
    /// The verdict, in words.
    pub(super) verdict: String,
    /// The first thing that was wrong, in a few words: the same for the same defect, if all goes well.
    pub(super) wrong: Option<String>,
}

impl Outcome {
    pub(super) fn of(seed: u64, events: [usize; 3], report: &Report) -> Self {
        let verdict = &report.verdict;
        let violation = verdict.violations.first().map(|violation| violation.invariant.to_owned());
        let unsettled = verdict.unsettled.as_ref().map(|_| "it does not come to rest".to_owned());
        let surprise = verdict.surprises.first().map(|surprise| kind_of(surprise));
        Self {
            seed,
            digest: format!("{:016x}", report.digest),
            steps: report.steps,
            lasted_ms: u64::try_from(report.lasted.as_millis()).unwrap_or(u64::MAX),
            accepted: report.messages.0,
            handed: report.messages.1,
            events,
            verdict: verdict.to_string(),
            wrong: violation.or(unsettled).or(surprise),
        }
    }

    /// Runs a seed in a process of its own. `None`: a Ctrl-C has ended it.
    pub(super) fn from_process(seed: u64, minutes: u64, keep: &Keep) -> Result<Option<Self>> {
        let program = std::env::current_exe().context("this program has no file")?;
        let output = Command::new(program)
            .args(arguments(seed, minutes, keep))
            .arg("--json")
            .stdin(Stdio::null())
            .output()
            .context("this program cannot be run again")?;
        match serde_json::from_slice(&output.stdout) {
            Ok(outcome) => Ok(Some(outcome)),
            Err(_) if output.status.signal() == Some(SignalKind::interrupt().as_raw_value()) => Ok(None),
            Err(_) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last: Vec<&str> = said.lines().rev().take(20).collect();
                let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                bail!("seed {seed}: the process ended with {} and no outcome:\n{said}", output.status)
            }
        }
    }
}

/// What tells a surprise from others: its words, with an N for each number.
fn kind_of(surprise: &str) -> String {
    let words = surprise.split_inclusive(|char: char| !char.is_ascii_digit()).map(|part| {
        let rest = part.trim_start_matches(|char: char| char.is_ascii_digit());
        if rest.len() < part.len() { format!("N{rest}") } else { rest.to_owned() }
    });
    words.collect::<String>().chars().take(60).collect()
}

/// What runs a seed again, in part.
pub(super) fn arguments(seed: u64, minutes: u64, keep: &Keep) -> Vec<String> {
    let mut arguments = vec!["--seed".to_owned(), seed.to_string()];
    if minutes != 10 {
        arguments.extend(["--minutes".to_owned(), minutes.to_string()]);
    }
    let parts = [("--troubles", &keep.troubles), ("--faults", &keep.faults), ("--doings", &keep.doings)];
    for (name, kept) in parts.into_iter().filter(|(_, kept)| !kept.is_all()) {
        arguments.extend([name.to_owned(), kept.to_string()]);
    }
    arguments
}

/// The command that replays a run.
pub(super) fn replay(seed: u64, minutes: u64, keep: &Keep) -> String {
    let mut command = "rookery-sim".to_owned();
    for argument in arguments(seed, minutes, keep) {
        write!(command, " {argument}").expect("a string takes what is written");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprises_that_differ_in_numbers_alone_are_of_one_kind() {
        let kind = kind_of("client 3 was given nothing from 295.194 s on, and 67 of d:2:2 came late");
        assert_eq!(kind, "client N was given nothing from N.N s on, and N of d:N:N cam");
        assert_eq!(kind_of("client 12 has 7"), kind_of("client 4 has 31"));
        assert_ne!(kind_of("client 12 has 7"), kind_of("client 4 had 31"));
    }
}
