//! What one message and one connection cost, from what runs have measured.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::Line;
use crate::results::Results;

/// A figure that is needed: its name and unit in results, and which workload gives it.
struct Need {
    name: &'static str,
    unit: &'static str,
    workload: &'static str,
}

const MESSAGE_CPU: Need = Need { name: "node: CPU per message", unit: "µs", workload: "direct" };
const WRITES: Need = Need { name: "store writes per message", unit: "", workload: "direct" };
const STORED: Need = Need { name: "store: file growth per message", unit: "B", workload: "direct" };
const TRAFFIC: Need = Need { name: "clients: bytes per message", unit: "B", workload: "direct" };
const CONNECT_CPU: Need = Need { name: "node: CPU per connect", unit: "µs", workload: "idle" };
const CONNECTION: Need =
    Need { name: "node and kernel per connection, hibernating", unit: "KiB", workload: "idle" };

/// What each costs, in seconds and bytes.
pub(super) struct Costs {
    pub(super) message_cpu_s: f64,
    pub(super) writes: f64,
    pub(super) stored_bytes: f64,
    pub(super) traffic_bytes: f64,
    pub(super) connect_cpu_s: f64,
    pub(super) connection_bytes: f64,
    /// As they were measured, for people.
    pub(super) lines: Vec<Line>,
}

impl Costs {
    /// From these files. Of two that have the same figure the later one counts.
    ///
    /// # Errors
    /// When one cannot be read, or none has a figure that is needed.
    pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let results: Vec<Results> = paths.iter().map(|path| Results::read(path)).collect::<Result<_, _>>()?;
        Self::of(&results)
    }

    fn of(results: &[Results]) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        let mut find = |need: &Need| {
            let line = line(results, need)?;
            let value = line.value;
            lines.push(line);
            anyhow::Ok(value)
        };
        Ok(Self {
            message_cpu_s: find(&MESSAGE_CPU)? / 1e6,
            writes: find(&WRITES)?,
            stored_bytes: find(&STORED)?,
            traffic_bytes: find(&TRAFFIC)?,
            connect_cpu_s: find(&CONNECT_CPU)? / 1e6,
            connection_bytes: find(&CONNECTION)? * 1024.0,
            lines,
        })
    }
}

fn line(all: &[Results], need: &Need) -> anyhow::Result<Line> {
    let Need { name, unit, workload } = need;
    let found = all.iter().rev().find_map(|results| {
        Some((&results.conditions, results.figures.iter().find(|figure| figure.name == *name)?))
    });
    let (conditions, figure) = found.with_context(|| {
        format!(
            "none of these files has the figure \"{name}\": run {workload} with --json, and name its file too"
        )
    })?;
    ensure!(
        figure.unit == *unit,
        "the figure \"{name}\" is in {:?} there, and expected in {unit:?}",
        figure.unit
    );
    let program = conditions.program.as_deref().unwrap_or("no program");
    let reason = format!("{}, {}, {program}", conditions.workload, conditions.began);
    Ok(Line::new(*name, figure.spread.median, unit, reason))
}
