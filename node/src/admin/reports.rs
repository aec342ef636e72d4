//! What users have reported, until somebody has dealt with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use rookery_protocol::{Stamp, UserId};
use rookery_store::engine::Snapshot;
use rookery_store::keys::report::Report as Stored;
use rookery_store::{StoreError, ops, queries};

use super::api::{Done, Report, ReportShown, ReportUser, ReportedMessage, Reports, ReportsQuery};
use super::failure::{Answer, ApiError};
use super::input::{Asked, page_limit, stamp};
use super::shared::Shared;

/// Who some users are.
struct People(BTreeMap<UserId, Option<String>>);

impl People {
    async fn find(snapshot: &dyn Snapshot, users: impl Iterator<Item = UserId>) -> Result<Self, StoreError> {
        let mut users: Vec<UserId> = users.collect();
        users.sort_unstable();
        users.dedup();
        let accounts = queries::accounts(snapshot, users.iter().copied()).await?;
        let handles = accounts.into_iter().map(|account| account.map(|account| account.handle.into()));
        Ok(Self(users.into_iter().zip(handles).collect()))
    }

    fn get(&self, user: UserId) -> ReportUser {
        ReportUser { user: user.get(), handle: self.0.get(&user).cloned().flatten() }
    }
}

fn report((stamp, report): (Stamp, Stored), people: &People) -> Report {
    Report {
        report: stamp.to_string(),
        time_ms: report.time_ms,
        reporter: people.get(report.reporter),
        user: people.get(report.user),
        conversation: report.conversation.map(|conversation| conversation.to_string()),
        messages: report.seqs.iter().map(|seq| seq.get()).collect(),
        text: report.text,
    }
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Asked(query): Asked<ReportsQuery>,
) -> Answer<Reports> {
    let limit = page_limit(query.limit)?;
    let after = query.after.as_deref().map(|after| stamp("after", after)).transpose()?;
    let snapshot = shared.store.snapshot().await?;
    let found = queries::reports(&*snapshot, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|(stamp, _)| stamp.to_string());
    let users = found.iter().flat_map(|(_, report)| [report.reporter, report.user]);
    let people = People::find(&*snapshot, users).await?;
    let waiting = queries::reports_waiting(&*snapshot).await?;
    let reports = found.into_iter().map(|found| report(found, &people)).collect();
    Ok(Json(Reports { waiting, reports, next }))
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(text): Path<String>) -> Answer<ReportShown> {
    let stamp = stamp("report", &text)?;
    let snapshot = shared.store.snapshot().await?;
    let found = queries::report(&*snapshot, stamp).await?.ok_or_else(|| not_found(stamp))?;
    let messages = queries::evidence(&*snapshot, stamp).await?;
    let senders = messages.iter().map(|message| message.sender);
    let people = People::find(&*snapshot, senders.chain([found.reporter, found.user])).await?;
    let messages = messages.into_iter().map(|message| ReportedMessage {
        seq: message.seq.get(),
        sender: people.get(message.sender),
        time_ms: message.time_ms,
        text: message.body.map(|body| String::from_utf8_lossy(body.as_bytes()).into_owned()),
    });
    Ok(Json(ReportShown { messages: messages.collect(), report: report((stamp, found), &people) }))
}

pub(super) async fn resolve(State(shared): State<Arc<Shared>>, Path(text): Path<String>) -> Answer<Done> {
    let stamp = stamp("report", &text)?;
    let snapshot = shared.store.snapshot().await?;
    let Stored { reporter, user, .. } =
        queries::report(&*snapshot, stamp).await?.ok_or_else(|| not_found(stamp))?;
    drop(snapshot);
    let op = ops::ResolveReport { stamp, reporter };
    if !shared.store.submit(&reporter, op).await?.answer? {
        return Err(not_found(stamp));
    }
    tracing::info!(report = %stamp, %reporter, reported = %user, "an operator has dealt with a report");
    Ok(Json(Done { changed: true }))
}

fn not_found(stamp: Stamp) -> ApiError {
    ApiError::not_found(format!("there is no report {stamp}, or it has been dealt with"))
        .hint("GET /v1/reports lists the reports")
}
