//! Every route, asked once with what it is for, and its answer held to the document.

use std::collections::BTreeSet;

use rookery_node::config::EngineKind;
use rookery_protocol::{ConversationId, GroupId, UserId};
use serde_json::{Value, json};

use crate::client::Client;
use crate::document::Document;
use crate::node::Admin;

/// Asks and notes what has been asked.
struct Tour {
    admin: Admin,
    document: Document,
    asked: BTreeSet<(String, String)>,
}

impl Tour {
    /// `path` is as the document has it; `names` are put in.
    async fn ask(&mut self, method: &str, path: &str, names: &[&str], query: &str, body: Value) -> Value {
        let mut actual = path.to_owned();
        for name in names {
            let (before, rest) = actual.split_once('{').unwrap();
            let (_, after) = rest.split_once('}').unwrap();
            actual = format!("{before}{name}{after}");
        }
        let answer = self.admin.done(method, &format!("{actual}{query}"), body).await;
        self.document.check(method, path, &answer);
        self.asked.insert((method.into(), path.into()));
        answer
    }

    async fn get(&mut self, path: &str, names: &[&str], query: &str) -> Value {
        self.ask("GET", path, names, query, Value::Null).await
    }

    async fn stream(&mut self, method: &str, path: &str, actual: &str, body: Value) -> Vec<Value> {
        let mut stream = self.admin.stream(method, actual, body).await;
        let mut lines = Vec::new();
        while let Some(line) = stream.next().await {
            self.document.check(method, path, &line);
            lines.push(line);
        }
        self.asked.insert((method.into(), path.into()));
        lines
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_as_documented() {
    let admin = Admin::start().await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    let asked = BTreeSet::from([("GET".to_owned(), "/v1/openapi.json".to_owned())]);
    let mut tour = Tour { admin, document, asked };

    let status = tour.get("/v1/status", &[], "").await;
    assert_eq!((status["engine"].as_str(), status["ready"].as_bool()), (Some("lmdb"), Some(true)));
    let metrics = tour.admin.ask("GET", "/v1/metrics", Value::Null).await;
    assert!(metrics.status == 200 && metrics.head.contains("text/plain"), "{metrics:?}");
    tour.asked.insert(("GET".into(), "/v1/metrics".into()));

    let (user, named) = ("/v1/users/{user}", ["anna"]);
    let made = tour.ask("POST", "/v1/users", &[], "", json!({ "handle": "anna" })).await;
    let number = made["user"]["user"].as_u64().unwrap();
    tour.admin.user("bert").await;
    let token = tour.ask("POST", "/v1/users/{user}/tokens", &named, "", json!({ "device": "phone" })).await;
    let (mut anna, id) = Client::join(tour.admin.tcp(), token["token"].as_str().unwrap()).await;
    assert_eq!(id.get(), number);
    let conversation = ConversationId::direct(id, id);
    anna.send(conversation, 1, "a note").await;
    anna.message().await;

    let by_number = format!("id:{number}");
    let shown = tour.get(user, &[&by_number], "").await;
    assert_eq!(
        (shown["user"]["handle"].as_str(), &shown["devices"][0]["name"]),
        (Some("anna"), &json!("phone"))
    );
    let first = tour.get("/v1/users", &[], "?limit=1").await;
    let next = first["next"].as_u64().unwrap();
    let second = tour.get("/v1/users", &[], &format!("?limit=1&after={next}")).await;
    assert_eq!((second["users"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    tour.get("/v1/users/{user}/devices", &named, "").await;
    let whereabouts = tour.get("/v1/users/{user}/where", &named, "").await;
    assert_eq!(
        (&whereabouts["session"], &whereabouts["connections"][0]["user"]),
        (&json!("alive"), &json!(number))
    );
    let sessions = tour.get("/v1/sessions", &[], "").await;
    assert_eq!(sessions["sessions"][0]["devices"], json!([1]));
    for query in ["?user=anna", "?peer=127.0.0.0/8", "?limit=5"] {
        let connections = tour.get("/v1/connections", &[], query).await;
        assert_eq!(connections["connections"].as_array().unwrap().len(), 1, "{query}");
    }
    for query in ["?user=bert", "?peer=10.0.0.0/8", "?after=1"] {
        let connections = tour.get("/v1/connections", &[], query).await;
        assert_eq!(connections["connections"], json!([]), "{query}");
    }
    let inbox = tour.get("/v1/users/{user}/inbox", &named, "?peek=5").await;
    let counted = (&inbox["depth"], &inbox["devices"][0]["waiting"], &inbox["events"][0]["body_bytes"]);
    assert_eq!(counted, (&json!(1), &json!(1), &json!(6)));
    let lines =
        tour.stream("GET", "/v1/users/{user}/trace", "/v1/users/anna/trace?seconds=1", Value::Null).await;
    assert_eq!(lines.last().unwrap(), &json!({ "line": "ended", "reason": "time" }));

    let group = groups(&mut tour, id).await;
    channels(&mut tour, id, group).await;
    groups_end(&mut tour, group).await;

    reports(&mut tour, &mut anna, id).await;

    let kicked = tour.ask("POST", "/v1/kick", &[], "", json!({ "user": "anna", "device": "phone" })).await;
    assert_eq!(kicked["connections"].as_array().unwrap().len(), 1);
    let suspension = "/v1/users/{user}/suspension";
    for changed in [true, false] {
        let body = if changed { json!({ "reason": "spam" }) } else { Value::Null };
        let method = if changed { "PUT" } else { "DELETE" };
        assert_eq!(tour.ask(method, suspension, &named, "", body).await["changed"], true);
    }
    let standing = json!({ "unlimited": true, "shadow_banned": false });
    let stood = tour.ask("PUT", "/v1/users/{user}/standing", &named, "", standing).await;
    assert_eq!(stood["changed"], true);
    tour.ask("POST", "/v1/users/{user}/devices/{device}/revoke", &["anna", "phone"], "", Value::Null).await;
    tour.ask("DELETE", user, &["bert"], "", Value::Null).await;

    let ban = json!({ "network": "192.0.2.0/24", "reason": "spam", "seconds": 60 });
    tour.ask("POST", "/v1/bans", &[], "", ban).await;
    assert_eq!(tour.get("/v1/bans", &[], "").await["bans"][0]["network"], "192.0.2.0/24");
    tour.ask("DELETE", "/v1/bans/{network}", &["192.0.2.0%2F24"], "", Value::Null).await;
    assert_eq!(tour.get("/v1/bans", &[], "").await["bans"], json!([]));

    let copy = tour.admin.directory.path().join("copy");
    let lines = tour.stream("POST", "/v1/backup", "/v1/backup", json!({ "directory": copy })).await;
    assert_eq!(lines.last().unwrap()["line"], "done");
    assert!(copy.join("data.mdb").exists());

    let lines = tour.stream("GET", "/v1/check", "/v1/check", Value::Null).await;
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["line"], &last["findings"], &last["counts"]["users"]),
        (&json!("done"), &json!(0), &json!(1))
    );

    cluster(&mut tour).await;

    let _other = tour.admin.join("other").await;
    let mut drain = tour.ask("POST", "/v1/drain", &[], "", json!({ "spread_seconds": 0 })).await;
    while drain["state"] == "draining" {
        tokio::task::yield_now().await;
        drain = tour.get("/v1/drain", &[], "").await;
    }
    assert_eq!((&drain["state"], &drain["slots_left"]), (&json!("drained"), &json!(0)));
    let status = tour.get("/v1/status", &[], "").await;
    assert_eq!((&status["draining"], &status["ready"]), (&json!(true), &json!(false)));

    // Asked in a test of its own, which may install the process's subscriber.
    for method in ["GET", "PUT"] {
        tour.asked.insert((method.into(), "/v1/log-level".into()));
    }
    let documented: BTreeSet<_> = tour.document.operations().into_iter().collect();
    assert_eq!(tour.asked, documented);
}

/// What anna, connected with this client, reports of bert, and what becomes of it.
async fn reports(tour: &mut Tour, client: &mut Client, anna: UserId) {
    let nothing = json!({ "waiting": 0, "reports": [], "next": null });
    assert_eq!(tour.get("/v1/reports", &[], "").await, nothing);
    let bert = tour.admin.get("/v1/users/bert").await["user"]["user"].clone();
    let bert = UserId::new(bert.as_u64().unwrap()).unwrap();
    let to_herself = ConversationId::direct(anna, anna);
    client.report(bert, to_herself, &[1, 99], "he made\nme write it").await;
    client.report(bert, to_herself, &[], "again").await;
    let first = tour.get("/v1/reports", &[], "?limit=1").await;
    assert_eq!(first["waiting"], 2);
    let report = first["reports"][0].clone();
    let said = json!({
        "report": first["next"], "time_ms": report["time_ms"], "conversation": to_herself.to_string(),
        "reporter": { "user": anna.get(), "handle": "anna" }, "user": { "user": bert.get(), "handle": "bert" },
        "messages": [1, 99], "text": "he made\nme write it",
    });
    assert_eq!(report, said);
    let next = first["next"].as_str().unwrap();
    let second = tour.get("/v1/reports", &[], &format!("?after={next}")).await;
    assert_eq!(second["reports"][0]["text"], "again");
    assert_eq!((second["reports"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    let shown = tour.get("/v1/reports/{report}", &[next], "").await;
    let [message] = &shown["messages"].as_array().unwrap()[..] else { panic!("{shown}") };
    assert_eq!(
        (&shown["report"], &message["seq"], &message["sender"]["handle"]),
        (&said, &json!(1), &json!("anna"))
    );
    assert!(message["text"].is_string(), "{message}");
    for waiting in [1, 0] {
        let next = tour.get("/v1/reports", &[], "").await["reports"][0]["report"].clone();
        tour.ask("DELETE", "/v1/reports/{report}", &[next.as_str().unwrap()], "", Value::Null).await;
        assert_eq!(tour.get("/v1/reports", &[], "").await["waiting"], waiting);
    }
}

/// What there is to see of a group that anna has made.
async fn groups(tour: &mut Tour, anna: UserId) -> GroupId {
    let bert = tour.admin.get("/v1/users/bert").await["user"]["user"].clone();
    let group = tour.admin.group(anna, 1, &[UserId::new(bert.as_u64().unwrap()).unwrap()]).await;
    assert_eq!(tour.get("/v1/users/{user}", &["bert"], "").await["groups"], 1);
    let shown = tour.get("/v1/groups/{group}", &[&group.to_string()], "").await;
    let creator = json!({ "user": anna.get(), "handle": "anna" });
    assert_eq!((&shown["name"], &shown["creator"]), (&json!("crew 1"), &creator));
    assert_eq!(
        (&shown["members"], &shown["admins"], &shown["head"]),
        (&json!(2), &json!([creator]), &json!(1))
    );
    assert_eq!(shown["settings"]["only_admins_add"], true);
    let here = tour.get("/v1/groups/{group}/where", &[&group.to_string()], "").await;
    assert_eq!((&here["members"], &here["connected"]), (&json!(2), &json!([anna.get()])));
    let members = tour.get("/v1/groups/{group}/members", &[&format!("g:{group}")], "").await;
    let mut seen: Vec<_> = members["members"].as_array().unwrap().iter().collect();
    seen.sort_by_key(|member| member["handle"].as_str().unwrap());
    assert_eq!(
        (&seen[0]["role"], &seen[1]["role"], &seen[1]["user"]),
        (&json!("admin"), &json!("member"), &bert)
    );
    group
}

/// A channel of anna's, beside this group, that bert follows, and anna herself.
async fn channels(tour: &mut Tour, anna: UserId, group: GroupId) {
    assert_eq!(tour.get("/v1/channels", &[], "").await, json!({ "channels": [], "next": null }));
    let bert = tour.admin.get("/v1/users/bert").await["user"]["user"].as_u64().unwrap();
    let bert = UserId::new(bert).unwrap();
    let (one, other) = (tour.admin.channel(anna, 2).await, tour.admin.channel(anna, 3).await);
    let (first, second) = (one.min(other), one.max(other));
    for user in [anna, bert] {
        tour.admin.follow(user, first, true).await;
    }
    let page = tour.get("/v1/channels", &[], "?limit=1").await;
    let name = page["channels"][0]["name"].clone();
    let listed = json!({
        "group": first.get(), "conversation": format!("g:{first}"), "name": name, "created_ms": 7, "members": 1,
        "followers": 2,
    });
    assert_eq!(page, json!({ "channels": [listed], "next": first.get() }));
    let rest = tour.get("/v1/channels", &[], &format!("?after={first}")).await;
    assert_eq!(
        (&rest["channels"][0]["group"], &rest["channels"][0]["followers"], &rest["next"]),
        (&json!(second.get()), &json!(0), &Value::Null)
    );
    let shown = tour.get("/v1/channels/{group}", &[&first.to_string()], "").await;
    let about = tour.get("/v1/groups/{group}", &[&first.to_string()], "").await;
    assert_eq!(shown, json!({ "group": about, "followers": 2 }));

    let path = "/v1/channels/{group}/followers";
    let mut people = [(anna, "anna"), (bert, "bert")];
    people.sort_unstable();
    let [lower, upper] = people.map(|(user, handle)| json!({ "user": user.get(), "handle": handle }));
    let page = tour.get(path, &[&format!("g:{first}")], "?limit=1").await;
    let next = people[0].0.get();
    assert_eq!(page, json!({ "group": first.get(), "count": 2, "followers": [lower], "next": next }));
    let page = tour.get(path, &[&first.to_string()], &format!("?after={next}")).await;
    assert_eq!(page, json!({ "group": first.get(), "count": 2, "followers": [upper], "next": null }));
    tour.admin.follow(anna, first, false).await;
    assert_eq!(tour.get(path, &[&first.to_string()], "").await["count"], 1);
    for more in ["", "/followers"] {
        let answer = tour.admin.ask("GET", &format!("/v1/channels/{group}{more}"), Value::Null).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(answer.json()["message"], format!("group {group} is no channel"));
    }
}

/// An operator takes bert out of anna's group, and ends it.
async fn groups_end(tour: &mut Tour, group: GroupId) {
    let group = group.to_string();
    for changed in [true, false] {
        let (path, names) = ("/v1/groups/{group}/members/{user}", [group.as_str(), "bert"]);
        assert_eq!(tour.ask("DELETE", path, &names, "", Value::Null).await["changed"], changed);
    }
    for changed in [true, false] {
        let done = tour.ask("DELETE", "/v1/groups/{group}", &[&group], "", Value::Null).await;
        assert_eq!(done["changed"], changed);
    }
    let shown = tour.get("/v1/groups/{group}", &[&group], "").await;
    assert_eq!(
        (&shown["deleted"], &shown["settings"], &shown["head"]),
        (&json!(true), &Value::Null, &json!(3))
    );
    let members = tour.get("/v1/groups/{group}/members", &[&group], "").await;
    assert_eq!(members["members"], json!([]));
    assert_eq!(tour.get("/v1/users/{user}", &["bert"], "").await["groups"], 0);
}

/// The cluster's routes, with another member beside this node.
async fn cluster(tour: &mut Tour) {
    let _other = tour.admin.join("other").await;
    let nodes = tour.get("/v1/nodes", &[], "").await;
    assert_eq!((nodes["nodes"].as_array().unwrap().len(), &nodes["nodes"][0]["name"]), (2, &json!("other")));
    let slots = tour.get("/v1/slots", &[], "").await;
    let count = |slots: &Value, at: usize| slots["nodes"][at]["slots"].as_u64().unwrap();
    assert_eq!(count(&slots, 0) + count(&slots, 1), 4096);
    tour.ask("PUT", "/v1/nodes/{node}/weight", &["other"], "", json!({ "weight": 300 })).await;
    let moved = tour.ask("POST", "/v1/rebalance", &[], "", json!({ "at_most": 10 })).await;
    assert_eq!(moved["moved"], 10);
    assert!(moved["left"].as_u64().unwrap() > 0);
    tour.ask("PUT", "/v1/nodes/{node}/draining", &["other"], "", json!({ "draining": true })).await;
    let moved = tour.ask("POST", "/v1/rebalance", &[], "", json!({ "at_most": 4096 })).await;
    assert_eq!(moved["left"], 0);
    let slots = tour.get("/v1/slots", &[], "").await;
    assert_eq!((count(&slots, 0), &slots["nodes"][1]["ranges"]), (0, &json!([{ "first": 0, "last": 4095 }])));
    tour.ask("DELETE", "/v1/nodes/{node}", &["other"], "", Value::Null).await;
    assert_eq!(tour.get("/v1/nodes", &[], "").await["nodes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_node_is_not_drained_when_no_other_takes_its_slots() {
    let admin = Admin::start_with(EngineKind::Memory, "").await;
    let refused = async || {
        let answer = admin.ask("POST", "/v1/drain", json!({})).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("conflict")));
    };
    refused().await;
    let _other = admin.join("other").await;
    for (what, body) in [("weight", json!({ "weight": 0 })), ("draining", json!({ "draining": true }))] {
        admin.done("PUT", &format!("/v1/nodes/other/{what}"), body).await;
        refused().await;
        admin.done("PUT", "/v1/nodes/other/weight", json!({ "weight": 100 })).await;
    }
    assert_eq!(admin.get("/v1/drain").await["state"], "none");
    let status = admin.get("/v1/status").await;
    assert_eq!((&status["draining"], &status["ready"]), (&json!(false), &json!(true)));
    admin.done("PUT", "/v1/nodes/other/draining", json!({ "draining": false })).await;
    assert_eq!(admin.done("POST", "/v1/drain", json!({})).await["state"], "draining");
}

#[tokio::test]
async fn the_log_level_is_changed_and_told() {
    let admin = Admin::start_logging().await;
    let document = Document::new(admin.get("/v1/openapi.json").await);
    let level = admin.get("/v1/log-level").await;
    document.check("GET", "/v1/log-level", &level);
    assert_eq!(level["level"], "off");
    let level = admin.done("PUT", "/v1/log-level", json!({ "level": "off,rookery_store=error" })).await;
    document.check("PUT", "/v1/log-level", &level);
    assert_eq!(admin.get("/v1/log-level").await["level"], "off,rookery_store=error");
    let refused = admin.ask("PUT", "/v1/log-level", json!({ "level": "loud" })).await;
    assert_eq!(refused.status, 400);
    document.check_failure(&refused.json());
}
