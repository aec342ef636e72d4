//! What operators see of a node, and what they may do to those who are connected.

use std::time::Duration;

use rookery_actors::{SessionState, Trace, TraceEvent, TracedItem};
use rookery_protocol::{DeviceId, ErrorCode, Seq};

use crate::client::{DEADLINE, direct, id, user, who};
use crate::node::Node;

async fn next(trace: &mut Trace) -> TraceEvent {
    match tokio::time::timeout(DEADLINE, trace.next()).await.expect("something happens in time") {
        TracedItem::Event(traced) => traced.event,
        TracedItem::Lost(lost) => panic!("{lost} were lost"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_found_absent_alive_and_hibernating() {
    let node = Node::start().await;
    let absent = node.actors.locate(user(1)).await;
    assert_eq!((absent.session, absent.connections.len()), (SessionState::Absent, 0));
    let _alice = node.join(who(1, 2)).await;
    let alive = node.actors.locate(user(1)).await;
    assert_eq!(alive.session, SessionState::Alive);
    let [connection] = &alive.connections[..] else { panic!("{alive:?}") };
    assert_eq!(connection.identity, Some((user(1), DeviceId::new(2))));
    assert_eq!(connection.peer.to_string(), "127.0.0.1:1");
    tokio::time::sleep(Duration::from_secs(15)).await;
    let asleep = node.actors.locate(user(1)).await;
    assert_eq!(asleep.session, SessionState::Hibernating);
    assert_eq!(asleep.connections[0].open_for.as_secs(), 15);
    assert_eq!((asleep.slot, asleep.shard), (absent.slot, usize::from(absent.slot.number()) % 3));
}

#[tokio::test(start_paused = true)]
async fn sessions_and_connections_come_in_pages() {
    let node = Node::start().await;
    let _clients = [node.join(who(3, 1)).await, node.join(who(1, 1)).await, node.join(who(1, 2)).await];
    let _stranger = node.connect();
    node.holds(|counts| counts.connections == 4).await;
    let first = node.actors.sessions(None, 1).await;
    assert_eq!((first.len(), first[0].user), (1, user(1)));
    assert_eq!(first[0].devices, [DeviceId::new(1), DeviceId::new(2)]);
    let second = node.actors.sessions(Some(user(1)), 5).await;
    assert_eq!(second.iter().map(|session| session.user).collect::<Vec<_>>(), [user(3)]);

    let numbers = |after, limit| -> Vec<u64> {
        node.actors.connections(after, limit, |_| true).iter().map(|it| it.number).collect()
    };
    assert_eq!((numbers(0, 3), numbers(3, 3)), (vec![1, 2, 3], vec![4]));
    let strangers = node.actors.connections(0, 10, |connection| connection.identity.is_none());
    assert_eq!(strangers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_are_closed_by_what_they_are() {
    let node = Node::start().await;
    let (mut gone, mut stays) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let of_device = |device| Some((user(1), DeviceId::new(device)));
    let closed = node.actors.close(ErrorCode::Kicked, "maintenance", |it| it.identity == of_device(1));
    assert_eq!(closed, [1]);
    gone.closed_for(ErrorCode::Kicked).await;
    stays.say(direct(1, 2), "x").await;
    // It may come back.
    node.join(who(1, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_trace_follows_a_message_from_its_arrival_to_its_acknowledgement() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut sender = node.actors.trace(user(1)).expect("there is room");
    let mut recipient = node.actors.trace(user(2)).expect("there is room");
    let mut nobody = node.actors.trace(user(3)).expect("there is room");
    let (message, conversation) = (id(7), direct(1, 2));
    let request = alice.send(conversation, message, "hello").await;
    alice.sent(request).await;
    let pushed = bob.message().await;
    bob.ack(pushed.stamp).await;
    alice.take_message().await;

    let device = DeviceId::new(1);
    for trace in [&mut sender, &mut recipient] {
        let (mut was_pushed, mut was_rung) = (false, false);
        let arrived = next(trace).await;
        let (user1, user2) = (user(1), user(2));
        assert_eq!(
            arrived,
            TraceEvent::Arrived { message, conversation, user: user1, device, connection: 1, body_bytes: 5 }
        );
        let committed = next(trace).await;
        let TraceEvent::Committed { message: same, seq, stamp: Some(stamp), .. } = committed else {
            panic!("{committed:?}")
        };
        assert_eq!((same, seq, stamp), (message, Seq::new(1), pushed.stamp));
        // What happens to the two users' devices is in no order.
        loop {
            match next(trace).await {
                TraceEvent::Rung { user, message: Some(rung), stamp: Some(at), node: None }
                    if user == user2 =>
                {
                    assert_eq!((rung, at), (message, stamp));
                    was_rung = true;
                }
                TraceEvent::Pushed { user, connection: 2, message: Some(pushed), .. } if user == user2 => {
                    assert_eq!(pushed, message);
                    was_pushed = true;
                }
                TraceEvent::Delivered { user, conversation: same, seq, .. } => {
                    assert_eq!((user, same, seq), (user2, conversation, Seq::new(1)));
                    break;
                }
                _ => {}
            }
        }
        assert!(was_rung && was_pushed);
    }
    tokio::select! {
        item = nobody.next() => panic!("{item:?}"),
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_trace_tells_of_refusals_and_repetitions() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut trace = node.actors.trace(user(1)).expect("there is room");
    let refused = alice.send(direct(2, 3), id(1), "x").await;
    alice.refused(refused, ErrorCode::NotMember).await;
    next(&mut trace).await;
    let (message, conversation) = (id(1), direct(2, 3));
    assert_eq!(
        next(&mut trace).await,
        TraceEvent::Refused { message, conversation, code: ErrorCode::NotMember }
    );
    for _ in 0..2 {
        let request = alice.send(direct(1, 2), id(2), "x").await;
        alice.sent(request).await;
    }
    let mut commits = Vec::new();
    while commits.len() < 2 {
        if let TraceEvent::Committed { stamp, .. } = next(&mut trace).await {
            commits.push(stamp.is_some());
        }
    }
    assert_eq!(commits, [true, false]);
}
