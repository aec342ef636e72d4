//! One peer that is kept: its link when there is one, the dialling when there is none.
//!
//! The node whose name sorts first dials, the other waits; so there is one connection and nothing to choose between. The
//! one who waits takes whatever comes from the one who dials, even if it has a link: who dials has none. After a break it
//! looks at once, and again and again, whether anybody listens, for that tells a dead node from a broken link; and if no
//! link comes for [`PATIENCE`] it dials too, in case only its own direction is open.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use ractor::ActorRef;
use rookery_actors::{LinkDown, LinkState, LinkStatus};
use rookery_store::keys::node::NodeId;
use tokio::io::duplex;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::accept::refuse;
use super::backoff::Backoff;
use super::connect::{ConnectError, Established, Offer, dial, probe};
use super::flow::Flow;
use super::hello::{Answer, End, Verdict, write_answer};
use super::links::Shared;
use super::pump::{Ended, PIPE_BYTES, pump};
use super::router::{Connection, RouterMessage};
use super::session::{ClusterSession, SessionStart};
use super::traffic::Traffic;
use crate::metrics;

/// How long the one who waits waits before it dials as well.
const PATIENCE: Duration = Duration::from_secs(3);

/// From the first words to the link: a handful of ractor_cluster's messages.
const READY_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take to be written, and a session to pass on what has come.
const FINISH_MAX: Duration = Duration::from_secs(1);

/// A refusal is told again after this long.
const REFUSED_EVERY: Duration = Duration::from_secs(1);

/// A peer, for those who send to it and ask about it.
pub(super) struct Link {
    peer: NodeId,
    address: Mutex<String>,
    now: Mutex<Now>,
    traffic: Arc<Traffic>,
    offers: mpsc::Sender<Offer>,
    dropped: watch::Sender<bool>,
    /// Its sender goes with the task.
    over: watch::Receiver<()>,
}

/// A link that is on its way out.
pub(super) struct Ending(watch::Receiver<()>);

impl Ending {
    pub(super) fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Waits until all that is to be told of it has been told.
    pub(super) async fn over(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

struct Now {
    state: LinkState,
    since: Instant,
    up: Option<Up>,
}

struct Up {
    flow: Arc<Flow>,
    router: ActorRef<RouterMessage>,
    token: u64,
}

/// The task that keeps the link.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    link: Arc<Link>,
    offers: mpsc::Receiver<Offer>,
    stop: Stop,
    backoff: Backoff,
    down_since: Instant,
    /// A link has just broken: look whether anybody listens before anything else.
    look: bool,
    refused_told: Option<Instant>,
    /// Why the last attempt failed, so that the same is logged once.
    failing: Option<&'static str>,
    _over: watch::Sender<()>,
}

/// The link is no longer wanted, or the node stops.
struct Stop {
    dropped: watch::Receiver<bool>,
    stopped: watch::Receiver<bool>,
}

impl Stop {
    async fn requested(&mut self) {
        tokio::select! {
            _ = self.dropped.wait_for(|dropped| *dropped) => {}
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// What a link that is served ends with.
enum Leave {
    Ended(Ended),
    /// The other side has dialled anew.
    Replaced(Offer),
    /// Nobody wants it any longer.
    Stopped,
    NotReady,
}

/// What comes first while there is no link.
enum Next {
    Stop,
    Offer(Offer),
    Attempt(Result<Option<Established>, ConnectError>),
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, peer: NodeId, address: String) -> (Arc<Self>, Keeper) {
        let (offers, offered) = mpsc::channel(1);
        let (over, ended) = watch::channel(());
        let now = Now { state: LinkState::Dialling, since: Instant::now(), up: None };
        let traffic = Arc::new(Traffic::new(&peer.name));
        let link = Arc::new(Self {
            peer,
            address: Mutex::new(address),
            now: Mutex::new(now),
            traffic,
            offers,
            dropped: watch::Sender::new(false),
            over: ended,
        });
        let stop = Stop { dropped: link.dropped.subscribe(), stopped: shared.stop.subscribe() };
        let keeper = Keeper {
            shared,
            link: link.clone(),
            offers: offered,
            stop,
            backoff: Backoff::default(),
            down_since: Instant::now(),
            look: false,
            refused_told: None,
            failing: None,
            _over: over,
        };
        (link, keeper)
    }

    pub(super) fn set_address(&self, address: String) {
        *self.address.lock().expect("nothing panics while it holds this lock") = address;
    }

    fn address(&self) -> String {
        self.address.lock().expect("nothing panics while it holds this lock").clone()
    }

    /// Ends the link for good, soon.
    pub(super) fn end(&self) -> Ending {
        self.dropped.send_replace(true);
        Ending(self.over.clone())
    }

    pub(super) fn send(&self, batch: Bytes) -> Result<(), LinkDown> {
        let bytes = batch.len();
        let now = self.now();
        let up = now.up.as_ref().ok_or(LinkDown)?;
        let batch = RouterMessage::Batch { token: up.token, batch };
        if up.flow.send(bytes, || up.router.cast(batch).is_ok()) {
            self.traffic.went(bytes);
            Ok(())
        } else {
            metrics::link_batch_refused(&self.peer.name);
            Err(LinkDown)
        }
    }

    pub(super) fn reset(&self) {
        if let Some(up) = self.now().up.take() {
            up.flow.cut();
        }
    }

    pub(super) fn status(&self) -> LinkStatus {
        let now = self.now();
        let flow = now.up.as_ref().map(|up| &up.flow);
        let (batches_in, bytes_in) = self.traffic.all_in();
        let (batches_out, bytes_out) = self.traffic.all_out();
        LinkStatus {
            peer: self.peer.clone(),
            address: self.address(),
            state: now.state,
            since: now.since.elapsed(),
            round_trip: flow.and_then(|flow| flow.round_trip()),
            unconfirmed_bytes: flow.map_or(0, |flow| flow.unconfirmed_bytes()),
            batches_out,
            bytes_out,
            batches_in,
            bytes_in,
        }
    }

    /// Hands a connection over, unless another is being looked at.
    pub(super) fn offer(&self, offer: Offer) -> Result<(), Offer> {
        self.offers.try_send(offer).map_err(mpsc::error::TrySendError::into_inner)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().expect("nothing panics while it holds this lock")
    }

    fn set_state(&self, state: LinkState) {
        let mut now = self.now();
        if now.state != state {
            (now.state, now.since) = (state, Instant::now());
        }
    }
}

impl Keeper {
    /// Keeps the link until nobody wants it.
    pub(super) async fn run(mut self) {
        let mut offered = None;
        loop {
            if let Some(offer) = offered.take() {
                offered = self.take(offer).await;
                continue;
            }
            match self.next().await {
                Next::Stop => return,
                Next::Offer(offer) => offered = Some(offer),
                Next::Attempt(Ok(Some(connection))) => offered = self.serve(connection).await,
                Next::Attempt(Ok(None)) => self.link.set_state(LinkState::Dialling),
                Next::Attempt(Err(error)) => self.failed(&error),
            }
        }
    }

    async fn next(&mut self) -> Next {
        let look = std::mem::take(&mut self.look);
        let at = if look { Instant::now() } else { self.backoff.next() };
        let dials = !look && (self.dials() || self.down_since.elapsed() >= PATIENCE);
        let attempt = async {
            sleep_until(at).await;
            let address = self.link.address();
            if address.is_empty() {
                return std::future::pending().await;
            }
            if !dials {
                return probe(&address).await.map(|_| None);
            }
            let router = self.shared.router_pid();
            dial(&self.shared.tls, self.shared.own(), &self.link.peer, &address, router).await.map(Some)
        };
        tokio::select! {
            biased;
            () = self.stop.requested() => Next::Stop,
            Some(offer) = self.offers.recv() => Next::Offer(offer),
            attempt = attempt => Next::Attempt(attempt),
        }
    }

    /// Whether it is for this node to dial.
    fn dials(&self) -> bool {
        self.shared.own().name < self.link.peer.name
    }

    fn failed(&mut self, error: &ConnectError) {
        let (peer, label) = (&self.link.peer, error.label());
        metrics::link_dial_failed(&peer.name, label);
        if self.failing != Some(label) {
            self.failing = Some(label);
            if error.is_ordinary() {
                tracing::info!(%peer, reason = %error, "there is no link");
            } else {
                tracing::warn!(%peer, reason = %error, "there can be no link");
            }
        }
        if error.is_lasting() {
            self.backoff.lasting();
        }
        if error.shows_absence() {
            self.link.set_state(LinkState::Refused);
            let now = Instant::now();
            if self.refused_told.is_none_or(|told| now - told >= REFUSED_EVERY) {
                self.refused_told = Some(now);
                self.shared.tell(RouterMessage::Refused(peer.clone()));
            }
        } else {
            self.link.set_state(LinkState::Dialling);
            self.refused_told = None;
        }
    }

    /// Takes a connection that the other side has dialled.
    async fn take(&mut self, mut offer: Offer) -> Option<Offer> {
        let token = rand::random();
        let own = End { token, router: self.shared.router_pid() };
        let answered = timeout(FINISH_MAX, write_answer(&mut offer.stream, Answer::Welcome(own))).await;
        if !matches!(answered, Ok(Ok(()))) {
            return None;
        }
        let theirs = offer.hello.end;
        self.serve(Established { stream: offer.stream, token, theirs, is_server: true }).await
    }

    /// Has the link on this connection until it is over. What it returns is the next one.
    async fn serve(&mut self, connection: Established) -> Option<Offer> {
        let Established { stream, token, theirs, is_server } = connection;
        let (peer, own) = (self.link.peer.clone(), self.shared.own());
        let flow = Arc::new(Flow::new());
        let seen = Connection { peer: peer.clone(), flow: flow.clone(), traffic: self.link.traffic.clone() };
        self.shared.tell(RouterMessage::Open { token, connection: seen });
        let began = Instant::now();

        let (near, far) = duplex(PIPE_BYTES);
        let start = SessionStart { stream: far, is_server, own, peer: peer.clone() };
        let mut session = match ClusterSession::start(start).await {
            Ok(session) => session,
            Err(error) => {
                tracing::error!(%peer, %error, "a session for a link could not be started");
                self.shared.tell(RouterMessage::Closed { token, peer, was_up: false });
                return None;
            }
        };
        let mut was_up = false;
        let leave = tokio::select! {
            ended = Box::pin(pump(stream, near, &flow)) => Leave::Ended(ended),
            leave = self.lead(&mut session, &flow, token, theirs, &mut was_up) => {
                // The pump goes with the select and closes both its ends.
                leave
            }
        };
        self.link.now().up = None;
        self.link.set_state(LinkState::Dialling);
        session.finish(FINISH_MAX).await;
        self.shared.tell(RouterMessage::Closed { token, peer: peer.clone(), was_up });

        self.down_since = Instant::now();
        if was_up {
            // A link that flaps is not dialled at once, but a process that was killed is to be noticed at once all the same.
            self.look = !self.backoff.was_up_for(began.elapsed());
        }
        match leave {
            Leave::Ended(reason) => tracing::info!(%peer, %reason, "the link is down"),
            Leave::NotReady => tracing::warn!(%peer, "the link's session did not come up"),
            Leave::Stopped => tracing::debug!(%peer, "the link is given up"),
            Leave::Replaced(offer) => {
                tracing::info!(%peer, "the link was dialled anew");
                return Some(offer);
            }
        }
        None
    }

    /// Brings the link up, and looks after it while the pump runs.
    async fn lead(
        &mut self,
        session: &mut ClusterSession,
        flow: &Arc<Flow>,
        token: u64,
        theirs: End,
        was_up: &mut bool,
    ) -> Leave {
        let ready = tokio::select! {
            ready = timeout(READY_MAX, session.ready(theirs.router)) => ready,
            () = self.stop.requested() => return Leave::Stopped,
        };
        let Ok(Some(router)) = ready else { return Leave::NotReady };
        {
            let mut now = self.link.now();
            now.up = Some(Up { flow: flow.clone(), router, token: theirs.token });
            (now.state, now.since) = (LinkState::Up, Instant::now());
        }
        *was_up = true;
        (self.failing, self.refused_told) = (None, None);
        self.shared.tell(RouterMessage::Up { token });
        tracing::info!(peer = %self.link.peer, "the link is up");
        loop {
            let mut offer = tokio::select! {
                () = self.stop.requested() => return Leave::Stopped,
                Some(offer) = self.offers.recv() => offer,
            };
            if !self.dials() {
                return Leave::Replaced(offer);
            }
            // Who waits has lost a link that this side still sees. Silence will end it soon.
            let _ = timeout(FINISH_MAX, refuse(&mut offer.stream, Verdict::Busy)).await;
        }
    }
}
