//! Every route, as a row of a table.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::api::FailureCode;
use super::authorize::authorize;
use super::failure::ApiError;
use super::limits::limit;
use super::meant::meant;
use super::shared::Shared;
use super::{backup, bans, channels, check, cluster, drain, groups, reports, this_node, trace, users, who};

/// The OpenAPI document. A test makes it from this table and the types of [`api`](super::api), and fails when the file
/// says something else.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// A route.
#[allow(dead_code, reason = "some of it is read only by the test that makes the document")]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// The type of the query parameters.
    pub(super) query: Option<&'static str>,
    /// The type of the body.
    pub(super) body: Option<&'static str>,
    pub(super) answer: Answered,
    pub(super) handler: MethodRouter<Arc<Shared>>,
}

/// What a route answers with when it has been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// JSON of this type.
    Json(&'static str),
    /// JSON lines of this type, for as long as it takes.
    Lines(&'static str),
    /// Text.
    Text,
    /// The document.
    Document,
}

impl Route {
    fn new(
        (method, path): (Method, &'static str),
        answer: Answered,
        handler: MethodRouter<Arc<Shared>>,
        summary: &'static str,
    ) -> Self {
        Self { method, path, summary, query: None, body: None, answer, handler }
    }

    fn query(mut self, query: &'static str) -> Self {
        self.query = Some(query);
        self
    }

    fn body(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }
}

/// All of them.
pub(super) fn routes() -> Vec<Route> {
    use Answered::{Document, Json, Lines, Text};
    let at_get = |path| (Method::GET, path);
    let at_post = |path| (Method::POST, path);
    let at_put = |path| (Method::PUT, path);
    let at_delete = |path| (Method::DELETE, path);
    vec![
        Route::new(at_get("/v1/openapi.json"), Document, get(this_node::document), "this document"),
        Route::new(at_get("/v1/status"), Json("Status"), get(this_node::status), "how this node is"),
        Route::new(
            at_get("/v1/metrics"),
            Text,
            get(this_node::metrics),
            "this node's metrics, in Prometheus' text form",
        ),
        Route::new(
            at_get("/v1/log-level"),
            Json("LogLevel"),
            get(this_node::log_level),
            "what this node logs",
        ),
        Route::new(
            at_put("/v1/log-level"),
            Json("LogLevel"),
            put(this_node::set_log_level),
            "change what this node logs",
        )
        .body("LogLevel"),
        Route::new(
            at_get("/v1/drain"),
            Json("Drain"),
            get(drain::progress),
            "how far a drain of this node has come",
        ),
        Route::new(at_post("/v1/drain"), Json("Drain"), post(drain::begin), "drain this node")
            .body("DrainRequest"),
        Route::new(at_get("/v1/nodes"), Json("Nodes"), get(cluster::nodes), "the members of the cluster"),
        Route::new(
            at_delete("/v1/nodes/{node}"),
            Json("ViewChanged"),
            delete(cluster::remove),
            "remove a member",
        ),
        Route::new(
            at_put("/v1/nodes/{node}/weight"),
            Json("ViewChanged"),
            put(cluster::set_weight),
            "change a member's share",
        )
        .body("Weight"),
        Route::new(
            at_put("/v1/nodes/{node}/draining"),
            Json("ViewChanged"),
            put(cluster::set_draining),
            "say whether a member's slots are to go to others",
        )
        .body("Draining"),
        Route::new(at_get("/v1/slots"), Json("Slots"), get(cluster::slots), "who owns which slots"),
        Route::new(
            at_post("/v1/rebalance"),
            Json("Rebalanced"),
            post(cluster::rebalance),
            "move slots to where they should be",
        )
        .body("RebalanceRequest"),
        Route::new(at_get("/v1/sessions"), Json("Sessions"), get(who::sessions), "this node's sessions")
            .query("Page"),
        Route::new(
            at_get("/v1/connections"),
            Json("Connections"),
            get(who::connections),
            "this node's connections",
        )
        .query("ConnectionsQuery"),
        Route::new(at_post("/v1/kick"), Json("Kicked"), post(who::kick), "close connections to this node")
            .body("Kick"),
        Route::new(at_get("/v1/users"), Json("Users"), get(users::list), "accounts").query("Page"),
        Route::new(at_post("/v1/users"), Json("UserShown"), post(users::add), "make an account")
            .body("AddUser"),
        Route::new(
            at_get("/v1/users/{user}"),
            Json("UserShown"),
            get(users::show),
            "an account and its devices",
        ),
        Route::new(
            at_delete("/v1/users/{user}"),
            Json("Done"),
            delete(users::remove),
            "remove an account, its devices, and what waits for them",
        ),
        Route::new(at_get("/v1/users/{user}/where"), Json("Where"), get(who::locate), "where a user is"),
        Route::new(
            at_put("/v1/users/{user}/suspension"),
            Json("Done"),
            put(users::suspend),
            "suspend an account",
        )
        .body("Suspend"),
        Route::new(
            at_delete("/v1/users/{user}/suspension"),
            Json("Done"),
            delete(users::unsuspend),
            "let an account be used again",
        ),
        Route::new(
            at_put("/v1/users/{user}/standing"),
            Json("Done"),
            put(users::set_standing),
            "take an account's limits away, or ban it without telling it",
        )
        .body("Standing"),
        Route::new(
            at_get("/v1/users/{user}/devices"),
            Json("Devices"),
            get(users::devices),
            "a user's devices",
        ),
        Route::new(
            at_post("/v1/users/{user}/devices/{device}/revoke"),
            Json("Done"),
            post(users::revoke),
            "revoke every token a device has been given",
        ),
        Route::new(
            at_post("/v1/users/{user}/tokens"),
            Json("TokenMade"),
            post(users::token),
            "make a token for a device",
        )
        .body("TokenRequest"),
        Route::new(
            at_get("/v1/users/{user}/inbox"),
            Json("Inbox"),
            get(users::inbox),
            "what waits for a user's devices",
        )
        .query("Peek"),
        Route::new(
            at_get("/v1/users/{user}/trace"),
            Lines("TraceLine"),
            get(trace::trace),
            "follow a user's messages, live",
        )
        .query("TraceQuery"),
        Route::new(at_get("/v1/groups/{group}"), Json("Group"), get(groups::show), "a group"),
        Route::new(
            at_delete("/v1/groups/{group}"),
            Json("Done"),
            delete(groups::remove),
            "end a group: nobody is in it any more",
        ),
        Route::new(
            at_delete("/v1/groups/{group}/members/{user}"),
            Json("Done"),
            delete(groups::remove_member),
            "take a member out of a group, as if they had left",
        ),
        Route::new(
            at_get("/v1/groups/{group}/where"),
            Json("GroupWhere"),
            get(groups::locate),
            "who of a group is connected to this node",
        ),
        Route::new(
            at_get("/v1/groups/{group}/members"),
            Json("GroupMembers"),
            get(groups::members),
            "who is in a group, and how far each has come",
        ),
        Route::new(
            at_get("/v1/channels"),
            Json("Channels"),
            get(channels::list),
            "groups that anyone may follow",
        )
        .query("Page"),
        Route::new(
            at_get("/v1/channels/{group}"),
            Json("ChannelShown"),
            get(channels::show),
            "a channel, and how many follow it",
        ),
        Route::new(
            at_get("/v1/channels/{group}/followers"),
            Json("Followers"),
            get(channels::followers),
            "who follows a channel",
        )
        .query("Page"),
        Route::new(at_get("/v1/bans"), Json("Bans"), get(bans::list), "addresses that may not connect"),
        Route::new(at_post("/v1/bans"), Json("BanAdded"), post(bans::add), "ban an address or a network")
            .body("AddBan"),
        Route::new(
            at_delete("/v1/bans/{network}"),
            Json("Done"),
            delete(bans::remove),
            "end a ban; the slash of a network is written %2F",
        ),
        Route::new(
            at_get("/v1/reports"),
            Json("Reports"),
            get(reports::list),
            "what users have reported and nobody has dealt with yet",
        )
        .query("ReportsQuery"),
        Route::new(
            at_get("/v1/reports/{report}"),
            Json("ReportShown"),
            get(reports::show),
            "a report, and the messages it names",
        ),
        Route::new(
            at_delete("/v1/reports/{report}"),
            Json("Done"),
            delete(reports::resolve),
            "forget a report that has been dealt with",
        ),
        Route::new(
            at_get("/v1/check"),
            Lines("CheckLine"),
            get(check::check),
            "look whether the store holds what it promises",
        ),
        Route::new(
            at_post("/v1/backup"),
            Lines("BackupLine"),
            post(backup::backup),
            "copy the embedded store",
        )
        .body("BackupRequest"),
    ]
}

/// The router: every route behind the token and the name of the node, and all but streams behind the limits.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let (mut plain, mut streams) = (Router::new(), Router::new());
    for route in routes() {
        match route.answer {
            Answered::Lines(_) => streams = streams.route(route.path, route.handler),
            _ => plain = plain.route(route.path, route.handler),
        }
    }
    let plain = plain.layer(from_fn_with_state(shared.clone(), limit));
    plain
        .merge(streams)
        .fallback(async || {
            ApiError::new(FailureCode::NotFound, "there is no such route")
                .hint("GET /v1/openapi.json lists them")
        })
        .method_not_allowed_fallback(async || {
            let error = ApiError::new(FailureCode::MethodNotAllowed, "this route is for another method");
            error.hint("GET /v1/openapi.json lists them")
        })
        .layer(from_fn_with_state(shared.clone(), meant))
        .layer(from_fn_with_state(shared.clone(), authorize))
        .with_state(shared)
}
