//! The actor that carries what there is to say to one peer: to its link, or to the store.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rookery_store::StoreError;
use rookery_store::ops::{PostMail, PostOutcome};
use tokio::time::Instant;

use super::Cluster;
use super::actor::MembershipMessage;
use super::complaint::Complaint;
use super::peers::Peer;
use crate::metrics::{DOORBELLS_MAILED, DOORBELLS_SHED, NOTICES_DROPPED};

/// How often mail goes out, and how often it is noticed that a peer is stuck.
const PERIOD: Duration = Duration::from_millis(50);

/// After a post that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Letters in a post: together well below what one transaction of any engine takes.
const LETTERS_MAX: usize = 4;

/// The actor.
#[derive(Debug)]
pub(super) struct PeerActor;

/// What it is told.
#[derive(Debug)]
pub(crate) enum PeerMessage {
    /// There is something to send.
    Flush,
    /// Time has passed.
    Tick,
    /// Letters were posted, or not.
    Posted(Result<PostOutcome, StoreError>),
}

impl ractor::Message for PeerMessage {}

pub(super) struct State {
    cluster: Arc<Cluster>,
    peer: Arc<Peer>,
    posting: bool,
    not_before: Instant,
    failures: Complaint,
}

impl Actor for PeerActor {
    type Msg = PeerMessage;
    type State = State;
    type Arguments = (Arc<Cluster>, Arc<Peer>);

    async fn pre_start(
        &self,
        myself: ActorRef<PeerMessage>,
        (cluster, peer): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(PERIOD, || PeerMessage::Tick);
        Ok(State {
            cluster,
            peer,
            posting: false,
            not_before: Instant::now(),
            failures: Complaint::default(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<PeerMessage>,
        message: PeerMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PeerMessage::Flush => {
                // Whoever else has something to say may do so first: it goes in the same batch.
                tokio::task::yield_now().await;
                state.flush();
            }
            PeerMessage::Tick => {
                state.flush();
                state.look_after_link();
                state.post(&myself);
            }
            PeerMessage::Posted(outcome) => state.posted(&outcome),
        }
        Ok(())
    }
}

impl State {
    fn flush(&self) {
        self.peer.looks();
        loop {
            let epoch = self.cluster.epoch();
            let (batch, link) = {
                let mut outgoing = self.peer.outgoing();
                (outgoing.next_batch(Instant::now(), epoch), outgoing.link())
            };
            let Some(batch) = batch else { return };
            if self.cluster.links().send(&self.peer.id, batch.into()).is_err() {
                self.peer.outgoing().link_failed(link);
                return;
            }
        }
    }

    fn look_after_link(&self) {
        let mut outgoing = self.peer.outgoing();
        if outgoing.is_stuck(Instant::now()) {
            tracing::warn!(peer = %self.peer.id, "a link is cut: the peer acknowledges nothing");
            outgoing.link_down();
            drop(outgoing);
            self.cluster.links().reset(&self.peer.id);
        } else {
            let unheard = outgoing.take_unheard();
            if unheard > 0 {
                counter!(NOTICES_DROPPED).increment(unheard);
            }
            let shed = outgoing.take_shed();
            if shed > 0 {
                counter!(DOORBELLS_SHED).increment(shed);
            }
        }
    }

    fn post(&mut self, myself: &ActorRef<PeerMessage>) {
        if self.posting || Instant::now() < self.not_before {
            return;
        }
        let (letters, messages) = {
            let mut outgoing = self.peer.outgoing();
            (outgoing.take_letters(LETTERS_MAX, self.cluster.epoch()), outgoing.posting())
        };
        if letters.is_empty() {
            return;
        }
        self.posting = true;
        counter!(DOORBELLS_MAILED).increment(messages as u64);
        let entries = letters.into_iter().map(Into::into).collect();
        let op = PostMail { to: self.peer.id.clone(), entries, nonce: self.cluster.nonce() };
        let (store, myself) = (self.cluster.store.clone(), myself.clone());
        tokio::spawn(async move {
            let outcome = store.submit(&op.to.name.clone(), op).await.and_then(|committed| committed.answer);
            // If the actor has failed, its successor posts them again.
            let _ = myself.cast(PeerMessage::Posted(outcome));
        });
    }

    fn posted(&mut self, outcome: &Result<PostOutcome, StoreError>) {
        self.posting = false;
        if outcome.is_ok() {
            self.failures.settle();
        }
        match outcome {
            Ok(PostOutcome::Posted) => {
                self.peer.outgoing().posted();
            }
            // Once the view says so too, its successors get what it was to have.
            Ok(PostOutcome::NotMember) => {
                self.peer.outgoing().not_posted();
                self.cluster.tell(MembershipMessage::StoreChanged);
            }
            Ok(PostOutcome::Full) => counter!(DOORBELLS_SHED).increment(self.peer.outgoing().posted() as u64),
            Err(error) => {
                if self.failures.is_due(Instant::now()) {
                    tracing::warn!(peer = %self.peer.id, %error, "mail could not be posted, and is posted again");
                }
                self.not_before = Instant::now() + PAUSE;
                self.peer.outgoing().not_posted();
            }
        }
    }
}
