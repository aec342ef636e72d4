//! What operators do to people: suspend, ban, kick, revoke, remove, drain.

use rookery_node::config::EngineKind;
use rookery_protocol::{ConversationId, DeviceId, ErrorCode, GroupChange, ServerFrame};
use serde_json::{Value, json};

use crate::client::Client;
use crate::node::Admin;

async fn memory() -> Admin {
    Admin::start_with(EngineKind::Memory, "").await
}

#[tokio::test]
async fn a_suspended_user_is_thrown_out_and_cannot_connect_until_it_ends() {
    let admin = memory().await;
    let token = admin.user("anna").await;
    let (client, _) = Client::join(admin.tcp(), &token).await;
    let suspended = admin.done("PUT", "/v1/users/anna/suspension", json!({ "reason": "spam" })).await;
    assert_eq!(suspended["changed"], true);
    assert_eq!(client.closed_for(ErrorCode::Suspended).await, "this account has been suspended: spam");
    let again = Client::hello(admin.tcp(), &token).await;
    assert_eq!(again.closed_for(ErrorCode::Suspended).await, "this account has been suspended: spam");
    assert_eq!(admin.get("/v1/users/anna").await["user"]["suspension"]["reason"], "spam");
    admin.done("DELETE", "/v1/users/anna/suspension", Value::Null).await;
    let (mut client, user) = Client::join(admin.tcp(), &token).await;
    client.send(ConversationId::direct(user, user), 1, "back").await;
    client.message().await;
}

#[tokio::test]
async fn a_ban_closes_the_addresss_connections_and_refuses_new_ones_and_nobody_elses() {
    let admin = memory().await;
    let token = admin.user("anna").await;
    let (banned, _) = Client::join(admin.tcp(), &token).await;
    let mut other = Client::connect_from("127.0.0.2", admin.tcp()).await;
    let ban = admin.done("POST", "/v1/bans", json!({ "network": "127.0.0.1", "reason": "flood" })).await;
    assert_eq!((&ban["closed"], &ban["ban"]["reason"]), (&json!(1), &json!("flood")));
    banned.closed_for(ErrorCode::Banned).await;
    // Who waits in front of the door has not said who it is, and is banned all the same.
    Client::connect_from("127.0.0.1", admin.tcp()).await.closed_for(ErrorCode::Banned).await;
    other.say_hello(&token).await;
    assert!(matches!(other.next().await, Some(ServerFrame::Welcome(_))));
    // The admin API itself is asked from the banned address.
    admin.done("DELETE", "/v1/bans/127.0.0.1", Value::Null).await;
    Client::join(admin.tcp(), &token).await;
}

#[tokio::test]
async fn a_ban_made_by_another_node_is_found() {
    let admin = memory().await;
    let token = admin.user("anna").await;
    let (banned, _) = Client::join(admin.tcp(), &token).await;
    // In the store alone, as another node would leave it.
    let ban = rookery_store::keys::ban::Ban { reason: String::new(), since_ms: 1, until_ms: None };
    let op = rookery_store::ops::AddBan { network: "127.0.0.0/8".parse().unwrap(), ban };
    admin.node.store().submit(&0, op).await.unwrap().answer.unwrap();
    banned.closed_for(ErrorCode::Banned).await;
}

#[tokio::test]
async fn who_is_kicked_may_come_back_and_who_is_revoked_or_removed_may_not() {
    let admin = memory().await;
    let (phone, laptop) = (admin.user("anna").await, admin.device("anna", "laptop").await);
    let (on_phone, _) = Client::join(admin.tcp(), &phone).await;
    let (on_laptop, _) = Client::join(admin.tcp(), &laptop).await;
    let kick = json!({ "user": "anna", "device": "id:1", "reason": "maintenance" });
    assert_eq!(admin.done("POST", "/v1/kick", kick).await["connections"].as_array().unwrap().len(), 1);
    assert_eq!(on_phone.closed_for(ErrorCode::Kicked).await, "maintenance");
    let (on_phone, _) = Client::join(admin.tcp(), &phone).await;

    admin.done("POST", "/v1/users/anna/devices/laptop/revoke", Value::Null).await;
    on_laptop.closed_for(ErrorCode::TokenRevoked).await;
    Client::hello(admin.tcp(), &laptop).await.closed_for(ErrorCode::TokenRevoked).await;
    // A token made after that is good.
    let renewed = admin.device("anna", "laptop").await;
    let (on_laptop, _) = Client::join(admin.tcp(), &renewed).await;

    admin.done("DELETE", "/v1/users/anna", Value::Null).await;
    for client in [on_phone, on_laptop] {
        client.closed_for(ErrorCode::TokenRevoked).await;
    }
    Client::hello(admin.tcp(), &phone).await.closed_for(ErrorCode::TokenRevoked).await;
}

#[tokio::test]
async fn members_learn_at_once_of_what_an_operator_does_to_their_group() {
    let admin = memory().await;
    let (annas, berts) = (admin.user("anna").await, admin.user("bert").await);
    let (mut anna, anna_id) = Client::join(admin.tcp(), &annas).await;
    let (mut bert, bert_id) = Client::join(admin.tcp(), &berts).await;
    let group = admin.group(anna_id, 1, &[bert_id]).await;
    let conversation = ConversationId::group(group);
    anna.send(conversation, 2, "caw").await;

    admin.done("DELETE", &format!("/v1/groups/{group}/members/anna"), Value::Null).await;
    let change = GroupChange::Left { successor: Some(bert_id) };
    for client in [&mut anna, &mut bert] {
        while client.message().await.message.change.as_ref() != Some(&change) {}
    }
    admin.done("DELETE", &format!("/v1/groups/{group}"), Value::Null).await;
    let last = bert.message().await.message;
    assert_eq!((last.conversation, last.change), (conversation, Some(GroupChange::Deleted)));
    assert_eq!((last.sender, last.device), (bert_id, DeviceId::new(0)));
    let whereabouts = admin.get(&format!("/v1/groups/{group}/where")).await;
    assert_eq!((&whereabouts["members"], &whereabouts["connected"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_drained_node_has_sent_everybody_away_and_takes_nobody() {
    let admin = memory().await;
    let token = admin.user("anna").await;
    let (mut client, _) = Client::join(admin.tcp(), &token).await;
    let _other = admin.join("other").await;
    let drain = admin.done("POST", "/v1/drain", json!({ "spread_seconds": 0, "within_seconds": 30 })).await;
    assert_eq!(drain["connections_before"], 1);
    // It may be told first that there is no node to go to: the other takes no clients.
    let mut was_sent_away = false;
    while let Some(frame) = client.next().await {
        was_sent_away |= matches!(frame, ServerFrame::Goaway(_));
    }
    assert!(was_sent_away);
    drop(client);
    while admin.get("/v1/drain").await["state"] == "draining" {
        tokio::task::yield_now().await;
    }
    let drain = admin.get("/v1/drain").await;
    assert_eq!((&drain["state"], &drain["connections_left"]), (&json!("drained"), &json!(0)));
    let mut late = Client::connect_from("127.0.0.1", admin.tcp()).await;
    assert!(matches!(late.next().await, Some(ServerFrame::Goaway(_))));
    // Asked again, nothing begins anew.
    assert_eq!(admin.done("POST", "/v1/drain", Value::Null).await["state"], "drained");
}
