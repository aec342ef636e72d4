//! Following a user's messages.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use rookery_actors::{Trace, TraceEvent, Traced, TracedItem};
use rookery_protocol::UserId;
use tokio::time::{Instant, sleep_until, timeout};

use super::api::{FailureCode, TraceLine, TraceQuery};
use super::failure::ApiError;
use super::input::{Asked, find_user, within};
use super::lines::{Gone, Lines, stream};
use super::shared::Shared;

/// For how many seconds, if the request does not say.
const SECONDS: u64 = 60;

/// For how many seconds at the most.
const SECONDS_MAX: u64 = 3_600;

/// When nothing has happened for so long, the stream says that it is still there.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

pub(super) async fn trace(
    State(shared): State<Arc<Shared>>,
    Path(user): Path<String>,
    Asked(query): Asked<TraceQuery>,
) -> Result<Response, ApiError> {
    let seconds = within("seconds", query.seconds.map_or(SECONDS, u64::from), (1, SECONDS_MAX))?;
    let snapshot = shared.store.snapshot().await?;
    let (user, _) = find_user(&*snapshot, &user).await?;
    drop(snapshot);
    let trace = shared.actors.trace(user).map_err(|error| {
        ApiError::new(FailureCode::Busy, error.to_string()).hint("end one of them, or wait for its end")
    })?;
    tracing::info!(%user, seconds, "an operator follows a user's messages");
    Ok(stream(move |lines| follow(shared, user, trace, Duration::from_secs(seconds), lines)))
}

async fn follow(
    shared: Arc<Shared>,
    user: UserId,
    mut trace: Trace,
    time: Duration,
    lines: Lines,
) -> Result<(), Gone> {
    let (node, until) = (shared.about.node.to_string(), Instant::now() + time);
    let time_ms = shared.clock.now_ms();
    let until_ms = time_ms + time.as_millis() as u64;
    lines.write(&TraceLine::Started { node: node.clone(), user: user.get(), time_ms, until_ms }).await?;
    let mut stopping = shared.stopping.clone();
    let reason = loop {
        let line = tokio::select! {
            item = timeout(ALIVE_EVERY, trace.next()) => match item {
                Ok(TracedItem::Event(traced)) => line(traced, &node),
                Ok(TracedItem::Lost(lost)) => TraceLine::Lost { lines: lost },
                Err(_) => TraceLine::Alive { time_ms: shared.clock.now_ms() },
            },
            () = sleep_until(until) => break "time",
            _ = stopping.wait_for(|stopping| *stopping) => break "stopping",
            () = lines.gone() => return Err(Gone),
        };
        lines.write(&line).await?;
    };
    lines.write(&TraceLine::Ended { reason: reason.into() }).await
}

fn line(Traced { time_ms, event }: Traced, here: &str) -> TraceLine {
    match event {
        TraceEvent::Arrived { message, conversation, user, device, connection, body_bytes } => {
            TraceLine::Arrived {
                time_ms,
                user: user.get(),
                message: message.to_string(),
                conversation: conversation.to_string(),
                device: device.get(),
                connection,
                body_bytes: body_bytes as u64,
            }
        }
        TraceEvent::Committed { message, conversation, seq, stamp, took_us } => TraceLine::Committed {
            time_ms,
            message: message.to_string(),
            conversation: conversation.to_string(),
            seq: seq.get(),
            stamp: stamp.map(|stamp| stamp.to_string()),
            took_us,
        },
        TraceEvent::Refused { message, conversation, code } => TraceLine::Refused {
            time_ms,
            message: message.to_string(),
            conversation: conversation.to_string(),
            code: format!("{code:?}"),
        },
        TraceEvent::Rung { user, message, stamp, node } => TraceLine::Rung {
            time_ms,
            user: user.get(),
            message: message.map(|message| message.to_string()),
            stamp: stamp.map(|stamp| stamp.to_string()),
            node: node.map_or_else(|| here.to_owned(), |node| node.to_string()),
        },
        TraceEvent::RungMany { users, message, stamp, node } => TraceLine::RungMany {
            time_ms,
            users: users as u64,
            message: message.map(|message| message.to_string()),
            stamp: stamp.map(|stamp| stamp.to_string()),
            node: node.map_or_else(|| here.to_owned(), |node| node.to_string()),
        },
        TraceEvent::Pushed { user, device, connection, stamp, message } => TraceLine::Pushed {
            time_ms,
            user: user.get(),
            message: message.map(|message| message.to_string()),
            stamp: stamp.to_string(),
            device: device.get(),
            connection,
        },
        TraceEvent::Acknowledged { device, connection, stamp, .. } => {
            TraceLine::Acknowledged { time_ms, stamp: stamp.to_string(), device: device.get(), connection }
        }
        TraceEvent::Delivered { user, device, conversation, seq } => TraceLine::Delivered {
            time_ms,
            user: user.get(),
            device: device.get(),
            conversation: conversation.to_string(),
            seq: seq.get(),
        },
    }
}
