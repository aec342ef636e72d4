//! `rookery-tests`: runs that are too long for every change.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rookery_tests::chaos::{Plan, Shape, Watch, run};

/// Tests a real node, at length.
#[derive(Debug, Parser)]
#[command(name = "rookery-tests", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Chaos(Chaos),
}

/// Many clients on bad networks, and a node that is killed again and again.
///
/// At the end everything is healed, and what the clients have seen is held against the invariants. Exits with 1 when
/// one is broken. The same seed gives the same plan.
#[derive(Debug, clap::Args)]
struct Chaos {
    /// Clients, of somewhat fewer users
    #[arg(long, default_value_t = 200)]
    clients: usize,

    /// How often the node is killed with -9 and started again
    #[arg(long, default_value_t = 10)]
    kills: usize,

    /// What the plan grows from [default: a random one, which is printed]
    #[arg(long, env = "ROOKERY_SEED")]
    seed: Option<u64>,

    /// How long it storms, in seconds [default: 3, and 3 for each kill]
    #[arg(long)]
    seconds: Option<u64>,
}

fn main() -> Result<ExitCode> {
    let Arguments { command: Command::Chaos(chaos) } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(storm(chaos))
}

async fn storm(chaos: Chaos) -> Result<ExitCode> {
    let mut shape = Shape::new(chaos.clients.max(2), chaos.kills);
    if let Some(seconds) = chaos.seconds {
        shape.storm = Duration::from_secs(seconds.max(1));
    }
    let seed = chaos.seed.unwrap_or_else(rand::random);
    println!("seed {seed}: replay with --clients {} --kills {} --seed {seed}", chaos.clients, chaos.kills);
    let plan = Plan::new(seed, shape);
    let bar = ProgressBar::new(plan.steps.len() as u64);
    bar.set_style(ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let report = Box::pin(run(&plan, &Bar(bar.clone()))).await?;
    bar.finish_and_clear();
    print!("{report}");
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Bar(ProgressBar);

impl Watch for Bar {
    fn steps(&self, done: usize, _: usize) {
        self.0.set_position(done as u64);
    }

    fn phase(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }
}
