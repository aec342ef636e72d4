//! What the micro-benchmarks in `bench/micro` run of this crate's inside: steps of its machines, with no actor, socket or
//! store. It is there only with the feature `bench`, and nothing of the program uses it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use rookery_protocol::{ConversationId, DeviceId, Opcode, RawFrame, Seq, Stamp, encode_event};
use tokio::time::Instant;

use crate::connection::machine::{Action, Phase, decide};
use crate::connection::{Connection, ConnectionId};
use crate::session::machine::{Commit, Effect, Event, Joining, Machine};

/// What a session's devices may have unacknowledged.
const WINDOW_EVENTS: u32 = 256;

/// A session's machine, with its steps to be taken one by one.
#[derive(Debug)]
pub struct Session {
    machine: Machine,
    devices: u64,
    committing: Option<Commit>,
}

impl Session {
    /// Without a device.
    pub fn new() -> Self {
        Self { machine: Machine::default(), devices: 0, committing: None }
    }

    /// A device connects: the machine reads the inbox, or is reading it.
    pub fn join(&mut self) {
        self.devices += 1;
        let effects: Vec<Effect<Bytes>> = self.machine.join(Joining {
            connection: ConnectionId(self.devices),
            device: DeviceId::new(self.devices as u32),
            window_events: WINDOW_EVENTS,
            cursor: Stamp::ZERO,
            resume: Stamp::ZERO,
            recovering: false,
        });
        std::hint::black_box(effects);
    }

    /// A bell for the event at `stamp`: the machine reads the inbox.
    pub fn ring(&mut self, stamp: Stamp) {
        let effects: Vec<Effect<Bytes>> = self.machine.ring(stamp);
        assert!(matches!(effects[..], [Effect::Sweep(_)]), "{effects:?}");
    }

    /// The inbox has been read, and holds these messages of another user: each device is pushed them.
    pub fn swept(&mut self, conversation: ConversationId, events: &[(Stamp, Seq, Bytes)]) {
        let events: Vec<Event<Bytes>> = events
            .iter()
            .map(|(stamp, seq, frame)| Event {
                stamp: *stamp,
                frame: Some(frame.clone()),
                for_sender: None,
                bytes: frame.len(),
                receipt: Some((conversation, *seq)),
            })
            .collect();
        let effects = self.machine.swept(&events, true);
        assert_eq!(effects.len() as u64, self.devices * events.len() as u64);
    }

    /// The first device acknowledges: the machine commits it.
    pub fn ack(&mut self, stamp: Stamp) {
        let effects: Vec<Effect<Bytes>> = self.machine.ack(ConnectionId(1), stamp);
        self.committing = effects.into_iter().find_map(|effect| match effect {
            Effect::Commit(commit) => Some(commit),
            _ => None,
        });
    }

    /// The acknowledgement has been committed.
    pub fn committed(&mut self) {
        let commit = self.committing.take().expect("an acknowledgement was to be committed");
        let effects: Vec<Effect<Bytes>> = self.machine.committed(&commit);
        std::hint::black_box(effects);
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// What the connection's machine makes of a frame after WELCOME. Whether it asks for something.
pub fn asks_for_something(frame: &RawFrame) -> bool {
    let action = decide(Phase::Welcome, frame);
    !matches!(std::hint::black_box(&action), Action::Refuse(..) | Action::Close(..))
}

/// The queues of several connections.
#[derive(Debug)]
pub struct Queues(Vec<Arc<Connection>>);

impl Queues {
    /// Of so many.
    pub fn new(count: u64) -> Self {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let connection = |number| Connection::new(ConnectionId(number), peer, Instant::now());
        Self((0..count).map(connection).collect())
    }

    /// Encodes a message's event once, as for everybody who is rung for it, and queues it for each.
    pub fn fan_out(&self, stamp: Stamp, logged: &[u8]) {
        let frame = encode_event(Opcode::MessageEvent, stamp, logged);
        for connection in &self.0 {
            connection.push(frame.clone());
        }
    }

    /// Empties the queues, and says at how many places in memory their frames were.
    pub fn take(&self) -> usize {
        let mut frames = Vec::new();
        for connection in &self.0 {
            let mut taken = Vec::new();
            connection.take_outbound(&mut taken);
            frames.append(&mut taken);
        }
        let mut places: Vec<*const u8> = frames.iter().map(|frame| frame.as_ptr()).collect();
        places.sort_unstable();
        places.dedup();
        places.len()
    }
}
