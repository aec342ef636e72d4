//! Addresses that may not connect.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use rookery_store::keys::ban::{BANS_MAX, Ban as Stored, Network};
use rookery_store::ops;
use rookery_store::queries;

use super::api::{AddBan, Ban, BanAdded, Bans, Done, FailureCode};
use super::failure::{Answer, ApiError};
use super::input::{Body, network, short, within};
use super::shared::Shared;

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 200;

/// Bans read at a time.
const PAGE: usize = 1_000;

/// The longest ban that is not for ever: a hundred years.
const SECONDS_MAX: u64 = 100 * 366 * 24 * 60 * 60;

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Answer<Bans> {
    let snapshot = shared.store.snapshot().await?;
    let now_ms = shared.clock.now_ms();
    let (mut bans, mut after) = (Vec::new(), None);
    loop {
        let page = queries::bans(&*snapshot, after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        // One that has ended is taken away by the nodes, by and by.
        let lasting =
            page.into_iter().filter(|(_, ban)| ban.until_ms.is_none_or(|until_ms| until_ms > now_ms));
        bans.extend(lasting.map(|(network, ban)| of_ban(network, ban)));
    }
    Ok(Json(Bans { bans }))
}

fn of_ban(network: Network, ban: Stored) -> Ban {
    Ban { network: network.to_string(), reason: ban.reason, since_ms: ban.since_ms, until_ms: ban.until_ms }
}

pub(super) async fn add(State(shared): State<Arc<Shared>>, Body(ban): Body<AddBan>) -> Answer<BanAdded> {
    let network = network(&ban.network)?;
    if network.bits() == 0 {
        return Err(ApiError::bad("that is every address there is"));
    }
    short("reason", &ban.reason, (0, REASON_CHARS_MAX))?;
    let seconds = ban.seconds.map(|seconds| within("seconds", seconds, (1, SECONDS_MAX))).transpose()?;
    let since_ms = shared.clock.now_ms();
    let until_ms = seconds.map(|seconds| since_ms + seconds * 1_000);
    let ban = Stored { reason: ban.reason, since_ms, until_ms };
    let op = ops::AddBan { network, ban: ban.clone() };
    if shared.store.submit(&network, op).await?.answer? == ops::BanAdded::TooMany {
        let error =
            ApiError::new(FailureCode::Conflict, format!("there are {BANS_MAX} bans, which is the most"));
        return Err(error.hint("take some away, or ban the network that contains them"));
    }
    tracing::info!(%network, reason = ban.reason, until_ms, "an operator has banned an address");
    let closed = shared.bans.refresh(&shared.store, &shared.actors).await?;
    Ok(Json(BanAdded { ban: of_ban(network, ban), closed: closed as u64 }))
}

pub(super) async fn remove(State(shared): State<Arc<Shared>>, Path(text): Path<String>) -> Answer<Done> {
    let network = network(&text)?;
    let op = ops::RemoveBan { network, ended_by_ms: None };
    if !shared.store.submit(&network, op).await?.answer? {
        return Err(
            ApiError::not_found(format!("{network} is not banned")).hint("GET /v1/bans lists the bans")
        );
    }
    tracing::info!(%network, "an operator has ended a ban");
    shared.bans.refresh(&shared.store, &shared.actors).await?;
    Ok(Json(Done { changed: true }))
}
