//! How much it takes to serve so many people: nodes, FoundationDB clusters, network and money, from what runs on this kind of
//! machine have measured and what is said of the users. Paper: nothing is started.

mod costs;
mod sizing;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use comfy_table::{CellAlignment, Table, presets};

use costs::Costs;
use sizing::{Demand, Machines, Sizing, Storage};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Reports of runs (`--json FILE`) to take the costs from; of two that have the same figure, the later one.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    measured: Vec<PathBuf>,
    #[command(flatten)]
    demand: Demand,
    #[command(flatten)]
    machines: Machines,
    #[command(flatten)]
    storage: Storage,
}

/// Prints the plan.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let costs = Costs::read(&args.measured)?;
    let sizing = Sizing::new(&args.demand, &costs, &args.machines, &args.storage);
    println!("{}", table("what a run has measured", &costs.lines));
    println!("{}", table("what it takes", &sizing.lines));
    Ok(())
}

/// A quantity, and how it comes about.
struct Line {
    name: String,
    value: f64,
    unit: &'static str,
    reason: String,
}

impl Line {
    fn new(name: impl Into<String>, value: f64, unit: &'static str, reason: impl Into<String>) -> Self {
        Self { name: name.into(), value, unit, reason: reason.into() }
    }
}

fn table(title: &str, lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([title, "", "", "how"]);
    for line in lines {
        table.add_row([&line.name, &quantity(line.value), line.unit, &line.reason]);
    }
    if let Some(values) = table.column_mut(1) {
        values.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Three digits that count, and a word for how many follow.
fn quantity(value: f64) -> String {
    let (scaled, word) = match value.abs() {
        magnitude if magnitude >= 1e9 => (value / 1e9, " G"),
        magnitude if magnitude >= 1e6 => (value / 1e6, " M"),
        magnitude if magnitude >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        magnitude if magnitude >= 100.0 || magnitude == magnitude.trunc() => 0,
        magnitude if magnitude >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{word}")
}

#[cfg(test)]
mod tests {
    use super::quantity;

    #[test]
    fn quantities_have_three_digits_and_a_word_for_the_others() {
        let shown = [3.0, 0.256, 12.34, 345.6, 9_999.0, 34_560.0, 1_157_407.0, 2e9].map(quantity);
        assert_eq!(shown, ["3", "0.26", "12.3", "346", "9999", "34.6 k", "1.16 M", "2 G"]);
    }
}
