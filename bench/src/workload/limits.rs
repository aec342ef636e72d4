//! What the machine does by itself: no node, only what a node is made of.

use std::path::Path;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::probe::{self, Batches};
use crate::report::Report;

/// Ranges of keys that grow at the same time: the logs and inboxes of 200 pairs who write.
const PLACES: usize = 400;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Puts in a batch of raw LMDB: the writes of one commit.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    puts: u32,
    /// Bytes of each value that is put.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    value: u32,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(data: &Path, args: Args) -> anyhow::Result<Report> {
    let Args { puts, value } = args;
    let mut report = Report::new(format!("limits: LMDB batches of {puts} puts of {value} B"));
    report.disk(&probe::fdatasync(data, Duration::ZERO)?);
    probe::sequential_writes(data, &mut report)?;
    let batches = Batches { puts: puts as usize, value_bytes: value as usize, places: PLACES };
    probe::lmdb(data, batches, &mut report)?;
    probe::echo(&mut report).await?;
    probe::casts(&mut report).await?;
    Ok(report)
}
