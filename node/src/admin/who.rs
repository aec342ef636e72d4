//! Who is here: where a user is, sessions, connections; and closing them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use rookery_actors::{ConnectionSeen, SessionSeen, SessionState as Seen};
use rookery_protocol::{ErrorCode, UserId};
use rookery_store::keys::ban::Network;
use rookery_store::queries;

use super::api::{
    Connection, Connections, ConnectionsQuery, Kick, Kicked, Page, Session, SessionState, Sessions, Where,
};
use super::failure::{Answer, ApiError};
use super::input::{Asked, Body, find_device, find_user, network, page_limit, short};
use super::shared::Shared;
use super::this_node::millis;

/// Characters of a kick's reason.
const REASON_CHARS_MAX: usize = 200;

pub(super) async fn locate(State(shared): State<Arc<Shared>>, Path(user): Path<String>) -> Answer<Where> {
    let snapshot = shared.store.snapshot().await?;
    let (user, account) = find_user(&*snapshot, &user).await?;
    let view = queries::view(&*snapshot).await?;
    drop(snapshot);
    let located = shared.actors.locate(user).await;
    Ok(Json(Where {
        user: user.get(),
        handle: account.handle.to_string(),
        slot: located.slot.number(),
        owner: view.owner(located.slot).map(|member| member.name.to_string()),
        node: shared.about.node.to_string(),
        shard: located.shard as u32,
        session: of_state(located.session),
        hosts: located.hosts.iter().map(ToString::to_string).collect(),
        connections: located.connections.iter().map(of_connection).collect(),
    }))
}

fn of_state(state: Seen) -> SessionState {
    match state {
        Seen::Absent => SessionState::Absent,
        Seen::Hibernating => SessionState::Hibernating,
        Seen::Alive => SessionState::Alive,
    }
}

fn of_session(seen: &SessionSeen) -> Session {
    Session {
        user: seen.user.get(),
        shard: seen.shard as u32,
        state: of_state(seen.state),
        devices: seen.devices.iter().map(|device| device.get()).collect(),
    }
}

fn of_connection(seen: &ConnectionSeen) -> Connection {
    Connection {
        connection: seen.number,
        user: seen.identity.map(|(user, _)| user.get()),
        device: seen.identity.map(|(_, device)| device.get()),
        peer: seen.peer.to_string(),
        open_ms: millis(seen.open_for),
        in_flight: seen.in_flight,
        queued_bytes: seen.queued_bytes as u64,
        closing: seen.is_closing,
    }
}

/// Cuts what was read beyond the page, and says where the next one begins.
pub(super) fn cut<T>(page: &mut Vec<T>, limit: usize, key: impl Fn(&T) -> u64) -> Option<u64> {
    let more = page.len() > limit;
    page.truncate(limit);
    page.last().map(key).filter(|_| more)
}

/// The user that a page begins after. What is beyond the greatest number comes after everybody.
pub(super) fn after_user(after: Option<u64>) -> Option<UserId> {
    after.and_then(|number| UserId::new(number.min(UserId::MAX)).ok())
}

pub(super) async fn sessions(
    State(shared): State<Arc<Shared>>,
    Asked(page): Asked<Page>,
) -> Answer<Sessions> {
    let limit = page_limit(page.limit)?;
    let mut seen = shared.actors.sessions(after_user(page.after), limit + 1).await;
    let next = cut(&mut seen, limit, |session| session.user.get());
    let sessions = seen.iter().map(of_session).collect();
    Ok(Json(Sessions { node: shared.about.node.to_string(), sessions, next }))
}

pub(super) async fn connections(
    State(shared): State<Arc<Shared>>,
    Asked(query): Asked<ConnectionsQuery>,
) -> Answer<Connections> {
    let limit = page_limit(query.limit)?;
    let peer = query.peer.as_deref().map(network).transpose()?;
    let user = match &query.user {
        Some(user) => Some(find_user(&*shared.store.snapshot().await?, user).await?.0),
        None => None,
    };
    let wanted = |seen: &ConnectionSeen| {
        user.is_none_or(|user| seen.identity.is_some_and(|(of, _)| of == user))
            && peer.is_none_or(|peer: Network| peer.contains(seen.peer.ip()))
    };
    let mut seen = shared.actors.connections(query.after.unwrap_or(0), limit + 1, wanted);
    let next = cut(&mut seen, limit, |connection| connection.number);
    let connections = seen.iter().map(of_connection).collect();
    Ok(Json(Connections { node: shared.about.node.to_string(), connections, next }))
}

pub(super) async fn kick(State(shared): State<Arc<Shared>>, Body(kick): Body<Kick>) -> Answer<Kicked> {
    let reason = kick.reason.as_deref().unwrap_or("an operator has closed this connection");
    short("reason", reason, (0, REASON_CHARS_MAX))?;
    let close =
        |wanted: &dyn Fn(&ConnectionSeen) -> bool| shared.actors.close(ErrorCode::Kicked, reason, wanted);
    let closed = match (&kick.user, &kick.device, kick.connection) {
        (Some(user), device, None) => {
            let snapshot = shared.store.snapshot().await?;
            let (user, _) = find_user(&*snapshot, user).await?;
            let device = match device {
                Some(device) => Some(find_device(&*snapshot, user, device).await?.0),
                None => None,
            };
            close(&|seen| {
                let wanted = |it| device.is_none_or(|device| device == it);
                seen.identity.is_some_and(|(of, it)| of == user && wanted(it))
            })
        }
        (None, None, Some(number)) => {
            let closed = close(&|seen| seen.number == number);
            if closed.is_empty() {
                return Err(ApiError::not_found(format!("this node has no connection {number}"))
                    .hint("GET /v1/connections lists those there are"));
            }
            closed
        }
        _ => {
            let error = ApiError::bad("say whose connections are to be closed");
            return Err(error.hint("give `user`, with or without `device`, or `connection` alone"));
        }
    };
    tracing::info!(connections = ?closed, reason, "an operator has closed connections");
    Ok(Json(Kicked { node: shared.about.node.to_string(), connections: closed }))
}
