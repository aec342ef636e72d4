//! The actor that keeps this node a member, and knows who the others are. What it decides is in
//! [`membership`](super::membership).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use metrics::{counter, gauge};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use rookery_protocol::Stamp;
use rookery_store::StoreError;
use rookery_store::keys::mail;
use rookery_store::keys::node::{Lease, NodeId, NodeName};
use rookery_store::keys::view::{self, ClusterView, Member};
use rookery_store::ops::{
    Join, JoinError, Joined, PostMail, PostOutcome, RemoveNode, RemoveOutcome, Renew, RenewOutcome, TakeMail,
};
use rookery_store::queries;
use tokio::time::Instant;

use super::Cluster;
use super::complaint::Complaint;
use super::links::{LinkEvent, Peer as LinkPeer};
use super::membership::{Adoption, Effect, Membership, Renewal};
use super::message::{Header, LinkMessage, VERSION_MIN, encode_batch};
use super::peer::PeerActor;
use crate::context::Context;
use crate::metrics::{NODES_REMOVED, REJOINED, RESTARTS, VIEW_CHANGES, VIEW_EPOCH, VIEW_MEMBERS, VIEW_SLOTS};

/// How exact times are kept.
const TICK: Duration = Duration::from_millis(100);

/// How long a watch is trusted before the store is looked at anyway.
const WATCH_TIME_MAX: Duration = Duration::from_secs(5);

/// For a node that was removed to hear of it over its link.
const FAREWELL_TIME: Duration = Duration::from_millis(500);

/// What precedes messages that answer nothing, to whoever it may be.
const LETTER: Header = Header { version: VERSION_MIN, speaks: VERSION_MIN, epoch: 0, seq: 0, ack: 0 };

/// Between attempts to join again.
const REJOIN_PAUSE: Duration = Duration::from_millis(500);

/// How long clients stay with a node that tries to join again, or that reaches neither the store nor a peer.
const CLIENTS_WAIT: Duration = Duration::from_secs(2);

/// Pieces of mail read at once.
const MAIL_MAX: usize = 64;

/// The actor.
#[derive(Debug)]
pub(crate) struct MembershipActor;

/// What it is told.
#[derive(Debug)]
pub(crate) enum MembershipMessage {
    /// Time has passed.
    Tick,
    /// A link is up or down, or was refused.
    Link(LinkEvent),
    /// The view may have changed.
    StoreChanged,
    /// A peer says that this is the view.
    View(ClusterView),
    /// Somebody asks whether this node lives.
    Prove,
    /// From a renewal.
    Renewed(Result<Renewal, StoreError>),
    /// From a look at the store.
    Looked(Result<(ClusterView, Vec<(NodeName, Lease)>), StoreError>),
    /// From the post of a request to prove that it lives.
    Asked(NodeId, Result<PostOutcome, StoreError>),
    /// The node is a member again, as another run of itself. Told again until it is known.
    Rejoined(Joined),
    /// Links to those who are no members any more may go.
    DropLinks,
    /// From an attempt to remove a node.
    Removed(NodeId, Result<RemoveOutcome, StoreError>),
}

impl ractor::Message for MembershipMessage {}

pub(crate) struct State {
    context: Arc<Context>,
    cluster: Arc<Cluster>,
    membership: Membership,
    peers: HashMap<ActorId, NodeId>,
    /// The next view to be adopted is of this node's making, and others do not know it.
    tell_others: bool,
    renewals: Complaint,
    looks: Complaint,
    removals: Complaint,
}

impl Actor for MembershipActor {
    type Msg = MembershipMessage;
    type State = State;
    type Arguments = (Arc<Context>, Arc<Cluster>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (context, cluster): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let view = cluster.view();
        let membership = Membership::new(cluster.me(), view.clone(), Instant::now());
        let mut state = State {
            context,
            cluster,
            membership,
            peers: HashMap::new(),
            tell_others: false,
            renewals: Complaint::default(),
            looks: Complaint::default(),
            removals: Complaint::default(),
        };
        state.cluster.set_membership(myself.clone());
        state.adopt(&myself, &Adoption { view, lost: true }).await?;
        myself.send_interval(TICK, || MembershipMessage::Tick);
        tokio::spawn(watch_view(state.cluster.clone(), myself.clone()));
        tokio::spawn(read_mail(state.context.clone(), state.cluster.clone(), myself));
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: MembershipMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        let membership = &mut state.membership;
        let effects = match message {
            MembershipMessage::Tick => membership.tick(now),
            MembershipMessage::Link(event) => state.link(now, event),
            MembershipMessage::StoreChanged => membership.changed(now),
            MembershipMessage::View(view) => membership.adopt(now, view),
            MembershipMessage::Prove => membership.prove(now),
            MembershipMessage::Renewed(Ok(renewal)) => {
                state.renewals.settle();
                membership.renewed(now, renewal)
            }
            MembershipMessage::Renewed(Err(error)) => {
                if state.renewals.is_due(now) {
                    tracing::warn!(%error, "this node's lease could not be renewed");
                }
                membership.renewal_failed();
                Vec::new()
            }
            MembershipMessage::Looked(Ok((view, leases))) => {
                state.looks.settle();
                membership.looked(now, view, &leases)
            }
            MembershipMessage::Looked(Err(error)) => {
                if state.looks.is_due(now) {
                    tracing::warn!(%error, "the view and the leases could not be read");
                }
                membership.look_failed();
                Vec::new()
            }
            MembershipMessage::Asked(id, outcome) => {
                membership.asked(now, &id, matches!(outcome, Ok(PostOutcome::Posted)));
                Vec::new()
            }
            MembershipMessage::Rejoined(joined) if joined.id.incarnation <= membership.me().incarnation => {
                Vec::new()
            }
            MembershipMessage::Rejoined(Joined { id, view }) => {
                state.cluster.rejoining.store(false, Ordering::Release);
                tracing::info!(me = %id, "this node has joined again");
                counter!(REJOINED).increment(1);
                state.cluster.links().identify(id.clone());
                let view = Arc::new(view);
                state.membership = Membership::new(id, view.clone(), now);
                vec![Effect::Adopt(Adoption { view, lost: true })]
            }
            MembershipMessage::DropLinks => {
                let cluster = &state.cluster;
                cluster.links().keep(link_peers(&cluster.view(), &cluster.me(), &[]));
                Vec::new()
            }
            MembershipMessage::Removed(id, outcome) => state.removed(now, &id, outcome),
        };
        for effect in effects {
            state.perform(&myself, effect).await?;
        }
        let is_isolated = state.membership.is_isolated(now);
        // Of one that is over more has been said.
        if state.cluster.set_isolated(is_isolated) && !state.membership.is_over() {
            if is_isolated {
                tracing::warn!("this node cannot renew its lease: it takes no messages until it can");
            } else {
                tracing::info!("this node's lease is renewed again");
            }
        }
        if !is_isolated {
            state.context.welcome_again();
        } else if state.membership.is_isolated_for(now, CLIENTS_WAIT) && state.cluster.is_cut_off() {
            state.context.send_all_away();
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                if let Some(id) = state.peers.remove(&actor.get_id())
                    && let Some(peer) = state.cluster.peers.get(&id)
                {
                    tracing::error!(peer = %id, %error, "a peer's actor failed and is replaced");
                    counter!(RESTARTS, "kind" => "peer").increment(1);
                    state.start_peer(&myself, &peer).await?;
                }
            }
            SupervisionEvent::ActorTerminated(actor, _, _) => {
                state.peers.remove(&actor.get_id());
            }
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => {}
        }
        Ok(())
    }
}

impl State {
    fn link(&mut self, now: Instant, event: LinkEvent) -> Vec<Effect> {
        match event {
            LinkEvent::Up(id) => {
                if let Some(peer) = self.cluster.peers.get(&id) {
                    // It may not have the latest view, and a link is quicker than a watch.
                    peer.send(LinkMessage::View((*self.cluster.view()).clone()));
                }
                self.membership.link_up(&id);
                Vec::new()
            }
            LinkEvent::Down(id) => self.membership.in_doubt(now, &id, false),
            LinkEvent::Refused(id) => self.membership.in_doubt(now, &id, true),
            // Dealt with where they arrive.
            LinkEvent::Batch { .. } => Vec::new(),
        }
    }

    fn removed(
        &mut self,
        now: Instant,
        id: &NodeId,
        outcome: Result<RemoveOutcome, StoreError>,
    ) -> Vec<Effect> {
        if outcome.is_ok() {
            self.removals.settle();
        }
        match outcome {
            Ok(RemoveOutcome::Removed { view }) => {
                tracing::warn!(node = %id, epoch = view.epoch.get(), "a node that does not live any more was removed");
                counter!(NODES_REMOVED).increment(1);
                self.tell_others = true;
                self.membership.adopt(now, view)
            }
            Ok(RemoveOutcome::NotMember | RemoveOutcome::Alive) => self.membership.changed(now),
            Err(error) => {
                if self.removals.is_due(now) {
                    tracing::warn!(node = %id, %error, "a node could not be removed");
                }
                Vec::new()
            }
        }
    }

    async fn perform(
        &mut self,
        myself: &ActorRef<MembershipMessage>,
        effect: Effect,
    ) -> Result<(), ActorProcessingErr> {
        let (store, to, me) = (self.cluster.store.clone(), myself.clone(), self.cluster.me());
        match effect {
            Effect::Renew => {
                tokio::spawn(async move {
                    let outcome = store.submit(&me.name.clone(), Renew { id: me }).await;
                    let outcome = outcome.and_then(|committed| committed.answer);
                    let renewal = outcome.map(|outcome| match outcome {
                        RenewOutcome::Renewed { epoch } => Renewal::Renewed { epoch: epoch.get() },
                        RenewOutcome::Superseded => Renewal::Superseded,
                        RenewOutcome::Removed => Renewal::Removed,
                    });
                    // One that has failed has a successor, which renews by itself.
                    let _ = to.cast(MembershipMessage::Renewed(renewal));
                });
            }
            Effect::Look => {
                tokio::spawn(async move {
                    let _ = to.cast(MembershipMessage::Looked(look(&store).await));
                });
            }
            Effect::AskToProve(id) => {
                let letter = encode_batch(LETTER, [&LinkMessage::Prove]);
                let op =
                    PostMail { to: id.clone(), entries: vec![letter.into()], nonce: self.cluster.nonce() };
                tokio::spawn(async move {
                    let outcome = store.submit(&id.name, op).await.and_then(|committed| committed.answer);
                    let _ = to.cast(MembershipMessage::Asked(id, outcome));
                });
            }
            Effect::Remove { id, seen } => {
                let op = RemoveNode { id: id.clone(), seen_renewed: Some(seen) };
                tokio::spawn(async move {
                    let outcome = store.submit(&id.name, op).await.and_then(|committed| committed.answer);
                    let _ = to.cast(MembershipMessage::Removed(id, outcome));
                });
            }
            Effect::Adopt(adoption) => self.adopt(myself, &adoption).await?,
            // It was on its way out.
            Effect::Removed if self.cluster.is_leaving() || self.context.draining.load(Ordering::Acquire) => {
                tracing::info!(%me, "this node is no member of its cluster any more");
            }
            Effect::Removed => {
                tracing::warn!(%me, "the cluster has taken this node for dead: it joins again");
                self.cluster.set_isolated(true);
                if !self.cluster.rejoining.swap(true, Ordering::AcqRel) {
                    tokio::spawn(rejoin(self.context.clone(), self.cluster.clone()));
                }
            }
            // By itself, of which the predecessor of this actor had no time to hear.
            Effect::Superseded if self.cluster.rejoining.load(Ordering::Acquire) => {}
            Effect::Superseded => self.cluster.is_superseded(),
        }
        Ok(())
    }

    /// Everybody learns of the view: links, peers, shards.
    async fn adopt(
        &mut self,
        myself: &ActorRef<MembershipMessage>,
        adoption: &Adoption,
    ) -> Result<(), ActorProcessingErr> {
        let (view, me) = (&adoption.view, self.membership.me());
        let others = view.members.iter().map(|member| member.id());
        let ids: Vec<NodeId> = others.filter(|id| *id != me).collect();
        let gone = self.cluster.peers.keep(&ids, self.cluster.speaks_max);
        for peer in self.cluster.peers.all() {
            if peer.actor().is_none() || !self.peers.values().any(|id| *id == peer.id) {
                self.start_peer(myself, &peer).await?;
            }
        }
        let farewell: Vec<NodeId> = gone.iter().map(|peer| peer.id.clone()).collect();
        let before = self.cluster.view();
        if farewell.is_empty() {
            self.cluster.links().keep(link_peers(view, &me, &[]));
        } else {
            // Whoever is removed may live, and not reach the store: its peers are all that can tell it.
            let known = before.members.iter().filter(|member| farewell.contains(&member.id()));
            let known: Vec<&Member> = known.collect();
            self.cluster.links().keep(link_peers(view, &me, &known));
            let header = Header { epoch: view.epoch.get(), ..LETTER };
            let news = encode_batch(header, [&LinkMessage::View((**view).clone())]);
            for id in &farewell {
                // One that is dead does not hear it.
                let _ = self.cluster.links().send(id, news.clone().into());
            }
            myself.send_after(FAREWELL_TIME, || MembershipMessage::DropLinks);
        }
        self.cluster.place(me.clone(), view.clone());
        counter!(VIEW_CHANGES).increment(1);
        gauge!(VIEW_EPOCH).set(view.epoch.get() as f64);
        gauge!(VIEW_MEMBERS).set(view.members.len() as f64);
        gauge!(VIEW_SLOTS).set(view.slots_of(&me.name) as f64);
        let members: Vec<String> = ids.iter().map(ToString::to_string).collect();
        tracing::info!(
            epoch = view.epoch.get(),
            %me,
            others = members.join(","),
            slots = view.slots_of(&me.name),
            "the cluster's view"
        );
        if std::mem::take(&mut self.tell_others) {
            // Quicker than their watches.
            for peer in self.cluster.peers.all() {
                peer.send(LinkMessage::View((**view).clone()));
            }
        }
        self.context.view_changed(adoption.lost);
        for peer in gone {
            let unsaid = peer.outgoing().take_all();
            if let Some(actor) = peer.actor() {
                peer.set_actor(None);
                actor.stop(None);
            }
            for message in unsaid {
                // Only what was for the owner of a slot has somebody else to go to.
                if let LinkMessage::Ring { bell, hops } = message {
                    self.context.router.route(bell, hops);
                }
            }
        }
        Ok(())
    }

    async fn start_peer(
        &mut self,
        myself: &ActorRef<MembershipMessage>,
        peer: &Arc<super::peers::Peer>,
    ) -> Result<(), ActorProcessingErr> {
        let arguments = (self.cluster.clone(), peer.clone());
        let (actor, _) = PeerActor::spawn_linked(None, PeerActor, arguments, myself.get_cell()).await?;
        self.peers.insert(actor.get_id(), peer.id.clone());
        peer.set_actor(Some(actor));
        Ok(())
    }
}

/// Whom to have links to: the other members, and these.
fn link_peers(view: &ClusterView, me: &NodeId, others: &[&Member]) -> Vec<LinkPeer> {
    let members = view.members.iter().chain(others.iter().copied());
    let linked = members.filter(|member| member.id() != *me && !member.link.is_empty());
    linked.map(|member| LinkPeer { id: member.id(), address: member.link.clone() }).collect()
}

async fn look(store: &rookery_store::Store) -> Result<(ClusterView, Vec<(NodeName, Lease)>), StoreError> {
    let snapshot = store.snapshot().await?;
    let view = queries::view(&*snapshot).await?;
    let leases = queries::leases(&*snapshot).await?;
    Ok((view, leases))
}

/// Joins again, as another run of this node. Clients that are here stay: their sessions are registered anew. If it takes
/// long, they are better off elsewhere.
async fn rejoin(context: Arc<Context>, cluster: Arc<Cluster>) {
    let begun = Instant::now();
    let (mut refusals, mut failures) = (Complaint::default(), Complaint::default());
    let mut op = Join { after: cluster.me().incarnation, nonce: cluster.nonce(), ..cluster.join.clone() };
    loop {
        let joined = cluster.store.submit(&op.name, op.clone()).await;
        match joined.map(|committed| committed.answer) {
            Ok(Ok(joined)) => {
                // The actor may fail before it has heard, and its successor is to hear.
                while cluster.me().incarnation < joined.id.incarnation && !cluster.is_leaving() {
                    cluster.tell(MembershipMessage::Rejoined(joined.clone()));
                    tokio::time::sleep(REJOIN_PAUSE).await;
                }
                return;
            }
            Ok(Err(JoinError::Overtaken { is_member: true, .. })) => return cluster.is_superseded(),
            // By this very joining, of which nobody had told, or by a process that is gone: there is nobody in its place.
            Ok(Err(JoinError::Overtaken { last, .. })) => {
                op.after = last;
                continue;
            }
            Ok(Err(error)) if refusals.is_due(Instant::now()) => {
                tracing::error!(%error, "this node cannot join its cluster again");
            }
            Err(error) if failures.is_due(Instant::now()) => {
                tracing::warn!(%error, "this node cannot join its cluster again yet");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        if cluster.is_leaving() {
            return;
        }
        if begun.elapsed() >= CLIENTS_WAIT {
            context.send_all_away();
        }
        tokio::time::sleep(REJOIN_PAUSE).await;
    }
}

/// Tells the actor when the view changes, until it ends.
async fn watch_view(cluster: Arc<Cluster>, to: ActorRef<MembershipMessage>) {
    loop {
        let changed = cluster.store.watch(view::key());
        wait(changed).await;
        if to.cast(MembershipMessage::StoreChanged).is_err() {
            return;
        }
    }
}

/// Waits for a watch, but not for ever: it may fail, and what it should have told is looked at all the same.
async fn wait(changed: impl Future<Output = Result<(), StoreError>>) {
    match tokio::time::timeout(WATCH_TIME_MAX, changed).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
    }
}

/// Reads what peers say through the store, until the actor ends.
async fn read_mail(context: Arc<Context>, cluster: Arc<Cluster>, membership: ActorRef<MembershipMessage>) {
    let mut failures = Complaint::default();
    while membership.get_status() <= ractor::ActorStatus::Running {
        let changed = cluster.store.watch(mail::bell_key(&cluster.name));
        match take_mail(&cluster, &context).await {
            Ok(taken) => {
                failures.settle();
                if taken == 0 {
                    wait(changed).await;
                }
            }
            Err(error) => {
                if failures.is_due(Instant::now()) {
                    tracing::warn!(%error, "mail from other nodes could not be read");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Deals with some mail. How much there was.
async fn take_mail(cluster: &Arc<Cluster>, context: &Arc<Context>) -> Result<usize, StoreError> {
    let snapshot = cluster.store.snapshot().await?;
    let entries: Vec<(Stamp, Bytes)> = queries::mail(&*snapshot, &cluster.name, MAIL_MAX).await?;
    drop(snapshot);
    let Some((last, _)) = entries.last() else { return Ok(0) };
    let last = *last;
    for (_, letter) in &entries {
        super::inbound::letter(context, cluster, letter);
    }
    let op = TakeMail { name: cluster.name.clone(), upto: last };
    cluster.store.submit(&cluster.name, op).await?.answer?;
    Ok(entries.len())
}
