//! Counts instructions per operation, and compares them with those that are kept.
//!
//! Times differ from machine to machine and from minute to minute; a count of instructions hardly does. So the kept file
//! travels with the code, and a change says what it does to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use rookery_micro::counted;
use serde_json::Value;

/// Counts the instructions of each micro-benchmark, and compares them with those that are kept.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// The kept counts.
    #[arg(
        long,
        value_name = "FILE",
        default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json"),
        help = "The kept counts [default: bench/micro/instructions.json]",
        hide_default_value = true
    )]
    baseline: PathBuf,
    /// Keeps these counts, instead of those that are kept.
    #[arg(long)]
    keep: bool,
    /// Fails when an operation takes more than so many times the instructions that are kept.
    #[arg(long, value_name = "RATIO")]
    at_most: Option<f64>,
}

/// Instructions per operation, by case.
type Counts = BTreeMap<String, u64>;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let counts = count()?;
    let kept = read(&cli.baseline)?;
    println!("{}", table(&counts, &kept));
    if cli.keep {
        std::fs::write(&cli.baseline, format!("{:#}\n", serde_json::to_value(&counts)?))
            .with_context(|| format!("cannot write {}", cli.baseline.display()))?;
    }
    if let Some(at_most) = cli.at_most {
        let over = counts.iter().filter(|(name, count)| ratio(&kept, name, **count) > Some(at_most));
        let over: Vec<&str> = over.map(|(name, _)| name.as_str()).collect();
        anyhow::ensure!(over.is_empty(), "more than {at_most} times what is kept: {}", over.join("; "));
    }
    Ok(())
}

/// Runs the benchmark, whose output is a line of JSON for each case.
fn count() -> anyhow::Result<Counts> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["bench", "--package", "rookery-micro", "--bench", "instructions", "--"];
    let output = Command::new(cargo)
        .args(arguments)
        .arg("--output-format=json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "the benchmark failed: it needs valgrind, and `cargo install gungraun-runner` of the version that it names"
        );
    }
    let cases = counted();
    let mut counts = Counts::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let summary: Value = serde_json::from_str(line).with_context(|| format!("not a summary: {line}"))?;
        let number = summary["id"].as_str().and_then(|id| id.strip_prefix("case_")?.parse::<usize>().ok());
        let case = number.and_then(|number| cases.get(number)).context("a summary of a case unknown here")?;
        let instructions = instructions(&summary).with_context(|| format!("no count of {}", case.name))?;
        counts.insert(case.name.to_owned(), (instructions + case.operations / 2) / case.operations);
    }
    anyhow::ensure!(counts.len() == cases.len(), "{} of {} cases were counted", counts.len(), cases.len());
    Ok(counts)
}

/// What this run has counted; an earlier run on this machine may stand beside it.
fn instructions(summary: &Value) -> Option<u64> {
    summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_u64()
}

fn read(path: &Path) -> anyhow::Result<Counts> {
    match std::fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{} cannot be read", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Counts::new()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn ratio(kept: &Counts, name: &str, count: u64) -> Option<f64> {
    kept.get(name).map(|kept| count as f64 / *kept as f64)
}

fn table(counts: &Counts, kept: &Counts) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["operation", "instructions", "kept", "ratio"]);
    for case in counted() {
        let Some(count) = counts.get(case.name) else { continue };
        let before = kept.get(case.name).map_or_else(String::new, u64::to_string);
        let ratio = ratio(kept, case.name, *count).map_or_else(String::new, |ratio| format!("{ratio:.3}"));
        table.add_row([case.name.to_owned(), count.to_string(), before, ratio]);
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}
