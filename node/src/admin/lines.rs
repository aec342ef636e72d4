//! Answers that go on: JSON lines, written as they come.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::mpsc;

/// Lines that wait to be written; whoever has more to say waits.
const WAITING_MAX: usize = 64;

/// The way to whoever reads.
#[derive(Debug, Clone)]
pub(super) struct Lines(mpsc::Sender<Bytes>);

/// Nobody reads any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Lines {
    /// Writes a line, waiting for room.
    pub(super) async fn write(&self, line: &(impl Serialize + Sync)) -> Result<(), Gone> {
        let mut text = serde_json::to_vec(line).expect("the API's types have a form in JSON");
        text.push(b'\n');
        self.0.send(text.into()).await.map_err(|_| Gone)
    }

    /// Completes when nobody reads any more.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// An answer of the lines that `write` writes, in a task of its own.
pub(super) fn stream<F>(write: impl FnOnce(Lines) -> F) -> Response
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (lines, mut written) = mpsc::channel(WAITING_MAX);
    // It ends with what it writes or with its reader, and there is nobody to tell which.
    tokio::spawn(write(Lines(lines)));
    let next = futures_util::stream::poll_fn(move |context| {
        written.poll_recv(context).map(|line| line.map(Ok::<_, std::convert::Infallible>))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(next)).into_response()
}
