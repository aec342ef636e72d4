//! Which node a request is meant for, if it says so: addresses can lead to another than the sender thinks, as `127.0.0.1`
//! does on each machine.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::{FailureCode, NODE_HEADER};
use super::failure::ApiError;
use super::shared::Shared;

/// Lets a request through that is meant for this node or says nothing.
pub(super) async fn meant(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let own = shared.about.node.as_str();
    match request.headers().get(NODE_HEADER) {
        Some(node) if node.as_bytes() != own.as_bytes() => {
            let node = String::from_utf8_lossy(node.as_bytes());
            let text = format!("the request is meant for node {node}, and this is {own}: nothing was done");
            let hint = "the address is not that node's, or leads elsewhere from where you are";
            ApiError::new(FailureCode::WrongNode, text).hint(hint).into_response()
        }
        _ => next.run(request).await,
    }
}
