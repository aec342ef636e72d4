//! The bearer token: who has it may do everything.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::FailureCode;
use super::failure::ApiError;
use super::listener::Trusted;
use super::shared::Shared;
use crate::data_dir::AdminToken;

/// What a token is compared with: its digest, so that all have one length and the comparison takes the same time.
#[derive(Debug)]
pub(super) struct Lock(Digest);

impl Lock {
    pub(super) fn new(token: &AdminToken) -> Self {
        Self(digest(&SHA256, token.as_str().as_bytes()))
    }

    fn opens_with(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let refused = |message| {
            let hint = "send the header `Authorization: Bearer TOKEN`; the token is the line in keys/admin.token of the \
                        data directory, or in the file that `token_file` of [admin] names";
            ApiError::new(FailureCode::Unauthorized, message).hint(hint)
        };
        let given = headers.get(header::AUTHORIZATION).ok_or_else(|| refused("there is no bearer token"))?;
        let bearer = given.as_bytes().split_at_checked("Bearer ".len());
        let (_, token) = bearer
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
            .ok_or_else(|| refused("the Authorization header holds no bearer token"))?;
        let token = digest(&SHA256, token.trim_ascii());
        verify_slices_are_equal(self.0.as_ref(), token.as_ref())
            .map_err(|_| refused("the bearer token is not this cluster's"))
    }
}

/// Lets a request through that has the token, and its connection stay.
pub(super) async fn authorize(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Trusted>,
    request: Request,
    next: Next,
) -> Response {
    match shared.lock.opens_with(request.headers()) {
        Ok(()) => {
            connection.trust();
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}
