//! Results for people.

use comfy_table::{CellAlignment, Table, presets};

use crate::report::Surroundings;
use crate::results::{Figure, Results, Share};
use crate::statistics::Spread;

/// Prints all figures: those of a single run as they are, of several their medians, and how far they lie apart.
pub(crate) fn print(results: &Results) {
    let conditions = &results.conditions;
    if let Some(run) = results.runs.first() {
        println!("{}", run.title);
    }
    let program = conditions.program.as_deref().map(|program| format!("{program}, ")).unwrap_or_default();
    let build = if conditions.bench_is_optimised { "" } else { ", not optimised" };
    println!("{program}rookery-bench {}{build}, {}", conditions.bench, conditions.began);
    println!("{}", conditions.machine);
    println!("{}", busy(results.runs.iter().map(|run| &run.surroundings)));
    for disturbance in results.disturbances() {
        println!("warning: {disturbance}");
    }

    let is_one = results.runs.len() == 1;
    let mut table = plain();
    for figure in &results.figures {
        let mut row = vec![name(figure), number(figure.spread.median), figure.unit.clone()];
        if !is_one {
            row.push(apart(&figure.spread));
        }
        row.push(figure.share.as_ref().map(share).unwrap_or_default());
        table.add_row(row);
    }
    right(&mut table, 1);
    println!("{table}");
    if !is_one {
        println!("medians of {} runs, and their spread; * what the workload is run for", results.runs.len());
    }
}

/// A table without lines.
pub(crate) fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Aligns a column of numbers.
pub(crate) fn right(table: &mut Table, column: usize) {
    if let Some(values) = table.column_mut(column) {
        values.set_cell_alignment(CellAlignment::Right);
    }
}

/// A figure's name, marked where the workload is run for it.
pub(crate) fn name(figure: &Figure) -> String {
    format!("{}{}", figure.name, if figure.is_headline { " *" } else { "" })
}

/// From the least to the greatest.
pub(crate) fn apart(spread: &Spread) -> String {
    format!("{} .. {}", number(spread.min), number(spread.max))
}

pub(crate) fn share(share: &Share) -> String {
    match share.spread.median {
        part if part < 1.0 => format!("{} % of {}", number(part * 100.0), share.of),
        times => format!("{} times {}", number(times), share.of),
    }
}

/// What else the machine was busy with, over all runs.
pub(crate) fn busy<'a>(runs: impl Iterator<Item = &'a Surroundings> + Clone) -> String {
    let over = |value: fn(&Surroundings) -> Option<f64>| {
        Spread::of(&runs.clone().filter_map(value).collect::<Vec<_>>())
    };
    let one = |spread: Option<Spread>, factor: f64| match spread {
        Some(Spread { min, max, .. }) if min == max => number(min * factor),
        Some(Spread { min, max, .. }) => format!("{} to {}", number(min * factor), number(max * factor)),
        None => "unknown".into(),
    };
    format!(
        "load average {} before and {} after, {} % of processor time taken by the machine's host",
        one(over(|run| Some(run.load_average_before)), 1.0),
        one(over(|run| Some(run.load_average_after)), 1.0),
        one(over(|run| run.stolen), 100.0),
    )
}

/// Three or four digits that count.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        magnitude if magnitude >= 0.1 || magnitude == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_or_four_digits_that_count() {
        let shown: Vec<String> = [12_345.6, 99.96, 12.34, 1.234, 0.5, 0.0, 0.0123].map(number).into();
        assert_eq!(shown, ["12346", "100.0", "12.3", "1.23", "0.50", "0.00", "0.0123"]);
    }

    #[test]
    fn share_of_more_than_the_whole_is_said_in_times() {
        let of = |median| share(&Share { of: "it".into(), spread: Spread { median, min: 0.0, max: 9.0 } });
        assert_eq!(of(0.314), "31.4 % of it");
        assert_eq!(of(2.5), "2.50 times it");
    }
}
