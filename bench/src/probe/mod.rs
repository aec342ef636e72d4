//! What the machine does by itself, in the same minutes: the limits that bind a node. Each takes a second or two, and adds
//! its figures to the report.

mod actors;
mod disk;
mod echo;
mod lmdb;

use std::path::Path;
use std::time::Duration;

pub(crate) use self::disk::{Fdatasync, fdatasync};
pub(crate) use self::lmdb::Batches;
use crate::report::{FigureId, Report};

/// How long each looks.
const TIME: Duration = Duration::from_secs(1);

/// What the disk that holds `directory` takes of a file that grows.
pub(crate) fn sequential_writes(directory: &Path, report: &mut Report) -> anyhow::Result<FigureId> {
    let rate = disk::sequential_writes(directory)?;
    Ok(report.add("limit: sequential writes to the disk", rate / 1e6, "MB/s"))
}

/// How many puts raw LMDB makes durable in `directory`: returned, per second.
pub(crate) fn lmdb(directory: &Path, batches: Batches, report: &mut Report) -> anyhow::Result<f64> {
    let commits = lmdb::commits(directory, batches)?;
    report.add("limit: raw LMDB, puts in a commit", batches.puts as f64, "");
    report.add("limit: raw LMDB, a commit", commits.batch_ms, "ms");
    report.add("limit: raw LMDB, durable puts", commits.puts_per_second, "/s");
    Ok(commits.puts_per_second)
}

/// Round trips per second over the loopback.
pub(crate) async fn echo(report: &mut Report) -> anyhow::Result<FigureId> {
    let name = format!("limit: WebSocket echo on the loopback, {} connections", echo::CONNECTIONS);
    Ok(report.add(name, echo::round_trips().await?, "/s"))
}

/// Casts per second to actors.
pub(crate) async fn casts(report: &mut Report) -> anyhow::Result<FigureId> {
    let name = format!("limit: casts to {} actors", actors::PAIRS);
    Ok(report.add(name, actors::casts().await?, "/s"))
}
