//! Two people who chat all the while, and must not notice anything of what others do to the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rookery_client::{Body, Event, MemoryStore, TlsOptions};
use rookery_tests::deadline::eventually;
use rookery_tests::{Account, Node, Port};
use tokio::task::JoinHandle;

use crate::people::{Person, alice_and_bob, between};

/// Rounds that must still come after the abuse.
const ROUNDS_AFTER: u64 = 5;

pub(crate) struct Bystanders {
    pub(crate) alice: Account,
    pub(crate) bob: Account,
    rounds: Arc<AtomicU64>,
    players: Vec<JoinHandle<()>>,
}

impl Bystanders {
    /// Two people play ping-pong, one on TCP and one on WebSocket.
    pub(crate) async fn start(node: &Node) -> Self {
        let (alice, bob) = alice_and_bob(node).await;
        let rounds = Arc::new(AtomicU64::new(0));
        let conversation = between(&alice, &bob);
        let start = |port, account| {
            Person::start_with(node.url(port), account, MemoryStore::new(), TlsOptions::System)
        };
        let (mut a, mut b) = (start(Port::Tcp, &alice), start(Port::WebSocket, &bob));
        a.connected().await;
        b.connected().await;
        a.say(conversation, "ping").await;
        let players = [(a, alice.user), (b, bob.user)].map(|(mut player, me)| {
            let rounds = rounds.clone();
            tokio::spawn(async move {
                let mut last = 0;
                while let Some(event) = player.events.recv().await {
                    match event {
                        Event::Message(message) if message.conversation == conversation => {
                            assert_eq!(message.seq.get(), last + 1, "each once and in order");
                            last = message.seq.get();
                            if message.sender != me {
                                rounds.fetch_add(1, Ordering::Relaxed);
                                player
                                    .client
                                    .send(conversation, Body::new("again"))
                                    .expect("the outbox has room");
                            }
                        }
                        Event::Connected(_) | Event::Disconnected { .. } | Event::Terminal(_) => {
                            panic!("a bystander noticed: {event:?}")
                        }
                        _ => {}
                    }
                }
            })
        });
        let bystanders = Self { alice, bob, rounds, players: players.into() };
        bystanders.go_on().await;
        bystanders
    }

    /// They are still at it, on the connections they had.
    pub(crate) async fn go_on(&self) {
        let goal = self.rounds.load(Ordering::Relaxed) + ROUNDS_AFTER;
        eventually("the bystanders have played on", async || {
            assert!(self.players.iter().all(|player| !player.is_finished()), "a bystander gave up");
            (self.rounds.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        for player in &self.players {
            player.abort();
        }
    }
}
