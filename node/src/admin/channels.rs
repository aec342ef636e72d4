//! Channels and who follows them, in the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use rookery_protocol::{ConversationId, GroupId, UserId};
use rookery_store::engine::Snapshot;
use rookery_store::keys::group::{Group, Members};
use rookery_store::{StoreError, queries};

use super::api::{Channel, ChannelShown, Channels, Followers, Page};
use super::failure::{Answer, ApiError};
use super::groups::{of_user, shown};
use super::input::{Asked, find_group, page_limit};
use super::shared::Shared;
use super::who::{after_user, cut};

/// Groups that are looked at for a page of channels.
const GROUPS_MAX: usize = 2_048;

pub(super) async fn list(State(shared): State<Arc<Shared>>, Asked(page): Asked<Page>) -> Answer<Channels> {
    let limit = page_limit(page.limit)?;
    let after = page.after.and_then(|number| GroupId::new(number.min(GroupId::MAX)).ok());
    let snapshot = shared.store.snapshot().await?;
    let (found, next) = queries::channels(&*snapshot, after, limit, GROUPS_MAX).await?;
    let mut channels = Vec::with_capacity(found.len());
    for channel in found {
        channels.push(of_channel(&*snapshot, channel).await?);
    }
    Ok(Json(Channels { channels, next: next.map(GroupId::get) }))
}

async fn of_channel(
    snapshot: &dyn Snapshot,
    queries::Channel { group, members }: queries::Channel,
) -> Result<Channel, StoreError> {
    let about = queries::group(snapshot, group).await?;
    let about = about.ok_or_else(|| StoreError::Corrupt(format!("group {group} has members alone")))?;
    Ok(Channel {
        group: group.get(),
        conversation: ConversationId::group(group).to_string(),
        name: about.name,
        created_ms: about.created_ms,
        members: members as u64,
        followers: queries::followers_count(snapshot, group).await?,
    })
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Path(group): Path<String>,
) -> Answer<ChannelShown> {
    let snapshot = shared.store.snapshot().await?;
    let (group, about, members) = find_channel(&*snapshot, &group).await?;
    let followers = queries::followers_count(&*snapshot, group).await?;
    Ok(Json(ChannelShown { group: shown(&*snapshot, group, about, Some(members)).await?, followers }))
}

pub(super) async fn followers(
    State(shared): State<Arc<Shared>>,
    Path(group): Path<String>,
    Asked(page): Asked<Page>,
) -> Answer<Followers> {
    let limit = page_limit(page.limit)?;
    let snapshot = shared.store.snapshot().await?;
    let (group, ..) = find_channel(&*snapshot, &group).await?;
    let mut users = queries::followers(&*snapshot, group, after_user(page.after), limit + 1).await?;
    let next = cut(&mut users, limit, |user: &UserId| user.get());
    let accounts = queries::accounts(&*snapshot, users.iter().copied()).await?;
    let count = queries::followers_count(&*snapshot, group).await?;
    let followers = users.into_iter().zip(accounts).map(of_user).collect();
    Ok(Json(Followers { group: group.get(), count, followers, next }))
}

/// The channel that a text names, as a group is named.
async fn find_channel(snapshot: &dyn Snapshot, text: &str) -> Result<(GroupId, Group, Members), ApiError> {
    let (group, about) = find_group(snapshot, text).await?;
    let members = queries::members(snapshot, group).await?;
    let channel = members.filter(|members| members.settings.is_channel);
    channel.map(|members| (group, about, members)).ok_or_else(|| {
        ApiError::not_found(format!("group {group} is no channel"))
            .hint("GET /v1/groups/GROUP shows what it is")
    })
}
