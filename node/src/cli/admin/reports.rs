//! `rookery admin reports`.

use anyhow::{Result, bail};
use rookery_protocol::Stamp;

use super::arguments::{Reports, Sure};
use super::client::Api;
use super::cluster::Cluster;
use super::show::{line, moment, or_dash, say, say_json, say_table, table};
use crate::admin::api;
use crate::cli::confirm::confirm;

/// Characters of a report's text in the list.
const TEXT_CHARS: usize = 60;

pub(super) async fn run(cluster: &Cluster, command: Reports, json: bool) -> Result<()> {
    let entry = &cluster.entry;
    match command {
        Reports::List { after, limit } => {
            let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let reports: api::Reports = entry.get(&format!("/v1/reports?limit={limit}{after}")).await?;
            if json { say_json(&reports) } else { list(&reports) }
        }
        Reports::Show { report } => {
            let shown: api::ReportShown = entry.get(&path(report)).await?;
            if json { say_json(&shown) } else { show(&shown) }
        }
        Reports::Resolve { report, sure } => resolve(entry, report, sure, json).await?,
    }
    Ok(())
}

fn path(report: Stamp) -> String {
    format!("/v1/reports/{report}")
}

fn person(api::ReportUser { user, handle }: &api::ReportUser) -> String {
    handle.clone().unwrap_or_else(|| format!("id:{user}"))
}

fn list(reports: &api::Reports) {
    let mut shown = table(["report", "when", "by", "about", "where", "messages#", "text"]);
    for report in &reports.reports {
        let text: String = line(&report.text).chars().take(TEXT_CHARS).collect();
        shown.add_row([
            report.report.clone(),
            moment(report.time_ms),
            person(&report.reporter),
            person(&report.user),
            or_dash(report.conversation.as_deref().unwrap_or_default()),
            report.messages.len().to_string(),
            or_dash(text),
        ]);
    }
    say_table(&shown, "nothing is reported");
    if let Some(next) = &reports.next {
        say(format_args!("\n{} wait in all: `--after {next}` shows more", reports.waiting));
    }
}

fn show(api::ReportShown { report, messages }: &api::ReportShown) {
    let (by, about) = (person(&report.reporter), person(&report.user));
    say(format_args!("{by} has reported {about}   at {}", moment(report.time_ms)));
    if let Some(conversation) = &report.conversation {
        say(format_args!("in {conversation}"));
    }
    if !report.text.is_empty() {
        say(format_args!("{}", line(&report.text)));
    }
    if report.messages.is_empty() {
        return;
    }
    let mut shown = table(["#", "when", "from", "text"]);
    for seq in &report.messages {
        let [when, from, text] = match messages.iter().find(|message| message.seq == *seq) {
            Some(message) => {
                let text = message.text.as_deref().map_or_else(|| "(no text)".into(), line);
                [moment(message.time_ms), person(&message.sender), text]
            }
            None => ["-".into(), "-".into(), "(was not there)".into()],
        };
        shown.add_row([seq.to_string(), when, from, text]);
    }
    say(format_args!("\n{}", shown.trim_fmt()));
}

async fn resolve(entry: &Api, report: Stamp, sure: Sure, json: bool) -> Result<()> {
    let api::ReportShown { report: shown, .. } = entry.get(&path(report)).await?;
    let (by, about) = (person(&shown.reporter), person(&shown.user));
    if !sure.yes && !confirm(&format!("Forget what {by} has reported of {about}?"))? {
        bail!("nothing was resolved");
    }
    let done: api::Done = entry.delete(&path(report)).await?;
    if json {
        say_json(&done);
    } else {
        say(format_args!("the report about {about} has been dealt with"));
    }
    Ok(())
}
