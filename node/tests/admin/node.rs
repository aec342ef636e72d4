//! A node in this process, with an admin API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use rookery_actors::SystemClock;
use rookery_node::config::{Config, EngineKind, LogConfig};
use rookery_node::data_dir::{AdminToken, DataDir};
use rookery_node::logging::{self, LogControl};
use rookery_node::{Node, NodeParts};
use rookery_protocol::{DeviceId, GroupId, GroupSettings, MessageId, UserId};
use rookery_store::keys::node::Incarnation;
use rookery_store::ops::{Author, CreateGroup, Follow, Join, Outcome, Renew, Settled, join};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::http::{self, Answer, Stream};

/// Nothing takes longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Often enough that nobody takes a member for dead.
const RENEW_EVERY: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Admin {
    pub(crate) node: Node,
    pub(crate) token: AdminToken,
    pub(crate) directory: tempfile::TempDir,
}

impl Admin {
    /// With the embedded engine.
    pub(crate) async fn start() -> Self {
        Self::start_with(EngineKind::Lmdb, "").await
    }

    /// With the process's subscriber, which logs nothing.
    pub(crate) async fn start_logging() -> Self {
        let config = LogConfig { level: "off".parse().unwrap(), ..LogConfig::default() };
        let log = logging::install(&config, false).unwrap();
        Self::start_as(EngineKind::Memory, "", Some(log)).await
    }

    /// With `more` configuration for `[admin]`.
    pub(crate) async fn start_with(engine: EngineKind, more: &str) -> Self {
        Self::start_as(engine, more, None).await
    }

    async fn start_as(engine: EngineKind, more: &str, log: Option<LogControl>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "[node]\ndata = \"data\"\n[store]\nengine = \"{}\"\n[cluster]\nlink = \"127.0.0.1:0\"\n[listen]\n\
             websocket = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n[admin]\n\
             listen = \"127.0.0.1:0\"\n{more}",
            engine.name()
        );
        let config = Config::parse(&text, &directory.path().join("cluster.toml")).unwrap();
        let (data, _) = DataDir::open_or_create(&config.node.data, engine).unwrap();
        let token = data.admin_token().unwrap();
        let parts = NodeParts {
            config,
            data,
            engine: None,
            clock: Arc::new(SystemClock),
            rng_seed: 1,
            metrics: Some(PrometheusBuilder::new().build_recorder().handle()),
            log,
        };
        let node = Node::start(parts).await.unwrap();
        Self { node, token, directory }
    }

    /// Where the admin API is.
    pub(crate) fn address(&self) -> SocketAddr {
        address_in(self.node.listening().admin.as_ref().unwrap())
    }

    /// Where clients connect by TCP.
    pub(crate) fn tcp(&self) -> SocketAddr {
        let clients = &self.node.listening().clients;
        address_in(clients.iter().find(|url| url.starts_with("tcp:")).unwrap())
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> String {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http::request(method, path, Some(self.token.as_str()), &body)
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, path, &body);
        let asking = http::ask(self.address(), &request);
        tokio::time::timeout(DEADLINE, asking).await.expect("it is answered in time")
    }

    /// What a request that is done answers.
    pub(crate) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.done("GET", path, Value::Null).await
    }

    pub(crate) async fn stream(&self, method: &str, path: &str, body: Value) -> Stream {
        Stream::open(self.address(), &self.request(method, path, &body)).await
    }

    /// Another member, as another process on the same store would be. It takes no links.
    pub(crate) async fn join(&self, name: &str) -> Other {
        let op = Join {
            name: name.parse().unwrap(),
            after: Incarnation::NONE,
            link: String::new(),
            admin: String::new(),
            clients: Vec::new(),
            weight: 100,
            version: "0".into(),
            pid: 1,
            nonce: 1,
        };
        let store = self.node.store().clone();
        let id = join(&store, op).await.unwrap().unwrap().id;
        Other(tokio::spawn(async move {
            while store.submit(&"lease", Renew { id: id.clone() }).await.is_ok() {
                tokio::time::sleep(RENEW_EVERY).await;
            }
        }))
    }

    /// Makes a user with a device, and returns the device's token.
    pub(crate) async fn user(&self, handle: &str) -> String {
        self.done("POST", "/v1/users", json!({ "handle": handle })).await;
        self.device(handle, "phone").await
    }

    /// A group that a user's first device makes, as if by a request with this id.
    pub(crate) async fn group(&self, by: UserId, id: u128, members: &[UserId]) -> GroupId {
        self.group_with(by, id, members, GroupSettings::default()).await
    }

    /// A channel, likewise.
    pub(crate) async fn channel(&self, by: UserId, id: u128) -> GroupId {
        self.group_with(by, id, &[], GroupSettings { is_channel: true, ..GroupSettings::default() }).await
    }

    /// Has a user follow a channel, or not any more.
    pub(crate) async fn follow(&self, user: UserId, group: GroupId, follow: bool) {
        let op = Follow { user, asker: None, group, follow, time_ms: 7 };
        let followed = self.node.store().submit(&user, op).await.unwrap().answer;
        assert!(matches!(followed, Settled::Done), "{followed:?}");
    }

    async fn group_with(&self, by: UserId, id: u128, members: &[UserId], settings: GroupSettings) -> GroupId {
        let id = MessageId::from_bytes(id.to_be_bytes());
        let author =
            Author { user: by, device: DeviceId::new(1), generation: 1, admitted: 0, id, time_ms: 7 };
        let op = CreateGroup { author, name: "crew 1".into(), members: members.to_vec(), settings };
        let group = op.group();
        let made = self.node.store().submit(&group, op).await.unwrap().answer;
        assert!(matches!(made, Outcome::Accepted(_)), "{made:?}");
        group
    }

    /// A token for a device.
    pub(crate) async fn device(&self, handle: &str, device: &str) -> String {
        let made =
            self.done("POST", &format!("/v1/users/{handle}/tokens"), json!({ "device": device })).await;
        made["token"].as_str().unwrap().to_owned()
    }
}

/// Renews its lease until it is dropped.
pub(crate) struct Other(JoinHandle<()>);

impl Drop for Other {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn address_in(url: &str) -> SocketAddr {
    url.split_once("://").unwrap().1.parse().unwrap()
}
