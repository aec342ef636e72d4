//! Steps of the machines that decide, and what fans a message out: no actor, socket or store.

use std::hint::black_box;
use std::sync::OnceLock;

use bytes::Bytes;
use rookery_actors::bench::{Queues, Session, asks_for_something};
use rookery_protocol::{Ack, Epoch, Opcode, RawFrame, Seq, encode, encode_event, limits, whole_frames};
use rookery_store::keys::node::Incarnation;
use rookery_store::keys::view::{ClusterView, Member};
use rookery_store::placement::Slot;

use crate::codec::{logged, pair, send, stamp, user};
use crate::{Case, Work, fresh, repeated};

/// Machines that take the same step one after the other.
const MACHINES: u64 = 64;
const TIMES: u64 = 64;
/// Members online who are pushed a group's message.
const MEMBERS: u64 = 256;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        repeated("connection machine: SEND, 128 B", TIMES, || deciding(encode(&send(128)))),
        repeated("connection machine: ACK", TIMES, || deciding(encode(&Ack { stamp: stamp(1) }))),
        fresh("session machine: join", MACHINES, || each(|_| (), Session::join)),
        fresh("session machine: ring", MACHINES, || each(joined, |session| session.ring(stamp(1)))),
        fresh("session machine: swept, one event", MACHINES, || each(rung, swept)),
        fresh("session machine: swept, one event for 4 devices", MACHINES, || {
            each(
                |session| {
                    (0..3).for_each(|_| joined(session));
                    rung(session);
                },
                swept,
            )
        }),
        fresh("session machine: ack", MACHINES, || each(pushed, |session| session.ack(stamp(1)))),
        fresh("session machine: committed", MACHINES, || {
            each(
                |session| {
                    pushed(session);
                    session.ack(stamp(1));
                },
                Session::committed,
            )
        }),
        repeated("slot of a user, and its owner of 16 nodes", TIMES, slots),
        fresh("fan-out: a message of 128 B, encoded once, in 256 queues", MEMBERS, || fan_out(128)),
        fresh("fan-out: a message of 4 KiB, encoded once, in 256 queues", MEMBERS, || fan_out(4096)),
    ]
}

fn deciding(frame: Bytes) -> Work {
    let frames: Vec<RawFrame> = whole_frames(frame.repeat(TIMES as usize).into(), limits::FRAME_BYTES_MAX)
        .collect::<Result<_, _>>()
        .expect("the frames are whole");
    Box::new(move || {
        for frame in &frames {
            assert!(asks_for_something(black_box(frame)));
        }
    })
}

/// Brings machines to where they take a step, then has each take it.
fn each(prepare: fn(&mut Session), step: fn(&mut Session)) -> Work {
    let prepared = |_| {
        let mut session = Session::new();
        prepare(&mut session);
        session
    };
    let mut sessions: Vec<Session> = (0..MACHINES).map(prepared).collect();
    Box::new(move || sessions.iter_mut().for_each(step))
}

fn joined(session: &mut Session) {
    session.join();
    session.swept(pair(), &[]);
}

fn rung(session: &mut Session) {
    joined(session);
    session.ring(stamp(1));
    // Made before it is measured.
    frame();
}

fn pushed(session: &mut Session) {
    rung(session);
    swept(session);
}

fn swept(session: &mut Session) {
    session.swept(pair(), &[(stamp(1), Seq::new(1), frame())]);
}

fn frame() -> Bytes {
    static FRAME: OnceLock<Bytes> = OnceLock::new();
    FRAME.get_or_init(|| encode_event(Opcode::MessageEvent, stamp(1), &logged(128))).clone()
}

fn slots() -> Work {
    let member = |number| Member {
        name: format!("n{number}").parse().expect("it is a name"),
        incarnation: Incarnation::new(1),
        link: String::new(),
        admin: String::new(),
        clients: Vec::new(),
        weight: 1,
        draining: false,
    };
    let view = ClusterView::placed(Epoch::new(1), (1..=16).map(member).collect());
    Box::new(move || {
        for number in 1..=TIMES {
            black_box(view.owner(Slot::of_user(black_box(user(number)))));
        }
    })
}

fn fan_out(body_bytes: usize) -> Work {
    let (queues, logged) = (Queues::new(MEMBERS), logged(body_bytes));
    queues.fan_out(stamp(1), &logged);
    assert_eq!(queues.take(), 1, "all queues share the same bytes");
    Box::new(move || queues.fan_out(stamp(1), black_box(&logged)))
}
