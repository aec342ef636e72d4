//! What operators do to a node while it runs: HTTP and JSON on a listener of its own.
//!
//! - [`api`]: what requests say and answers have; `openapi.json` is the same for other languages.
//! - `routes`: which there are. A route is a row of one table, from which the router and the document are made.
//! - `listener`, `authorize`, `meant`, `limits`: who gets in, whether to the right node, and how much of it they can use.
//! - the rest: what the routes do, a file for each thing they are about.
//!
//! Nothing here is on the way of a message, and what operators ask is bounded: places, time, lengths, pages. Streams are
//! the exception, which have bounds of their own.

pub mod api;
mod authorize;
mod backup;
mod bans;
mod channels;
mod check;
mod cluster;
mod drain;
mod failure;
mod groups;
mod input;
mod limits;
mod lines;
mod listener;
mod meant;
#[cfg(test)]
mod openapi;
mod reports;
mod routes;
mod shared;
mod this_node;
mod trace;
mod users;
mod who;

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use check::{done_line as check_done, finding_line as check_finding};
use listener::{AdminListener, Trusted};
pub(crate) use shared::{About, Shared, SharedParts};

/// Answers operators until `stop` becomes true; in the clear without `tls`.
pub(crate) async fn serve(
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let listener = AdminListener::new(socket, tls);
    let service = routes::router(shared).into_make_service_with_connect_info::<Trusted>();
    // Ends without waiting for connections that are kept open: nobody depends on them.
    tokio::select! {
        ended = axum::serve(listener, service) => {
            if let Err(error) = ended {
                tracing::error!(%error, "the admin listener has failed");
            }
        }
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
