//! `rookery-tests`: runs that are too long for every change.

mod cli;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Tests real nodes, at length.
#[derive(Debug, Parser)]
#[command(name = "rookery-tests", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Chaos(cli::Chaos),
    Failover(cli::Failover),
}

fn main() -> Result<ExitCode> {
    let Arguments { command } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let run = async {
            match command {
                Command::Chaos(chaos) => Box::pin(chaos.run()).await,
                Command::Failover(failover) => Box::pin(failover.run()).await,
            }
        };
        // Whatever has been started ends with what started it.
        tokio::select! {
            ended = run => ended,
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                bail!("interrupted");
            }
        }
    })
}
