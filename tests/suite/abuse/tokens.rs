//! Tokens that let nobody in.

use std::time::Duration;

use bytes::Bytes;
use rookery_client::{ConversationId, ErrorCode};
use rookery_protocol::ServerFrame;
use rookery_tests::raw::{RawPeer, hello, message_id};
use rookery_tests::{Node, NodeConfig, Port, accounts};
use serde_json::json;

use crate::bystanders::Bystanders;

#[tokio::test(flavor = "multi_thread")]
async fn forged_expired_and_revoked_tokens_are_refused_each_in_its_own_words() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let people = accounts(&node, &[("mallory", 2), ("trent", 1)]).await.unwrap();
    let (token, trents) = (&people[0].devices[0].token, &people[1].devices[0].token);
    let forge = node.token_forge().unwrap();

    let mut forged = token.clone().into_bytes();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let claims = token.split('.').nth(1).unwrap();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
    let refused = [
        (String::new(), ErrorCode::TokenInvalid),
        ("not a token".to_owned(), ErrorCode::TokenInvalid),
        ("x".repeat(2048), ErrorCode::TokenInvalid),
        (String::from_utf8(forged).unwrap(), ErrorCode::TokenInvalid),
        (unsigned, ErrorCode::TokenInvalid),
        (
            forge.changed(token, |claims| claims["iss"] = json!("another cluster")).unwrap(),
            ErrorCode::TokenInvalid,
        ),
        (forge.changed(token, |claims| claims["sub"] = json!("0")).unwrap(), ErrorCode::TokenInvalid),
        (forge.expired(token, Duration::from_secs(3600)).unwrap(), ErrorCode::TokenExpired),
        (forge.changed(token, |claims| claims["sub"] = json!("12345")).unwrap(), ErrorCode::TokenRevoked),
        (forge.changed(token, |claims| claims["dev"] = json!(77)).unwrap(), ErrorCode::TokenRevoked),
    ];
    for (token, code) in &refused {
        for port in [Port::Tcp, Port::WebSocket] {
            assert_refused(&node, port, token, *code).await;
        }
    }

    // A revocation is felt by a connection that is up, at its next message.
    let (mut open, _) = RawPeer::welcomed(&node, Port::Tcp, token).await;
    node.command(&["token", "mallory", "--device", "device-0", "--revoke"]).await.unwrap();
    let notes = ConversationId::direct(people[0].user, people[0].user);
    open.send_message(1, notes, message_id(1), Bytes::new()).await;
    let mut refusals = Vec::new();
    while let Some(frame) = open.next().await {
        match frame {
            ServerFrame::Error(error) => refusals.push(error),
            other => panic!("instead of TokenRevoked: {other:?}"),
        }
    }
    let codes: Vec<_> = refusals.iter().map(rookery_protocol::Error::known_code).collect();
    assert!(
        !codes.is_empty() && codes.iter().all(|code| *code == Some(ErrorCode::TokenRevoked)),
        "{refusals:?}"
    );
    assert_refused(&node, Port::Tcp, token, ErrorCode::TokenRevoked).await;
    RawPeer::welcomed(&node, Port::Tcp, &people[0].devices[1].token).await;

    node.command(&["user", "remove", "trent", "--yes"]).await.unwrap();
    assert_refused(&node, Port::Tcp, trents, ErrorCode::TokenRevoked).await;
    bystanders.go_on().await;
}

async fn assert_refused(node: &Node, port: Port, token: &str, code: ErrorCode) {
    let mut peer = RawPeer::connect(node, port).await;
    peer.send(&hello(token)).await;
    peer.expect_error(code, 0).await;
    peer.expect_closed().await;
}
