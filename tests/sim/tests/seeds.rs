//! A few seeds, each twice: they hold, and give the same run both times. And the bugs that are kept can still be made.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn sim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rookery-sim"));
    command.args(arguments).output().expect("the program is built with this test")
}

fn holds(arguments: &[&str]) {
    let Output { status, stdout, stderr } = sim(arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "rookery-sim {}: {status}\n{stdout}{stderr}", arguments.join(" "));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    holds(&["--seeds", "1..5", "--minutes", "2", "--twice"]);
}

#[test]
fn a_run_is_the_same_when_it_is_watched() {
    let unwatched = sim(&["--seed", "3", "--minutes", "1", "--json"]).stdout;
    assert!(unwatched.starts_with(b"{"));
    for watched in ["--logs", "--steps"] {
        let Output { stdout, stderr, .. } = sim(&["--seed", "3", "--minutes", "1", "--json", watched]);
        assert!(!stderr.is_empty());
        assert_eq!(String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&unwatched), "{watched}");
    }
}

#[test]
fn seeds_that_everybody_runs_hold() {
    holds(&["--seeds", "5..17", "--minutes", "3"]);
}

#[test]
fn seeds_that_nobody_has_run_before_hold() {
    holds(&["--fresh", "4", "--minutes", "3"]);
}

#[test]
fn many_seeds_that_are_ended_early_tell_what_they_have_found() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rookery-sim"));
    command.args(["--seeds", "1..501", "--minutes", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program is built with this test");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let mut begun = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    stderr.read_line(&mut begun).expect("the program says that it begins");
    kill_process(pid, Signal::TERM).expect("our own process takes signals");
    let Output { status, stdout, .. } = child.wait_with_output().expect("it ends");
    assert!(begun.starts_with("500 seeds, "), "{begun}");
    let said = String::from_utf8_lossy(&stdout);
    let run = said.split(' ').next().and_then(|run| run.parse::<u64>().ok());
    assert!(run.is_some_and(|run| run < 500), "{said}");
    assert!(said.contains(" of 500 seeds in ") && said.contains(" 0 failed"), "{said}");
    assert_eq!(status.code(), Some(2), "not all were run, and none failed: {said}");
}

#[test]
fn bad_arguments_are_told() {
    let cases: [(&[&str], &str); 5] = [
        (&[], "--seed <SEED>"),
        (&["--seeds", "5..5"], "'5..5' is no range of seeds; expected A..B with A below B, as 1..100"),
        (
            &["--seed", "1", "--troubles", "1,x"],
            "'x' is no number; expected all, none, or places such as 0,3,7-19",
        ),
        (&["--seed", "1", "--minutes", "0"], "0 is not in 1..=1440"),
        (
            &["--seed", "1", "--shrink", "--timeline"],
            "--shrink runs the seed many times and shows none of them",
        ),
    ];
    for (arguments, said) in cases {
        let output = sim(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn every_bug_that_is_kept_can_be_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace's folder");
    let mut bugs = 0;
    for entry in std::fs::read_dir(root.join("tests/sim/bugs")).expect("the folder of bugs") {
        let patch = entry.expect("an entry").path();
        if patch.extension().is_some_and(|extension| extension == "patch") {
            let applied =
                Command::new("git").args(["apply", "--check"]).arg(&patch).current_dir(root).output();
            let applied = applied.expect("git is there");
            let said = String::from_utf8_lossy(&applied.stderr);
            assert!(applied.status.success(), "{}: {said}", patch.display());
            bugs += 1;
        }
    }
    assert!(bugs >= 6, "{bugs} bugs");
}
