//! What requests say, parsed at the edge: every error is an answer that says what was expected.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use rookery_protocol::{ConversationId, GroupId, Handle, Stamp, UserId};
use rookery_store::engine::Snapshot;
use rookery_store::keys::ban::Network;
use rookery_store::keys::device::Device;
use rookery_store::keys::group::Group;
use rookery_store::keys::node::NodeName;
use rookery_store::keys::user::User;
use rookery_store::queries;
use serde::de::DeserializeOwned;

use super::api::FailureCode;
use super::failure::ApiError;
use super::limits::{BODY_BYTES_MAX, PAGE, PAGE_MAX};

/// How a number is told from a name.
const ID: &str = "id:";

/// The body, JSON whatever its type says it is; none is `{}`.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| {
            let text = format!("the body is longer than {BODY_BYTES_MAX} bytes, or was cut short");
            ApiError::new(FailureCode::TooLarge, text)
        })?;
        let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        let value = serde_json::from_slice(text).map_err(|error| {
            ApiError::bad(format!("the body is not what this route takes: {error}"))
                .hint("GET /v1/openapi.json says what it takes")
        })?;
        Ok(Self(value))
    }
}

/// The query parameters.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await.map_err(|error| {
            ApiError::bad(format!("the query is not what this route takes: {}", error.body_text()))
                .hint("GET /v1/openapi.json says what it takes")
        })?;
        Ok(Self(value))
    }
}

/// The number of entries wanted in a page.
pub(super) fn page_limit(limit: Option<u32>) -> Result<usize, ApiError> {
    match limit {
        None => Ok(PAGE),
        Some(limit) => within("limit", limit.into(), (1, PAGE_MAX.into())).map(|limit| limit as usize),
    }
}

/// A number that has to be within bounds.
pub(super) fn within(what: &str, number: u64, (min, max): (u64, u64)) -> Result<u64, ApiError> {
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(ApiError::bad(format!("`{what}` is {number}, expected {min} to {max}")))
    }
}

/// A text for people that has to be short.
pub(super) fn short(what: &str, text: &str, (min, max): (usize, usize)) -> Result<(), ApiError> {
    let length = text.chars().count();
    if (min..=max).contains(&length) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        let expected = format!("expected {min} to {max}, and no control characters");
        Err(ApiError::bad(format!("`{what}` has {length} characters, {expected}")))
    }
}

/// The user that a text names: a handle, or `id:` and a number.
pub(super) async fn find_user(snapshot: &dyn Snapshot, text: &str) -> Result<(UserId, User), ApiError> {
    let user = match text.strip_prefix(ID) {
        Some(number) => {
            let user = number.parse().ok().and_then(|number| UserId::new(number).ok());
            user.ok_or_else(|| {
                ApiError::bad(format!("`{number}` is no user's number: expected 1 to {}", UserId::MAX))
            })?
        }
        None => {
            let handle: Handle = text.parse().map_err(|error| {
                ApiError::bad(format!("`{text}` is no user: {error}"))
                    .hint("a user is named by the handle, or by `id:` and the number")
            })?;
            let found = queries::user_by_handle(snapshot, &handle).await?;
            found.ok_or_else(|| ApiError::not_found(format!("there is no user \"{handle}\"")))?
        }
    };
    let account = queries::user(snapshot, user).await?;
    account
        .map(|account| (user, account))
        .ok_or_else(|| ApiError::not_found(format!("there is no user {user}")))
}

/// The user's device that a text names: a name, or `id:` and a number.
pub(super) async fn find_device(
    snapshot: &dyn Snapshot,
    user: UserId,
    text: &str,
) -> Result<(rookery_protocol::DeviceId, Device), ApiError> {
    let devices = queries::devices(snapshot, user).await?;
    let is_it = |(device, about): &&(rookery_protocol::DeviceId, Device)| match text.strip_prefix(ID) {
        Some(number) => number.parse() == Ok(device.get()),
        None => about.name == text,
    };
    if let Some(found) = devices.iter().find(is_it) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = devices.iter().map(|(_, device)| device.name.as_str()).collect();
    let error = ApiError::not_found(format!("the user has no device \"{text}\""));
    Err(match &names[..] {
        [] => error.hint("the user has no devices at all"),
        names => error.hint(format!("there are: {}", names.join(", "))),
    })
}

/// The group that a text names: its number, or the group's conversation.
pub(super) async fn find_group(snapshot: &dyn Snapshot, text: &str) -> Result<(GroupId, Group), ApiError> {
    let group = match text.parse() {
        Ok(number) => GroupId::new(number).ok(),
        Err(_) => text.parse().ok().and_then(ConversationId::group_id),
    };
    let group = group.ok_or_else(|| {
        ApiError::bad(format!("`{text}` is no group: expected its number, or `g:` and its number"))
    })?;
    let about = queries::group(snapshot, group).await?;
    about.map(|about| (group, about)).ok_or_else(|| ApiError::not_found(format!("there is no group {group}")))
}

/// The network that a text names.
pub(super) fn network(text: &str) -> Result<Network, ApiError> {
    text.parse().map_err(|error| ApiError::bad(format!("`{text}`: {error}")))
}

/// The stamp that a text is.
pub(super) fn stamp(what: &str, text: &str) -> Result<Stamp, ApiError> {
    text.parse().map_err(|_| ApiError::bad(format!("`{what}` is `{text}`, expected 24 hexadecimal digits")))
}

/// The node that a text names.
pub(super) fn node_name(text: &str) -> Result<NodeName, ApiError> {
    text.parse().map_err(|error| ApiError::bad(format!("`{text}` is no node: {error}")))
}
