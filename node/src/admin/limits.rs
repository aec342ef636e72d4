//! How much of the node operators' requests can use.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::FailureCode;
use super::failure::ApiError;
use super::shared::Shared;

/// Requests at a time, streams not counted.
pub(super) const REQUESTS_MAX: usize = 32;

/// How long a request may take, unless its answer is a stream.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes of a request's body: the longest that means anything is a few hundred.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;

/// Entries in a page, if the request does not say.
pub(super) const PAGE: usize = 100;

/// Entries in a page at the most.
pub(super) const PAGE_MAX: u32 = 1_000;

/// Bounds requests in number and time.
pub(super) async fn limit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Ok(_place) = shared.places.try_acquire() else {
        let text = format!("{REQUESTS_MAX} requests are being answered already");
        return ApiError::new(FailureCode::Busy, text).hint("try again").into_response();
    };
    match tokio::time::timeout(TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = format!("it took longer than {} seconds", TIME_MAX.as_secs());
            let hint = "what it was to change may have been changed: look before you try again";
            ApiError::new(FailureCode::Timeout, text).hint(hint).into_response()
        }
    }
}
