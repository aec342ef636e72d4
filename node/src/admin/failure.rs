//! Failures as answers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rookery_store::StoreError;

use super::api::{Failure, FailureCode};

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct ApiError(Failure);

/// What a handler returns.
pub(super) type Answer<T> = Result<Json<T>, ApiError>;

impl ApiError {
    pub(super) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self(Failure { code, message: message.into(), hint: String::new() })
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(FailureCode::BadRequest, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(FailureCode::NotFound, message)
    }

    /// Says what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (code, hint) = match &error {
            StoreError::Unavailable(_) | StoreError::Closed => (FailureCode::Unavailable, "try again"),
            StoreError::Ambiguous(_) => {
                (FailureCode::Unavailable, "look whether it was done before you try again")
            }
            StoreError::Conflict | StoreError::Busy => (FailureCode::Busy, "try again"),
            StoreError::Full(_) => (FailureCode::Unavailable, "make room where the store is"),
            StoreError::TooLarge(_) => (FailureCode::BadRequest, ""),
            StoreError::Corrupt(_) => (FailureCode::Internal, "run `rookery admin check`"),
            StoreError::Panicked(_) => (FailureCode::Internal, ""),
        };
        tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "an operator's request failed");
        Self::new(code, format!("the store: {error}")).hint(hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            FailureCode::BadRequest => StatusCode::BAD_REQUEST,
            FailureCode::Unauthorized => StatusCode::UNAUTHORIZED,
            FailureCode::NotFound => StatusCode::NOT_FOUND,
            FailureCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            FailureCode::Conflict => StatusCode::CONFLICT,
            FailureCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            FailureCode::WrongNode => StatusCode::MISDIRECTED_REQUEST,
            FailureCode::Busy => StatusCode::TOO_MANY_REQUESTS,
            FailureCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            FailureCode::NotSupported => StatusCode::NOT_IMPLEMENTED,
            FailureCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            FailureCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        };
        let mut response = (status, Json(&self.0)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            // Whoever is not let in does not keep a place either.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
