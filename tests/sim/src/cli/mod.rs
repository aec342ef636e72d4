//! The command line: one seed, or many.

mod interrupt;
mod many;
mod one;
mod outcome;
mod shrink;

use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Parser;
use rookery_sim::plan::{Keep, Kept};

/// Runs whole clusters in one process, on virtual time, each decided by a seed, and judges what their clients saw.
///
/// Exits with 0 if everything held, with 1 if something did not, with 2 if it could not be found out. Ctrl-C ends many seeds
/// with what has been found so far.
#[derive(Debug, Parser)]
#[command(name = "rookery-sim", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Runs this seed, here and now.
    #[arg(long, value_name = "SEED", required_unless_present_any = ["seeds", "fresh"])]
    seed: Option<u64>,
    /// Runs these seeds, each in a process of its own: 1..100 is 1 to 99.
    #[arg(long, value_name = "A..B", conflicts_with = "seed")]
    seeds: Option<Seeds>,
    /// Runs so many seeds that nobody has chosen, besides or instead.
    #[arg(long, value_name = "COUNT", conflicts_with = "seed", default_value_t = 0)]
    fresh: u64,
    /// How long each storm goes on, in minutes of the world.
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// Which troubles of nodes happen: all, none, or their places, as 0,3,7-19.
    #[arg(long, value_name = "PLACES", default_value = "all")]
    troubles: Kept,
    /// Which faults of clients happen.
    #[arg(long, value_name = "PLACES", default_value = "all")]
    faults: Kept,
    /// What of all that clients say and do is said and done.
    #[arg(long, value_name = "PLACES", default_value = "all")]
    doings: Kept,
    /// Tells what happened, in order.
    #[arg(long, requires = "seed")]
    timeline: bool,
    /// Writes each step of the world to standard error, to compare two runs.
    #[arg(long, requires = "seed")]
    steps: bool,
    /// Writes the nodes' logs to standard error, with what RUST_LOG says; debug, if it says nothing.
    #[arg(long, requires = "seed")]
    logs: bool,
    /// Prints the outcome as JSON.
    #[arg(long, requires = "seed")]
    json: bool,
    /// Runs each seed twice, and fails if the two differ.
    #[arg(long, conflicts_with = "seed")]
    twice: bool,
    /// Leaves out of a seed that fails what does not matter for that, and says what is left.
    #[arg(long)]
    shrink: bool,
    /// Processes at once: as many as there are processors, if nothing is said.
    #[arg(long, value_name = "COUNT", conflicts_with = "seed", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    jobs: Option<u16>,
    /// Failing seeds after which no more are begun.
    #[arg(long, value_name = "COUNT", conflicts_with = "seed", default_value_t = 10)]
    failures: u64,
}

/// A range of seeds.
#[derive(Debug, Clone)]
struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("'{text}' is no range of seeds; expected A..B with A below B, as 1..100");
        let (from, to) = text.split_once("..").ok_or_else(expected)?;
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from < to => Ok(Self(from..to)),
            _ => Err(expected()),
        }
    }
}

impl Arguments {
    fn keep(&self) -> Keep {
        Keep { troubles: self.troubles.clone(), faults: self.faults.clone(), doings: self.doings.clone() }
    }
}

/// Does what is asked.
///
/// # Errors
/// When it cannot be done.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Some(seed) = arguments.seed else { return many::run(arguments) };
    if arguments.shrink {
        if arguments.timeline || arguments.steps || arguments.logs || arguments.json {
            bail!("--shrink runs the seed many times and shows none of them: replay what it says instead");
        }
        return shrink::run(seed, arguments.minutes, arguments.keep());
    }
    one::run(seed, arguments)
}
