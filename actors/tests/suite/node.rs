//! A node's actors in this process, over a memory engine that can be made to fail.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rookery_actors::{
    Actors, ActorsConfig, Authenticator, Clock, ConnectionInfo, Counts, DeviceToken, Parts, StreamTransport,
    TokenError,
};
use rookery_protocol::{DeviceId, Handle, Hello, Message, Seq, Stamp, UserId, decode_value};
use rookery_store::keys::user::Suspension;
use rookery_store::ops::{AddDevice, AddUser, RevokeDevice, SuspendUser, Suspended};
use rookery_store::{Store, StoreConfig, queries};
use tokio::io::duplex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::client::{Client, DEADLINE, Who, direct, user};
use crate::faults::{Faults, FaultyEngine};

/// Takes "user:device:generation", and "expired".
pub(crate) struct TokenText;

impl Authenticator for TokenText {
    fn verify(&self, token: &str, _: u64) -> Result<DeviceToken, TokenError> {
        if token == "expired" {
            return Err(TokenError::Expired);
        }
        let numbers: Result<Vec<u64>, _> = token.split(':').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([user, device, generation]) => Ok(DeviceToken {
                user: UserId::new(*user).map_err(|_| TokenError::Invalid)?,
                device: DeviceId::new(*device as u32),
                generation: *generation as u32,
            }),
            _ => Err(TokenError::Invalid),
        }
    }
}

/// A clock that grows by one each time it is looked at.
#[derive(Debug, Default)]
pub(crate) struct StepClock(AtomicU64);

impl StepClock {
    pub(crate) fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for StepClock {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// One node.
pub(crate) struct Node {
    pub(crate) actors: Actors,
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) clock: Arc<StepClock>,
}

/// Few shards, so that users share them.
pub(crate) fn config() -> ActorsConfig {
    ActorsConfig { shards: 3, ..ActorsConfig::default() }
}

/// What a node alone is made of.
pub(crate) fn parts(store: Store) -> Parts {
    Parts { store, authenticator: Arc::new(TokenText), clock: Arc::new(StepClock::default()), cluster: None }
}

impl Node {
    /// With users 1 to 3, two devices each.
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: ActorsConfig) -> Self {
        let faults = Faults::default();
        let store = Store::start(Arc::new(FaultyEngine::new(faults.clone())), StoreConfig::default());
        for number in 1..=3 {
            add_user(&store, number, 2).await;
        }
        let clock = Arc::new(StepClock::default());
        let parts = Parts { clock: clock.clone(), ..parts(store.clone()) };
        let actors = Actors::start(config, parts).await.expect("the actors start");
        Self { actors, store, faults, clock }
    }

    /// A connection before its HELLO, through a pipe that holds `pipe_bytes`, and its task.
    pub(crate) fn connect_through(&self, pipe_bytes: usize) -> (Client, JoinHandle<()>) {
        let (ours, theirs) = duplex(pipe_bytes);
        let info = ConnectionInfo {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            accepted: Instant::now(),
            admission: None,
        };
        let task = tokio::spawn(self.actors.serve(StreamTransport::new(theirs), info));
        (Client::new(ours), task)
    }

    /// A connection before its HELLO.
    pub(crate) fn connect(&self) -> Client {
        self.connect_through(64 * 1024).0
    }

    /// A connection that has been welcomed.
    pub(crate) async fn join(&self, who: Who) -> Client {
        self.join_with(who.hello()).await
    }

    pub(crate) async fn join_with(&self, hello: Hello) -> Client {
        let mut client = self.connect();
        client.tell(&hello).await;
        client.welcome().await;
        client
    }

    pub(crate) async fn revoke(&self, who: Who) {
        let (user, device) = (user(who.user), DeviceId::new(who.device));
        let op = RevokeDevice { user, device, generation: who.generation };
        let revoked = self.store.submit(&user, op).await.expect("the store takes it");
        assert!(revoked.answer.expect("the device can be read"));
    }

    pub(crate) async fn suspend(&self, number: u64, reason: Option<&str>) {
        let suspension = reason.map(|reason| Suspension { since_ms: 1, reason: reason.into() });
        let op = SuspendUser { user: user(number), suspension };
        let suspended = self.store.submit(&number, op).await.expect("the store takes it");
        assert_eq!(suspended.answer.expect("the user can be read"), Suspended::Changed);
    }

    /// Up to where the store says that a device has acknowledged.
    pub(crate) async fn cursor(&self, who: Who) -> Stamp {
        let snapshot = self.store.snapshot().await.expect("the store can be read");
        let cursor = queries::cursor(&*snapshot, user(who.user), DeviceId::new(who.device)).await;
        cursor.expect("the cursor can be read")
    }

    /// What the log of two users' conversation holds, as text.
    pub(crate) async fn log(&self, a: u64, b: u64) -> Vec<String> {
        let snapshot = self.store.snapshot().await.expect("the store can be read");
        let all = (Seq::new(1), Seq::new(u64::MAX));
        let logged = queries::log(&*snapshot, direct(a, b), all, usize::MAX).await.expect("and its log");
        let text = |logged: &bytes::Bytes| {
            let message: Message = decode_value(logged).expect("a message");
            String::from_utf8_lossy(message.body.expect("a log has bodies").as_bytes()).into_owned()
        };
        logged.iter().map(text).collect()
    }

    /// Waits until the node holds this.
    pub(crate) async fn holds(&self, what: impl Fn(&Counts) -> bool) {
        let wait = async {
            loop {
                let counts = self.actors.counts().await;
                if what(&counts) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = timeout(DEADLINE, wait).await;
        assert!(waited.is_ok(), "{:?}", self.actors.counts().await);
    }
}

pub(crate) async fn add_user(store: &Store, number: u64, devices: u32) {
    let handle: Handle = format!("user{number}").parse().expect("a handle");
    let added = store.submit(&user(number), AddUser { user: user(number), handle, time_ms: 0 }).await;
    added.expect("the store takes it").answer.expect("the user is new");
    for device in 1..=devices {
        let op = AddDevice { user: user(number), name: format!("device{device}"), time_ms: 0 };
        let added = store.submit(&user(number), op).await.expect("the store takes it");
        assert_eq!(added.answer.expect("there is room").device, DeviceId::new(device));
    }
}
