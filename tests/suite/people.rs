//! Users with running clients, for tests that look at events one by one.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_client::{
    Body, Client, Config, ConversationId, Event, Events, MemoryStore, Message, NetworkDialer, NodeAddress,
    Seq, TlsOptions, TokenProvider,
};
use rookery_tests::deadline::soon;
use rookery_tests::{Account, Node, Port, accounts};
use tokio::sync::mpsc;

/// Alice and bob, each with one device.
pub(crate) async fn alice_and_bob(node: &Node) -> (Account, Account) {
    let people = accounts(node, &[("alice", 1), ("bob", 1)]).await.expect("two users");
    let [alice, bob] = people.try_into().expect("as many as were asked for");
    (alice, bob)
}

/// The conversation of two users.
pub(crate) fn between(a: &Account, b: &Account) -> ConversationId {
    ConversationId::direct(a.user, b.user)
}

/// A client, and a reader who takes what it is handed at once.
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
}

impl Person {
    /// A person's first device, on plain TCP, with nothing kept.
    pub(crate) fn start(node: &Node, account: &Account) -> Self {
        Self::start_with(node.url(Port::Tcp), account, MemoryStore::new(), TlsOptions::System)
    }

    pub(crate) fn start_with(
        address: NodeAddress,
        account: &Account,
        store: MemoryStore,
        tls: TlsOptions,
    ) -> Self {
        let token = TokenProvider::fixed(account.devices[0].token.as_str());
        let rng = StdRng::seed_from_u64(account.user.get());
        let config = Config::new(vec![address], token);
        let (client, events) =
            Client::start(config, NetworkDialer::new(tls), store, rng).expect("a client starts");
        let (reader, taken) = mpsc::unbounded_channel();
        tokio::spawn(take(events, reader));
        Self { client, events: taken }
    }

    /// The next event that `pick` takes; others are passed over.
    pub(crate) async fn next<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let event = self.events.recv().await.expect("the client goes on");
                if let Event::Terminal(error) = &event {
                    panic!("the client ended: {error}");
                }
                if let Some(found) = pick(&event) {
                    return found;
                }
            }
        })
        .await
    }

    pub(crate) async fn connected(&mut self) {
        self.next("connected", |event| matches!(event, Event::Connected(_)).then_some(())).await;
    }

    pub(crate) async fn disconnected(&mut self) -> String {
        self.next("disconnected", |event| match event {
            Event::Disconnected { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    /// The next message, own ones included.
    pub(crate) async fn message(&mut self) -> Message {
        self.next("a message", |event| match event {
            Event::Message(message) => Some(message.clone()),
            _ => None,
        })
        .await
    }

    /// Sends, and waits until the server has it.
    pub(crate) async fn say(&self, to: ConversationId, text: &str) -> Seq {
        let ticket = self.client.send(to, Body::new(text.to_owned())).expect("the outbox has room");
        soon("the message is accepted", ticket).await.expect("it is accepted").0
    }

    /// Waits for a receipt of the other side that says at least this.
    pub(crate) async fn ticks(&mut self, delivered: u64, read: u64) {
        self.next("the ticks", |event| match event {
            Event::Receipt(receipt) => {
                (receipt.delivered.get() >= delivered && receipt.read.get() >= read).then_some(())
            }
            _ => None,
        })
        .await;
    }
}

async fn take(mut events: Events, reader: mpsc::UnboundedSender<Event>) {
    while let Some(event) = events.next().await {
        if reader.send(event).is_err() {
            return;
        }
    }
}

/// A message's text.
pub(crate) fn text(message: &Message) -> &str {
    std::str::from_utf8(message.body.as_bytes()).expect("we send text")
}
