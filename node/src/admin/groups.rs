//! Groups, in the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use rookery_protocol::{ConversationId, GroupId, Role, UserId};
use rookery_store::engine::Snapshot;
use rookery_store::keys::group::{Group as AboutGroup, Members};
use rookery_store::keys::user::User as Account;
use rookery_store::ops::{Accepted, DeleteGroup, RemoveMember};
use rookery_store::{StoreError, queries};

use super::api::{Done, Group, GroupMember, GroupMembers, GroupRole, GroupSettings, GroupUser, GroupWhere};
use super::failure::Answer;
use super::input::{find_group, find_user};
use super::shared::Shared;

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(group): Path<String>) -> Answer<Group> {
    let snapshot = shared.store.snapshot().await?;
    let (group, about) = find_group(&*snapshot, &group).await?;
    let members = queries::members(&*snapshot, group).await?;
    Ok(Json(shown(&*snapshot, group, about, members).await?))
}

/// What a group is; without members it is no more.
pub(super) async fn shown(
    snapshot: &dyn Snapshot,
    group: GroupId,
    about: AboutGroup,
    members: Option<Members>,
) -> Result<Group, StoreError> {
    let conversation = ConversationId::group(group);
    let list = members.as_ref().map_or(&[][..], |members| members.list());
    let admins = list.iter().filter(|member| member.role == Role::Admin).map(|member| member.user);
    let people: Vec<UserId> = std::iter::once(about.creator).chain(admins).collect();
    let accounts = queries::accounts(snapshot, people.iter().copied()).await?;
    let mut people = people.into_iter().zip(accounts).map(of_user);
    Ok(Group {
        group: group.get(),
        conversation: conversation.to_string(),
        created_ms: about.created_ms,
        creator: people.next().expect("somebody has made it"),
        name: about.name,
        about: about.about,
        picture: about.picture,
        deleted: members.is_none(),
        settings: members.as_ref().map(|members| GroupSettings {
            only_admins_send: members.settings.only_admins_send,
            only_admins_edit: members.settings.only_admins_edit,
            only_admins_add: members.settings.only_admins_add,
            backlog: members.settings.backlog,
            is_channel: members.settings.is_channel,
        }),
        head: queries::head(snapshot, conversation).await?.get(),
        members: list.len() as u64,
        admins: people.collect(),
    })
}

pub(super) fn of_user((user, account): (UserId, Option<Account>)) -> GroupUser {
    GroupUser { user: user.get(), handle: account.map(|account| account.handle.into()) }
}

pub(super) async fn locate(
    State(shared): State<Arc<Shared>>,
    Path(group): Path<String>,
) -> Answer<GroupWhere> {
    let snapshot = shared.store.snapshot().await?;
    let (group, about) = find_group(&*snapshot, &group).await?;
    let members = queries::members(&*snapshot, group).await?;
    drop(snapshot);
    let is_member = |user| members.as_ref().is_some_and(|members| members.get(user).is_some());
    let connections = shared.actors.connections(0, usize::MAX, |seen| {
        !seen.is_closing && seen.identity.is_some_and(|(user, _)| is_member(user))
    });
    let users: BTreeSet<UserId> =
        connections.iter().filter_map(|seen| seen.identity).map(|(user, _)| user).collect();
    Ok(Json(GroupWhere {
        group: group.get(),
        name: about.name,
        members: members.as_ref().map_or(0, |members| members.list().len() as u64),
        node: shared.about.node.to_string(),
        connected: users.into_iter().map(UserId::get).collect(),
    }))
}

pub(super) async fn members(
    State(shared): State<Arc<Shared>>,
    Path(group): Path<String>,
) -> Answer<GroupMembers> {
    let snapshot = shared.store.snapshot().await?;
    let (group, _) = find_group(&*snapshot, &group).await?;
    let conversation = ConversationId::group(group);
    let members = queries::members(&*snapshot, group).await?;
    let list = members.as_ref().map_or(&[][..], |members| members.list());
    let accounts = queries::accounts(&*snapshot, list.iter().map(|member| member.user)).await?;
    let marks = queries::marks_of(&*snapshot, conversation, list.iter().map(|member| member.user)).await?;
    let shown = list.iter().zip(accounts).zip(marks).map(|((member, account), mark)| GroupMember {
        user: member.user.get(),
        handle: account.map(|account| account.handle.into()),
        role: match member.role {
            Role::Member => GroupRole::Member,
            Role::Admin => GroupRole::Admin,
        },
        since: member.since.get(),
        delivered: mark.delivered.get(),
        read: mark.read.get(),
    });
    let head = queries::head(&*snapshot, conversation).await?.get();
    Ok(Json(GroupMembers { group: group.get(), head, members: shown.collect() }))
}

pub(super) async fn remove_member(
    State(shared): State<Arc<Shared>>,
    Path((group, user)): Path<(String, String)>,
) -> Answer<Done> {
    let snapshot = shared.store.snapshot().await?;
    let (group, _) = find_group(&*snapshot, &group).await?;
    let (user, account) = find_user(&*snapshot, &user).await?;
    drop(snapshot);
    let op = RemoveMember { group, user, time_ms: shared.clock.now_ms() };
    let left = shared.store.submit(&ConversationId::group(group), op).await?.answer?;
    tracing::info!(%group, %user, handle = %account.handle, "an operator has taken a member out of a group");
    Ok(told(&shared, group, left.as_ref()))
}

pub(super) async fn remove(State(shared): State<Arc<Shared>>, Path(group): Path<String>) -> Answer<Done> {
    let (group, _) = find_group(&*shared.store.snapshot().await?, &group).await?;
    let op = DeleteGroup { group, time_ms: shared.clock.now_ms() };
    let ended = shared.store.submit(&ConversationId::group(group), op).await?.answer?;
    tracing::info!(%group, "an operator has ended a group");
    Ok(told(&shared, group, ended.as_ref()))
}

/// Rings at those who have the entry in their inboxes.
fn told(shared: &Shared, group: GroupId, entry: Option<&Accepted>) -> Json<Done> {
    if let Some(Accepted { told, logged, is_for_followers, .. }) = entry {
        shared.actors.ring(told);
        if *is_for_followers {
            shared.actors.tell_followers(group, logged);
        }
        shared.actors.members_changed(group);
    }
    Json(Done { changed: entry.is_some() })
}
