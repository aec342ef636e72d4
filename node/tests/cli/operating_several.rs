//! `rookery admin` against three nodes: what it asks of all of them, and what it does to one.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::chatting::Chat;
use crate::operating::Operated;
use crate::program::{FREE_PORTS, Program};
use crate::several_nodes::{UP, eventually, pids, running, signal};

fn three() -> Operated {
    let operated = Operated::start(&UP);
    eventually("all are members and have links", || {
        let nodes = operated.program.admin_json(&["nodes"]);
        let up = nodes["links"].as_array().unwrap().iter().filter(|link| link["state"] == "up").count();
        (nodes["nodes"].as_array().unwrap().len() == 3 && up == 6).then_some(())
    });
    operated
}

fn names(of: &Value) -> Vec<&str> {
    of.as_array().unwrap().iter().map(|it| it["node"].as_str().unwrap()).collect()
}

fn slots(program: &Program, node: &str) -> u64 {
    let slots = program.admin_json(&["slots"]);
    let found = slots["nodes"].as_array().unwrap().iter().find(|it| it["node"] == node).cloned();
    found.map_or(0, |it| it["slots"].as_u64().unwrap())
}

/// Its exit code and what it prints, whatever both are.
fn outcome(program: &Program, arguments: &[&str]) -> (i32, Value, String) {
    let output = program.run(&[&["admin"], arguments, &["--json"]].concat());
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), said, String::from_utf8(output.stderr).unwrap())
}

/// A process that is stopped, and goes on when this is dropped.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Self {
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

#[test]
fn every_node_is_asked_and_one_that_is_stopped_is_named_and_spoils_nothing() {
    let Operated { program, node: _up } = three();
    assert_eq!(names(&program.admin_json(&["status"])["nodes"]), ["rook-1", "rook-2", "rook-3"]);
    assert_eq!(names(&program.admin_json(&["status", "--node", "rook-2"])["nodes"]), ["rook-2"]);
    program.admin(&["user", "add", "alice"]);
    let stopped = Stopped::new(pids(&running(&program))[1]);
    for command in [&["status"][..], &["where", "alice"], &["log-level"]] {
        let (code, shown, said) = outcome(&program, &[command, &["--timeout", "2s"]].concat());
        assert_eq!(code, 9, "{command:?}");
        assert_eq!(names(&shown["nodes"]), ["rook-1", "rook-3"], "{command:?}");
        assert_eq!(names(&shown["unanswered"]), ["rook-2"], "{command:?}");
        assert!(said.contains("not all nodes answered: rook-2 (http://127.0.0.1:"), "{said}");
    }
    let table = program.run(&["admin", "status", "--timeout", "2s"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.lines().any(|line| line.starts_with(" rook-2  does not answer")), "{table}");
    let (code, _, said) = outcome(&program, &["status", "--node", "rook-2", "--timeout", "1s"]);
    assert_eq!((code, said.contains("nothing came within 1s")), (9, true), "{said}");
    // What any node knows is asked of one that answers.
    program.admin(&["user", "show", "alice", "--timeout", "20s"]);
    drop(stopped);
}

#[test]
fn a_trace_shows_a_message_on_its_way_through_two_nodes() {
    let Operated { program, node: up } = three();
    for name in ["alice", "bob"] {
        program.admin(&["user", "add", name]);
    }
    let addresses: Vec<String> = up.addresses("tcp").map(|address| format!("tcp://{address}")).collect();
    let mut alice = Chat::start(&program, &["alice", "--server", &addresses[0]]);
    let mut bob = Chat::start(&program, &["bob", "--server", &addresses[2]]);
    alice.wait_for("connected");
    bob.wait_for("connected");
    let mut trace = program.command(&["admin", "trace", "alice", "--for", "60s", "--json"]);
    let mut trace = trace.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(trace.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let mut begun: Vec<String> = (0..3).map(|_| next()["seen_by"].as_str().unwrap().to_owned()).collect();
    begun.sort_unstable();
    assert_eq!(begun, ["rook-1", "rook-2", "rook-3"]);
    alice.say(&json!({ "op": "send", "to": "bob", "text": "caw", "tag": 1 }));
    // What different nodes tell comes in any order.
    let mut told: Vec<Value> = Vec::new();
    let mut until = |what: &str, seen_by: &str| loop {
        let found = told.iter().find(|line| line["line"] == what && line["seen_by"] == seen_by);
        if let Some(line) = found {
            break line["message"].clone();
        }
        told.push(next());
    };
    let arrived = until("arrived", "rook-1");
    assert!(arrived.is_string(), "{arrived}");
    assert_eq!(until("committed", "rook-1"), arrived);
    assert_eq!(until("pushed", "rook-3"), arrived);
    trace.kill().unwrap();
    trace.wait().unwrap();
}

#[test]
fn a_node_is_drained_and_empty_then() {
    let Operated { program, node: up } = three();
    program.admin(&["user", "add", "alice"]);
    let third = format!("tcp://{}", up.addresses("tcp").nth(2).unwrap());
    let mut alice = Chat::start(&program, &["alice", "--server", &third]);
    alice.wait_for("connected");
    assert!(slots(&program, "rook-3") > 0);
    let (code, said) = program.admin_failure(&["drain", "rook-3"]);
    assert_eq!((code, said.contains("add --yes")), (1, true), "{said}");
    assert_eq!(program.admin_failure(&["drain", "rook-9", "--yes"]).0, 8);
    let lines = program.admin_lines(&["drain", "rook-3", "--yes", "--spread", "0s"]);
    let last = lines.last().unwrap();
    assert_eq!((&last["node"], &last["state"]), (&json!("rook-3"), &json!("drained")));
    assert_eq!((&last["connections_left"], &last["slots_left"]), (&json!(0), &json!(0)));
    assert_eq!(slots(&program, "rook-3"), 0);
    eventually("the client is at another node", || {
        let at = program.admin_json(&["where", "alice"]);
        let at = at["nodes"].as_array().unwrap().iter().filter(|it| it["connections"] != json!([])).cloned();
        names(&at.collect()).first().is_some_and(|node| *node != "rook-3").then_some(())
    });
    let status = program.admin(&["status"]);
    assert!(status.lines().any(|line| line.starts_with(" rook-3  draining")), "{status}");
}

#[test]
fn weights_move_slots_when_a_rebalance_asks() {
    let Operated { program, node: _up } = three();
    let before = slots(&program, "rook-1");
    assert!(program.admin(&["weight", "rook-1", "300"]).contains("`rookery admin rebalance`"));
    assert_eq!(slots(&program, "rook-1"), before);
    let steps = program.admin_lines(&["rebalance", "--step", "500", "--pause", "1ms"]);
    assert!(steps.len() > 1 && steps.last().unwrap()["left"] == 0, "{steps:?}");
    assert!(slots(&program, "rook-1") > before + 500);
    assert!(program.admin(&["rebalance"]).starts_with("moved 0 slots"));
    assert_eq!(program.admin_failure(&["weight", "rook-9", "1"]).0, 8);
    assert_eq!(program.admin_failure(&["weight", "rook-1", "10001"]).0, 2);
}

#[test]
fn a_node_that_is_removed_is_gone_and_one_that_lives_joins_again() {
    let Operated { program, node: _up } = three();
    let member = || {
        let nodes = program.admin_json(&["nodes"]);
        let found = nodes["nodes"].as_array().unwrap().iter().find(|it| it["name"] == "rook-2").cloned();
        found.map(|it| it["incarnation"].as_u64().unwrap())
    };
    let before = member().unwrap();
    let (code, said) = program.admin_failure(&["remove", "rook-2"]);
    assert_eq!((code, said.contains("It is alive, and joins again")), (1, true), "{said}");
    assert_eq!(program.admin_failure(&["remove", "rook-9", "--yes"]).0, 8);
    assert!(program.admin(&["remove", "rook-2", "--yes"]).starts_with("removed rook-2"));
    eventually("it has joined again", || member().filter(|now| *now > before));
}

#[test]
fn what_is_meant_for_a_node_is_done_to_no_other_that_is_at_its_address() {
    // Addresses that are free, one for each of two nodes.
    let free: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses = free.iter().map(|socket| socket.local_addr().unwrap().to_string()).collect::<Vec<_>>();
    drop(free);
    let program = Program::with_config(FREE_PORTS);
    // Where each listens and where it says it does: chat2 at chat1's address, chat3 at that of chat2.
    let start = |name: &str, listen: &str, advertise: &str| {
        let admin = format!("[admin]\nlisten = \"{listen}\"\nadvertise = \"{advertise}\"");
        let config = FREE_PORTS.replace("[admin]\nlisten = \"127.0.0.1:0\"", &admin);
        std::fs::write(program.path().join(format!("{name}.toml")), config).unwrap();
        program.start(&["node", "--config", &format!("{name}.toml"), "--name", name])
    };
    let _nodes = [
        start("chat1", &addresses[0], &addresses[0]),
        start("chat2", &addresses[1], &addresses[0]),
        start("chat3", "127.0.0.1:0", &addresses[1]),
    ];
    let by_url = ["--admin", &format!("http://{}", addresses[0])];
    for (node, code, expected) in [
        ("chat2", 9, "chat1 answers at this address"),
        ("chat3", 1, "meant for node chat3, and this is chat2"),
    ] {
        let failure = program.admin_failure(&[&["drain", node, "--yes"], &by_url[..]].concat());
        assert_eq!((failure.0, failure.1.contains(expected)), (code, true), "{node}: {}", failure.1);
    }
    let (code, status, _) = outcome(&program, &[&["status"], &by_url[..]].concat());
    assert_eq!(
        (code, names(&status["nodes"]), names(&status["unanswered"])),
        (9, vec!["chat1"], vec!["chat2", "chat3"])
    );
    // On the data directory all are known by what they have said of themselves there.
    let nodes = program.admin_json(&["status"])["nodes"].clone();
    assert_eq!(names(&nodes), ["chat1", "chat2", "chat3"]);
    assert!(nodes.as_array().unwrap().iter().all(|node| node["draining"] == json!(false)), "{nodes}");
    program.admin(&["drain", "chat3", "--yes", "--spread", "0s"]);
}
