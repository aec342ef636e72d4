//! Decides who is a member: when to renew this node's lease, when to look at the others', whom to remove. No IO; time is
//! handed in, and is this node's own monotonic clock.
//!
//! - A lease that has not changed for [`LEASE_TIME`] while this node's own renewals went well is dead. A node that could
//!   not renew itself has seen nothing: it begins to wait anew.
//! - A peer whose address refuses connections is asked, through the store, to prove that it lives. One that does not
//!   renew within [`PROOF_TIME`] is dead: a killed process is removed in well under a second.
//! - A broken link alone removes nobody.
//! - Removing is a transaction that does nothing if the lease has been renewed since it was seen; so a wrong suspicion
//!   costs a transaction, and several who have the same suspicion make one change.
//! - A node that finds itself removed is over, and begins again as another incarnation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rookery_store::keys::node::{Lease, NodeId, NodeName};
use rookery_store::keys::view::ClusterView;
use tokio::time::Instant;

/// Between renewals of a lease.
const RENEW_PERIOD: Duration = Duration::from_secs(1);
/// Between looks at the others' leases.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// A lease that has not changed for this long is dead.
const LEASE_TIME: Duration = Duration::from_secs(3);
/// For a node whose address refuses connections to renew its lease when asked to.
const PROOF_TIME: Duration = Duration::from_millis(300);
/// Without a renewal for this long a node takes no more messages: the others may be about to remove it.
const ISOLATED_TIME: Duration = Duration::from_millis(2_500);
/// A gap between this node's own renewals beyond which what it did not see says nothing.
const BLIND_TIME: Duration = Duration::from_secs(2);
/// Between attempts to remove the same node.
const REMOVE_PERIOD: Duration = Duration::from_millis(500);

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Renew this node's lease, then call [`Membership::renewed`] or [`Membership::renewal_failed`].
    Renew,
    /// Read view and leases, then call [`Membership::looked`] or [`Membership::look_failed`].
    Look,
    /// Ask this node, by mail, to renew its lease; then call [`Membership::asked`].
    AskToProve(NodeId),
    /// Remove this node unless its lease says something other than `seen`; then look.
    Remove { id: NodeId, seen: u64 },
    /// The view is this now.
    Adopt(Adoption),
    /// This node is not a member any more.
    Removed,
    /// Another process has this node's name.
    Superseded,
}

/// A new view.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Adoption {
    pub(crate) view: Arc<ClusterView>,
    /// Somebody is no member any more, and may have taken bells with it, even one that was draining or left by itself.
    pub(crate) lost: bool,
}

/// How a renewal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    Renewed { epoch: u64 },
    Superseded,
    Removed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Membership {
    me: NodeId,
    view: Arc<ClusterView>,
    /// When the last renewal that went well began.
    renewed: Instant,
    /// Since when renewals have gone well without a gap.
    seeing_since: Instant,
    renewing: Option<Instant>,
    /// Asked for while another is under way: that one may be from before somebody asked.
    renew_again: bool,
    last_renewal: Instant,
    looking: bool,
    look_again: bool,
    last_look: Instant,
    /// How many looks have begun.
    looks: u64,
    peers: BTreeMap<NodeName, Observed>,
    is_over: bool,
}

/// What has been seen of a peer.
#[derive(Debug)]
struct Observed {
    id: NodeId,
    counter: Option<u64>,
    changed: Instant,
    refused: bool,
    /// The look after which it is to be asked to prove that it lives: what it had renewed before is no proof.
    ask_after: Option<u64>,
    /// When that request was in the store.
    asked: Option<Instant>,
    asking: bool,
    last_removal: Option<Instant>,
}

impl Membership {
    /// Of a node that has just joined with this view.
    pub(crate) fn new(me: NodeId, view: Arc<ClusterView>, now: Instant) -> Self {
        let mut membership = Self {
            me,
            view,
            renewed: now,
            seeing_since: now,
            renewing: None,
            renew_again: false,
            last_renewal: now,
            looking: false,
            look_again: false,
            last_look: now,
            looks: 0,
            peers: BTreeMap::new(),
            is_over: false,
        };
        membership.observe_members(now);
        membership
    }

    /// Which run of this node it is about.
    pub(crate) fn me(&self) -> NodeId {
        self.me.clone()
    }

    /// Whether this node has been removed, or another process has its name: no more comes of it.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether this node has been removed, or could not renew its lease for so long that the others may be about to
    /// remove it.
    pub(crate) fn is_isolated(&self, now: Instant) -> bool {
        self.is_over || self.is_isolated_for(now, Duration::ZERO)
    }

    /// Whether this node, a member as far as it knows, has been isolated for this long.
    pub(crate) fn is_isolated_for(&self, now: Instant, time: Duration) -> bool {
        let has_others = self.view.members.len() > 1;
        !self.is_over && has_others && now.duration_since(self.renewed) >= ISOLATED_TIME + time
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Effect> {
        if self.is_over {
            return Vec::new();
        }
        let mut effects = Vec::new();
        if self.renewing.is_none() && now.duration_since(self.last_renewal) >= RENEW_PERIOD {
            effects.extend(self.renew(now));
        }
        let in_doubt = self.peers.values().any(|peer| peer.refused);
        if in_doubt || now.duration_since(self.last_look) >= LOOK_PERIOD {
            effects.extend(self.look(now));
        }
        // Who cannot renew itself sees nothing, and must remove nobody.
        let sees = now.duration_since(self.renewed) <= BLIND_TIME;
        let seeing_since = self.seeing_since;
        for peer in self.peers.values_mut() {
            let Some(seen) = peer.counter else { continue };
            let silent = now.duration_since(peer.changed.max(seeing_since)) >= LEASE_TIME;
            let unproved = peer.refused && peer.asked.is_some_and(|at| now.duration_since(at) >= PROOF_TIME);
            let lately = peer.last_removal.is_some_and(|at| now.duration_since(at) < REMOVE_PERIOD);
            if sees && (silent || unproved) && !lately {
                peer.last_removal = Some(now);
                effects.push(Effect::Remove { id: peer.id.clone(), seen });
            }
        }
        effects
    }

    fn renew(&mut self, now: Instant) -> Option<Effect> {
        if self.renewing.is_some() {
            return None;
        }
        self.renewing = Some(now);
        self.last_renewal = now;
        Some(Effect::Renew)
    }

    fn look(&mut self, now: Instant) -> Option<Effect> {
        if self.looking {
            self.look_again = true;
            return None;
        }
        self.looking = true;
        self.looks += 1;
        self.last_look = now;
        Some(Effect::Look)
    }

    /// The lease has been renewed, or cannot be.
    pub(crate) fn renewed(&mut self, now: Instant, renewal: Renewal) -> Vec<Effect> {
        let Some(began) = self.renewing.take() else { return Vec::new() };
        if self.is_over {
            // The view has told it already: to join again twice would be to supersede oneself.
            return Vec::new();
        }
        match renewal {
            Renewal::Renewed { epoch } => {
                if now.duration_since(self.renewed) > BLIND_TIME {
                    self.seeing_since = now;
                }
                self.renewed = began;
                let again = std::mem::take(&mut self.renew_again).then(|| self.renew(now)).flatten();
                let look = (epoch > self.view.epoch.get()).then(|| self.look(now)).flatten();
                again.into_iter().chain(look).collect()
            }
            Renewal::Superseded => self.end(Effect::Superseded),
            Renewal::Removed => self.end(Effect::Removed),
        }
    }

    /// The store did not take the renewal, or nobody knows.
    pub(crate) fn renewal_failed(&mut self) {
        self.renewing = None;
        self.renew_again = false;
    }

    /// Somebody asks whether this node lives.
    pub(crate) fn prove(&mut self, now: Instant) -> Vec<Effect> {
        if self.is_over {
            return Vec::new();
        }
        self.renew_again = self.renewing.is_some();
        self.renew(now).into_iter().collect()
    }

    /// View and leases have been read.
    pub(crate) fn looked(
        &mut self,
        now: Instant,
        view: ClusterView,
        leases: &[(NodeName, Lease)],
    ) -> Vec<Effect> {
        let mut effects = self.adopt(now, view);
        if self.is_over {
            return effects;
        }
        for (name, lease) in leases {
            if let Some(peer) = self.peers.get_mut(name)
                && peer.id.incarnation == lease.incarnation
                && peer.counter != Some(lease.renewed)
            {
                peer.counter = Some(lease.renewed);
                peer.changed = now;
                if peer.asked.is_some() {
                    // It lives, whatever its address says.
                    (peer.asked, peer.refused) = (None, false);
                }
            }
        }
        self.looking = false;
        for peer in self.peers.values_mut() {
            if peer.ask_after.is_some_and(|look| look <= self.looks) {
                peer.ask_after = None;
                peer.asking = true;
                effects.push(Effect::AskToProve(peer.id.clone()));
            }
        }
        if std::mem::take(&mut self.look_again) {
            effects.extend(self.look(now));
        }
        effects
    }

    /// They could not be read.
    pub(crate) fn look_failed(&mut self) {
        self.looking = false;
        self.look_again = false;
    }

    /// Something may have changed in the store.
    pub(crate) fn changed(&mut self, now: Instant) -> Vec<Effect> {
        if self.is_over { Vec::new() } else { self.look(now).into_iter().collect() }
    }

    /// A view from the store or from a peer.
    pub(crate) fn adopt(&mut self, now: Instant, view: ClusterView) -> Vec<Effect> {
        if self.is_over || view.epoch <= self.view.epoch {
            return Vec::new();
        }
        if !view.has(&self.me) {
            let taken = view.member(&self.me.name).is_some();
            return self.end(if taken { Effect::Superseded } else { Effect::Removed });
        }
        let lost = self.view.members.iter().any(|member| !view.has(&member.id()));
        self.view = Arc::new(view);
        self.observe_members(now);
        vec![Effect::Adopt(Adoption { view: self.view.clone(), lost })]
    }

    fn observe_members(&mut self, now: Instant) {
        let members: Vec<NodeId> =
            self.view.members.iter().map(|member| member.id()).filter(|id| *id != self.me).collect();
        self.peers.retain(|_, peer| members.contains(&peer.id));
        for id in members {
            self.peers.entry(id.name.clone()).or_insert_with(|| Observed {
                id,
                counter: None,
                changed: now,
                refused: false,
                ask_after: None,
                asked: None,
                asking: false,
                last_removal: None,
            });
        }
    }

    /// A peer's link has broken, or its address refuses connections.
    pub(crate) fn in_doubt(&mut self, now: Instant, id: &NodeId, refused: bool) -> Vec<Effect> {
        let Some(peer) = self.peers.get_mut(&id.name).filter(|peer| peer.id == *id) else {
            return Vec::new();
        };
        peer.refused |= refused;
        if peer.asked.is_none() && !peer.asking {
            // A look that is under way may have read the lease before the doubt.
            peer.ask_after = peer.ask_after.or(Some(self.looks + 1));
        }
        self.look(now).into_iter().collect()
    }

    /// A request to prove that it lives is in the store, or could not be put there.
    pub(crate) fn asked(&mut self, now: Instant, id: &NodeId, is_there: bool) {
        if let Some(peer) = self.peers.get_mut(&id.name).filter(|peer| peer.id == *id) {
            peer.asking = false;
            peer.asked = is_there.then_some(now);
        }
    }

    /// A peer's link is up: it lives.
    pub(crate) fn link_up(&mut self, id: &NodeId) {
        if let Some(peer) = self.peers.get_mut(&id.name).filter(|peer| peer.id == *id) {
            (peer.refused, peer.asked, peer.ask_after) = (false, None, None);
        }
    }

    fn end(&mut self, effect: Effect) -> Vec<Effect> {
        self.is_over = true;
        vec![effect]
    }
}
