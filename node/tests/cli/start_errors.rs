//! What keeps a node from starting: one message each, and an exit code of its kind.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use rookery_actors::Clock;
use rookery_node::config::{Config, EngineKind};
use rookery_node::data_dir::DataDir;
use rookery_node::{Node, NodeParts};

use crate::program::{FREE_PORTS, Program};

/// The exit code and the last line of what `rookery up` says.
fn last_words(program: &Program, arguments: &[&str]) -> (i32, String) {
    let (code, stderr) = program.failure_of(arguments);
    (code, stderr.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn an_occupied_port_is_named_with_its_setting() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap();
    let program = Program::with_config(
        &FREE_PORTS.replace("websocket = \"127.0.0.1:0\"", &format!("websocket = \"{address}\"")),
    );
    assert_eq!(
        last_words(&program, &["up"]),
        (
            5,
            format!(
                "rookery: {address} is in use already: stop what listens there, or change `websocket` under [listen] \
                 in the configuration"
            )
        )
    );
}

#[test]
fn a_foreign_directory_is_left_alone() {
    let program = Program::with_config(FREE_PORTS);
    std::fs::create_dir(program.path().join("photos")).unwrap();
    std::fs::write(program.path().join("photos/cat.jpg"), "").unwrap();
    assert_eq!(
        last_words(&program, &["up", "--data", "photos"]),
        (
            4,
            "rookery: photos is not a Rookery data directory: it holds cat.jpg and no rookery.toml. Name an empty or \
             new directory with --data"
                .to_owned()
        )
    );
    assert_eq!(std::fs::read_dir(program.path().join("photos")).unwrap().count(), 1);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let program = Program::with_config(FREE_PORTS);
    std::fs::write(program.path().join("file"), "").unwrap();
    assert_eq!(
        last_words(&program, &["up", "--data", "file/data"]),
        (4, "rookery: cannot make the data directory file/data: Not a directory (os error 20)".to_owned())
    );
}

#[test]
fn other_commands_make_no_data_directory() {
    let program = Program::with_config(FREE_PORTS);
    let expected = "rookery: there is no data directory at rookery-data: `rookery up` makes one, and --data DIR names \
                    another";
    for command in [&["user", "list"][..], &["user", "add", "alice"], &["token", "alice"]] {
        assert_eq!(last_words(&program, command), (4, expected.to_owned()));
    }
    assert!(!program.path().join("rookery-data").exists());
}

#[test]
fn a_second_node_on_the_same_data_directory_is_told_of_the_first() {
    let program = Program::with_config(FREE_PORTS);
    let first = program.start_node();
    let (code, message) = last_words(&program, &["up"]);
    assert!(
        message.starts_with("rookery: node rook-1 is already running on rookery-data (process "),
        "{message}"
    );
    assert_eq!(code, 4);
    first.signal(rustix::process::Signal::KILL);
    assert_eq!(first.wait(), None);
    program.start_node();
}

#[test]
fn a_data_directory_of_another_engine_is_refused() {
    let program = Program::with_config(&format!("{FREE_PORTS}[store]\nengine = \"memory\"\n"));
    DataDir::open_or_create(&program.path().join("rookery-data"), EngineKind::Lmdb).unwrap();
    assert_eq!(
        last_words(&program, &["up"]),
        (
            4,
            "rookery: rookery-data was made for the lmdb engine, and the configuration says memory: take another data \
             directory, or the engine of this one"
                .to_owned()
        )
    );
}

#[test]
fn a_missing_certificate_is_named() {
    let program =
        Program::with_config(&format!("{FREE_PORTS}[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n"));
    let (code, message) = last_words(&program, &["up"]);
    assert!(message.starts_with("rookery: cannot read the certificate c.pem: "), "{message}");
    assert!(message.contains("No such file or directory"), "{message}");
    assert_eq!(code, 3);
}

#[test]
fn a_missing_foundationdb_library_is_named_with_what_to_install() {
    let program = Program::with_config(&format!(
        "{FREE_PORTS}[store]\nengine = \"foundationdb\"\n[store.foundationdb]\ncluster_file = \"fdb.cluster\"\n\
         library = \"./no/libfdb_c.so\"\n"
    ));
    std::fs::write(program.path().join("fdb.cluster"), "test:test@127.0.0.1:4500").unwrap();
    let found =
        Command::new("sh").arg("-c").arg("find /usr/lib /usr/lib64 /usr/local -name 'libfdb_c.so*'").output();
    if !found.unwrap().stdout.is_empty() {
        eprintln!("skipped: this machine has the FoundationDB client library");
        return;
    }
    let (code, stderr) = program.failure_of(&["up"]);
    assert!(
        stderr.contains(
            "rookery: cannot use engine = \"foundationdb\": no usable FoundationDB client library:\n"
        ),
        "{stderr}"
    );
    assert!(stderr.contains("no/libfdb_c.so: "), "{stderr}");
    assert!(stderr.contains("install the foundationdb-clients 7.3 package"), "{stderr}");
    assert_eq!(code, 6);
}

#[test]
fn too_few_open_files_are_named_with_what_is_needed() {
    let program = Program::with_config(FREE_PORTS);
    let script = "ulimit -n 60; exec \"$0\" up";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_rookery")])
        .current_dir(program.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "rookery: this process may open 60 files and needs 65 at the very least: raise the limit (ulimit -n, or \
         LimitNOFILE= of the service)\n"
    );
    assert_eq!(output.status.code(), Some(7));
}

#[tokio::test]
async fn a_clock_that_has_not_been_set_is_an_error() {
    struct Unset;
    impl Clock for Unset {
        fn now_ms(&self) -> u64 {
            1_500_000_000
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
    let parts = NodeParts {
        config: Config::default(),
        data,
        engine: None,
        clock: Arc::new(Unset),
        rng_seed: 1,
        metrics: None,
        log: None,
    };
    let error = Node::start(parts).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the clock says 1970-01-18T08:40:00Z, before 2020: set it, messages and tokens depend on it"
    );
}

#[test]
fn wrong_arguments_are_explained() {
    let program = Program::with_config("");
    assert_eq!(program.run(&["dance"]).status.code(), Some(2));
    assert_eq!(program.run(&["token", "a", "--expires", "soon"]).status.code(), Some(2));
    assert_eq!(program.run(&["user", "add", "not a handle"]).status.code(), Some(2));
    assert_eq!(program.run(&["--help"]).status.code(), Some(0));
}
