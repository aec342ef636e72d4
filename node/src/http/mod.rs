//! What operators ask over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when the node takes connections and its store takes writes; else 503 and why |
//! | `GET /metrics` | Prometheus |

mod listener;
mod readiness;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

pub(crate) use listener::BoundedListener;
pub use readiness::Readiness;

/// Renders metrics, having first set those that are only counted when asked for.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Shared {
    readiness: Arc<Readiness>,
    metrics: Option<Render>,
}

/// The operators' routes. Without `metrics`, `/metrics` is not found.
pub fn router(readiness: Arc<Readiness>, metrics: Option<Render>) -> Router {
    Router::new()
        .route("/", get(async || "rookery: /healthz /readyz /metrics\n"))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .layer(map_response(close))
        .with_state(Shared { readiness, metrics })
}

/// A [`Render`] of a recorder that calls `sample` first.
pub fn render_with(handle: PrometheusHandle, sample: impl Fn() + Send + Sync + 'static) -> Render {
    Arc::new(move || {
        sample();
        handle.render()
    })
}

/// A request a connection: there are few places, and whoever asks again finds one.
async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn readyz(State(shared): State<Shared>) -> Response {
    match shared.readiness.check().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn render(State(shared): State<Shared>) -> Response {
    match &shared.metrics {
        Some(render) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
