//! `rookery chat --json`, driven as a script drives it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};

use rookery_tests::deadline::soon;
use rookery_tests::{Node, NodeConfig};
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn two_scripts_chat_both_ways_with_every_tick() {
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let (mut alice, mut bob) = (Script::start(&node, "alice"), Script::start(&node, "bob"));
    assert_eq!(alice.next("ready").await["unsent"], 0);
    let me = alice.next("connected").await;
    assert_eq!(me["handle"], "alice");
    bob.next("connected").await;

    alice.say(&json!({"op": "send", "to": "bob", "text": "hello", "tag": 7}));
    let queued = alice.next("queued").await;
    assert_eq!(queued["tag"], 7);
    let sent = alice.next("sent").await;
    assert_eq!((&sent["id"], &sent["seq"], &sent["tag"]), (&queued["id"], &json!(1), &json!(7)));

    let heard = bob.next("message").await;
    assert_eq!(
        (&heard["text"], &heard["from"], &heard["seq"]),
        (&json!("hello"), &json!("alice"), &json!(1))
    );
    assert_eq!((&heard["user"], &heard["id"]), (&me["user"], &queued["id"]));
    assert_eq!(alice.next("delivered").await["seq"], 1);
    bob.say(&json!({"op": "read", "to": "alice"}));
    let read = alice.next("read").await;
    assert_eq!((&read["seq"], &read["handle"]), (&json!(1), &json!("bob")));

    let conversation = heard["conversation"].clone();
    bob.say(&json!({"op": "send", "conversation": conversation, "text": "hello yourself"}));
    bob.next("sent").await;
    let answer = alice.next_message_of("bob").await;
    assert_eq!((&answer["text"], &answer["seq"]), (&json!("hello yourself"), &json!(2)));

    alice.say(&json!({"op": "history", "to": "bob", "tag": "h"}));
    let history = alice.next("history").await;
    assert_eq!((&history["tag"], &history["head"]), (&json!("h"), &json!(2)));
    let texts: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["hello", "hello yourself"]);

    alice.say(&json!({"op": "lookup", "handle": "bob"}));
    assert_eq!(alice.next("found").await["user"], heard_by(&conversation, &me["user"]));
    alice.say(&json!({"op": "lookup", "handle": "nobody", "tag": 1}));
    assert_eq!(alice.next("error").await["code"], "not_found");
    alice.say_line("this is no command");
    assert_eq!(alice.next("error").await["code"], "bad_command");

    alice.say(&json!({"op": "quit"}));
    assert_eq!(alice.next("bye").await["unsent"], 0);
    assert_eq!(alice.end().await, Some(0));
    bob.input = None;
    bob.next("bye").await;
    assert_eq!(bob.end().await, Some(0), "the end of the input is as quit");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_reply_edit_delete_and_find_their_conversations_as_they_left_them() {
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let (mut alice, mut bob) = (Script::start(&node, "alice"), Script::start(&node, "bob"));
    alice.next("connected").await;
    bob.next("connected").await;
    alice.say(&json!({"op": "send", "to": "bob", "text": "helo"}));
    let conversation = bob.next("message").await["conversation"].clone();

    alice.say(&json!({"op": "edit", "to": "bob", "seq": 1, "text": "hello"}));
    let edit = bob.next("message").await;
    assert_eq!((&edit["text"], &edit["reference"]), (&json!("hello"), &json!({"kind": "edit", "seq": 1})));
    bob.say(&json!({"op": "send", "to": "alice", "text": "hello yourself", "reply_to": 1}));
    let reply = alice.next_message_of("bob").await;
    assert_eq!(reply["reference"], json!({"kind": "reply", "seq": 1}));
    bob.say(&json!({"op": "delete", "to": "alice", "seq": 1}));
    assert_eq!(bob.next("failed").await["code"], "not_allowed");
    alice.say(&json!({"op": "delete", "to": "bob", "seq": 1}));
    loop {
        let message = bob.next("message").await;
        if message["reference"] == json!({"kind": "delete", "seq": 1}) {
            break;
        }
    }
    bob.say(&json!({"op": "history", "conversation": conversation, "backwards": true}));
    let history = bob.next("history").await;
    let first = &history["messages"][0];
    assert_eq!((&first["seq"], &first["text"], &first["deleted"]), (&json!(1), &json!(""), &json!(true)));

    bob.say(&json!({"op": "set_conversation", "conversation": conversation, "settings": {"pinned": true}}));
    assert_eq!(bob.next("shown").await["settings"]["pinned"], true);
    bob.say(&json!({"op": "conversations"}));
    let listed = bob.next("conversations").await;
    let standing = &listed["conversations"][0];
    assert_eq!((&standing["conversation"], &standing["settings"]["pinned"]), (&conversation, &json!(true)));
    bob.say(&json!({"op": "set_person", "handle": "alice", "blocked": true}));
    assert_eq!(bob.next("account").await["person"]["blocked"], true);
    alice.say(&json!({"op": "send", "to": "bob", "text": "still there?"}));
    assert_eq!(alice.next("failed").await["code"], "not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_make_a_channel_follow_it_hear_what_is_said_and_miss_nothing_while_they_are_away() {
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let (mut alice, mut bob) = (Script::start(&node, "alice"), Script::start(&node, "bob"));
    alice.next("connected").await;
    bob.next("connected").await;
    let settings = json!({"is_channel": true, "only_admins_send": true});
    alice.say(&json!({"op": "create_group", "name": "news", "settings": settings}));
    let news = alice.next("group_created").await["conversation"].clone();
    bob.say(&json!({"op": "follow", "conversation": news, "tag": 1}));
    assert_eq!(bob.next("done").await["tag"], 1);
    assert_eq!(bob.next("followed").await["conversations"], json!([news]));
    alice.say(&json!({"op": "send", "conversation": news, "text": "four eggs"}));
    alice.next("sent").await;
    let post = bob.next("message").await;
    assert_eq!(
        (&post["text"], &post["seq"], &post["from"]),
        (&json!("four eggs"), &json!(2), &json!("alice"))
    );
    bob.say(&json!({"op": "group", "conversation": news}));
    let group = bob.next("group").await;
    assert_eq!((&group["followers"], &group["members"]), (&json!(1), &json!([])));
    bob.say(&json!({"op": "send", "conversation": news, "text": "me too"}));
    assert_eq!(bob.next("failed").await["code"], "not_member");
    bob.input = None;
    bob.next("bye").await;
    assert_eq!(bob.end().await, Some(0));

    alice.say(&json!({"op": "send", "conversation": news, "text": "they have hatched"}));
    alice.next("sent").await;
    alice.say(&json!({"op": "change_group", "conversation": news, "change": "rename", "text": "old news"}));
    alice.next("group_changed").await;
    let mut bob = Script::start(&node, "bob");
    assert_eq!(bob.next("message").await["text"], "they have hatched");
    assert_eq!(bob.next("change").await["text"], "old news");
    bob.say(&json!({"op": "conversations"}));
    let listed = bob.next("conversations").await["conversations"][0].clone();
    assert_eq!((&listed["is_followed"], &listed["is_member"]), (&json!(true), &json!(false)));
    bob.say(&json!({"op": "unfollow", "conversation": news}));
    assert_eq!(bob.next("followed").await["conversations"], json!([]));
    bob.say(&json!({"op": "history", "conversation": news}));
    assert_eq!(bob.next("error").await["code"], "not_member");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_watches_hears_who_comes_who_types_and_who_goes() {
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let mut alice = Script::start(&node, "alice");
    alice.next("connected").await;
    alice.say(&json!({"op": "send", "to": "bob", "text": "are you there?"}));
    let conversation = alice.next("sent").await["conversation"].clone();
    alice.say(&json!({"op": "watch", "users": ["bob"], "conversations": [conversation]}));
    alice.next("watching").await;
    assert_eq!(alice.next("presence").await["people"][0]["availability"], "offline");
    let mut bob = Script::start(&node, "bob");
    bob.next("connected").await;
    assert_eq!(alice.next("presence").await["people"][0]["availability"], "online");
    bob.say(&json!({"op": "typing", "to": "alice", "doing": "typing"}));
    let typing = alice.next("typing").await;
    assert_eq!((&typing["handle"], &typing["doing"]), (&json!("bob"), &json!("typing")));
    bob.say(&json!({"op": "active", "active": false}));
    assert_eq!(alice.next("presence").await["people"][0]["availability"], "idle");
    bob.say(&json!({"op": "quit"}));
    assert_eq!(alice.next("presence").await["people"][0]["availability"], "offline");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_while_a_script_was_away_comes_once_when_it_is_back() {
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let mut alice = Script::start(&node, "alice");
    let mut bob = Script::start(&node, "bob");
    alice.say(&json!({"op": "send", "to": "bob", "text": "0"}));
    assert_eq!(bob.next("message").await["text"], "0");
    bob.input = None;
    bob.next("bye").await;
    assert_eq!(bob.end().await, Some(0));

    for number in 1..=10 {
        alice.say(&json!({"op": "send", "to": "bob", "text": number.to_string()}));
    }
    for _ in 0..=10 {
        alice.next("sent").await;
    }
    let mut bob = Script::start(&node, "bob");
    for number in 1..=10 {
        assert_eq!(bob.next("message").await["text"], number.to_string());
    }
    alice.say(&json!({"op": "send", "to": "bob", "text": "that was all"}));
    assert_eq!(bob.next("message").await["text"], "that was all");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_come_back_by_themselves_after_kill_9_and_miss_nothing() {
    const EACH: u64 = 60;
    let mut node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let (mut alice, mut bob) = (Script::start(&node, "alice"), Script::start(&node, "bob"));
    alice.next("connected").await;
    bob.next("connected").await;
    for number in 0..EACH {
        if number == EACH / 2 {
            node.kill();
        }
        alice.say(&json!({"op": "send", "to": "bob", "text": format!("a{number}")}));
        bob.say(&json!({"op": "send", "to": "alice", "text": format!("b{number}")}));
    }
    node.restart().await;
    let mut heard = Vec::new();
    for script in [&mut alice, &mut bob] {
        let mut texts = Vec::new();
        for seq in 1..=2 * EACH {
            let message = script.next("message").await;
            assert_eq!(message["seq"], seq, "each once and in order");
            texts.push(message["text"].as_str().unwrap().to_owned());
        }
        heard.push(texts);
    }
    assert_eq!(heard[0], heard[1], "both see the same");
    for letter in ["a", "b"] {
        let of: Vec<_> = heard[0].iter().filter(|text| text.starts_with(letter)).cloned().collect();
        assert_eq!(of, (0..EACH).map(|number| format!("{letter}{number}")).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_killed_while_it_receives_hears_all_the_rest_and_at_most_its_last_line_again() {
    const ALL: u64 = 200;
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let (mut alice, mut bob) = (Script::start(&node, "alice"), Script::start(&node, "bob"));
    bob.next("connected").await;
    for number in 1..=ALL {
        alice.say(&json!({"op": "send", "to": "bob", "text": number.to_string()}));
    }
    let mut last = 0;
    while last < ALL {
        for _ in 0..ALL / 5 {
            let seq = bob.next("message").await["seq"].as_u64().unwrap();
            assert_eq!(seq, last + 1);
            last = seq;
            if last == ALL {
                break;
            }
        }
        bob.process.kill().unwrap();
        // What it had written before it died.
        while let Some(event) = bob.lines.recv().await {
            if event["event"] == "message" {
                assert_eq!(event["seq"], last + 1);
                last += 1;
            }
        }
        bob = Script::start(&node, "bob");
        if last < ALL {
            let first = bob.next("message").await["seq"].as_u64().unwrap();
            assert!((last..=last + 1).contains(&first), "{first} after {last}");
            last = first;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_script_had_queued_is_sent_once_by_its_next_run() {
    let node = Node::start(NodeConfig::default()).await;
    for name in ["alice", "bob"] {
        node.add_user(name).await.unwrap();
    }
    let (mut alice, mut bob) = (Script::start(&node, "alice"), Script::start(&node, "bob"));
    bob.next("connected").await;
    let mut queued = Vec::new();
    for round in 0..4 {
        for number in 0..20 {
            alice.say(&json!({"op": "send", "to": "bob", "text": format!("{round}/{number}")}));
        }
        queued.push(alice.next("queued").await["id"].clone());
        alice.process.kill().unwrap();
        while let Some(event) = alice.lines.recv().await {
            if event["event"] == "queued" {
                queued.push(event["id"].clone());
            }
        }
        alice = Script::start(&node, "alice");
    }
    alice.next("connected").await;
    alice.say(&json!({"op": "send", "to": "bob", "text": "the end"}));
    let mut heard = Vec::new();
    loop {
        let message = bob.next("message").await;
        assert_eq!(message["seq"], heard.len() + 1);
        heard.push(message["id"].clone());
        if message["text"] == "the end" {
            break;
        }
    }
    for id in &queued {
        let times = heard.iter().filter(|heard| *heard == id).count();
        assert_eq!(times, 1, "{id} was queued and came {times} times");
    }
}

/// The other user of a direct conversation.
fn heard_by(conversation: &Value, me: &Value) -> u64 {
    let users = conversation.as_str().unwrap().split(':').skip(1).map(|user| user.parse::<u64>().unwrap());
    users.into_iter().find(|user| json!(user) != *me).unwrap()
}

/// A running `rookery chat NAME --json`.
struct Script {
    process: Child,
    input: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<Value>,
}

impl Script {
    fn start(node: &Node, name: &str) -> Self {
        let mut command = node.program();
        command.args(["chat", name, "--json", "--config"]).arg(node.config_file());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let line = line.expect("UTF-8");
                let event = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { process, input, lines }
    }

    fn say(&mut self, command: &Value) {
        self.say_line(&command.to_string());
    }

    fn say_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    /// The next event of this kind; others are passed over.
    async fn next(&mut self, kind: &str) -> Value {
        soon(kind, async {
            loop {
                let event = self.lines.recv().await.unwrap_or_else(|| panic!("it ended before {kind}"));
                if event["event"] == kind {
                    return event;
                }
            }
        })
        .await
    }

    async fn next_message_of(&mut self, name: &str) -> Value {
        loop {
            let message = self.next("message").await;
            if message["from"] == name {
                return message;
            }
        }
    }

    async fn end(&mut self) -> Option<i32> {
        let process = &mut self.process;
        rookery_tests::deadline::eventually("it ends", async || process.try_wait().unwrap()).await.code()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
