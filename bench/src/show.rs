//! Results once more, as they were printed after their runs, or as tables for a page.

use std::path::PathBuf;

use crate::results::{Figure, Results};
use crate::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Results, as --json writes them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// As tables in Markdown.
    #[arg(long)]
    markdown: bool,
    /// As one table in Markdown, of those figures that the workloads are run for.
    #[arg(long, conflicts_with = "markdown")]
    headlines: bool,
}

/// Prints them, one after the other.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.headlines {
        println!("| workload | figure | | spread | share of what binds it |\n|---|---|--:|---|---|");
    }
    for path in &args.files {
        let results = Results::read(path)?;
        if args.headlines {
            print!("{}", headlines(&results));
        } else if args.markdown {
            println!("{}", markdown(&results));
        } else {
            table::print(&results);
        }
    }
    Ok(())
}

/// A paragraph that says what was measured, and a table.
fn markdown(results: &Results) -> String {
    let conditions = &results.conditions;
    let title = results.runs.first().map_or(&conditions.workload, |run| &run.title);
    let runs = match results.runs.len() {
        1 => "one run".into(),
        many => format!("medians of {many} runs, and their spread"),
    };
    let program = conditions.program.as_deref().unwrap_or("no program");
    let busy = table::busy(results.runs.iter().map(|run| &run.surroundings));
    let mut text = format!(
        "`{}`: {title}; {runs}. {program}, {}; {busy}.\n\n| figure | | spread | share of what binds it |\n|---|--:|---|---|\n",
        command(&conditions.command),
        conditions.began
    );
    for figure in &results.figures {
        text += &row(figure);
    }
    text
}

/// A line for each figure that the workload is run for.
fn headlines(results: &Results) -> String {
    let command = command(&results.conditions.command);
    let workload = command.strip_prefix("rookery-bench ").unwrap_or(&command);
    let wanted = results.figures.iter().filter(|figure| figure.is_headline);
    wanted.map(|figure| format!("| `{workload}` {}", row(figure))).collect()
}

fn row(figure: &Figure) -> String {
    let unit = if figure.unit.is_empty() { String::new() } else { format!(" {}", figure.unit) };
    let spread = if figure.values.len() > 1 { table::apart(&figure.spread) } else { String::new() };
    let share = figure.share.as_ref().map(table::share).unwrap_or_default();
    let name = if figure.is_headline { format!("**{}**", figure.name) } else { figure.name.clone() };
    format!("| {name} | {}{unit} | {spread} | {share} |\n", table::number(figure.spread.median))
}

/// The arguments after the program's name, without those that say where things lie.
fn command(arguments: &[String]) -> String {
    let mut shown = vec!["rookery-bench"];
    let mut rest = arguments.iter().skip(1).map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "--rookery" | "--data" | "--json" | "--plots" => _ = rest.next(),
            _ if ["--rookery=", "--data=", "--json=", "--plots="]
                .iter()
                .any(|it| argument.starts_with(it)) => {}
            _ => shown.push(argument),
        }
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::results;

    #[test]
    fn a_page_shows_medians_spreads_and_shares() {
        let text = markdown(&results(&[10.0, 11.0, 14.0]));
        assert!(text.contains("medians of 3 runs"), "{text}");
        assert!(text.lines().any(|line| line.contains("| 11.0") && line.contains("10.0 .. 14.0")), "{text}");
        let one = markdown(&results(&[10.0]));
        assert!(one.contains("one run") && !one.contains(" .. "), "{one}");
    }

    #[test]
    fn headlines_are_what_a_workload_is_run_for_and_nothing_else() {
        let results = results(&[10.0, 11.0, 14.0]);
        let wanted = results.figures.iter().filter(|figure| figure.is_headline).count();
        assert!(wanted > 0 && wanted < results.figures.len(), "both kinds are there");
        assert_eq!(headlines(&results).lines().count(), wanted);
    }

    #[test]
    fn where_things_lay_is_nobodys_business() {
        let arguments =
            ["target/release/rookery-bench", "direct", "--data", "/mnt/x", "--json=a.json", "--rate", "100"];
        assert_eq!(command(&arguments.map(String::from)), "rookery-bench direct --rate 100");
    }
}
