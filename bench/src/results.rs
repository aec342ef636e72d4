//! What is kept of a workload's runs: their figures together, and where, when and with what they were measured. The shape
//! of the JSON, which bench/README.md describes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::report::{AtRate, Latency, Report, Series, Surroundings};
use crate::statistics::Spread;

/// The version of the JSON's shape: raised when a field changes its meaning or goes away.
const SCHEMA: u64 = 1;

/// Load for each processor, before the first run, above which others have surely run beside it.
const LOAD_MAX: f64 = 0.5;

/// The share of processor time taken by the machine's host above which figures are its as well.
const STOLEN_MAX: f64 = 0.05;

/// One workload's runs on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    schema: u64,
    pub(crate) conditions: Conditions,
    /// In the order in which the workload reports them.
    pub(crate) figures: Vec<Figure>,
    pub(crate) runs: Vec<Run>,
}

/// Where, when and with what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    /// The workload's name, as on the command line.
    pub(crate) workload: String,
    /// Its arguments with their values, defaults included.
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) command: Vec<String>,
    /// When the first run began, in RFC 3339, UTC.
    pub(crate) began: String,
    pub(crate) machine: Machine,
    /// What the program under test says of its version, where there is one.
    pub(crate) program: Option<String>,
    /// This program's version.
    pub(crate) bench: String,
    /// Whether this program is an optimised build: one that is not takes more processor time itself.
    pub(crate) bench_is_optimised: bool,
}

/// A figure over all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: String,
    /// Whether the workload is run for it.
    pub(crate) is_headline: bool,
    /// One for each run that has it, in their order.
    pub(crate) values: Vec<f64>,
    #[serde(flatten)]
    pub(crate) spread: Spread,
    /// What binds it, where that is known.
    pub(crate) share: Option<Share>,
}

/// A figure as a share of another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The other one's name.
    pub(crate) of: String,
    /// Over the runs, each with its own values of both.
    #[serde(flatten)]
    pub(crate) spread: Spread,
}

/// What one run leaves besides its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The workload and what it did, in a line.
    pub(crate) title: String,
    pub(crate) surroundings: Surroundings,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) series: Vec<Series>,
    pub(crate) rates: Vec<AtRate>,
}

impl Results {
    /// Puts the runs of a workload together. A figure that is no finite number in a run has no value of it.
    pub(crate) fn new(conditions: Conditions, runs: Vec<(Report, Surroundings)>) -> Self {
        let figures = figures(runs.iter().map(|(report, _)| report));
        let runs = runs.into_iter().map(|(report, surroundings)| {
            let Report { title, latencies, series, rates, .. } = report;
            Run { title, surroundings, latencies, series, rates }
        });
        Self { schema: SCHEMA, conditions, figures, runs: runs.collect() }
    }

    /// Why the figures may say little: what else the machine was busy with.
    pub(crate) fn disturbances(&self) -> Vec<String> {
        let mut found = Vec::new();
        // Before a later run it is the run before that makes the load.
        let load = self.runs.first().map_or(0.0, |run| run.surroundings.load_average_before);
        let processors = self.conditions.machine.processors;
        if load > LOAD_MAX * processors as f64 {
            found.push(format!(
                "others were at work: load average {load:.2} on {processors} processors before"
            ));
        }
        let stolen = self.runs.iter().filter_map(|run| run.surroundings.stolen).fold(0.0, f64::max);
        if stolen > STOLEN_MAX {
            found.push(format!("the machine's host took up to {:.0} % of processor time", stolen * 100.0));
        }
        found
    }

    /// As JSON.
    ///
    /// # Errors
    /// Never in practice: all of it can be written so.
    pub(crate) fn to_json(&self) -> anyhow::Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// When there is no such file, or it is something else.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot use {}", path.display());
        let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::from_json(&json).with_context(named)
    }

    fn from_json(json: &[u8]) -> anyhow::Result<Self> {
        let value: serde_json::Value = serde_json::from_slice(json).context("this is not JSON")?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(SCHEMA) => serde_json::from_value(value).context("this is not what rookery-bench writes"),
            Some(other) => bail!("this has version {other} of the schema, and this program reads {SCHEMA}"),
            None => bail!("this is not what rookery-bench writes: it names no version of the schema"),
        }
    }
}

fn figures<'a>(runs: impl Iterator<Item = &'a Report>) -> Vec<Figure> {
    let mut names: Vec<&str> = Vec::new();
    let mut of_name: BTreeMap<&str, Vec<(&Report, usize)>> = BTreeMap::new();
    for report in runs {
        for (number, figure) in report.figures.iter().enumerate() {
            let places = of_name.entry(&figure.name).or_default();
            if places.is_empty() {
                names.push(&figure.name);
            }
            places.push((report, number));
        }
    }
    names.into_iter().filter_map(|name| figure(&of_name[name])).collect()
}

/// The figure at these places of reports.
fn figure(places: &[(&Report, usize)]) -> Option<Figure> {
    let finite = |values: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
        values.filter(|value| value.is_finite()).collect()
    };
    let values = finite(&mut places.iter().map(|&(report, at)| report.figures[at].value));
    let (first, at) = *places.first()?;
    let first = (first, &first.figures[at]);
    let share = first.1.limit.and_then(|limit| {
        let shares = places.iter().filter_map(|&(report, at)| {
            let figure = &report.figures[at];
            Some(figure.value / report.figures[figure.limit?.0].value)
        });
        let spread = Spread::of(&finite(&mut { shares }))?;
        Some(Share { of: first.0.figures[limit.0].name.clone(), spread })
    });
    Some(Figure {
        name: first.1.name.clone(),
        unit: first.1.unit.to_owned(),
        is_headline: first.1.is_headline,
        spread: Spread::of(&values)?,
        values,
        share,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    /// Runs in which `messages` has these values.
    pub(crate) fn results(values: &[f64]) -> Results {
        let runs = values.iter().map(|value| {
            let mut report = Report::new("direct: 2 pairs");
            let messages = report.add("messages", *value, "/s");
            let limit = report.add("limit", 2.0 * values[0], "/s");
            report.headline(messages);
            report.share_of(messages, limit);
            let mut times = Histogram::<u64>::new(3).expect("three digits");
            (1..=1000).for_each(|us| times.record(us).expect("it grows"));
            report.latency("send to receive", &times).expect("not empty");
            report.series("messages", "/s", vec![(0.5, *value), (1.0, *value)]);
            report.at_rate(100.0, 99.5, &times);
            let surroundings = report.surroundings();
            (report, surroundings)
        });
        let conditions = Conditions {
            workload: "direct".into(),
            config: [("pairs".to_owned(), "2".to_owned())].into(),
            command: vec!["rookery-bench".into(), "direct".into()],
            began: "2026-01-02T03:04:05Z".into(),
            machine: Machine::this(Path::new(".")).expect("the kernel tells"),
            program: Some("rookery 0.1.0".into()),
            bench: "0.1.0".into(),
            bench_is_optimised: false,
        };
        Results::new(conditions, runs.collect())
    }

    fn named<'a>(results: &'a Results, name: &str) -> &'a Figure {
        results.figures.iter().find(|figure| figure.name == name).expect("there is such a figure")
    }

    #[test]
    fn json_says_all_that_there_is() {
        let results = results(&[10.0, 30.0, 20.0]);
        let json = results.to_json().expect("it can be written");
        assert_eq!(Results::from_json(&json).expect("it can be read"), results);
    }

    #[test]
    fn figures_of_all_runs_are_put_together_by_name() {
        let results = results(&[10.0, 30.0, 20.0]);
        let messages = named(&results, "messages");
        assert_eq!(messages.values, [10.0, 30.0, 20.0]);
        assert_eq!(messages.spread, Spread { median: 20.0, min: 10.0, max: 30.0 });
        assert!(messages.is_headline);
        let share = messages.share.as_ref().expect("it has a limit");
        assert_eq!(share.of, "limit");
        assert_eq!(share.spread, Spread { median: 1.0, min: 0.5, max: 1.5 });
        assert_eq!(named(&results, "limit").share, None);
    }

    #[test]
    fn latency_is_kept_as_quantiles_and_as_a_rising_distribution() {
        let results = results(&[1.0]);
        assert_eq!(named(&results, "send to receive, p50").values, [0.5]);
        assert_eq!(named(&results, "send to receive, p99").values, [0.99]);
        let latency = &results.runs[0].latencies[0];
        assert_eq!(latency.count, 1000);
        assert!(latency.cdf.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert_eq!(latency.cdf.last(), Some(&(1.0, 1.0)));
    }

    #[test]
    fn value_that_is_no_number_is_left_out() {
        let results = results(&[f64::NAN, 3.0]);
        let messages = named(&results, "messages");
        assert_eq!(messages.values, [3.0]);
        assert_eq!(messages.share, None);
        Results::from_json(&results.to_json().expect("it can be written")).expect("it can be read");
    }

    #[test]
    fn what_disturbs_is_told_from_the_run_itself() {
        let mut results = results(&[1.0, 2.0]);
        results.conditions.machine.processors = 2;
        for run in &mut results.runs {
            run.surroundings.load_average_before = 0.2;
            run.surroundings.stolen = Some(0.01);
        }
        results.runs[1].surroundings.load_average_before = 5.0;
        assert_eq!(results.disturbances(), Vec::<String>::new());
        results.runs[0].surroundings.load_average_before = 1.5;
        results.runs[1].surroundings.stolen = Some(0.2);
        let found = results.disturbances();
        assert!(found[0].contains("1.50 on 2 processors") && found[1].contains("20 %"), "{found:?}");
    }

    #[test]
    fn file_of_another_kind_is_refused_by_what_it_is() {
        let refused = |json: &str| Results::from_json(json.as_bytes()).expect_err("it is none").to_string();
        assert!(refused("not").contains("not JSON"));
        assert!(refused("{}").contains("names no version"));
        assert!(refused("[1]").contains("names no version"));
        assert!(refused("{\"schema\": 7}").contains("version 7"));
        assert!(refused("{\"schema\": 1}").contains("not what rookery-bench writes"));
    }
}
