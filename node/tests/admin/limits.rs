//! How much of a node operators can use.

use rookery_node::config::EngineKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::http::{Stream, ask, request};
use crate::node::Admin;

/// A request whose body does not come.
async fn stalled(admin: &Admin) -> TcpStream {
    let token = admin.token.as_str();
    let head = format!(
        "POST /v1/kick HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n"
    );
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let answer = admin.ask("POST", "/v1/users", json!({ "handle": "x".repeat(17 * 1024) })).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("too_large")));
}

#[tokio::test]
async fn one_request_too_many_is_told_to_try_again() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let mut waiting = Vec::new();
    for _ in 0..32 {
        waiting.push(stalled(&admin).await);
    }
    // Each has its place as soon as its head has been read.
    let status = request("GET", "/v1/status", Some(admin.token.as_str()), "");
    let answer = loop {
        let answer = ask(admin.address(), &status).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("busy")));
    drop(waiting);
    while ask(admin.address(), &status).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_given_up() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let mut stream = stalled(&admin).await;
    // Time is virtual and passes when nothing else happens.
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 504");
}

#[tokio::test(start_paused = true)]
async fn who_shows_no_token_makes_place_for_who_does_however_slowly_it_speaks() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    admin.user("anna").await;
    // An operator's own connection stays as long as it is used.
    let asked = admin.request("GET", "/v1/users/anna/trace?seconds=30", &Value::Null);
    let mut trace = Stream::open(admin.address(), &asked).await;
    let begun = Instant::now();
    let mut slow = JoinSet::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(admin.address()).await.unwrap();
        slow.spawn(async move {
            // A path without an end.
            stream.write_all(b"GET /").await.unwrap();
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let answer = admin.ask("GET", "/v1/openapi.json", Value::Null).await;
    assert_eq!(answer.status, 200);
    assert!((Duration::from_secs(9)..Duration::from_secs(12)).contains(&begun.elapsed()), "{begun:?}");
    let mut last = Value::Null;
    while let Some(line) = trace.next().await {
        last = line;
    }
    assert_eq!(last, json!({ "line": "ended", "reason": "time" }));
    assert!(begun.elapsed() >= Duration::from_secs(29));
}
