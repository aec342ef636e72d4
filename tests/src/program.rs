//! Where the `rookery` program is, built if it has to be.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// Names a program to test instead of the one built from this checkout.
const PROGRAM_ENV: &str = "ROOKERY_BIN";

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The program, of the same profile as this one. The first call builds it.
///
/// # Panics
/// When it does not build.
pub fn rookery() -> &'static Path {
    PROGRAM.get_or_init(|| find().unwrap_or_else(|error| panic!("no program to test: {error:#}")))
}

fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(PROGRAM_ENV) {
        return Ok(named.into());
    }
    let this = std::env::current_exe()?;
    let mut directory = this.parent().context("a program lies in a directory")?;
    if directory.ends_with("deps") {
        directory = directory.parent().context("deps/ lies in the profile's directory")?;
    }
    let program = directory.join("rookery");
    // Built together with the tests it may have other features in its dependencies than built alone: not twice, then.
    if !is_fresh(&program) {
        build(directory)?;
    }
    ensure!(program.exists(), "cargo built it, but there is no {}", program.display());
    Ok(program)
}

/// Whether the program is newer than each source file that cargo says it is made of.
fn is_fresh(program: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
    let sources = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let Some((_, sources)) = sources.split_once(": ") else { return false };
    let Some(built) = modified(program) else { return false };
    // A path with a space in it is not found, and then the program is built.
    sources
        .split_whitespace()
        .all(|source| modified(Path::new(source)).is_some_and(|changed| changed < built))
}

/// Cargo itself sees to it that two processes do not build at once.
fn build(profile: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?);
    command.args(["build", "--quiet", "-p", "rookery-node", "--bin", "rookery"]);
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => drop(command.args(["--profile", profile])),
    }
    command.arg("--target-dir").arg(profile.parent().context("the target directory")?);
    let output = command.output().context("cargo does not start")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
