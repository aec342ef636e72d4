//! What operators are given speaks of metrics that there are, and leaves none out: alert rules, dashboard, guide.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::chatting::exchange;
use crate::program::{FREE_PORTS, Program};
use crate::running_node::get;
use crate::several_nodes::{authority, eventually, running};

const ALERTS: &str = include_str!("../../../ops/alerts.yml");
const DASHBOARD: &str = include_str!("../../../ops/grafana.json");
const GUIDE: &str = include_str!("../../../docs/operations.md");

/// What Prometheus adds to every sample.
const LABELS_OF_TARGETS: [&str; 2] = ["instance", "job"];

/// What nodes say at `/metrics`.
#[derive(Default)]
struct Said {
    /// By sample, its labels' values by name.
    samples: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Metrics, of which histograms have several samples.
    metrics: BTreeSet<String>,
}

impl Said {
    fn add(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                self.metrics.insert(described.split(' ').next().unwrap().to_owned());
            } else if let Some(Mention { name, labels }) = mentions(line).into_iter().next() {
                let sample = self.samples.entry(name).or_default();
                for (label, values) in labels {
                    sample.entry(label).or_default().extend(values);
                }
            }
        }
    }

    fn labels(&self) -> BTreeSet<&str> {
        self.samples.values().flat_map(|labels| labels.keys().map(String::as_str)).collect()
    }

    /// What of a text is not said.
    fn lacks(&self, text: &str) -> Vec<String> {
        let mut lacking = Vec::new();
        for Mention { name, labels } in mentions(text) {
            let Some(sample) = self.samples.get(&name) else {
                if !self.metrics.contains(&name) {
                    lacking.push(name);
                }
                continue;
            };
            for (label, values) in labels {
                if LABELS_OF_TARGETS.contains(&label.as_str()) {
                    continue;
                }
                let Some(known) = sample.get(&label) else {
                    lacking.push(format!("{name}{{{label}}}"));
                    continue;
                };
                let unknown = values.into_iter().filter(|value| !known.contains(value));
                lacking.extend(unknown.map(|value| format!("{name}{{{label}={value:?}}}")));
            }
        }
        lacking
    }
}

/// A metric in a text.
struct Mention {
    name: String,
    /// The labels in its braces; with the values that stand there, alternatives apart.
    labels: Vec<(String, Vec<String>)>,
}

/// The metrics that a text names, and what is in the braces after them.
fn mentions(text: &str) -> Vec<Mention> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_name) {
        let word_end = rest[at..].find(|c| !is_name(c)).map_or(rest.len(), |length| at + length);
        let (name, after) = (&rest[at..word_end], &rest[word_end..]);
        rest = after;
        // The name of a crate, in directives for the log.
        let is_crate = after.starts_with('=') || after.starts_with("::");
        if !(name.starts_with("rookery_") || name.starts_with("process_")) || is_crate {
            continue;
        }
        let mut labels = Vec::new();
        if let Some((inside, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            rest = after;
            labels.extend(inside.split(',').map(|matcher| {
                let matcher = matcher.trim().replace('\\', "");
                let label = matcher.split(|c| !is_name(c)).next().unwrap_or_default().to_owned();
                let value = matcher.split('"').nth(1).unwrap_or_default();
                let values = value.split('|').filter(|value| !value.is_empty());
                (label, values.map(str::to_owned).collect())
            }));
        }
        found.push(Mention { name: name.to_owned(), labels });
    }
    found
}

/// The labels that expressions group by, and those that are shown.
fn labels_used(text: &str) -> BTreeSet<&str> {
    let between = |begin: &'static str, end: char| {
        text.split(begin).skip(1).filter_map(move |after| after.split(end).next())
    };
    let grouped = between("by (", ')').chain(between("on (", ')')).flat_map(|inside| inside.split(','));
    let shown = between("{{", '}').map(|inside| inside.split('|').next().unwrap_or_default());
    let shown = shown.map(|inside| inside.trim().trim_start_matches("$labels."));
    grouped.map(str::trim).chain(shown).filter(|label| *label != "$value").collect()
}

/// Two nodes that have had something to do, and something go wrong.
fn listen() -> Said {
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&["up", "--nodes", "2"]);
    exchange(&program);
    let mut stranger = TcpStream::connect(up.address("ws")).unwrap();
    stranger.write_all(b"no request\r\n\r\n").unwrap();
    // The end of the connection, however it comes. It is counted a moment later.
    let _ = stranger.read_to_end(&mut Vec::new());
    eventually("all has been counted", || {
        let mut said = Said::default();
        for node in running(&program) {
            said.add(&get(authority(&node.listening?.http?), "/metrics"));
        }
        said.metrics.contains("rookery_handshakes_failed_total").then_some(said)
    })
}

#[test]
fn alerts_dashboard_and_guide_speak_of_metrics_that_there_are_and_the_guide_of_all() {
    let said = listen();
    for (what, text) in [("alerts", ALERTS), ("dashboard", DASHBOARD), ("guide", GUIDE)] {
        let lacking = said.lacks(text);
        assert!(lacking.is_empty(), "{what}: {lacking:?}");
    }
    for (what, text) in [("alerts", ALERTS), ("dashboard", DASHBOARD)] {
        let mut known = said.labels();
        known.extend(LABELS_OF_TARGETS);
        let unknown: Vec<_> = labels_used(text).into_iter().filter(|label| !known.contains(label)).collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
    let explained: BTreeSet<String> = mentions(GUIDE).into_iter().map(|mention| mention.name).collect();
    let unexplained: Vec<_> = said.metrics.difference(&explained).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
}

#[test]
fn each_alert_says_what_it_is_and_has_its_place_in_the_guide() {
    let after = |text: &'static str, mark: &'static str| {
        text.lines().filter_map(move |line| line.trim().strip_prefix(mark)).map(str::trim)
    };
    let alerts: Vec<&str> = after(ALERTS, "- alert:").collect();
    assert!(!alerts.is_empty());
    assert_eq!(after(ALERTS, "summary:").count(), alerts.len());
    let runbooks: Vec<&str> = after(ALERTS, "runbook:").collect();
    let expected: Vec<String> =
        alerts.iter().map(|alert| format!("docs/operations.md#{}", alert.to_lowercase())).collect();
    assert_eq!(runbooks, expected);
    let in_guide: BTreeSet<&str> = after(GUIDE, "#### ").filter(|it| it.starts_with("Rookery")).collect();
    assert_eq!(in_guide, alerts.into_iter().collect());
}

#[test]
fn what_is_not_said_is_found() {
    let mut said = Said::default();
    said.add("# TYPE rookery_a counter\nrookery_a{x=\"1\"} 2\nrookery_b_bucket{le=\"+Inf\"} 1\n");
    let lacks = |text| said.lacks(text);
    assert!(
        lacks("rate(rookery_a{x=~\"1\", job=\"j\"}[5m]) and `rookery_a{x}`; rookery_actors=debug").is_empty()
    );
    assert_eq!(lacks("rookery_c > rookery_a{y=\"1\"}"), ["rookery_c", "rookery_a{y}"]);
    assert_eq!(lacks("rookery_a{x=~\\\"1|2\\\"}"), ["rookery_a{x=\"2\"}"]);
    let used = labels_used("sum by (a, le) (x) > on (b) {{ $labels.c }} {{d}} {{ $value | humanize }}");
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "le"]);
}
