//! `rookery admin check`, `backup`, `restore` and `ca`: with a node, and without.

use std::os::unix::fs::PermissionsExt;

use rookery_node::config::EngineKind;
use rookery_node::data_dir::DataDir;
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::{Op, Reads, Store, StoreConfig, View, Writes};
use serde_json::json;

use crate::operating::Operated;
use crate::program::{FREE_PORTS, Program};

/// Breaks a store: alice's handle leads nowhere.
struct LoseHandle;

impl Op for LoseHandle {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {}

    fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
        writes.delete(rookery_store::keys::handle::key(&"alice".parse().unwrap()));
    }
}

#[test]
fn a_check_ends_with_a_code_of_its_own_when_it_finds_something() {
    let Operated { program, node: _node } = Operated::start(&["node"]);
    program.admin(&["user", "add", "alice"]);
    for check in [&["check"][..], &["check", "--offline"]] {
        assert!(program.admin(check).ends_with(": 0 findings\n"));
        assert_eq!(program.admin_lines(check).last().unwrap()["line"], "done");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = LmdbEngine::open(LmdbConfig::new(program.path().join("rookery-data/lmdb"))).unwrap();
        let store = Store::start(std::sync::Arc::new(engine), StoreConfig::default());
        store.submit(&0, LoseHandle).await.unwrap();
        store.close().await;
    });
    for check in [&["admin", "check"][..], &["admin", "check", "--offline"]] {
        let output = program.run(check);
        let (shown, said) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(10), "{said}");
        assert!(shown.starts_with("UserWithoutHandle: user "), "{shown}");
        assert!(said.contains("1 findings: the store does not hold what it promises"), "{said}");
    }
}

#[test]
fn a_backup_is_put_back_where_no_node_runs_and_what_was_there_is_kept() {
    let Operated { program, node } = Operated::start(&["node"]);
    program.admin(&["user", "add", "alice"]);
    let done = program.admin_lines(&["backup", "monday"]).pop().unwrap();
    assert_eq!(done["line"], "done");
    let there = program.path().join("monday/data.mdb");
    assert_eq!(done["bytes"], json!(there.metadata().unwrap().len()));
    let (code, said) = program.admin_failure(&["backup", "monday"]);
    assert_eq!((code, said.contains("monday is not empty")), (1, true), "{said}");
    program.admin(&["backup", "--offline", "tuesday"]);
    let (url, relative) = (program.admin_url("rook-1"), ["backup", "wednesday", "--admin"]);
    let (code, said) = program.admin_failure(&[&relative[..], &[&url]].concat());
    assert_eq!((code, said.contains("is no absolute path")), (1, true), "{said}");

    program.admin(&["user", "add", "bob"]);
    let (code, said) = program.admin_failure(&["restore", "monday", "--yes"]);
    assert_eq!((code, said.contains("node rook-1 is running on rookery-data")), (1, true), "{said}");
    drop(node);
    let (code, said) = program.admin_failure(&["restore", "monday"]);
    assert_eq!((code, said.contains("add --yes")), (1, true), "{said}");
    let (code, said) = program.admin_failure(&["restore", "nowhere", "--yes"]);
    assert_eq!((code, said.contains("nowhere holds no backup")), (1, true), "{said}");
    assert!(
        program.stdout_of(&["user", "list"]).contains("bob"),
        "nothing that was refused has changed anything"
    );

    let restored = program.admin_json(&["restore", "monday", "--yes"]);
    assert_eq!(restored["moved_aside"], "rookery-data/lmdb-before-restore-1");
    let users = program.stdout_of(&["user", "list"]);
    assert!(users.contains("alice") && !users.contains("bob"), "{users}");
    let _node = program.start_node();
    assert_eq!(program.admin_json(&["user", "list"])["users"].as_array().unwrap().len(), 1);
    assert!(program.path().join("rookery-data/lmdb-before-restore-1/data.mdb").exists());
}

#[test]
fn what_machines_share_is_made_and_a_certificate_is_issued_for_one() {
    let program = Program::with_config(FREE_PORTS);
    let made = program.admin_json(&["ca"]);
    assert_eq!((&made["made_now"], &made["copy"]), (&json!(true), &json!(["rookery.toml", "keys", "ca"])));
    for file in ["ca/ca.pem", "ca/ca.key", "keys/token.pk8", "keys/admin.token", "rookery.toml"] {
        assert!(program.path().join("rookery-data").join(file).exists(), "{file}");
    }
    assert!(program.admin(&["ca"]).contains("rsync -a rookery.toml keys ca "));
    assert_eq!(program.admin_failure(&["ca", "--issue", "chat2"]).0, 2);
    program.admin(&["ca", "--issue", "chat2", "--out", "chat2"]);
    let key = program.path().join("chat2/link.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let files = rookery_node::link::LinkFiles {
        ca: program.path().join("chat2/ca.pem"),
        certificate: program.path().join("chat2/link.pem"),
        key,
    };
    rookery_node::link::LinkTls::load(&files, &"chat2".parse().unwrap()).unwrap();
    let (code, said) = program.admin_failure(&["ca", "--issue", "chat2", "--out", "chat2"]);
    assert_eq!((code, said.contains("is there already")), (1, true), "{said}");
    // It is the one of the node that starts there.
    DataDir::open(&program.path().join("rookery-data"), EngineKind::Lmdb).unwrap();
    drop(program.start_node());
}
