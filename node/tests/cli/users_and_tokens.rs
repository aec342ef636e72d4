//! Users and tokens, beside a running node, as the node sees them.

use std::time::Duration;

use rookery_actors::{Clock, DeviceToken, SystemClock};
use rookery_node::config::EngineKind;
use rookery_node::data_dir::DataDir;
use rookery_node::token::{TokenIssuer, TokenKeys};
use rookery_protocol::{DeviceId, ErrorCode, ServerFrame, UserId};

use crate::client::hello;
use crate::program::{FREE_PORTS, Program, RunningNode};

/// What the node answers to a HELLO with this token.
fn answer_to(node: &RunningNode, token: &str) -> ServerFrame {
    hello(node, token).1
}

#[track_caller]
fn assert_refused(node: &RunningNode, token: &str, code: ErrorCode) {
    match answer_to(node, token) {
        ServerFrame::Error(error) => assert_eq!(ErrorCode::from_number(error.code), Some(code), "{error:?}"),
        other => panic!("expected {code:?}, got {other:?}"),
    }
}

fn number_of(program: &Program, name: &str) -> u64 {
    let line = program.stdout_of(&["user", "add", name, "--json"]);
    serde_json::from_str::<serde_json::Value>(&line).unwrap()["user"].as_u64().unwrap()
}

#[test]
fn users_are_added_listed_and_removed_beside_a_running_node() {
    let program = Program::with_config(FREE_PORTS);
    let _node = program.start_node();
    let alice = number_of(&program, "alice");
    assert_eq!(
        program.failure_of(&["user", "add", "Alice"]),
        (1, format!("rookery: there is a user \"alice\" already (user {alice})\n"))
    );
    program.stdout_of(&["token", "alice", "--device", "phone"]);
    let table = program.stdout_of(&["user", "list"]);
    assert!(table.lines().any(|line| line.contains("alice") && line.contains("phone")), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&program.stdout_of(&["user", "list", "--json"])).unwrap();
    assert_eq!(json["devices"][0]["name"], "phone");
    let (code, message) = program.failure_of(&["user", "remove", "alice"]);
    assert!(message.ends_with("Nobody is at a terminal to answer: add --yes\n"), "{message}");
    assert_eq!(code, 1);
    program.stdout_of(&["user", "remove", "alice", "--yes"]);
    assert_eq!(program.stdout_of(&["user", "list", "--json"]), "");
}

#[test]
fn an_unknown_user_is_answered_with_the_command_that_adds_it() {
    let program = Program::with_config(FREE_PORTS);
    drop(program.start_node());
    let rookery = env!("CARGO_BIN_EXE_rookery");
    assert_eq!(
        program.failure_of(&["token", "x"]),
        (1, format!("rookery: no user \"x\": add it with `{rookery} user add x`\n"))
    );
}

#[test]
fn a_token_lets_its_device_in_until_it_is_revoked() {
    let program = Program::with_config(FREE_PORTS);
    let node = program.start_node();
    let alice = number_of(&program, "alice");
    let (phone, laptop) = (["token", "alice", "--device", "phone"], ["token", "alice", "--device", "laptop"]);
    let first = program.stdout_of(&phone);
    let second = program.stdout_of(&phone);
    let other = program.stdout_of(&laptop);
    let ServerFrame::Welcome(welcome) = answer_to(&node, first.trim()) else { panic!("not let in") };
    assert_eq!((welcome.user.get(), welcome.handle.as_str()), (alice, "alice"));

    let output = program.run(&["token", "alice", "--device", "phone", "--revoke"]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert_refused(&node, first.trim(), ErrorCode::TokenRevoked);
    assert_refused(&node, second.trim(), ErrorCode::TokenRevoked);
    assert!(
        matches!(answer_to(&node, other.trim()), ServerFrame::Welcome(_)),
        "another device is not revoked"
    );
    let new = program.stdout_of(&phone);
    assert!(matches!(answer_to(&node, new.trim()), ServerFrame::Welcome(_)), "a new token lets in again");
}

#[test]
fn forged_expired_and_foreign_tokens_are_refused_each_with_its_code() {
    let program = Program::with_config(FREE_PORTS);
    let node = program.start_node();
    let user = UserId::new(number_of(&program, "alice")).unwrap();
    let genuine = program.stdout_of(&["token", "alice"]);

    let data = DataDir::open(&program.path().join("rookery-data"), EngineKind::Lmdb).unwrap();
    let (cluster, keys) = (&data.marker().cluster, data.token_keys().unwrap());
    let bearer = DeviceToken { user, device: DeviceId::new(1), generation: 1 };
    let (now_ms, hour) = (SystemClock.now_ms(), Duration::from_secs(3600));
    let made = |cluster: &str, keys: &TokenKeys, from_ms| {
        TokenIssuer::new(cluster, keys).issue(bearer, from_ms, hour).unwrap()
    };
    assert!(matches!(answer_to(&node, &made(cluster, &keys, now_ms)), ServerFrame::Welcome(_)));
    assert_refused(&node, &made(cluster, &keys, now_ms - 2 * 3_600_000), ErrorCode::TokenExpired);
    assert_refused(&node, &made("another", &keys, now_ms), ErrorCode::TokenInvalid);
    assert_refused(&node, &made(cluster, &TokenKeys::generate().unwrap(), now_ms), ErrorCode::TokenInvalid);
    let forged = genuine.trim().replacen('.', ".e", 1);
    assert_refused(&node, &forged, ErrorCode::TokenInvalid);
    assert_refused(&node, "", ErrorCode::TokenInvalid);

    program.stdout_of(&["user", "remove", "alice", "--yes"]);
    assert_refused(&node, genuine.trim(), ErrorCode::TokenRevoked);
}
