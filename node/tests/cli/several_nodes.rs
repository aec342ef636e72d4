//! `rookery up` with several nodes: a process each, kept running, and gone with `up`.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rookery_node::config::EngineKind;
use rookery_node::data_dir::{DataDir, RunningNode};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{FREE_PORTS, Program};
use crate::running_node::{answer_to_heartbeat, get, over_tls, tls_client};

pub(crate) const UP: [&str; 3] = ["up", "--nodes", "3"];

/// For what takes a moment, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The nodes that run on the program's data directory.
pub(crate) fn running(program: &Program) -> Vec<RunningNode> {
    DataDir::open(&program.path().join("rookery-data"), EngineKind::Lmdb).unwrap().running()
}

pub(crate) fn pids(nodes: &[RunningNode]) -> Vec<u32> {
    nodes.iter().map(|node| node.pid.unwrap()).collect()
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// The `host:port` of a URL.
pub(crate) fn authority(url: &str) -> &str {
    url.split_once("://").unwrap().1.trim_end_matches("/v1")
}

fn is_ready(node: &RunningNode) -> bool {
    let http = node.listening.as_ref().unwrap().http.as_ref().unwrap();
    get(authority(http), "/readyz").starts_with("HTTP/1.1 200")
}

#[test]
fn three_nodes_share_a_data_directory_and_each_serves() {
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&UP);
    let nodes = running(&program);
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["rook-1", "rook-2", "rook-3"]);
    let mut processes = pids(&nodes);
    processes.push(up.pid());
    processes.sort_unstable();
    processes.dedup();
    assert_eq!(processes.len(), 4, "each node has a process of its own");
    for node in &nodes {
        assert!(is_ready(node));
        let clients = &node.listening.as_ref().unwrap().clients;
        assert!(clients.iter().all(|url| up.said.contains(url)), "{clients:?} {}", up.said);
    }
    program.stdout_of(&["user", "add", "alice"]);
    let data = program.path().join("rookery-data");
    for made in ["ca/ca.pem", "keys/token.pk8", "keys/admin.token"] {
        assert!(data.join(made).exists(), "{made}");
    }
}

#[test]
fn chat_finds_a_node_when_another_is_away() {
    let program = Program::with_config(FREE_PORTS);
    let _up = program.start(&UP);
    for name in ["alice", "bob"] {
        program.stdout_of(&["user", "add", name]);
    }
    signal(pids(&running(&program))[0], Signal::KILL);
    let mut chat = program.command(&["chat", "alice", "--json"]);
    let mut chat =
        chat.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let said = std::io::BufReader::new(chat.stdout.take().unwrap());
    let connected =
        std::io::BufRead::lines(said).map_while(Result::ok).any(|line| line.contains("\"connected\""));
    assert!(connected);
    chat.kill().unwrap();
    chat.wait().unwrap();
}

#[test]
fn a_node_that_is_killed_is_started_again_and_the_others_go_on() {
    let program = Program::with_config(FREE_PORTS);
    let _up = program.start(&UP);
    let before = pids(&running(&program));
    // The second time it is not at once.
    let mut killed = before[1];
    for _ in 0..2 {
        signal(killed, Signal::KILL);
        let again = eventually("three nodes run again", || {
            let nodes = running(&program);
            let all = nodes.len() == 3 && nodes.iter().all(|node| node.listening.is_some());
            nodes.into_iter().nth(1).filter(|second| all && second.pid != Some(killed))
        });
        assert!(is_ready(&again));
        killed = again.pid.unwrap();
    }
    let after = pids(&running(&program));
    assert_eq!((after[0], after[2]), (before[0], before[2]));
}

#[test]
fn nodes_do_not_outlive_up_even_when_it_is_killed() {
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&UP);
    assert_eq!(running(&program).len(), 3);
    up.signal(Signal::KILL);
    assert_eq!(up.wait(), None);
    eventually("its nodes are gone", || running(&program).is_empty().then_some(()));
    // Nothing of the first keeps the next one from starting.
    program.start(&UP);
}

#[test]
fn a_signal_stops_all_nodes_gracefully_with_success() {
    for signal in [Signal::INT, Signal::TERM] {
        let program = Program::with_config(FREE_PORTS);
        let up = program.start(&UP);
        let nodes = running(&program);
        let mut clients: Vec<TcpStream> = nodes
            .iter()
            .map(|node| TcpStream::connect(authority(&node.listening.as_ref().unwrap().clients[1])).unwrap())
            .collect();
        // Answers prove that the connections have been accepted.
        assert!(nodes.iter().all(is_ready));
        let told = Instant::now();
        up.signal(signal);
        for client in &mut clients {
            std::io::copy(client, &mut std::io::sink()).unwrap();
        }
        assert_eq!(up.wait(), Some(0));
        assert!(told.elapsed() < Duration::from_secs(35), "{:?}", told.elapsed());
        assert_eq!(running(&program), []);
    }
}

#[test]
fn a_second_signal_does_not_wait_for_a_node_that_hangs() {
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&UP);
    signal(pids(&running(&program))[1], Signal::STOP);
    up.signal(Signal::TERM);
    eventually("the others have stopped", || (running(&program).len() == 1).then_some(()));
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), Some(1));
    assert_eq!(running(&program), []);
}

#[test]
fn ctrl_z_stops_the_nodes_too_until_up_goes_on() {
    let is_stopped = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    };
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&UP);
    let nodes = running(&program);
    let mut all = pids(&nodes);
    all.push(up.pid());
    up.signal(Signal::TSTP);
    eventually("all are stopped", || all.iter().all(is_stopped).then_some(()));
    up.signal(Signal::CONT);
    eventually("all go on", || (!all.iter().any(is_stopped)).then_some(()));
    eventually("all serve", || nodes.iter().all(is_ready).then_some(()));
    assert_eq!(running(&program), nodes, "none was started again");
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), Some(0));
}

#[test]
fn a_second_up_is_told_of_the_first_whatever_its_nodes_are() {
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&UP);
    for nodes in ["1", "3", "5"] {
        let (code, message) = program.failure_of(&["up", "--nodes", nodes]);
        let expected =
            format!("rookery: `rookery up` is already running on rookery-data (process {})\n", up.pid());
        assert_eq!((code, message), (4, expected));
    }
    let (code, message) = program.failure_of(&["node"]);
    assert!(message.contains("node rook-1 is already running on rookery-data (process "), "{message}");
    assert_eq!(code, 4);
    assert_eq!(running(&program).len(), 3);
}

#[test]
fn a_port_that_is_taken_is_named_with_the_node_and_the_setting() {
    let program = Program::with_config("");
    // The second node's TCP port is taken, the first one's is free.
    let (_taken, address) = std::iter::repeat_with(|| TcpListener::bind("127.0.0.1:0").unwrap())
        .map(|listener| (listener.local_addr().unwrap(), listener))
        .find(|(address, _)| TcpListener::bind(("127.0.0.1", address.port() - 10)).is_ok())
        .map(|(address, listener)| (listener, address))
        .unwrap();
    let first = format!("tcp = \"127.0.0.1:{}\"", address.port() - 10);
    let config = FREE_PORTS.replace("tcp = \"127.0.0.1:0\"", &first);
    std::fs::write(program.path().join("cluster.toml"), config).unwrap();
    let (code, stderr) = program.failure_of(&["up", "--nodes", "2"]);
    assert_eq!(
        stderr.lines().last().unwrap(),
        format!(
            "rookery: node rook-2: {address} is in use already: stop what listens there, or change `tcp` under [listen] in \
             the configuration (this node's ports are those of the configuration plus 10)"
        )
    );
    assert_eq!(code, 5);
    assert_eq!(running(&program), [], "who had started has stopped");
}

#[test]
fn nodes_that_would_be_in_each_others_way_are_refused_before_anything_is_made() {
    let program = Program::with_config("[listen]\ntcp = \"127.0.0.1:7410\"\n");
    assert_eq!(
        program.failure_of(&["up"]),
        (
            3,
            "rookery: 127.0.0.1:7410 is both `tcp` of node 1 and `websocket` of node 2: each node's ports are 10 above the \
             last one's, so take others\n"
                .to_owned()
        )
    );
    assert!(!program.path().join("rookery-data").exists());
}

#[test]
fn nodes_that_keep_everything_to_themselves_are_refused() {
    let program = Program::with_config(&format!("{FREE_PORTS}[store]\nengine = \"memory\"\n"));
    assert_eq!(
        program.failure_of(&["up", "--nodes", "2"]),
        (
            4,
            "rookery: engine = \"memory\" keeps everything inside one node, so no two can share rookery-data: take \
             \"lmdb\" or \"foundationdb\", or one node (`rookery up --nodes 1`)\n"
                .to_owned()
        )
    );
}

#[test]
fn nodes_are_called_after_the_name_in_the_configuration() {
    let program = Program::with_config(&format!("[node]\nid = \"desk\"\n{FREE_PORTS}"));
    let up = program.start(&["up", "--nodes", "2"]);
    let names: Vec<String> = running(&program).iter().map(|node| node.name.to_string()).collect();
    assert_eq!(names, ["desk-1", "desk-2"]);
    drop(up);
    eventually("its nodes are gone", || running(&program).is_empty().then_some(()));
    program.start(&["node", "--name", "chat1"]);
}

#[test]
fn with_tls_each_node_serves_over_tls_and_only_so() {
    let program = Program::with_config(FREE_PORTS);
    let up = program.start(&["up", "--nodes", "2", "--tls"]);
    assert!(!up.said.contains("ws://") && !up.said.contains("tcp://"), "{}", up.said);
    let client = tls_client(&program.path().join("rookery-data/tls/self-signed.pem"));
    for node in running(&program) {
        let listening = node.listening.unwrap();
        let tls = listening.clients.iter().find(|url| url.starts_with("tls://")).unwrap();
        answer_to_heartbeat(over_tls(authority(tls), &client));
    }
}
