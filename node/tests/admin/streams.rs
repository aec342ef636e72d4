//! Streams: what they say, and that they end.

use rookery_node::config::EngineKind;
use rookery_protocol::ConversationId;
use rookery_store::{Op, Reads, View, Writes};
use serde_json::{Value, json};

use crate::client::Client;
use crate::document::Document;
use crate::node::Admin;

#[tokio::test]
async fn a_trace_follows_a_message_from_arrival_to_acknowledgement() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    let (anna, bert) = (admin.user("anna").await, admin.user("bert").await);
    let (mut anna, a) = Client::join(admin.tcp(), &anna).await;
    let (mut bert, b) = Client::join(admin.tcp(), &bert).await;
    let mut trace = admin.stream("GET", "/v1/users/anna/trace", Value::Null).await;
    assert_eq!(trace.next().await.unwrap()["line"], "started");
    anna.send(ConversationId::direct(a, b), 7, "hello").await;
    let event = bert.message().await;
    bert.ack(event.stamp).await;

    let message = json!(event.message.id.to_string());
    let mut lines = Vec::new();
    loop {
        let line = trace.next().await.unwrap();
        document.check("GET", "/v1/users/{user}/trace", &line);
        let is_last = line["line"] == "delivered";
        lines.push(line);
        if is_last {
            break;
        }
    }
    let of = |kind: &str, user: Option<u64>| -> &Value {
        let found =
            lines.iter().find(|it| it["line"] == kind && user.is_none_or(|user| it["user"] == json!(user)));
        found.unwrap_or_else(|| panic!("no {kind} in {lines:#?}"))
    };
    let (arrived, committed) = (of("arrived", Some(a.get())), of("committed", None));
    assert_eq!((&arrived["message"], &arrived["body_bytes"]), (&message, &json!(5)));
    assert_eq!((&committed["message"], &committed["stamp"]), (&message, &json!(event.stamp.to_string())));
    let (rung, pushed) = (of("rung", Some(b.get())), of("pushed", Some(b.get())));
    assert_eq!((&rung["message"], &pushed["message"], &pushed["device"]), (&message, &message, &json!(1)));
    let delivered = of("delivered", Some(b.get()));
    assert_eq!(delivered["seq"], committed["seq"]);
}

#[tokio::test]
async fn a_trace_ends_when_the_node_stops_and_when_nobody_reads() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    admin.user("anna").await;
    let mut traces = Vec::new();
    let path = "/v1/users/anna/trace?seconds=3600";
    for _ in 0..rookery_actors::TRACES_MAX {
        let mut trace = admin.stream("GET", path, Value::Null).await;
        trace.next().await.unwrap();
        traces.push(trace);
    }
    let refused = admin.ask("GET", path, Value::Null).await;
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("busy")));
    let mut last = traces.pop().unwrap();
    drop(traces);
    let mut again = loop {
        if admin.ask("GET", "/v1/users/anna/trace?seconds=1", Value::Null).await.status == 200 {
            break admin.stream("GET", path, Value::Null).await;
        }
    };
    assert!(admin.node.stop().await);
    for trace in [&mut last, &mut again] {
        let mut ended = Value::Null;
        while let Some(line) = trace.next().await {
            ended = line;
        }
        assert_eq!(ended, json!({ "line": "ended", "reason": "stopping" }));
    }
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_says_so() {
    let admin = Admin::start().await;
    let mut stream = admin.stream("POST", "/v1/backup", json!({ "directory": admin.directory.path() })).await;
    let mut last = Value::Null;
    while let Some(line) = stream.next().await {
        last = line;
    }
    assert_eq!(last["line"], "failed");
    assert!(last["message"].as_str().unwrap().ends_with("is not empty"), "{last}");
}

/// Breaks a store: anna's handle leads nowhere.
struct LoseHandle;

impl Op for LoseHandle {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {}

    fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
        writes.delete(rookery_store::keys::handle::key(&"anna".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_check_tells_what_does_not_fit_together() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    admin.user("anna").await;
    admin.node.store().submit(&0, LoseHandle).await.unwrap();
    let mut stream = admin.stream("GET", "/v1/check", Value::Null).await;
    let mut lines = Vec::new();
    while let Some(line) = stream.next().await {
        document.check("GET", "/v1/check", &line);
        lines.push(line);
    }
    let [finding, done] = &lines[..] else { panic!("{lines:#?}") };
    assert_eq!((&finding["line"], &finding["rule"]), (&json!("finding"), &json!("UserWithoutHandle")));
    assert!(finding["subject"].as_str().unwrap().starts_with("user "), "{finding}");
    assert_eq!((&done["line"], &done["findings"]), (&json!("done"), &json!(1)));
}

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn one_id_leads_through_the_log_from_arrival_to_push() {
    let log = Log::default();
    let lines = {
        let log = log.clone();
        let layer =
            tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::DEBUG);
        layer.with_writer(move || log.clone()).finish()
    };
    // Everything of this node's runs on this thread, for which alone the subscriber is.
    let _logging = tracing::subscriber::set_default(lines);
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let (anna, bert) = (admin.user("anna").await, admin.user("bert").await);
    let (mut anna, a) = Client::join(admin.tcp(), &anna).await;
    let (mut bert, b) = Client::join(admin.tcp(), &bert).await;
    anna.send(ConversationId::direct(a, b), 7, "secret").await;
    let id = bert.message().await.message.id.to_string();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let of_message = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps: Vec<(Value, Value)> = of_message
        .filter(|line| line["target"].as_str().is_some_and(|target| target.contains("inspect")))
        .map(|line| (line["step"].clone(), line["message"].clone()))
        .collect();
    for step in ["message arrived", "message committed", "bell rung", "message pushed"] {
        assert!(steps.contains(&(json!(step), json!(id))), "no {step} of {id} in {steps:?}");
    }
    assert!(!log.contains("secret"));
}
