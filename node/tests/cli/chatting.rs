//! `rookery chat --json` against a running node: the token, the address and the certificate come from the data
//! directory.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::program::{FREE_PORTS, Program};

/// A chat in JSON lines, ended when dropped.
pub(crate) struct Chat {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Chat {
    pub(crate) fn start(program: &Program, arguments: &[&str]) -> Self {
        let mut command = program.command(&[&["chat", "--json"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    pub(crate) fn say(&mut self, command: &Value) {
        writeln!(self.stdin, "{command}").unwrap();
    }

    /// The next event of that name.
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "ended without {event}:\n{before}");
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["event"] == event {
                return value;
            }
            before += &line;
        }
    }

    fn quit(mut self) {
        self.say(&json!({ "op": "quit" }));
        self.wait_for("bye");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // After `quit` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two people say something to one another.
pub(crate) fn exchange(program: &Program) {
    program.stdout_of(&["user", "add", "alice"]);
    program.stdout_of(&["user", "add", "bob"]);
    let mut alice = Chat::start(program, &["alice"]);
    let mut bob = Chat::start(program, &["bob"]);
    alice.say(&json!({ "op": "send", "to": "bob", "text": "caw", "tag": 1 }));
    assert_eq!(alice.wait_for("sent")["tag"], 1);
    let message = bob.wait_for("message");
    assert_eq!((&message["from"], &message["text"]), (&json!("alice"), &json!("caw")));
    bob.say(&json!({ "op": "read", "to": "alice" }));
    assert_eq!(alice.wait_for("read")["handle"], "bob");
    alice.quit();
    bob.quit();
    assert!(program.path().join("rookery-data/clients/alice-terminal").is_dir());
}

#[test]
fn two_people_chat_through_a_node_on_this_machine() {
    let program = Program::with_config(FREE_PORTS);
    let _node = program.start_node();
    exchange(&program);
}

#[test]
fn two_people_chat_over_tls_with_the_certificate_of_the_nodes_own_making() {
    let program = Program::with_config(FREE_PORTS);
    let _node = program.start(&["up", "--tls"]);
    exchange(&program);
}

#[test]
fn a_token_and_an_address_are_enough_elsewhere() {
    let program = Program::with_config(FREE_PORTS);
    let node = program.start_node();
    program.stdout_of(&["user", "add", "alice"]);
    let token = program.stdout_of(&["token", "alice", "--device", "laptop"]);
    let elsewhere = Program::with_config("");
    std::fs::write(elsewhere.path().join("alice.token"), &token).unwrap();
    let server = format!("tcp://{}", node.address("tcp"));
    let mut chat = Chat::start(&elsewhere, &["alice", "--server", &server, "--token-file", "alice.token"]);
    assert_eq!(chat.wait_for("connected")["handle"], "alice");
    chat.quit();
    // What the chat has left in the default place is no obstacle to a node there.
    std::fs::write(elsewhere.path().join("cluster.toml"), FREE_PORTS).unwrap();
    elsewhere.start_node();
}

#[test]
fn an_unknown_user_and_a_missing_node_are_answered_with_what_to_type() {
    let program = Program::with_config(FREE_PORTS);
    drop(program.start_node());
    let rookery = env!("CARGO_BIN_EXE_rookery");
    assert_eq!(
        program.failure_of(&["chat", "x"]),
        (1, format!("rookery: no user \"x\": add it with `{rookery} user add x`\n"))
    );
    program.stdout_of(&["user", "add", "alice"]);
    assert_eq!(
        program.failure_of(&["chat", "alice"]),
        (
            1,
            format!(
                "rookery: no node is running here: start one with `{rookery} up`, or name another with --server URL\n"
            )
        )
    );
}
