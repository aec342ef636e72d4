//! The one actor of a node that other nodes can send to: it takes their batches and tells of them.
//!
//! Everything that links tell goes through its mailbox, so that a peer's events keep their order. A batch stands with the
//! token of its connection, which its sender was told and nobody else: it says who sent it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rookery_actors::{LinkEvent, LinkEvents};
use rookery_store::keys::node::NodeId;

use super::flow::{Flow, UNCONFIRMED_BYTES_MAX};
use super::traffic::Traffic;
use crate::metrics;

/// The process group of the routers. ractor_cluster tells its peers who is in it.
pub(super) const SCOPE: &str = "rookery";
pub(super) const GROUP: &str = "links";

/// What a batch is called on the wire: its version. A peer with another is not understood, and not linked to.
const VARIANT: &str = "1";

/// The actor.
pub(super) struct Router;

/// What a router is told. Only [`Batch`](Self::Batch) leaves its process.
pub(super) enum RouterMessage {
    /// Bytes from the connection with this token.
    Batch { token: u64, batch: Bytes },
    /// A connection begins: batches with its token are from `peer`.
    Open { token: u64, connection: Connection },
    /// It can take batches from here on.
    Up { token: u64 },
    /// It is over. `was_up`: somebody has been told of it.
    Closed { token: u64, peer: NodeId, was_up: bool },
    /// Nobody listens there.
    Refused(NodeId),
}

/// A connection as its router sees it.
pub(super) struct Connection {
    pub(super) peer: NodeId,
    pub(super) flow: Arc<Flow>,
    pub(super) traffic: Arc<Traffic>,
}

impl ractor::Message for RouterMessage {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        match self {
            Self::Batch { token, batch } => Ok(SerializedMessage::Cast {
                variant: VARIANT.to_owned(),
                args: batch.into(),
                metadata: Some(token.to_be_bytes().to_vec()),
            }),
            _ => Err(BoxedDowncastErr),
        }
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        if let SerializedMessage::Cast { variant, args, metadata: Some(token) } = message
            && variant == VARIANT
            && let Ok(token) = token.try_into()
        {
            Ok(Self::Batch { token: u64::from_be_bytes(token), batch: args.into() })
        } else {
            metrics::link_batch_unreadable();
            Err(BoxedDowncastErr)
        }
    }
}

pub(super) struct State {
    events: LinkEvents,
    open: HashMap<u64, Open>,
}

struct Open {
    connection: Connection,
    up: bool,
    /// What came before anybody was told that the link is up: the other side may be quicker.
    early: Vec<Bytes>,
    early_bytes: u64,
}

impl Actor for Router {
    type Msg = RouterMessage;
    type State = State;
    type Arguments = LinkEvents;

    async fn pre_start(
        &self,
        _: ActorRef<RouterMessage>,
        events: LinkEvents,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { events, open: HashMap::new() })
    }

    async fn handle(
        &self,
        _: ActorRef<RouterMessage>,
        message: RouterMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.take(message);
        Ok(())
    }
}

impl State {
    /// Who is told must not fail; a router that failed with it would be deaf for ever.
    fn tell(&self, event: LinkEvent) -> bool {
        let told = catch_unwind(AssertUnwindSafe(|| (self.events)(event)));
        if told.is_err() {
            tracing::error!("who is told of links has failed");
        }
        told.is_ok()
    }

    fn take(&mut self, message: RouterMessage) {
        match message {
            RouterMessage::Batch { token, batch } => self.batch(token, batch),
            RouterMessage::Open { token, connection } => {
                let open = Open { connection, up: false, early: Vec::new(), early_bytes: 0 };
                self.open.insert(token, open);
            }
            RouterMessage::Up { token } => {
                let Some(open) = self.open.get_mut(&token) else { return };
                open.up = true;
                let (peer, early) = (open.connection.peer.clone(), std::mem::take(&mut open.early));
                self.tell(LinkEvent::Up(peer));
                for batch in early {
                    self.batch(token, batch);
                }
            }
            RouterMessage::Closed { token, peer, was_up } => {
                self.open.remove(&token);
                if was_up {
                    self.tell(LinkEvent::Down(peer));
                }
            }
            RouterMessage::Refused(peer) => {
                self.tell(LinkEvent::Refused(peer));
            }
        }
    }

    fn batch(&mut self, token: u64, batch: Bytes) {
        // A connection that is over may still bring something.
        let Some(open) = self.open.get_mut(&token) else { return };
        let bytes = batch.len();
        if open.up {
            let from = open.connection.peer.clone();
            let (flow, traffic) = (open.connection.flow.clone(), open.connection.traffic.clone());
            traffic.came(bytes);
            if self.tell(LinkEvent::Batch { from, batch }) {
                flow.took(bytes);
            } else {
                flow.cut();
            }
        } else if open.early_bytes + bytes as u64 <= UNCONFIRMED_BYTES_MAX {
            open.early_bytes += bytes as u64;
            open.early.push(batch);
        } else {
            open.connection.flow.cut();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type Seen = Arc<Mutex<Vec<LinkEvent>>>;

    fn router() -> (State, Seen) {
        let seen = Seen::default();
        let events: LinkEvents = Arc::new({
            let seen = seen.clone();
            move |event| seen.lock().unwrap().push(event)
        });
        (State { events, open: HashMap::new() }, seen)
    }

    fn peer() -> NodeId {
        "b-1".parse().unwrap()
    }

    fn open(token: u64) -> (RouterMessage, Arc<Flow>) {
        let flow = Arc::new(Flow::new());
        let traffic = Arc::new(Traffic::new(&peer().name));
        (
            RouterMessage::Open {
                token,
                connection: Connection { peer: peer(), flow: flow.clone(), traffic },
            },
            flow,
        )
    }

    fn batch(token: u64, bytes: &'static [u8]) -> RouterMessage {
        RouterMessage::Batch { token, batch: Bytes::from_static(bytes) }
    }

    fn came(bytes: &'static [u8]) -> LinkEvent {
        LinkEvent::Batch { from: peer(), batch: Bytes::from_static(bytes) }
    }

    #[test]
    fn batches_that_come_before_the_link_is_up_are_told_after_it() {
        let (mut router, seen) = router();
        router.take(open(7).0);
        router.take(batch(7, b"1"));
        router.take(batch(7, b"2"));
        assert!(seen.lock().unwrap().is_empty());
        router.take(RouterMessage::Up { token: 7 });
        router.take(batch(7, b"3"));
        router.take(RouterMessage::Closed { token: 7, peer: peer(), was_up: true });
        router.take(batch(7, b"4"));
        let expected = [LinkEvent::Up(peer()), came(b"1"), came(b"2"), came(b"3"), LinkEvent::Down(peer())];
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[test]
    fn a_batch_with_a_token_of_no_connection_is_from_nobody() {
        let (mut router, seen) = router();
        router.take(open(7).0);
        router.take(RouterMessage::Up { token: 7 });
        router.take(batch(8, b"forged"));
        assert_eq!(*seen.lock().unwrap(), [LinkEvent::Up(peer())]);
    }

    #[test]
    fn a_connection_that_never_came_up_goes_without_a_word() {
        let (mut router, seen) = router();
        router.take(open(7).0);
        router.take(RouterMessage::Closed { token: 7, peer: peer(), was_up: false });
        assert!(seen.lock().unwrap().is_empty() && router.open.is_empty());
    }

    #[test]
    fn a_failure_of_who_is_told_cuts_the_link_and_nothing_more() {
        let events: LinkEvents = Arc::new(|event| assert!(!matches!(event, LinkEvent::Batch { .. })));
        let mut router = State { events, open: HashMap::new() };
        let (message, flow) = open(7);
        router.take(message);
        router.take(RouterMessage::Up { token: 7 });
        router.take(batch(7, b"1"));
        assert_eq!(flow.to_confirm(), None);
        assert!(flow.is_cut());
    }

    #[test]
    fn what_comes_early_is_bounded() {
        let (mut router, _) = router();
        router.take(open(7).0);
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..10 {
            router.take(RouterMessage::Batch { token: 7, batch: megabyte.clone() });
        }
        assert_eq!(router.open[&7].early.len(), 4);
    }

    #[test]
    fn a_batch_keeps_its_bytes_on_the_wire_and_other_versions_are_not_read() {
        let batch = RouterMessage::Batch { token: 9, batch: Bytes::from_static(b"bytes") };
        let SerializedMessage::Cast { variant, args, metadata } = ractor::Message::serialize(batch).unwrap()
        else {
            panic!("a batch is cast");
        };
        let read = |variant: &str, metadata: Option<Vec<u8>>| {
            let message =
                SerializedMessage::Cast { variant: variant.to_owned(), args: args.clone(), metadata };
            <RouterMessage as ractor::Message>::deserialize(message)
        };
        let Ok(RouterMessage::Batch { token: 9, batch }) = read(&variant, metadata.clone()) else {
            panic!("it is read as it was written");
        };
        assert_eq!(batch, "bytes");
        assert!(read("2", metadata).is_err());
        assert!(read(&variant, None).is_err());
        assert!(read(&variant, Some(vec![1; 7])).is_err());
        let local = RouterMessage::Up { token: 9 };
        assert!(ractor::Message::serialize(local).is_err());
    }
}
