//! This node: how it is, its metrics, what it logs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::api::{Counts, FailureCode, LogLevel, Status};
use super::failure::{Answer, ApiError};
use super::input::Body;
use super::shared::Shared;
use crate::config::Directives;

pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Answer<Status> {
    let view = shared.view().await?;
    let about = &shared.about;
    let not_ready = shared.readiness.check().await.err();
    Ok(Json(Status {
        cluster: about.cluster.clone(),
        node: about.node.to_string(),
        incarnation: shared.actors.cluster().map_or(0, |cluster| cluster.me.incarnation.get()),
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        time_ms: shared.clock.now_ms(),
        uptime_ms: millis(shared.started.elapsed()),
        engine: about.engine.into(),
        epoch: view.epoch.get(),
        ready: not_ready.is_none(),
        not_ready,
        draining: shared.readiness.is_draining(),
        clients: about.clients.clone(),
        slots: view.slots_of(&about.node) as u32,
        counts: counts(&shared).await,
    }))
}

async fn counts(shared: &Shared) -> Counts {
    let counts = shared.actors.counts().await;
    Counts {
        connections: counts.connections as u64,
        connections_awake: counts.connections_awake as u64,
        sessions: counts.sessions as u64,
        sessions_awake: counts.sessions_awake as u64,
    }
}

/// Milliseconds of a length of time.
pub(super) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, ApiError> {
    let not_supported = || ApiError::new(FailureCode::NotSupported, "this node keeps no metrics");
    let render = shared.metrics.as_ref().ok_or_else(not_supported)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render()).into_response())
}

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], super::routes::DOCUMENT).into_response()
}

pub(super) async fn log_level(State(shared): State<Arc<Shared>>) -> Answer<LogLevel> {
    let log = shared.log.as_ref().ok_or_else(no_log)?;
    Ok(Json(LogLevel { level: log.level() }))
}

pub(super) async fn set_log_level(
    State(shared): State<Arc<Shared>>,
    Body(wanted): Body<LogLevel>,
) -> Answer<LogLevel> {
    let log = shared.log.as_ref().ok_or_else(no_log)?;
    let level: Directives = wanted.level.parse().map_err(|error: String| {
        let hint = "error, warn, info, debug, trace, off, or directives such as info,rookery_store=debug";
        ApiError::bad(error).hint(hint)
    })?;
    log.set(&level);
    tracing::info!(level = level.as_str(), "an operator has changed the log level");
    Ok(Json(LogLevel { level: log.level() }))
}

fn no_log() -> ApiError {
    ApiError::new(FailureCode::NotSupported, "this node's logs are not its own to change")
}
