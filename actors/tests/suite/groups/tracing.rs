//! Following who writes to a group, and who is in one.

use std::time::Duration;

use rookery_actors::{Trace, TraceEvent, TracedItem};

use super::of;
use crate::client::{Client, id, user, who};
use crate::network::World;

/// What happens until nothing has for a while.
async fn events(trace: &mut Trace) -> Vec<TraceEvent> {
    let mut events = Vec::new();
    loop {
        tokio::select! {
            item = trace.next() => match item {
                TracedItem::Event(traced) => events.push(traced.event),
                TracedItem::Lost(lost) => panic!("{lost} were lost"),
            },
            () = tokio::time::sleep(Duration::from_secs(5)) => return events,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_followed_author_is_told_of_bells_by_the_node_and_a_followed_member_of_its_own() {
    let world = World::start(3, 60).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut bob = world.members[1].node.join(who(2, 1)).await;
    world.settled().await;
    let group = alice.create(2..=60).await;
    take_what_waits(&mut alice).await;
    take_what_waits(&mut bob).await;
    let mut author = world.members[0].node.actors.trace(user(1)).unwrap();
    let mut member = world.members[1].node.actors.trace(user(2)).unwrap();
    let request = alice.send(of(group), id(7), "hello").await;
    alice.sent(request).await;
    alice.take_message().await;
    bob.take_message().await;

    let author = events(&mut author).await;
    let bells = author.iter().filter_map(|event| match event {
        TraceEvent::RungMany { users, message: Some(message), stamp: Some(_), .. } => {
            assert_eq!(*message, id(7));
            Some(users)
        }
        _ => None,
    });
    let bells: Vec<_> = bells.collect();
    assert_eq!((bells.len(), bells.into_iter().sum::<usize>()), (3, 60), "one for each node: {author:?}");
    assert!(author.len() < 12, "{author:?}");

    let member = events(&mut member).await;
    let pushed = |event: &TraceEvent| {
        matches!(event, TraceEvent::Pushed { user: of, message: Some(message), .. }
            if *of == user(2) && *message == id(7))
    };
    assert!(member.iter().any(pushed), "{member:?}");
    assert!(
        member.iter().any(|event| matches!(event, TraceEvent::Delivered { seq, .. } if seq.get() == 2)),
        "{member:?}"
    );
}

async fn take_what_waits(client: &mut Client) {
    for event in client.events_until_quiet(Duration::from_secs(2)).await {
        client.ack(event.stamp()).await;
    }
}
