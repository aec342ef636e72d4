//! A few seeds, each twice: they hold, and give the same run both times. And the bugs that are kept can still be made.

use std::path::Path;
use std::process::{Command, Output};

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
fn seeds_that_everybody_runs_hold() {
    holds(&["--seeds", "5..17", "--minutes", "3"]);
}

#[test]
fn seeds_that_nobody_has_run_before_hold() {
    holds(&["--fresh", "4", "--minutes", "3"]);
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
