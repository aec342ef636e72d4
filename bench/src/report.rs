//! Figures with their names and units, for people and as JSON.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::probe::Fdatasync;
use crate::process;

/// One run's figures.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    workload: String,
    cpus: usize,
    load_average_before: f64,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub(crate) fn new(workload: impl Into<String>) -> Self {
        Self {
            workload: workload.into(),
            cpus: process::cpus(),
            load_average_before: process::load(),
            figures: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }

    pub(crate) fn disk(&mut self, disk: &Fdatasync) {
        self.add("disk: fdatasync of 4 KiB, p50", disk.quantile_us(0.5) as f64 / 1000.0, "ms");
        self.add("disk: fdatasync of 4 KiB, p99", disk.quantile_us(0.99) as f64 / 1000.0, "ms");
    }

    pub(crate) fn print(&self) {
        println!(
            "{} on {} processors, load average {:.2} before",
            self.workload, self.cpus, self.load_average_before
        );
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for figure in &self.figures {
            table.add_row([figure.name.clone(), number(figure.value), figure.unit.into()]);
        }
        if let Some(values) = table.column_mut(1) {
            values.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
    }
}

/// Three or four digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
