//! `rookery admin` against one node: what it says, and how it fails.

use std::net::TcpStream;

use rookery_protocol::{CreateGroup, Follow, GroupSettings, MessageId, RequestId, ServerFrame};
use serde_json::{Value, json};

use crate::chatting::Chat;
use crate::client::{ask, hello};
use crate::program::{FREE_PORTS, Program, RunningNode};
use crate::running_node::get;
use crate::several_nodes::eventually;

/// A node, and `rookery admin` beside it.
pub(crate) struct Operated {
    pub(crate) program: Program,
    pub(crate) node: RunningNode,
}

impl Operated {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let program = Program::with_config(FREE_PORTS);
        let node = program.start(arguments);
        Self { program, node }
    }
}

impl Program {
    /// What `rookery admin` prints for people.
    pub(crate) fn admin(&self, arguments: &[&str]) -> String {
        self.stdout_of(&[&["admin"], arguments].concat())
    }

    /// The one JSON document that it prints for programs.
    pub(crate) fn admin_json(&self, arguments: &[&str]) -> Value {
        let text = self.admin(&[arguments, &["--json"]].concat());
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The objects that it prints, one a line.
    pub(crate) fn admin_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.admin(&[arguments, &["--json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How it fails: exit code, and message.
    pub(crate) fn admin_failure(&self, arguments: &[&str]) -> (i32, String) {
        self.failure_of(&[&["admin"], arguments].concat())
    }

    /// The URL of the admin API of the node of that name.
    pub(crate) fn admin_url(&self, node: &str) -> String {
        let lock = self.path().join("rookery-data/nodes").join(node).join("lock");
        let lock: Value = serde_json::from_str(&std::fs::read_to_string(lock).unwrap()).unwrap();
        lock["admin"].as_str().unwrap().to_owned()
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_node_is_found_by_its_data_directory_and_shown_to_people_and_programs() {
    let Operated { program, node } = Operated::start(&["node"]);
    let status = program.admin(&["status"]);
    assert!(status.lines().any(|line| line.starts_with(" rook-1  ready")), "{status}");
    let status = program.admin_json(&["status"]);
    assert_eq!(keys(&status), ["nodes", "unanswered"]);
    let shown = &status["nodes"][0];
    assert_eq!((&shown["node"], &shown["ready"]), (&json!("rook-1"), &json!(true)));
    assert_eq!(shown["pid"], json!(node.pid()));
    let nodes = program.admin_json(&["nodes"]);
    assert_eq!(keys(&nodes), ["epoch", "links", "nodes", "unanswered"]);
    assert_eq!(nodes["nodes"][0]["slots"], 4096);
    let slots = program.admin_json(&["slots"]);
    assert_eq!(slots["nodes"][0]["ranges"], json!([{ "first": 0, "last": 4095 }]));
    assert!(program.admin(&["slots"]).contains("100.0 %"));
    let samples = program.admin_lines(&["top", "--count", "2", "--every", "200ms"]);
    assert_eq!(samples.len(), 2);
    let [first, second] = [&samples[0]["nodes"][0], &samples[1]["nodes"][0]];
    assert!(
        first["accepted_per_second"].is_null() && second["accepted_per_second"].is_number(),
        "{samples:?}"
    );
}

#[test]
fn a_node_elsewhere_is_asked_with_its_url_and_the_token() {
    let Operated { program, node } = Operated::start(&["node"]);
    let (url, elsewhere) = (program.admin_url("rook-1"), Program::with_config(""));
    let token = program.path().join("rookery-data/keys/admin.token");
    let by_url = ["status", "--admin", &url, "--token-file", token.to_str().unwrap()];
    assert_eq!(elsewhere.admin_json(&by_url)["nodes"][0]["node"], "rook-1");

    let (code, said) = elsewhere.admin_failure(&["status", "--admin", &url]);
    assert_eq!(code, 1);
    assert!(said.contains("--token-file FILE"), "{said}");
    std::fs::write(elsewhere.path().join("wrong"), "wrong\n").unwrap();
    let (code, said) = elsewhere.admin_failure(&["status", "--admin", &url, "--token-file", "wrong"]);
    assert_eq!(code, 1);
    assert!(said.contains("not this cluster's") && said.contains("keys/admin.token"), "{said}");
    // The operators' other address.
    let other = format!("http://{}", node.http);
    let (code, said) = program.admin_failure(&["status", "--admin", &other]);
    assert_eq!(code, 1);
    assert!(said.contains("is this the address of the admin API?"), "{said}");
    let (code, said) = program.admin_failure(&["status", "--admin", "http://192.0.2.1:7404"]);
    assert_eq!(code, 2);
    assert!(said.contains("would show the admin token"), "{said}");

    assert!(get(&node.http, "/healthz").starts_with("HTTP/1.1 200"));
    drop(node);
    let (code, said) = elsewhere.admin_failure(&by_url);
    assert_eq!(code, 9);
    assert!(said.contains(&url) && said.contains("does not answer"), "{said}");
    let (code, said) = program.admin_failure(&["status"]);
    assert_eq!(code, 9);
    assert!(said.contains("no node is running on rookery-data: start one with"), "{said}");
}

#[test]
fn without_a_data_directory_it_says_so() {
    let program = Program::with_config("");
    let (code, said) = program.admin_failure(&["status"]);
    assert_eq!(code, 4);
    assert!(said.starts_with("rookery: there is no data directory at rookery-data"), "{said}");
}

#[test]
fn accounts_are_made_suspended_and_removed() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    let made = program.admin_json(&["user", "add", "alice"]);
    let number = made["user"]["user"].as_u64().unwrap();
    let (code, said) = program.admin_failure(&["user", "add", "Alice"]);
    assert_eq!(code, 1);
    assert!(said.contains("there is a user \"alice\" already"), "{said}");
    assert_eq!(program.admin_failure(&["user", "add", "a b"]).0, 2);

    let token = program.admin(&["token", "alice", "--device", "my phone"]);
    assert_eq!(token.trim().split('.').count(), 3);
    assert_eq!(program.admin_json(&["token", "alice", "--device", "my phone"])["device"], 1);
    let shown = program.admin_json(&["user", "show", &format!("id:{number}")]);
    assert_eq!(shown["devices"][0]["name"], "my phone");
    let revoke = ["user", "devices", "alice", "--revoke", "my phone"];
    let (code, said) = program.admin_failure(&revoke);
    assert_eq!((code, said.contains("add --yes")), (1, true), "{said}");
    assert!(program.admin(&[&revoke[..], &["--yes"]].concat()).starts_with("revoked"));
    assert_eq!(program.admin_json(&["user", "devices", "alice"])["devices"][0]["generation"], 2);
    let (code, said) = program.admin_failure(&["user", "devices", "alice", "--revoke", "tablet", "--yes"]);
    assert_eq!(code, 8);
    assert!(said.contains("there are: my phone"), "{said}");

    program.admin(&["user", "suspend", "alice", "--reason", "spam"]);
    assert_eq!(program.admin_json(&["user", "list"])["users"][0]["suspension"]["reason"], "spam");
    assert!(program.admin(&["user", "list"]).contains("spam"));
    assert_eq!(program.admin_json(&["user", "unsuspend", "alice"]), json!({ "changed": true }));
    assert_eq!(program.admin_json(&["user", "unsuspend", "alice"]), json!({ "changed": false }));

    assert_eq!(
        program.admin(&["user", "unlimit", "alice"]),
        "alice may do everything as often as it likes\n"
    );
    assert_eq!(program.admin_json(&["user", "shadow-ban", "alice"]), json!({ "changed": true }));
    assert_eq!(program.admin_json(&["user", "shadow-ban", "alice"]), json!({ "changed": false }));
    let shown = program.admin(&["user", "show", "alice"]);
    assert!(shown.contains("without limits") && shown.contains("shadow-banned"), "{shown}");
    assert_eq!(program.admin(&["user", "unshadow-ban", "alice"]), "alice is seen by others from now on\n");
    assert_eq!(program.admin(&["user", "limit", "alice"]), "alice may do things only as often as others\n");
    assert_eq!(program.admin_failure(&["user", "unlimit", "nobody"]).0, 8);

    let (code, said) = program.admin_failure(&["user", "remove", "alice"]);
    assert_eq!((code, said.contains("Nobody is at a terminal to answer: add --yes")), (1, true), "{said}");
    program.admin(&["user", "remove", "alice", "--yes"]);
    for gone in [
        &["user", "show", "alice"][..],
        &["user", "remove", "alice", "--yes"],
        &["where", "alice"],
        &["trace", "alice"],
    ] {
        assert_eq!(
            program.admin_failure(gone),
            (8, "rookery: there is no user \"alice\"\n".into()),
            "{gone:?}"
        );
    }
    assert_eq!(program.admin_json(&["user", "list"]), json!({ "users": [] }));
}

#[test]
fn who_is_connected_is_shown_and_can_be_sent_away() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    for name in ["alice", "bob"] {
        program.admin(&["user", "add", name]);
    }
    let mut alice = Chat::start(&program, &["alice", "--device", "desk"]);
    alice.wait_for("connected");
    let at = program.admin_json(&["where", "alice"]);
    assert_eq!((&at["owner"], &at["nodes"][0]["node"]), (&json!("rook-1"), &json!("rook-1")));
    let connection = &at["nodes"][0]["connections"][0];
    assert!(program.admin(&["where", "alice"]).contains(connection["peer"].as_str().unwrap()));
    let all = program.admin_json(&["connections"]);
    assert_eq!(all["connections"].as_array().unwrap().len(), 1);
    assert_eq!((&all["connections"][0]["node"], &all["more"]), (&json!("rook-1"), &json!(false)));
    assert_eq!(program.admin_json(&["connections", "--user", "bob"])["connections"], json!([]));
    assert_eq!(program.admin_json(&["connections", "--from", "192.0.2.0/24"])["connections"], json!([]));
    let sessions = program.admin_json(&["sessions", "--node", "rook-1"]);
    assert_eq!(sessions["sessions"][0]["user"], at["user"]);

    let (code, said) = program.admin_failure(&["kick", "alice"]);
    assert_eq!((code, said.contains("add --yes")), (1, true), "{said}");
    let kicked = program.admin_json(&["kick", "alice", "--device", "desk", "--yes"]);
    assert_eq!(kicked["nodes"][0]["connections"], json!([connection["connection"]]));
    eventually("the client is back on another connection", || {
        let now = program.admin_json(&["connections", "--user", "alice"]);
        let now = &now["connections"][0]["connection"];
        (now.is_number() && *now != connection["connection"]).then_some(())
    });
    assert_eq!(program.admin_failure(&["kick", "--node", "rook-1", "--connection", "999999", "--yes"]).0, 8);
    assert_eq!(program.admin_failure(&["kick", "--yes"]).0, 2);

    alice.say(&json!({ "op": "send", "to": "bob", "text": "secret", "tag": 1 }));
    alice.wait_for("sent");
    program.admin(&["token", "bob"]);
    let inbox = program.admin_json(&["inbox", "bob", "--peek", "5"]);
    assert_eq!((&inbox["depth"], &inbox["devices"][0]["name"]), (&json!(1), &json!("default")));
    assert_eq!(inbox["events"][0]["body_bytes"], 6);
    let text = program.admin(&["inbox", "bob", "--peek", "5"]);
    assert!(text.contains("1 events") && !text.contains("secret"), "{text}");
}

#[test]
fn groups_are_shown_and_ended() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    for name in ["alice", "bob"] {
        program.admin(&["user", "add", name]);
    }
    let mut alice = Chat::start(&program, &["alice"]);
    alice.say(&json!({ "op": "create_group", "name": "crew", "members": ["bob"] }));
    let made = alice.wait_for("group_created");
    let conversation = made["conversation"].as_str().unwrap();
    let (number, group) = (conversation.strip_prefix("g:").unwrap(), ["group", "show", conversation]);
    let shown = program.admin_json(&group);
    assert_eq!(shown["group"].to_string(), number);
    assert_eq!(
        (&shown["name"], &shown["members"], &shown["deleted"]),
        (&json!("crew"), &json!(2), &json!(false))
    );
    let text = program.admin(&group);
    assert!(text.starts_with(&format!("crew ({conversation})")) && text.contains("admins: alice"), "{text}");
    let members = program.admin_json(&["group", "members", number]);
    let of = |name| members["members"].as_array().unwrap().iter().find(|it| it["handle"] == name).unwrap();
    assert_eq!((&of("alice")["role"], &of("bob")["role"]), (&json!("admin"), &json!("member")));
    assert_eq!((&of("bob")["since"], &of("bob")["read"]), (&json!(1), &json!(0)));
    let text = program.admin(&["group", "members", number]);
    assert!(text.lines().any(|line| line.starts_with(" alice")), "{text}");

    let at = program.admin_json(&["where", conversation]);
    assert_eq!((&at["group"], &at["members"], &at["nowhere"]), (&shown["group"], &json!(2), &json!(1)));
    assert_eq!(at["nodes"], json!([{ "node": "rook-1", "connected": [of("alice")["user"]] }]));
    let text = program.admin(&["where", conversation]);
    assert!(text.contains("2 members, 1 of them nowhere") && text.contains("rook-1"), "{text}");

    assert_eq!(program.admin_json(&["user", "show", "bob"])["groups"], 1);
    assert!(program.admin(&["user", "show", "bob"]).contains("in 1 group\n"));

    for (arguments, said) in [
        (&["group", "remove-member", number, "bob"][..], "bob was not in crew"),
        (&["group", "delete", conversation], "crew was no more already"),
    ] {
        let (code, refused) = program.admin_failure(arguments);
        assert_eq!((code, refused.contains("add --yes")), (1, true), "{refused}");
        let sure = [arguments, &["--yes"]].concat();
        assert_eq!(program.admin_json(&sure), json!({ "changed": true }));
        assert_eq!(program.admin(&sure), format!("{said}\n"));
    }
    for change in ["left", "deleted"] {
        let mut told = alice.wait_for("change");
        while told["change"] == "created" {
            told = alice.wait_for("change");
        }
        assert_eq!((&told["change"], &told["device"]), (&json!(change), &json!(0)));
    }
    assert!(program.admin(&group).contains("it has been deleted"));

    for gone in [
        &["group", "show", "77"][..],
        &["group", "members", "g:77"],
        &["where", "g:77"],
        &["group", "delete", "77", "--yes"],
        &["group", "remove-member", "77", "bob", "--yes"],
    ] {
        assert_eq!(program.admin_failure(gone), (8, "rookery: there is no group 77\n".into()), "{gone:?}");
    }
    assert_eq!(program.admin_failure(&["group", "show", "crew"]).0, 2);
}

#[test]
fn channels_and_their_followers_are_listed() {
    let Operated { program, node } = Operated::start(&["node"]);
    assert_eq!(program.admin(&["channel", "list"]), "no channels\n");
    assert_eq!(program.admin_json(&["channel", "list"]), json!({ "channels": [], "next": null }));
    // Each on a connection of their own: what comes first on it is the answer.
    let asked = |name: &str, request: &dyn Fn(&TcpStream) -> ServerFrame| {
        program.admin(&["user", "add", name]);
        let (stream, answer) = hello(&node, program.admin(&["token", name]).trim());
        assert!(matches!(answer, ServerFrame::Welcome(_)), "{answer:?}");
        request(&stream)
    };
    let request = RequestId::new(1);
    let made = |by: &str, name: &str, is_channel| {
        let settings = GroupSettings { is_channel, ..GroupSettings::default() };
        let (id, name) = (MessageId::from_bytes([1; 16]), name.to_owned());
        let making = CreateGroup { request, id, name, members: Vec::new(), settings };
        match asked(by, &|stream| ask(stream, &making)) {
            ServerFrame::GroupCreated(made) => made.group,
            other => panic!("{other:?}"),
        }
    };
    let (news, crew) = (made("anna", "news", true), made("bert", "crew", false));
    let follow = Follow { request, group: news, follow: true };
    for name in ["carl", "dora"] {
        // Whether it is told first that it is done or what is: it is done.
        let told = asked(name, &|stream| ask(stream, &follow));
        assert!(matches!(told, ServerFrame::Done(_) | ServerFrame::AccountEvent(_)), "{told:?}");
    }
    let (conversation, number) = (format!("g:{news}"), news.to_string());

    let channels = program.admin_json(&["channel", "list"]);
    let [channel] = &channels["channels"].as_array().unwrap()[..] else { panic!("{channels}") };
    let what = (&channel["conversation"], &channel["name"], &channel["members"], &channel["followers"]);
    assert_eq!(what, (&json!(conversation), &json!("news"), &json!(1), &json!(2)));
    let text = program.admin(&["channel", "list"]);
    assert!(text.lines().any(|line| line.contains(&conversation) && line.contains("news")), "{text}");
    let text = program.admin(&["channel", "list", "--limit", "1"]);
    assert!(text.contains(&format!("`--after {news}` shows them")), "{text}");
    assert_eq!(program.admin(&["channel", "list", "--after", &number]), "no channels\n");

    let shown = program.admin_json(&["channel", "show", &conversation]);
    assert_eq!((&shown["group"]["name"], &shown["followers"]), (&json!("news"), &json!(2)));
    let text = program.admin(&["channel", "show", &number]);
    assert!(
        text.starts_with(&format!("news ({conversation})")) && text.contains("\n2 follow it\n"),
        "{text}"
    );

    let followers = program.admin_json(&["channel", "followers", &number]);
    let people = followers["followers"].as_array().unwrap();
    let mut handles: Vec<_> = people.iter().map(|it| it["handle"].as_str().unwrap()).collect();
    handles.sort_unstable();
    assert_eq!((handles, &followers["count"]), (vec!["carl", "dora"], &json!(2)));
    let text = program.admin(&["channel", "followers", &conversation, "--limit", "1"]);
    let first = format!("id:{}", people[0]["user"]);
    assert!(text.contains(&format!("2 follow it in all: `--after {first}` shows more")), "{text}");
    let rest = program.admin_json(&["channel", "followers", &number, "--after", &first]);
    assert_eq!((&rest["followers"], &rest["next"]), (&json!([people[1]]), &Value::Null));

    for (arguments, said) in [
        (["channel", "show", "77"], "rookery: there is no group 77\n"),
        (["channel", "followers", "g:77"], "rookery: there is no group 77\n"),
        (["channel", "show", &crew.to_string()], &format!("rookery: group {crew} is no channel")),
    ] {
        let (code, failed) = program.admin_failure(&arguments);
        assert_eq!((code, failed.starts_with(said)), (8, true), "{failed}");
    }
    for wrong in [
        &["channel", "show", "news"][..],
        &["channel", "list", "--limit", "1001"],
        &["channel", "list", "--after", "x"],
        &["channel", "followers", &number, "--after", "carl"],
    ] {
        assert_eq!(program.admin_failure(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn reports_are_listed_shown_and_resolved_by_their_ids() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    assert_eq!(program.admin(&["reports", "list"]), "nothing is reported\n");
    let nothing = json!({ "waiting": 0, "reports": [], "next": null });
    assert_eq!(program.admin_json(&["reports", "list", "--limit", "5"]), nothing);
    let id = "0123456789abcdef01234567";
    for gone in [&["reports", "show", id][..], &["reports", "resolve", id, "--yes"]] {
        let (code, said) = program.admin_failure(gone);
        assert_eq!((code, said.contains(&format!("there is no report {id}"))), (8, true), "{said}");
    }
    for wrong in [
        &["reports", "show", "77"][..],
        &["reports", "list", "--after", "x"],
        &["reports", "list", "--limit", "0"],
    ] {
        assert_eq!(program.admin_failure(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn bans_and_log_levels_are_changed() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    let added = program.admin_json(&["ban", "add", "192.0.2.0/24", "--for", "1h", "--reason", "flood"]);
    assert_eq!(added["ban"]["network"], "192.0.2.0/24");
    assert!(program.admin(&["ban", "list"]).contains("flood"));
    assert_eq!(program.admin_json(&["ban", "list"])["bans"].as_array().unwrap().len(), 1);
    let (code, said) = program.admin_failure(&["ban", "remove", "192.0.2.7"]);
    assert_eq!((code, said.contains("`rookery admin ban list`")), (8, true), "{said}");
    program.admin(&["ban", "remove", "192.0.2.0/24"]);
    assert_eq!(program.admin_json(&["ban", "list"]), json!({ "bans": [] }));
    assert_eq!(program.admin_failure(&["ban", "add", "0.0.0.0/0"]).0, 1);
    for wrong in ["somewhere", "192.0.2.7/24"] {
        assert_eq!(program.admin_failure(&["ban", "add", wrong]).0, 2, "{wrong}");
    }

    program.admin(&["log-level", "info,rookery_store=debug"]);
    let levels = program.admin_json(&["log-level"]);
    assert_eq!(levels["nodes"], json!([{ "node": "rook-1", "level": "info,rookery_store=debug" }]));
    assert_eq!(program.admin_failure(&["log-level", "loud"]).0, 2);
    assert_eq!(program.admin_failure(&["log-level", "info", "--node", "rook-9"]).0, 8);
}

#[test]
fn a_screen_needs_a_terminal() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    let (code, said) = program.admin_failure(&["top"]);
    assert_eq!((code, said.contains("add --json")), (1, true), "{said}");
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let program = Program::with_config("");
    for shell in ["bash", "zsh", "fish"] {
        let script = program.stdout_of(&["completions", shell]);
        for word in ["rebalance", "token-file", "completions"] {
            assert!(script.contains(word), "{word} in {shell}");
        }
    }
    program.stdout_of(&["man", "made/man1"]);
    for page in ["rookery.1", "rookery-admin-drain.1", "rookery-admin-user-suspend.1"] {
        let text = std::fs::read_to_string(program.path().join("made/man1").join(page)).unwrap();
        assert!(text.starts_with(".ie") && text.contains(".SH NAME"), "{page}: {text}");
    }
    assert_eq!(program.failure_of(&["completions", "tcsh"]).0, 2);
}
