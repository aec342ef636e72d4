//! Looking whether the store holds what it promises, in steps, while it is in use.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use rookery_store::StoreError;
use rookery_store::check::{Check, Counts, Finding};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::api::{CheckLine, FailureCode};
use super::failure::ApiError;
use super::lines::{Gone, Lines, stream};
use super::shared::Shared;

/// Keys looked at in a step.
const STEP_KEYS: usize = 256;

/// Between two steps, so that the check takes a part of what the store can do and not all.
const REST: Duration = Duration::from_millis(2);

/// How often it says how far it has come.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Findings told one by one; the rest is counted.
const TOLD_MAX: u64 = 10_000;

pub(super) async fn check(State(shared): State<Arc<Shared>>) -> Result<Response, ApiError> {
    let place = shared.checks.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(FailureCode::Busy, "a check is running already")
            .hint("wait for its end, or ask another node")
    })?;
    Ok(stream(move |lines| run(shared, place, lines)))
}

async fn run(shared: Arc<Shared>, _place: OwnedSemaphorePermit, lines: Lines) -> Result<(), Gone> {
    let stopping = shared.stopping.clone();
    let mut check = Check::new(STEP_KEYS);
    let (mut findings, mut told) = (0, Instant::now());
    loop {
        if *stopping.borrow() {
            return lines.write(&CheckLine::Failed { message: "the node is stopping".into() }).await;
        }
        match check.step(&shared.store).await {
            Ok(Some(found)) => {
                for finding in &found {
                    findings += 1;
                    if findings <= TOLD_MAX {
                        lines.write(&finding_line(finding)).await?;
                    }
                }
            }
            Ok(None) => break,
            Err(error) => return lines.write(&failed(&error)).await,
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            lines.write(&CheckLine::Progress { entries: check.counts().keys, findings }).await?;
        }
        tokio::select! {
            () = sleep(REST) => {}
            () = lines.gone() => return Err(Gone),
        }
    }
    let counts = check.counts();
    tracing::info!(entries = counts.keys, findings, "the store has been checked");
    lines.write(&done_line(counts, findings)).await
}

fn failed(error: &StoreError) -> CheckLine {
    tracing::warn!(error = error as &dyn std::error::Error, "a check could not be finished");
    CheckLine::Failed { message: format!("the store: {error}") }
}

/// A finding's words begin with what it is about.
pub(crate) fn finding_line(finding: &Finding) -> CheckLine {
    let (said, debug) = (finding.to_string(), format!("{finding:?}"));
    let rule = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let (subject, text) = said.split_once(": ").unwrap_or(("the store", &said));
    CheckLine::Finding { rule: rule.into(), subject: subject.into(), text: text.into() }
}

/// The line at the end.
pub(crate) fn done_line(counts: Counts, findings: u64) -> CheckLine {
    CheckLine::Done { entries: counts.keys, findings, counts: by_name(counts) }
}

fn by_name(counts: Counts) -> std::collections::BTreeMap<String, u64> {
    let counts = serde_json::to_value(counts).and_then(serde_json::from_value);
    counts.expect("counts are numbers by name")
}
