//! Accounts, their devices and inboxes, in the store.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use rookery_actors::DeviceToken;
use rookery_protocol::{DeviceId, ErrorCode, GroupId, Handle, Message, Stamp, UserId, decode_value};
use rookery_store::engine::Snapshot;
use rookery_store::keys::device::Device as StoredDevice;
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::keys::user::{Suspension as StoredSuspension, User as Account};
use rookery_store::ops::{
    AddDevice, AddDeviceError, AddUser as AddUserOp, AddUserError, RevokeDevice, SetStanding, SuspendUser,
    Suspended,
};
use rookery_store::{StoreError, queries, remove_user};

use super::api::{
    AddUser, Device, DeviceBacklog, Devices, Done, EventKind, FailureCode, Inbox, InboxEvent, Page, Peek,
    Standing, Suspend, Suspension, TokenMade, TokenRequest, User, UserShown, Users,
};
use super::failure::{Answer, ApiError};
use super::input::{Asked, Body, find_device, find_user, page_limit, short, within};
use super::shared::Shared;
use super::who::{after_user, cut};

/// Characters of a suspension's reason.
const REASON_CHARS_MAX: usize = 200;

/// Characters of a device's name.
const DEVICE_CHARS_MAX: usize = 64;

/// How long a token is good, if the request does not say.
const TOKEN_SECONDS: u64 = 30 * 24 * 60 * 60;

/// How long a token is good at the most.
const TOKEN_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;

/// Events of an inbox that are counted.
const COUNTED_MAX: u64 = 100_000;

/// Events read at a time.
const EVENTS: usize = 1_000;

/// Memberships read at a time.
const GROUPS: usize = 1_000;

/// Events whose messages are read at a time: each may be as long as a frame.
const MESSAGES: usize = 16;

/// Events shown at the most.
const PEEK_MAX: u64 = 1_000;

pub(super) async fn list(State(shared): State<Arc<Shared>>, Asked(page): Asked<Page>) -> Answer<Users> {
    let limit = page_limit(page.limit)?;
    let snapshot = shared.store.snapshot().await?;
    let mut users = queries::users(&*snapshot, after_user(page.after), limit + 1).await?;
    let next = cut(&mut users, limit, |(user, _)| user.get());
    Ok(Json(Users {
        users: users.into_iter().map(|(user, account)| of_account(user, account)).collect(),
        next,
    }))
}

fn of_account(user: UserId, account: Account) -> User {
    let suspension = account.suspension.map(|it| Suspension { since_ms: it.since_ms, reason: it.reason });
    User {
        user: user.get(),
        handle: account.handle.into(),
        created_ms: account.created_ms,
        suspension,
        unlimited: account.standing.is_unlimited,
        shadow_banned: account.standing.is_shadow_banned,
    }
}

fn of_device((device, about): (DeviceId, StoredDevice)) -> Device {
    let StoredDevice { name, created_ms, generation, .. } = about;
    Device { device: device.get(), name, created_ms, generation }
}

async fn devices_of(snapshot: &dyn Snapshot, user: UserId) -> Result<Vec<Device>, ApiError> {
    Ok(queries::devices(snapshot, user).await?.into_iter().map(of_device).collect())
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(user): Path<String>) -> Answer<UserShown> {
    let snapshot = shared.store.snapshot().await?;
    let (user, account) = find_user(&*snapshot, &user).await?;
    let devices = devices_of(&*snapshot, user).await?;
    let groups = Some(groups_of(&*snapshot, user).await?.len() as u64);
    Ok(Json(UserShown { user: of_account(user, account), devices, groups }))
}

/// Which groups the user is in now.
async fn groups_of(snapshot: &dyn Snapshot, user: UserId) -> Result<Vec<GroupId>, ApiError> {
    let (mut groups, mut after) = (Vec::new(), None);
    loop {
        let some = queries::groups(snapshot, user, after, GROUPS).await?;
        let current = some.iter().filter(|(_, membership)| membership.is_current());
        groups.extend(current.map(|(group, _)| *group));
        let Some((last, _)) = some.last().filter(|_| some.len() == GROUPS) else { return Ok(groups) };
        after = Some(*last);
        // As with inboxes.
        tokio::task::yield_now().await;
    }
}

pub(super) async fn add(State(shared): State<Arc<Shared>>, Body(wanted): Body<AddUser>) -> Answer<UserShown> {
    let handle: Handle =
        wanted.handle.parse().map_err(|error| ApiError::bad(format!("`{}`: {error}", wanted.handle)))?;
    let time_ms = shared.clock.now_ms();
    loop {
        let user = UserId::new(shared.random() % UserId::MAX + 1).expect("the range is that of user numbers");
        let op = AddUserOp { user, handle: handle.clone(), time_ms };
        match shared.store.submit(&user, op).await?.answer {
            Ok(()) => {
                let user = User {
                    user: user.get(),
                    handle: handle.into(),
                    created_ms: time_ms,
                    suspension: None,
                    unlimited: false,
                    shadow_banned: false,
                };
                return Ok(Json(UserShown { user, devices: Vec::new(), groups: Some(0) }));
            }
            Err(AddUserError::UserTaken) => {}
            Err(AddUserError::HandleTaken(owner)) => {
                let text = format!("there is a user \"{handle}\" already: {owner}");
                return Err(ApiError::new(FailureCode::Conflict, text));
            }
            Err(AddUserError::Corrupt(error)) => return Err(error.into()),
        }
    }
}

pub(super) async fn remove(State(shared): State<Arc<Shared>>, Path(user): Path<String>) -> Answer<Done> {
    let snapshot = shared.store.snapshot().await?;
    let (user, account) = find_user(&*snapshot, &user).await?;
    let groups = groups_of(&*snapshot, user).await?;
    drop(snapshot);
    let removed = remove_user(&shared.store, user, shared.clock.now_ms()).await;
    // Also of what has failed a part may have been done.
    groups.into_iter().for_each(|group| shared.actors.members_changed(group));
    let changed = removed?;
    close(&shared, user, None, ErrorCode::TokenRevoked, "this account has been removed");
    tracing::info!(%user, handle = %account.handle, "an operator has removed a user");
    Ok(Json(Done { changed }))
}

/// Closes a user's connections to this node, or those of one device.
fn close(shared: &Shared, user: UserId, device: Option<DeviceId>, code: ErrorCode, text: &str) {
    shared.actors.close(code, text, |seen| {
        let wanted = |it| device.is_none_or(|device| device == it);
        seen.identity.is_some_and(|(of, it)| of == user && wanted(it))
    });
}

pub(super) async fn suspend(
    State(shared): State<Arc<Shared>>,
    Path(user): Path<String>,
    Body(Suspend { reason }): Body<Suspend>,
) -> Answer<Done> {
    short("reason", &reason, (0, REASON_CHARS_MAX))?;
    let (user, _) = find_user(&*shared.store.snapshot().await?, &user).await?;
    let text = match reason.as_str() {
        "" => "this account has been suspended".to_owned(),
        reason => format!("this account has been suspended: {reason}"),
    };
    let suspension = StoredSuspension { since_ms: shared.clock.now_ms(), reason };
    let done = change_suspension(&shared, user, Some(suspension)).await?;
    close(&shared, user, None, ErrorCode::Suspended, &text);
    Ok(done)
}

pub(super) async fn unsuspend(State(shared): State<Arc<Shared>>, Path(user): Path<String>) -> Answer<Done> {
    let (user, _) = find_user(&*shared.store.snapshot().await?, &user).await?;
    change_suspension(&shared, user, None).await
}

async fn change_suspension(
    shared: &Shared,
    user: UserId,
    suspension: Option<StoredSuspension>,
) -> Answer<Done> {
    let suspended = suspension.is_some();
    let outcome = shared.store.submit(&user, SuspendUser { user, suspension }).await?.answer?;
    if outcome == Suspended::NoSuchUser {
        return Err(ApiError::not_found(format!("there is no user {user}")));
    }
    tracing::info!(%user, suspended, "an operator has changed a user's suspension");
    Ok(Json(Done { changed: outcome == Suspended::Changed }))
}

pub(super) async fn set_standing(
    State(shared): State<Arc<Shared>>,
    Path(user): Path<String>,
    Body(Standing { unlimited, shadow_banned }): Body<Standing>,
) -> Answer<Done> {
    if unlimited.is_none() && shadow_banned.is_none() {
        return Err(ApiError::bad("say `unlimited`, `shadow_banned` or both".to_owned()));
    }
    let (user, _) = find_user(&*shared.store.snapshot().await?, &user).await?;
    let op = SetStanding { user, is_unlimited: unlimited, is_shadow_banned: shadow_banned };
    let changed = shared.store.submit(&user, op).await?.answer?;
    let changed = changed.ok_or_else(|| ApiError::not_found(format!("there is no user {user}")))?;
    tracing::info!(%user, unlimited, shadow_banned, "an operator has changed a user's standing");
    Ok(Json(Done { changed }))
}

pub(super) async fn devices(State(shared): State<Arc<Shared>>, Path(user): Path<String>) -> Answer<Devices> {
    let snapshot = shared.store.snapshot().await?;
    let (user, _) = find_user(&*snapshot, &user).await?;
    Ok(Json(Devices { devices: devices_of(&*snapshot, user).await? }))
}

pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Path((user, device)): Path<(String, String)>,
) -> Answer<Done> {
    let snapshot = shared.store.snapshot().await?;
    let (user, _) = find_user(&*snapshot, &user).await?;
    let (device, about) = find_device(&*snapshot, user, &device).await?;
    drop(snapshot);
    let op = RevokeDevice { user, device, generation: about.generation };
    let changed = shared.store.submit(&user, op).await?.answer?;
    close(&shared, user, Some(device), ErrorCode::TokenRevoked, "the device's tokens have been revoked");
    tracing::info!(%user, %device, "an operator has revoked a device's tokens");
    Ok(Json(Done { changed }))
}

pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    Path(user): Path<String>,
    Body(request): Body<TokenRequest>,
) -> Answer<TokenMade> {
    short("device", &request.device, (1, DEVICE_CHARS_MAX))?;
    let seconds = within("seconds", request.seconds.unwrap_or(TOKEN_SECONDS), (1, TOKEN_SECONDS_MAX))?;
    let (user, _) = find_user(&*shared.store.snapshot().await?, &user).await?;
    let now_ms = shared.clock.now_ms();
    let op = AddDevice { user, name: request.device, time_ms: now_ms };
    let added = shared.store.submit(&user, op).await?.answer.map_err(|error| match error {
        AddDeviceError::NoSuchUser => ApiError::not_found(error.to_string()),
        AddDeviceError::TooMany => ApiError::new(FailureCode::Conflict, error.to_string())
            .hint("a device of a name that there is already gets another token"),
        AddDeviceError::Corrupt(error) => error.into(),
    })?;
    let bearer = DeviceToken { user, device: added.device, generation: added.generation };
    let token = shared.issuer.issue(bearer, now_ms, Duration::from_secs(seconds));
    let token = token.map_err(|error| ApiError::new(FailureCode::Internal, error.to_string()))?;
    tracing::info!(%user, device = %added.device, seconds, "an operator has made a token");
    let expires_ms = now_ms / 1_000 * 1_000 + seconds * 1_000;
    Ok(Json(TokenMade { user: user.get(), device: added.device.get(), token, expires_ms }))
}

pub(super) async fn inbox(
    State(shared): State<Arc<Shared>>,
    Path(user): Path<String>,
    Asked(Peek { peek }): Asked<Peek>,
) -> Answer<Inbox> {
    let shown = within("peek", peek.unwrap_or(0).into(), (0, PEEK_MAX))? as usize;
    let snapshot = shared.store.snapshot().await?;
    let (user, _) = find_user(&*snapshot, &user).await?;
    let mut devices = Vec::new();
    for (device, about) in queries::devices(&*snapshot, user).await? {
        devices.push((device, about.name, queries::cursor(&*snapshot, user, device).await?, 0));
    }
    let (mut depth, mut after, mut first) = (0, Stamp::ZERO, Vec::new());
    let more = loop {
        let events = queries::inbox_after(&*snapshot, user, after, EVENTS).await?;
        let Some((last, _)) = events.last() else { break false };
        after = *last;
        depth += events.len() as u64;
        for (_, _, cursor, waiting) in &mut devices {
            *waiting += events.iter().filter(|(stamp, _)| stamp > cursor).count() as u64;
        }
        let room = shown.max(1).saturating_sub(first.len());
        let is_last = events.len() < EVENTS;
        first.extend(events.into_iter().take(room));
        if is_last {
            break false;
        }
        if depth >= COUNTED_MAX {
            break true;
        }
        // An embedded store answers without waiting: others are to have their turn.
        tokio::task::yield_now().await;
    };
    let mut events = shown_events(&*snapshot, first).await?;
    let oldest = events.first().cloned();
    events.truncate(shown);
    let devices = devices.into_iter().map(|(device, name, cursor, waiting)| DeviceBacklog {
        device: device.get(),
        name,
        cursor: cursor.to_string(),
        waiting,
    });
    Ok(Json(Inbox { user: user.get(), depth, more, oldest, devices: devices.collect(), events }))
}

/// Events with what the log says of their messages, but not what those say.
async fn shown_events(
    snapshot: &dyn Snapshot,
    events: Vec<(Stamp, InboxEntry)>,
) -> Result<Vec<InboxEvent>, ApiError> {
    let mut shown = Vec::with_capacity(events.len());
    for some in events.chunks(MESSAGES) {
        let places = some.iter().filter_map(|(_, entry)| match entry {
            InboxEntry::Message(pointer) => Some((pointer.conversation, pointer.seq)),
            _ => None,
        });
        let mut messages = queries::messages(snapshot, places).await?.into_iter();
        for (stamp, entry) in some {
            let mut event = InboxEvent {
                stamp: stamp.to_string(),
                kind: EventKind::Unknown,
                conversation: None,
                seq: None,
                from: None,
                time_ms: None,
                body_bytes: None,
            };
            match entry {
                InboxEntry::Message(pointer) => {
                    event.kind = EventKind::Message;
                    event.conversation = Some(pointer.conversation.to_string());
                    event.seq = Some(pointer.seq.get());
                    event.from = Some(pointer.sender.get());
                    if let Some(logged) = messages.next().flatten() {
                        let message: Message =
                            decode_value(&logged).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                        event.time_ms = Some(message.time_ms);
                        event.body_bytes = message.body.map(|body| body.len() as u64);
                    }
                }
                InboxEntry::Receipt(receipt) => {
                    event.kind = EventKind::Receipt;
                    event.conversation = Some(receipt.conversation.to_string());
                    event.seq = Some(receipt.delivered.get());
                    event.from = Some(receipt.user.get());
                }
                InboxEntry::Shown(about) => {
                    event.kind = EventKind::Shown;
                    event.conversation = Some(about.conversation.to_string());
                }
                InboxEntry::Account(_) => event.kind = EventKind::Account,
                InboxEntry::Unknown(_) => {}
            }
            shown.push(event);
        }
    }
    Ok(shown)
}
