//! Random schedules against the invariants: devices send, acknowledge, drop their connections and come back; actors fail
//! and so does the store. Then everything heals, and the clients' own records are compared with the invariants I1 to I6.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rookery_actors::Victim;
use rookery_protocol::{ConversationId, ErrorCode, Hello, MessageId, RequestId, Seq, ServerFrame, Stamp};
use tokio::time::{sleep, timeout};

use crate::client::{Client, Who, direct, id, user, who};
use crate::faults::Fault;
use crate::node::{Node, config};

const USERS: u64 = 3;
const DEVICES: u32 = 2;
const STEPS: usize = 250;
const SEEDS: u64 = 50;

struct Random(TestRng);

impl Random {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// A message that is not accepted yet.
struct Outgoing {
    id: MessageId,
    after: Option<MessageId>,
    request: Option<RequestId>,
}

/// A device, and what it remembers beyond its connections.
struct Device {
    who: Who,
    client: Option<Client>,
    /// By conversation, oldest first.
    outgoing: BTreeMap<ConversationId, Vec<Outgoing>>,
    last_id: BTreeMap<ConversationId, MessageId>,
    accepted: BTreeMap<MessageId, (ConversationId, Seq)>,
    /// What it has been pushed, by place.
    seen: BTreeMap<(ConversationId, Seq), MessageId>,
    marks: BTreeMap<(ConversationId, u64), (Seq, Seq)>,
    /// The last event taken, and the last one acknowledged.
    taken: Stamp,
    acked: Stamp,
    /// On this connection.
    pushed: Stamp,
}

impl Device {
    fn new(who: Who) -> Self {
        Self {
            who,
            client: None,
            outgoing: BTreeMap::new(),
            last_id: BTreeMap::new(),
            accepted: BTreeMap::new(),
            seen: BTreeMap::new(),
            marks: BTreeMap::new(),
            taken: Stamp::ZERO,
            acked: Stamp::ZERO,
            pushed: Stamp::ZERO,
        }
    }

    async fn connect(&mut self, node: &Node, random: &mut Random) {
        let mut client = node.connect();
        let resume = random.one_in(2).then_some(self.taken);
        if resume.is_some() {
            self.acked = self.taken;
        }
        let window_events = [0, 1, 3, 200][random.below(4) as usize];
        client.tell(&Hello { resume, window_events, ..self.who.hello() }).await;
        self.client = Some(client);
        self.pushed = Stamp::ZERO;
        for outgoing in self.outgoing.values_mut().flatten() {
            outgoing.request = None;
        }
        // WELCOME, unless this connection fails meanwhile.
        self.hear(Duration::from_secs(2), 1).await;
    }

    fn disconnect(&mut self) {
        self.client = None;
    }

    async fn send_new(&mut self, to: u64, number: u128) {
        let conversation = direct(self.who.user, to);
        let after = self.last_id.insert(conversation, id(number));
        let outgoing = Outgoing { id: id(number), after, request: None };
        self.outgoing.entry(conversation).or_default().push(outgoing);
        self.send_all().await;
    }

    /// Sends what is not under way.
    async fn send_all(&mut self) {
        let Some(client) = &mut self.client else { return };
        for (conversation, outgoing) in &mut self.outgoing {
            for outgoing in outgoing.iter_mut().filter(|outgoing| outgoing.request.is_none()) {
                let request = client.send_after(*conversation, outgoing.id, outgoing.after, b"x").await;
                outgoing.request = Some(request);
            }
        }
    }

    /// Takes up to `frames` frames, until none comes for `time`, and returns how many came.
    async fn hear(&mut self, time: Duration, frames: usize) -> usize {
        for heard in 0..frames {
            let Some(client) = &mut self.client else { return heard };
            match timeout(time, client.next()).await {
                Err(_) => return heard,
                Ok(None) => self.client = None,
                Ok(Some(frame)) => self.take(frame),
            }
        }
        frames
    }

    fn take(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::MessageEvent(event) => {
                self.take_stamp(event.stamp);
                let message = event.message;
                let first = *self.seen.entry((message.conversation, message.seq)).or_insert(message.id);
                assert_eq!(first, message.id, "I3: a place has one message");
                assert!(
                    message.body.is_some()
                        || (message.sender, message.device.get()) == (user(self.who.user), self.who.device),
                    "only the sender goes without the body"
                );
            }
            ServerFrame::ReceiptEvent(event) => {
                self.take_stamp(event.stamp);
                let receipt = event.receipt;
                assert!(receipt.read <= receipt.delivered, "I6");
                let mark = self.marks.entry((receipt.conversation, receipt.user.get())).or_default();
                *mark = (mark.0.max(receipt.delivered), mark.1.max(receipt.read));
            }
            ServerFrame::Sent(sent) => {
                for (conversation, outgoing) in &mut self.outgoing {
                    let at = outgoing.iter().position(|outgoing| outgoing.request == Some(sent.request));
                    if let Some(at) = at {
                        self.accepted.insert(outgoing.remove(at).id, (*conversation, sent.seq));
                    }
                }
            }
            ServerFrame::Error(error) if error.request != RequestId::default() => {
                let code = error.known_code().expect("a known code");
                assert!(code.is_retryable(), "{error:?}");
                for outgoing in self.outgoing.values_mut().flatten() {
                    if outgoing.request == Some(error.request) {
                        outgoing.request = None;
                    }
                }
            }
            ServerFrame::Error(error) => assert_ne!(error.known_code(), Some(ErrorCode::BadAck)),
            ServerFrame::Welcome(_) | ServerFrame::Goaway(_) | ServerFrame::Done(_) => {}
            ServerFrame::HeartbeatAck(_) | ServerFrame::Nodes(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn take_stamp(&mut self, stamp: Stamp) {
        self.taken = self.taken.max(stamp);
        self.pushed = self.pushed.max(stamp);
    }

    async fn ack(&mut self) {
        let Some(client) = &mut self.client else { return };
        if self.pushed > Stamp::ZERO {
            client.ack(self.pushed).await;
            self.acked = self.acked.max(self.pushed);
        }
    }

    async fn read(&mut self, random: &mut Random) {
        let Some(client) = &mut self.client else { return };
        let places = self.seen.len() as u64;
        if places > 0 {
            let ((conversation, seq), _) =
                self.seen.iter().nth(random.below(places) as usize).expect("it is within");
            let request = client.new_request();
            client.tell(&rookery_protocol::Read { request, conversation: *conversation, seq: *seq }).await;
        }
    }

    fn has_outgoing(&self) -> bool {
        self.outgoing.values().any(|outgoing| !outgoing.is_empty())
    }
}

async fn run(seed: u64) {
    let mut random = Random::new(seed);
    let node = Node::start_with(rookery_actors::ActorsConfig {
        session_idle: Duration::from_secs(random.below(3)),
        connection_idle: Duration::from_millis(500 + random.below(3000)),
        ..config()
    })
    .await;
    let mut devices: Vec<Device> = (1..=USERS)
        .flat_map(|number| (1..=DEVICES).map(move |device| Device::new(who(number, device))))
        .collect();
    let mut messages = 0;
    for _ in 0..STEPS {
        let at = random.below(devices.len() as u64) as usize;
        let device = &mut devices[at];
        if device.client.is_none() && !random.one_in(4) {
            device.connect(&node, &mut random).await;
        }
        let victim = user(1 + random.below(USERS));
        match random.below(24) {
            0..=8 => {
                messages += 1;
                device.send_new(1 + random.below(USERS), messages).await;
            }
            9..=13 => {
                let frames = random.below(30) as usize;
                device.hear(Duration::from_millis(1), frames).await;
            }
            14..=16 => device.ack().await,
            17 => device.read(&mut random).await,
            18 => {
                if random.one_in(2) {
                    device.ack().await;
                }
                device.disconnect();
            }
            19 => node.actors.crash(Victim::Session(victim)),
            20 => node.actors.crash(Victim::Connections(victim)),
            21 if random.one_in(4) => node.actors.crash(Victim::Shard(victim)),
            21 => device.send_all().await,
            22 => {
                let faults = [Fault::Full, Fault::Unavailable, Fault::AmbiguousApplied, Fault::AmbiguousLost];
                node.faults.fail_next_commits(1 + random.below(4) as u32, faults[random.below(4) as usize]);
            }
            _ => {
                let slow = Duration::from_millis([0, 0, 3, 40][random.below(4) as usize]);
                node.faults.slow_reads(slow);
                node.faults.slow_commits(slow / 2);
            }
        }
        if random.one_in(3) {
            sleep(Duration::from_millis(random.below(2000))).await;
        }
    }
    heal(&node, &mut devices, &mut random).await;
    check(&node, &devices, messages).await;
}

/// Everything works again: each device sends, hears and acknowledges until there is nothing left.
async fn heal(node: &Node, devices: &mut [Device], random: &mut Random) {
    node.faults.heal();
    node.faults.slow_reads(Duration::ZERO);
    node.faults.slow_commits(Duration::ZERO);
    // Restart budgets recover.
    sleep(Duration::from_secs(70)).await;
    for round in 0.. {
        assert!(round < 1000, "it does not come to rest");
        let mut is_at_rest = true;
        for device in devices.iter_mut() {
            if device.client.is_none() {
                device.connect(node, random).await;
                is_at_rest = false;
            }
            // What is accepted in this round others hear in the next.
            is_at_rest &= !device.has_outgoing();
            device.send_all().await;
            let heard = device.hear(Duration::from_millis(1500), 1000).await;
            device.ack().await;
            is_at_rest &= heard == 0 && device.client.is_some();
        }
        if is_at_rest {
            return;
        }
    }
}

async fn check(node: &Node, devices: &[Device], messages: u128) {
    sleep(Duration::from_secs(5)).await;
    let mut places: BTreeMap<(ConversationId, Seq), MessageId> = BTreeMap::new();
    for device in devices {
        for (id, place) in &device.accepted {
            let first = places.insert(*place, *id);
            assert_eq!(first, None, "I5: a message has one place");
        }
        // I3: one sender's messages keep their order.
        let mut last = BTreeMap::new();
        for (id, (conversation, seq)) in &device.accepted {
            let before = last.insert(*conversation, *seq);
            assert!(before.is_none_or(|before| before < *seq), "I3: {id} came before an earlier one");
        }
    }
    assert_eq!(places.len() as u128, messages, "every message has been accepted");
    let conversations: BTreeSet<ConversationId> =
        places.keys().map(|(conversation, _)| *conversation).collect();
    for conversation in conversations {
        let seqs = places.range((conversation, Seq::ZERO)..).take_while(|((of, _), _)| *of == conversation);
        assert!(seqs.map(|((_, seq), _)| seq.get()).eq(1..=dense(&places, conversation)), "I3: dense");
    }
    for device in devices {
        let is_member =
            |conversation: &ConversationId| conversation.direct_peer(user(device.who.user)).is_some();
        let expected: BTreeMap<_, _> = places
            .iter()
            .filter(|((conversation, _), _)| is_member(conversation))
            .map(|(place, id)| (*place, *id))
            .collect();
        assert_eq!(device.seen, expected, "I1, I2: {:?} has seen everything, and nothing else", device.who);
        assert_eq!(node.cursor(device.who).await, device.acked, "the cursor of {:?}", device.who);
        for ((conversation, of), (delivered, read)) in &device.marks {
            let head = Seq::new(dense(&places, *conversation));
            assert!(*read <= *delivered && *delivered <= head, "I6: {of} in {conversation}");
        }
    }
}

/// A conversation's last seq.
fn dense(places: &BTreeMap<(ConversationId, Seq), MessageId>, of: ConversationId) -> u64 {
    places.keys().filter(|(conversation, _)| *conversation == of).map(|(_, seq)| seq.get()).max().unwrap_or(0)
}

/// One seed again: `ROOKERY_SEED=17 cargo test -p rookery-actors --test suite random`.
#[test]
fn whatever_happens_in_whatever_order_the_invariants_hold() {
    let one = std::env::var("ROOKERY_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in one.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        println!("seed {seed}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(run(seed));
    }
}
