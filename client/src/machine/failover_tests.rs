//! Many clients and a few nodes in virtual time: nodes die, hang, drain and change, and every client finds one that lives.

use std::collections::BTreeMap;

use rookery_protocol::{
    ClientFrame, ConversationList, ErrorCode, FrameDecoder, Goaway, HeartbeatAck, Nodes as NodesFrame, Send,
    Welcome,
};

use super::tests::{raw, user};
use super::*;
use crate::TokenProvider;

const CLIENTS: u64 = 3_000;
const LATENCY: Duration = Duration::from_millis(2);
/// When most scripts do their worst: connections have lived for long.
const BLOW: Duration = Duration::from_secs(20);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How a node treats clients.
#[derive(Debug, Clone)]
enum Node {
    Lives,
    /// Refuses connections.
    Dead,
    /// Its sockets are open, and nothing is read from them.
    Hangs,
    /// Sends who comes away at once, to these.
    Drains(Vec<String>),
}

/// What happens at a time.
#[derive(Debug, Clone)]
enum Turn {
    Becomes(usize, Node),
    /// To the client, if it is connected to this node.
    Goaway(usize, u32, Vec<String>),
    Nodes(Vec<String>),
    Sends(u8),
}

fn url(node: usize) -> String {
    format!("tcp://n{node}:1")
}

fn urls(nodes: &[usize]) -> Vec<String> {
    nodes.iter().map(|node| url(*node)).collect()
}

fn welcome(nodes: &[String]) -> Welcome {
    Welcome {
        user: user(1),
        handle: "alice".parse().unwrap(),
        device: DeviceId::new(1),
        connection: 1,
        time_ms: 0,
        cursor: Stamp::ZERO,
        heartbeat_ms: 30_000,
        window_events: 128,
        requests_in_flight: 64,
        frame_bytes: 262_144,
        body_bytes: 65_536,
        nodes: nodes.to_vec(),
    }
}

/// One client among nodes. Nodes do not notice one another's clients, so each client has them for itself.
struct World {
    machine: Machine,
    now: Duration,
    nodes: Vec<Node>,
    /// What WELCOME says.
    told: Vec<String>,
    /// Dialled or connected.
    at: Option<usize>,
    welcomed: bool,
    decoder: FrameDecoder,
    coming: Vec<(Duration, Input)>,
    dials: Vec<(Duration, usize)>,
    connects: Vec<(Duration, usize)>,
    sends: Vec<(usize, Send)>,
    heartbeats: usize,
}

impl World {
    /// All nodes live; the first one is configured.
    fn new(seed: u64, nodes: usize, told: &[usize]) -> Self {
        let config = Config::new(vec![url(0).parse().unwrap()], TokenProvider::fixed("t"));
        Self {
            machine: Machine::new(&config, Saved::default(), &mut StdRng::seed_from_u64(seed)),
            now: Duration::ZERO,
            nodes: vec![Node::Lives; nodes],
            told: urls(told),
            at: None,
            welcomed: false,
            decoder: FrameDecoder::new(limits::FRAME_BYTES_MAX),
            coming: vec![(Duration::ZERO, Input::Start)],
            dials: Vec::new(),
            connects: Vec::new(),
            sends: Vec::new(),
            heartbeats: 0,
        }
    }

    fn run(mut self, script: &[(Duration, Turn)], until: Duration) -> Self {
        let mut script = script.iter().peekable();
        loop {
            let turn = script.peek().map_or(Duration::MAX, |(at, _)| *at);
            let input = self.coming.iter().map(|(at, _)| *at).min().unwrap_or(Duration::MAX);
            let tick = self.machine.deadline().unwrap_or(Duration::MAX);
            let next = turn.min(input).min(tick);
            if next > until {
                return self;
            }
            self.now = self.now.max(next);
            if input == next {
                let at = self.coming.iter().position(|(at, _)| *at == input).unwrap();
                let (_, input) = self.coming.remove(at);
                self.tell(input);
            } else if turn == next {
                self.take_turn(&script.next().unwrap().1);
            } else {
                self.tell(Input::Tick);
            }
        }
    }

    fn soon(&mut self, input: Input) {
        self.coming.push((self.now + LATENCY, input));
    }

    fn frame(&mut self, payload: &impl Payload) {
        self.soon(Input::Heard);
        self.soon(Input::Frame(raw(payload)));
    }

    fn take_turn(&mut self, turn: &Turn) {
        match turn.clone() {
            Turn::Becomes(node, how) => {
                if matches!(how, Node::Dead) && self.at == Some(node) {
                    self.at = None;
                    self.coming.clear();
                    self.soon(Input::Lost { reason: "killed".to_owned() });
                }
                self.nodes[node] = how;
            }
            Turn::Goaway(node, reconnect_after_ms, nodes) => {
                if self.at == Some(node) && self.welcomed {
                    self.frame(&goaway(reconnect_after_ms, nodes));
                }
            }
            Turn::Nodes(nodes) => {
                self.told.clone_from(&nodes);
                self.frame(&NodesFrame { nodes });
            }
            Turn::Sends(number) => {
                let conversation = ConversationId::direct(user(1), user(2));
                let id = MessageId::from_bytes([number; 16]);
                self.tell(Input::Send {
                    conversation,
                    id,
                    body: Body::new("x"),
                    reference: None,
                    expires_s: None,
                });
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Dial(address) => {
                    let node = (0..self.nodes.len()).find(|node| url(*node) == address.to_string()).unwrap();
                    self.dials.push((self.now, node));
                    if matches!(self.nodes[node], Node::Dead) {
                        self.soon(Input::DialFailed { reason: "refused".to_owned() });
                    } else {
                        (self.at, self.welcomed) = (Some(node), false);
                        self.soon(Input::Dialed { token: "t".to_owned() });
                    }
                }
                Effect::HangUp => {
                    self.at = None;
                    self.coming.clear();
                }
                Effect::Commit(_) => self.machine.handle(self.now, Input::Committed(Ok(()))),
                Effect::Stop(error) => panic!("{error:?}"),
                _ => {}
            }
        }
        self.serve();
    }

    /// The node does what it does with what the client says.
    fn serve(&mut self) {
        let mut bytes = Vec::new();
        self.machine.take_output(&mut bytes);
        let Some(node) = self.at else { return };
        self.decoder.extend(&bytes);
        let how = self.nodes[node].clone();
        while let Some(frame) = self.decoder.next_frame().unwrap() {
            match (&how, ClientFrame::decode(&frame).unwrap()) {
                (Node::Lives, ClientFrame::Hello(_)) => {
                    self.welcomed = true;
                    self.connects.push((self.now, node));
                    let welcome = welcome(&self.told);
                    self.frame(&welcome);
                }
                (Node::Lives, ClientFrame::Heartbeat(heartbeat)) => {
                    self.heartbeats += 1;
                    self.frame(&HeartbeatAck { nonce: heartbeat.nonce });
                }
                (Node::Lives, ClientFrame::ListConversations(list)) => {
                    let (request, conversations) = (list.request, Vec::new());
                    self.frame(&ConversationList { request, conversations, more: false });
                }
                (Node::Lives, ClientFrame::Send(send)) => self.sends.push((node, send)),
                (Node::Drains(nodes), ClientFrame::Hello(_)) => self.frame(&goaway(0, nodes.clone())),
                _ => {}
            }
        }
    }
}

fn goaway(reconnect_after_ms: u32, nodes: Vec<String>) -> Goaway {
    Goaway { code: ErrorCode::Shutdown as u16, text: String::new(), reconnect_after_ms, nodes }
}

/// Pearson's chi-square of counts that should be equal.
fn unevenness(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

/// Where each client came after the blow, and how long that took.
fn came_after(worlds: &[World], at: Duration) -> Vec<(Duration, usize)> {
    let first = |world: &World| world.connects.iter().find(|(time, _)| *time > at).copied();
    worlds
        .iter()
        .map(|world| first(world).expect("everybody comes back"))
        .map(|(time, node)| (time - at, node))
        .collect()
}

fn by_node(came: &[(Duration, usize)]) -> BTreeMap<usize, u64> {
    let mut nodes = BTreeMap::new();
    came.iter().for_each(|(_, node)| *nodes.entry(*node).or_default() += 1);
    nodes
}

#[test]
fn when_the_owner_dies_its_clients_spread_evenly_over_nodes_and_time_and_all_are_back_at_once() {
    let script = [(BLOW, Turn::Becomes(0, Node::Dead))];
    let worlds: Vec<_> =
        (0..CLIENTS).map(|seed| World::new(seed, 3, &[0, 1, 2]).run(&script, BLOW + ms(5_000))).collect();
    let came = came_after(&worlds, BLOW);
    assert!(came.iter().all(|(took, _)| *took <= ms(250) + 3 * LATENCY), "{:?}", came.iter().max());
    let nodes = by_node(&came);
    assert_eq!(nodes.keys().copied().collect::<Vec<_>>(), [1, 2]);
    let counts: Vec<_> = nodes.into_values().collect();
    assert!(unevenness(&counts) < 10.8, "1 in 1,000 by chance: {counts:?}");
    let mut tenths = [0; 10];
    came.iter().for_each(|(took, _)| {
        tenths[(took.saturating_sub(2 * LATENCY).as_millis() as usize / 25).min(9)] += 1;
    });
    assert!(unevenness(&tenths) < 27.9, "1 in 1,000 by chance: {tenths:?}");
}

#[test]
fn when_another_node_than_the_owner_dies_its_clients_go_to_their_owners() {
    let script = [(BLOW, Turn::Becomes(0, Node::Dead))];
    for owner in [1, 2] {
        for seed in 0..100 {
            let world = World::new(seed, 3, &[owner, 0, 3 - owner]).run(&script, BLOW + ms(5_000));
            assert_eq!(world.connects.last().unwrap().1, owner);
            assert_eq!(world.dials.len(), 2);
        }
    }
}

#[test]
fn when_only_one_of_many_nodes_is_left_a_single_pass_finds_it() {
    let script: Vec<_> = (0..7).map(|node| (BLOW, Turn::Becomes(node, Node::Dead))).collect();
    let worlds: Vec<_> = (0..CLIENTS)
        .map(|seed| World::new(seed, 8, &[0, 1, 2, 3, 4, 5, 6, 7]).run(&script, BLOW + ms(10_000)))
        .collect();
    let came = came_after(&worlds, BLOW);
    assert!(came.iter().all(|(took, node)| *took <= ms(250 + 6 * 100) + 16 * LATENCY && *node == 7));
    for world in &worlds {
        let mut tried: Vec<_> = world.dials[1..].iter().map(|(_, node)| *node).collect();
        let count = tried.len();
        tried.sort_unstable();
        tried.dedup();
        assert_eq!(tried.len(), count, "no node twice in a pass");
    }
}

#[test]
fn a_goaway_leads_at_once_to_one_of_its_nodes_evenly() {
    let script = [(BLOW, Turn::Goaway(0, 0, urls(&[1, 2, 3])))];
    let worlds: Vec<_> =
        (0..CLIENTS).map(|seed| World::new(seed, 4, &[0, 1, 2, 3]).run(&script, BLOW + ms(5_000))).collect();
    let came = came_after(&worlds, BLOW);
    assert!(came.iter().all(|(took, _)| *took <= 3 * LATENCY), "{:?}", came.iter().max());
    let nodes = by_node(&came);
    assert_eq!(nodes.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    let counts: Vec<_> = nodes.into_values().collect();
    assert!(unevenness(&counts) < 13.8, "1 in 1,000 by chance: {counts:?}");
}

#[test]
fn a_goaway_that_asks_for_time_gets_it() {
    let script = [(BLOW, Turn::Goaway(0, 3_000, urls(&[1])))];
    for seed in 0..100 {
        let world = World::new(seed, 2, &[0, 1]).run(&script, BLOW + ms(10_000));
        let (took, node) = came_after(&[world], BLOW)[0];
        assert!(node == 1 && took >= ms(3_000) && took <= ms(3_250) + 4 * LATENCY, "{took:?}");
    }
}

#[test]
fn nodes_that_send_clients_to_one_another_are_not_asked_in_a_loop() {
    let script = [
        (BLOW, Turn::Becomes(0, Node::Drains(urls(&[1])))),
        (BLOW, Turn::Becomes(1, Node::Drains(urls(&[0])))),
        (BLOW, Turn::Goaway(0, 0, urls(&[1]))),
    ];
    for seed in 0..100 {
        let world = World::new(seed, 2, &[0, 1]).run(&script, BLOW + ms(60_000));
        assert!(world.dials.len() <= 20, "{:?}", world.dials);
    }
}

#[test]
fn while_no_node_lives_passes_come_ever_slower_and_the_first_that_lives_again_is_found() {
    let dead = |at, node| (at, Turn::Becomes(node, Node::Dead));
    let revival = BLOW + ms(600_000);
    let script = [dead(BLOW, 0), dead(BLOW, 1), dead(BLOW, 2), (revival, Turn::Becomes(2, Node::Lives))];
    for seed in 0..100 {
        let world = World::new(seed, 3, &[0, 1, 2]).run(&script, revival + ms(61_000));
        // Passes of three after 1, 2, 4, ... 60 s at most: not more than 30 in ten minutes.
        assert!(world.dials.len() <= 90, "{}", world.dials.len());
        let (took, node) = came_after(&[world], revival)[0];
        assert!(node == 2 && took <= ms(60_300), "{took:?}");
    }
}

#[test]
fn a_node_that_hangs_is_given_up_by_those_connected_and_passed_over_by_those_who_come() {
    let script = [
        (BLOW, Turn::Becomes(0, Node::Hangs)),
        (BLOW, Turn::Becomes(1, Node::Hangs)),
        (BLOW + ms(1), Turn::Sends(1)),
    ];
    for seed in 0..100 {
        let world = World::new(seed, 3, &[0, 1, 2]).run(&script, BLOW + ms(30_000));
        let (took, node) = came_after(&[world], BLOW)[0];
        // 5 s for the first; 5 s for the second, if it is tried before the third.
        assert!(node == 2 && took >= ms(5_000) && took <= ms(10_500), "{took:?}");
    }
}

#[test]
fn an_idle_client_notices_a_node_that_hangs_a_moment_after_its_heartbeat() {
    let script = [(BLOW, Turn::Becomes(0, Node::Hangs))];
    let world = World::new(1, 2, &[0, 1]).run(&script, BLOW + ms(60_000));
    let (at, node) = *world.connects.last().unwrap();
    assert!(node == 1 && at <= ms(35_500), "{at:?}");
}

#[test]
fn a_client_stays_where_it_is_whatever_nodes_it_is_told_of() {
    let script: Vec<_> = (0..100)
        .map(|step| {
            (BLOW + ms(step * 10_000), Turn::Nodes(urls(if step % 2 == 0 { &[1, 2] } else { &[2, 0, 1] })))
        })
        .collect();
    let world = World::new(1, 3, &[1, 2, 0]).run(&script, ms(3_600_000));
    assert_eq!((world.dials.len(), world.connects.len()), (1, 1));
    assert!(world.heartbeats > 100);
}

#[test]
fn the_newest_list_counts_and_what_waited_is_said_at_the_new_node_in_order() {
    let script = [
        (BLOW, Turn::Sends(1)),
        (BLOW + ms(5), Turn::Nodes(urls(&[2, 0]))),
        (BLOW + ms(10), Turn::Becomes(0, Node::Dead)),
        (BLOW + ms(11), Turn::Sends(2)),
    ];
    for seed in 0..100 {
        let world = World::new(seed, 3, &[0, 1]).run(&script, BLOW + ms(1_000));
        assert_eq!(world.dials.iter().map(|(_, node)| *node).collect::<Vec<_>>(), [0, 2]);
        let (node, first) = &world.sends[0];
        assert_eq!((*node, first.id), (0, MessageId::from_bytes([1; 16])));
        let at_new = &world.sends[1..];
        let ids: Vec<_> = at_new.iter().map(|(node, send)| (*node, send.id, send.after)).collect();
        let id = |number| MessageId::from_bytes([number; 16]);
        assert_eq!(ids, [(2, id(1), None), (2, id(2), Some(id(1)))]);
    }
}

#[test]
fn a_node_that_dies_soon_after_a_client_came_leads_to_the_next_without_a_long_wait() {
    let script = [(BLOW, Turn::Becomes(0, Node::Dead)), (BLOW + ms(2_000), Turn::Becomes(1, Node::Dead))];
    for seed in 0..100 {
        let world = World::new(seed, 3, &[0, 1, 2]).run(&script, BLOW + ms(4_000));
        let (at, node) = *world.connects.last().unwrap();
        assert!(node == 2 && at <= BLOW + ms(2_000 + 250) + 4 * LATENCY, "{at:?}");
    }
}
