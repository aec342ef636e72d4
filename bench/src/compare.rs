//! Two files of results beside each other, figure by figure.

use std::path::PathBuf;

use crate::results::{Conditions, Figure, Results};
use crate::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Results, as --json writes them.
    a: PathBuf,
    /// What to compare them with.
    b: PathBuf,
}

/// Prints how the second compares with the first.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (a, b) = (Results::read(&args.a)?, Results::read(&args.b)?);
    for (name, path, results) in [("a", &args.a, &a), ("b", &args.b, &b)] {
        let Conditions { program, bench, began, .. } = &results.conditions;
        let title = results.runs.first().map_or(&results.conditions.workload, |run| &run.title);
        let program = program.as_deref().map(|program| format!("{program}, ")).unwrap_or_default();
        println!("{name}: {} ({} runs), {title}", path.display(), results.runs.len());
        println!("   {program}rookery-bench {bench}, {began}");
        println!("   {}", table::busy(results.runs.iter().map(|run| &run.surroundings)));
    }
    for (name, results) in [("a", &a), ("b", &b)] {
        for disturbance in results.disturbances() {
            println!("warning: {name}: {disturbance}");
        }
    }
    for warning in warnings(&a, &b) {
        println!("warning: {warning}");
    }
    let mut table = table::plain();
    table.set_header(["", "a", "a's spread", "b", "b's spread", "", "b / a", ""]);
    for row in rows(&a, &b) {
        let shown = |figure: Option<&Figure>| {
            figure.map_or_else(Default::default, |figure| {
                (table::number(figure.spread.median), table::apart(&figure.spread))
            })
        };
        let ((a, a_apart), (b, b_apart)) = (shown(row.a), shown(row.b));
        let ratio = row.ratio().map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
        let Some(either) = row.a.or(row.b) else { continue };
        let verdict = row.verdict().into();
        table.add_row([table::name(either), a, a_apart, b, b_apart, either.unit.clone(), ratio, verdict]);
    }
    [1, 2, 3, 4, 6].into_iter().for_each(|column| table::right(&mut table, column));
    println!("{table}");
    println!("medians; * what the workload is run for; where spreads overlap, the runs show no difference");
    Ok(())
}

/// A figure of one or both.
struct Row<'a> {
    a: Option<&'a Figure>,
    b: Option<&'a Figure>,
}

impl Row<'_> {
    /// The second median in terms of the first.
    fn ratio(&self) -> Option<f64> {
        let ratio = self.b?.spread.median / self.a?.spread.median;
        Some(ratio).filter(|ratio| ratio.is_finite())
    }

    /// What may be concluded.
    fn verdict(&self) -> &'static str {
        match (self.a, self.b) {
            (Some(a), Some(b)) if a.unit != b.unit => "not the same unit",
            (Some(a), Some(b)) if a.spread == b.spread => "",
            (Some(a), Some(b)) if a.values.len() < 2 || b.values.len() < 2 => "single run",
            (Some(a), Some(b)) if a.spread.overlaps(&b.spread) => "overlap",
            (Some(_), Some(_)) => "",
            _ => "not in both",
        }
    }
}

/// The figures of the first in their order, then those that the second alone has.
fn rows<'a>(a: &'a Results, b: &'a Results) -> Vec<Row<'a>> {
    let find = |figures: &'a [Figure], name: &str| figures.iter().find(|figure| figure.name == name);
    let both = a.figures.iter().map(|figure| Row { a: Some(figure), b: find(&b.figures, &figure.name) });
    let only_b = b.figures.iter().filter(|figure| find(&a.figures, &figure.name).is_none());
    both.chain(only_b.map(|figure| Row { a: None, b: Some(figure) })).collect()
}

/// Why the two may not be comparable.
fn warnings(a: &Results, b: &Results) -> Vec<String> {
    let mut warnings = Vec::new();
    let (a_runs, b_runs) = (a.runs.len(), b.runs.len());
    let (a, b) = (&a.conditions, &b.conditions);
    let mut differ = |what: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
        let (a, b) = (a.to_string(), b.to_string());
        if a != b {
            warnings.push(format!("{what}: {a} in a, {b} in b"));
        }
    };
    differ("not the same workload", &a.workload, &b.workload);
    differ("not the same machine", &a.machine, &b.machine);
    let names: std::collections::BTreeSet<&String> = a.config.keys().chain(b.config.keys()).collect();
    for name in names {
        let value = |config: &Conditions| config.config.get(name).map_or("none", String::as_str).to_owned();
        differ(&format!("not the same --{}", name.replace('_', "-")), &value(a), &value(b));
    }
    let build = |it: &Conditions| if it.bench_is_optimised { "optimised" } else { "not optimised" };
    differ("not the same build of rookery-bench", &build(a), &build(b));
    if a_runs < 2 || b_runs < 2 {
        warnings
            .push("a single run has no spread: measure with --repeat to tell a difference from noise".into());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::results;

    fn verdict(a: &[f64], b: &[f64]) -> (Option<f64>, &'static str) {
        let (a, b) = (results(a), results(b));
        let rows = rows(&a, &b);
        let row = rows.iter().find(|row| row.a.is_some_and(|figure| figure.name == "messages"));
        let row = row.expect("both have it");
        (row.ratio(), row.verdict())
    }

    #[test]
    fn difference_is_shown_by_spreads_apart_alone() {
        assert_eq!(verdict(&[10.0, 11.0, 12.0], &[22.0, 20.0, 24.0]), (Some(2.0), ""));
        assert_eq!(verdict(&[10.0, 11.0, 25.0], &[22.0, 20.0, 24.0]), (Some(2.0), "overlap"));
        assert_eq!(verdict(&[10.0], &[20.0, 21.0, 19.0]), (Some(2.0), "single run"));
    }

    #[test]
    fn ratio_to_nothing_is_none() {
        assert_eq!(verdict(&[0.0, 0.0], &[20.0, 21.0]), (None, ""));
    }

    #[test]
    fn figure_of_one_alone_is_there_and_said_to_be() {
        let (mut a, mut b) = (results(&[1.0]), results(&[1.0]));
        a.figures.retain(|figure| figure.name != "limit");
        b.figures.retain(|figure| figure.name != "messages");
        let rows = rows(&a, &b);
        let verdict = |name: &str| {
            let row = rows.iter().find(|row| row.a.or(row.b).is_some_and(|figure| figure.name == name));
            row.map(|row| (row.verdict(), row.ratio()))
        };
        assert_eq!(verdict("messages"), Some(("not in both", None)));
        assert_eq!(verdict("limit"), Some(("not in both", None)));
        assert_eq!(rows.last().and_then(|row| row.b).map(|figure| &*figure.name), Some("limit"));
    }

    #[test]
    fn what_is_not_the_same_is_warned_of_by_name() {
        let (a, mut b) = (results(&[1.0, 2.0]), results(&[1.0, 2.0]));
        assert_eq!(warnings(&a, &b), Vec::<String>::new());
        b.conditions.workload = "group".into();
        b.conditions.machine.kernel = "0.0.1".into();
        b.conditions.config.insert("pairs".into(), "3".into());
        b.conditions.config.insert("rate".into(), "7".into());
        b.conditions.bench_is_optimised = true;
        let warnings = warnings(&a, &b).join("\n");
        for part in
            ["workload: direct", "Linux 0.0.1", "--pairs: 2 in a, 3 in b", "--rate: none in a", "build"]
        {
            assert!(warnings.contains(part), "{part} is not in {warnings}");
        }
    }

    #[test]
    fn single_run_is_warned_of() {
        let (a, b) = (results(&[1.0]), results(&[1.0, 2.0]));
        assert!(warnings(&a, &b)[0].contains("no spread"));
    }
}
