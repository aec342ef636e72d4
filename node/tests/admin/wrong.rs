//! What is refused, and what is said about it.

use serde_json::{Value, json};

use crate::document::Document;
use crate::http::{ask, request};
use crate::node::Admin;

const REPORT: &str = "/v1/reports/0123456789abcdef01234567";

#[tokio::test]
async fn nothing_is_answered_without_the_token() {
    let admin = Admin::start_with(rookery_node::config::EngineKind::Memory, "").await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    let whole = admin.token.as_str();
    let mut paths = document.operations();
    paths.push(("GET".into(), "/".into()));
    paths.push(("GET".into(), "/v1/nothing".into()));
    for (method, path) in paths {
        for token in [None, Some(""), Some("wrong"), Some(&whole[1..]), Some(&format!("{whole}x"))] {
            let path = path.replace(['{', '}'], "");
            let answer = ask(admin.address(), &request(&method, &path, token, "{}")).await;
            assert_eq!(answer.status, 401, "{method} {path} {token:?}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
            let failure = answer.json();
            document.check_failure(&failure);
            assert_eq!(failure["code"], "unauthorized");
            assert!(failure["hint"].as_str().unwrap().contains("keys/admin.token"), "{failure}");
        }
    }
    let basic = format!("GET /v1/status HTTP/1.0\r\nAuthorization: Basic {whole}\r\n\r\n");
    assert_eq!(ask(admin.address(), &basic).await.status, 401);
    let lower = format!("GET /v1/status HTTP/1.0\r\nauthorization: bearer {whole}\r\n\r\n");
    assert_eq!(ask(admin.address(), &lower).await.status, 200);
}

#[tokio::test]
async fn wrong_input_is_told_what_was_expected() {
    let admin = Admin::start_with(rookery_node::config::EngineKind::Memory, "").await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    admin.user("anna").await;
    let long = "x".repeat(201);
    let null = Value::Null;
    let cases = [
        ("GET", "/v1/nothing", null.clone(), 404, "no such route"),
        ("DELETE", "/v1/status", null.clone(), 405, "another method"),
        ("GET", "/v1/users/bert", null.clone(), 404, "no user \"bert\""),
        ("GET", "/v1/users/id:77", null.clone(), 404, "no user 77"),
        ("GET", "/v1/users/id:x", null.clone(), 400, "`x` is no user's number"),
        ("GET", "/v1/users/B%C3%B6", null.clone(), 400, "a handle has letters"),
        ("GET", "/v1/users?limit=0", null.clone(), 400, "`limit` is 0, expected 1 to 1000"),
        ("GET", "/v1/users?limits=3", null.clone(), 400, "unknown field `limits`"),
        ("GET", "/v1/connections?peer=10.0.0.1/8", null.clone(), 400, "was 10.0.0.0/8 meant?"),
        ("GET", "/v1/users/anna/inbox?peek=9999", null.clone(), 400, "expected 0 to 1000"),
        ("GET", "/v1/users/anna/trace?seconds=0", null.clone(), 400, "expected 1 to 3600"),
        ("GET", "/v1/groups/77", null.clone(), 404, "no group 77"),
        ("GET", "/v1/groups/g:77/members", null.clone(), 404, "no group 77"),
        ("DELETE", "/v1/groups/77", null.clone(), 404, "no group 77"),
        ("DELETE", "/v1/groups/77/members/anna", null.clone(), 404, "no group 77"),
        ("GET", "/v1/channels/77", null.clone(), 404, "no group 77"),
        ("GET", "/v1/channels/77/followers", null.clone(), 404, "no group 77"),
        ("GET", "/v1/channels/news", null.clone(), 400, "`news` is no group: expected its number"),
        ("GET", "/v1/channels?limit=1001", null.clone(), 400, "`limit` is 1001, expected 1 to 1000"),
        ("GET", "/v1/groups/crew", null.clone(), 400, "`crew` is no group: expected its number"),
        ("POST", "/v1/users", json!({ "handle": "anna" }), 409, "there is a user \"anna\" already"),
        ("POST", "/v1/users", json!({ "handle": "" }), 400, "1 to 32 characters"),
        ("POST", "/v1/users", json!({ "name": "anna" }), 400, "unknown field `name`"),
        ("POST", "/v1/users", json!({}), 400, "missing field `handle`"),
        ("POST", "/v1/users/anna/tokens", json!({ "device": "" }), 400, "`device` has 0 characters"),
        ("POST", "/v1/users/anna/tokens", json!({ "device": "a\nb" }), 400, "no control characters"),
        ("POST", "/v1/users/anna/tokens", json!({ "device": "x", "seconds": 0 }), 400, "`seconds` is 0"),
        ("POST", "/v1/users/anna/devices/laptop/revoke", null.clone(), 404, "no device \"laptop\""),
        ("PUT", "/v1/users/anna/suspension", json!({ "reason": long }), 400, "`reason` has 201 characters"),
        ("PUT", "/v1/users/anna/standing", json!({}), 400, "say `unlimited`, `shadow_banned` or both"),
        ("POST", "/v1/kick", json!({}), 400, "say whose connections"),
        ("POST", "/v1/kick", json!({ "user": "anna", "connection": 1 }), 400, "say whose connections"),
        ("POST", "/v1/kick", json!({ "connection": 9 }), 404, "no connection 9"),
        ("POST", "/v1/bans", json!({ "network": "0.0.0.0/0" }), 400, "every address"),
        ("POST", "/v1/bans", json!({ "network": "nowhere" }), 400, "neither an address"),
        ("DELETE", "/v1/bans/192.0.2.1", null.clone(), 404, "192.0.2.1 is not banned"),
        ("GET", "/v1/reports/77", null.clone(), 400, "`report` is `77`, expected 24 hexadecimal digits"),
        ("GET", "/v1/reports?after=x", null.clone(), 400, "`after` is `x`, expected 24"),
        ("GET", REPORT, null.clone(), 404, "there is no report 0123456789abcdef01234567"),
        ("DELETE", REPORT, null.clone(), 404, "there is no report 0123456789abcdef01234567"),
        ("DELETE", "/v1/nodes/nobody", null.clone(), 404, "no node nobody"),
        ("PUT", "/v1/nodes/nobody/weight", json!({ "weight": 10_001 }), 400, "expected 0 to 10000"),
        ("PUT", "/v1/nodes/nobody/weight", json!({ "weight": 1 }), 404, "no node nobody"),
        ("POST", "/v1/rebalance", json!({ "at_most": 0 }), 400, "expected 1 to 4096"),
        ("POST", "/v1/drain", json!({ "within_seconds": 0 }), 400, "expected 1 to 3600"),
        ("POST", "/v1/backup", json!({ "directory": "here" }), 400, "no absolute path"),
        (
            "POST",
            "/v1/backup",
            json!({ "directory": "/nowhere/at/all" }),
            501,
            "the memory engine has no copy",
        ),
        ("GET", "/v1/log-level", null.clone(), 501, "not its own to change"),
    ];
    for (method, path, body, status, expected) in cases {
        let answer = admin.ask(method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let failure = answer.json();
        document.check_failure(&failure);
        assert!(failure["message"].as_str().unwrap().contains(expected), "{method} {path}: {failure}");
    }
    let not_json = request("POST", "/v1/users", Some(admin.token.as_str()), "anna");
    let answer = ask(admin.address(), &not_json).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("bad_request")));
}

#[tokio::test]
async fn a_request_that_is_meant_for_another_node_does_nothing() {
    let admin = Admin::start_with(rookery_node::config::EngineKind::Memory, "").await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    let own = admin.get("/v1/status").await["node"].as_str().unwrap().to_owned();
    let meant_for = async |node: &str, token: Option<&str>| {
        let asked = request("POST", "/v1/users", token, "{\"handle\":\"anna\"}");
        ask(admin.address(), &asked.replace("\r\n\r\n", &format!("\r\nRookery-Node: {node}\r\n\r\n"))).await
    };
    let token = Some(admin.token.as_str());
    for other in ["chat2", "", &own[1..], &format!("{own}2")] {
        assert_eq!(meant_for(other, None).await.status, 401);
        let answer = meant_for(other, token).await;
        assert_eq!(answer.status, 421, "{other}");
        let failure = answer.json();
        document.check_failure(&failure);
        assert_eq!(failure["code"], "wrong_node");
        let expected = format!("meant for node {other}, and this is {own}");
        assert!(failure["message"].as_str().unwrap().contains(&expected), "{failure}");
    }
    assert_eq!(admin.get("/v1/users").await["users"], json!([]));
    assert_eq!(meant_for(&own, token).await.status, 200);
}
