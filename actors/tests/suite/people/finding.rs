//! Finding people by their handles.

use std::time::Duration;

use rookery_actors::{ActorsConfig, Rate, Rates};
use rookery_protocol::{Audience, ErrorCode, Handle, limits};

use super::{BLOCKED, all, why};
use crate::client::{user, who};
use crate::node::{Node, config};

fn handle(text: &str) -> Handle {
    text.parse().expect("a handle")
}

#[tokio::test(start_paused = true)]
async fn handles_are_found_in_the_order_asked_for_whatever_their_users_hide() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.set_privacy(all(Audience::Nobody)).await;
    bob.set_person(1, BLOCKED).await;
    let found = alice.find(["user2", "nobody", "user1", "user2"].map(handle).to_vec()).await.unwrap();
    assert_eq!(found, [Some(user(2)), None, Some(user(1)), Some(user(2))]);
    assert_eq!(alice.find(vec![]).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn so_many_handles_are_looked_up_at_once_and_in_some_time() {
    let rates =
        Rates { lookups: Some(Rate { burst: 300, each: Duration::from_secs(6) }), ..Rates::default() };
    let node = Node::start_with(ActorsConfig { rates, ..config() }).await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let handles = |count: usize| vec![handle("user3"); count];
    let error = bob.find(handles(limits::FIND_PEOPLE_MAX + 1)).await.unwrap_err();
    assert_eq!(why(&error), (ErrorCode::BadRequest, "look up at most 256 handles"));
    alice.find(handles(256)).await.unwrap();
    alice.find(handles(44)).await.unwrap();
    let error = alice.find(handles(10)).await.unwrap_err();
    let text = "too many lookups of handles in a short time; retry after the time given";
    assert_eq!((why(&error), error.retry_after_ms), ((ErrorCode::Busy, text), 60_000));
    // On another connection, too.
    let mut laptop = node.join(who(1, 2)).await;
    assert_eq!(laptop.find(handles(1)).await.unwrap_err().known_code(), Some(ErrorCode::Busy));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(alice.find(handles(10)).await.unwrap(), [Some(user(3)); 10]);
}
