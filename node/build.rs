//! Tells the library which version it is: the package's, and the commit it was built from where that is known.
//!
//! Known is what the environment variable `ROOKERY_COMMIT` says, for builds without a repository; else, in an optimised build,
//! what git says of the workspace, with `-dirty` after it where something besides docs/ was not committed. Other builds are not
//! stamped: every commit would build them anew.

use std::path::Path;
use std::process::Command;

/// What goes into an optimised build, besides this package.
const SOURCES: [&str; 7] =
    ["src", "build.rs", "../protocol/src", "../store/src", "../actors/src", "../client/src", "../Cargo.lock"];

fn main() {
    let package = env!("CARGO_PKG_VERSION");
    println!("cargo::rerun-if-env-changed=ROOKERY_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let told = std::env::var("ROOKERY_COMMIT").ok().filter(|commit| !commit.is_empty());
    let version = match told.or_else(commit) {
        Some(commit) => format!("{package} ({commit})"),
        None => package.to_owned(),
    };
    println!("cargo::rustc-env=ROOKERY_VERSION={version}");
}

/// The commit, as git has it. `None` without git, or where the sources are not a repository of their own.
fn commit() -> Option<String> {
    let is_optimised = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if !is_optimised || !Path::new("../.git").exists() {
        return None;
    }
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    for watched in SOURCES.into_iter().chain([log.as_str()]).filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={watched}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_dirty =
        git(&["status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)docs"]).is_some();
    Some(if is_dirty { commit + "-dirty" } else { commit })
}

/// What it prints; `None` where it fails or prints nothing.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
