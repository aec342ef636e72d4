//! `rookery admin check`, `backup` and `restore`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hyper::Method;
use rookery_store::check::Check;
use rookery_store::engines::LmdbEngine;
use serde::Serialize;

use super::arguments::{ReachArguments, Sure};
use super::client::NOTHING;
use super::cluster::Cluster;
use super::error::AdminError;
use super::show::{Progress, bytes, length, say, write_json};
use crate::admin::api::{BackupLine, BackupRequest, CheckLine};
use crate::admin::{check_done, check_finding};
use crate::cli::confirm::confirm;
use crate::cli::local::Local;
use crate::config::EngineKind;
use crate::data_dir::DataDir;

/// Keys looked at in a step.
const STEP_KEYS: usize = 256;

/// Steps between two signs of progress.
const STEPS_SHOWN: u64 = 256;

/// Shows a check's lines as they come, and knows at the end what to say.
struct CheckShown {
    json: bool,
    progress: Progress,
    outcome: Option<Result<u64, String>>,
}

impl CheckShown {
    fn new(json: bool) -> Self {
        Self { json, progress: Progress::new(), outcome: None }
    }

    fn show(&mut self, line: &CheckLine) {
        match line {
            CheckLine::Done { findings, .. } => self.outcome = Some(Ok(*findings)),
            CheckLine::Failed { message } => self.outcome = Some(Err(message.clone())),
            CheckLine::Progress { .. } | CheckLine::Finding { .. } => {}
        }
        if self.json {
            let _ = write_json(line);
            return;
        }
        match line {
            CheckLine::Progress { entries, findings } => {
                self.progress.show(&format!("{entries} entries looked at, {findings} findings"));
            }
            CheckLine::Finding { rule, subject, text } => {
                self.progress.end();
                say(format_args!("{rule}: {subject}: {text}"));
            }
            CheckLine::Done { entries, findings, counts } => {
                self.progress.end();
                let size = bytes(counts.get("bytes").copied().unwrap_or_default());
                let others = counts.iter().filter(|(what, _)| !["bytes", "keys"].contains(&what.as_str()));
                let others = others.filter(|(_, count)| **count > 0);
                let others = others.map(|(what, count)| format!(", {what} {count}")).collect::<String>();
                say(format_args!("looked at {entries} entries, {size}{others}: {findings} findings"));
            }
            CheckLine::Failed { .. } => self.progress.end(),
        }
    }

    fn end(self) -> Result<()> {
        match self.outcome {
            Some(Ok(0)) => Ok(()),
            Some(Ok(findings)) => Err(AdminError::Findings { findings }.into()),
            Some(Err(message)) => bail!("the check was not finished: {message}"),
            None => bail!(
                "the check was not finished: the node has gone in the middle. Ask again, or another with --node"
            ),
        }
    }
}

pub(super) async fn check(cluster: &Cluster, json: bool) -> Result<()> {
    let mut lines = cluster.entry.lines::<CheckLine>(Method::GET, "/v1/check", NOTHING).await?;
    let mut shown = CheckShown::new(json);
    while let Some(line) = lines.next().await? {
        shown.show(&line);
    }
    shown.end()
}

pub(super) async fn check_offline(reach: &ReachArguments) -> Result<()> {
    let local = Local::open(&reach.place()).await?;
    let (mut check, mut findings, mut shown) = (Check::new(STEP_KEYS), 0, CheckShown::new(reach.json));
    for step in 1.. {
        let Some(found) = check.step(&local.store).await? else { break };
        for finding in &found {
            findings += 1;
            shown.show(&check_finding(finding));
        }
        if step % STEPS_SHOWN == 0 {
            shown.show(&CheckLine::Progress { entries: check.counts().keys, findings });
        }
    }
    local.store.close().await;
    shown.show(&check_done(check.counts(), findings));
    shown.end()
}

pub(super) async fn backup(cluster: &Cluster, directory: PathBuf, reach: &ReachArguments) -> Result<()> {
    let is_here = runs_here(&cluster.entry.name, reach)?;
    let directory = if is_here {
        std::path::absolute(&directory)?
    } else {
        ensure!(
            directory.is_absolute(),
            "{} is no absolute path: the directory is one of {}'s machine, such as /var/backups/rookery/monday",
            directory.display(),
            cluster.entry.name
        );
        directory
    };
    let request = BackupRequest { directory: text(&directory)? };
    let mut lines = cluster.entry.lines::<BackupLine>(Method::POST, "/v1/backup", Some(&request)).await?;
    let mut progress = Progress::new();
    while let Some(line) = lines.next().await? {
        let line = if is_here { seen(line) } else { line };
        if reach.json {
            let _ = write_json(&line);
        }
        match line {
            BackupLine::Progress { took_ms } if !reach.json && took_ms > 500 => {
                progress.show(&format!("copying for {}", length(took_ms)));
            }
            BackupLine::Progress { .. } => {}
            BackupLine::Failed { message } => {
                progress.end();
                bail!("there is no backup in {}: {message}", directory.display());
            }
            BackupLine::Done { directory, bytes: size, took_ms } => {
                progress.end();
                if !reach.json {
                    let (size, took) = (bytes(size), length(took_ms));
                    say(format_args!("{directory}: {size} in {took}, copied by {}", cluster.entry.name));
                }
                return Ok(());
            }
        }
    }
    bail!(
        "{} has gone in the middle: what is in {} may be no whole backup. Remove it, and try again",
        cluster.entry.name,
        directory.display()
    )
}

/// Whether the node of that name runs on this machine's data directory.
fn runs_here(node: &str, reach: &ReachArguments) -> Result<bool> {
    if reach.admin.is_some() {
        return Ok(false);
    }
    let config = reach.place().load()?;
    let data = DataDir::open(&config.node.data, config.store.engine)?;
    Ok(data.running().iter().any(|running| running.name.as_str() == node))
}

/// What a node of this machine says of its backup, unless the copy is not where it says: a service may see another file
/// system than this command does.
fn seen(line: BackupLine) -> BackupLine {
    let BackupLine::Done { directory, .. } = &line else { return line };
    let copy = Path::new(directory).join("data.mdb");
    // A directory that this user may not look into tells nothing.
    if !fs::metadata(&copy).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return line;
    }
    BackupLine::Failed {
        message: format!(
            "the node has written {}, and it is not there: its service has a file system of its own (PrivateTmp= of \
             systemd?), and what is in it goes with the service. Name another directory, such as \
             /var/backups/rookery/monday",
            copy.display()
        ),
    }
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{} is no text in UTF-8", path.display()))?;
    Ok(text.to_owned())
}

pub(super) async fn backup_offline(directory: PathBuf, reach: &ReachArguments) -> Result<()> {
    let local = Local::open(&reach.place()).await?;
    ensure!(
        local.data.marker().engine == EngineKind::Lmdb,
        "only the embedded store is copied: a FoundationDB cluster is backed up with fdbbackup"
    );
    let (directory, begun) = (std::path::absolute(directory)?, std::time::Instant::now());
    let copied = local.store.backup(directory.clone()).await;
    local.store.close().await;
    let size = copied.with_context(|| format!("there is no backup in {}", directory.display()))?;
    let took_ms = begun.elapsed().as_millis() as u64;
    if reach.json {
        let _ = write_json(&BackupLine::Done { directory: text(&directory)?, bytes: size, took_ms });
    } else {
        say(format_args!("{}: {} in {}", directory.display(), bytes(size), length(took_ms)));
    }
    Ok(())
}

#[derive(Serialize)]
struct Restored {
    from: String,
    commits: u64,
    entries: u64,
    bytes: u64,
    /// Where what was there before is now.
    moved_aside: Option<String>,
}

pub(super) fn restore(from: &Path, sure: Sure, reach: &ReachArguments) -> Result<()> {
    ensure!(
        reach.admin.is_none(),
        "a backup is restored on the machine itself, with no node running: --admin is of no use"
    );
    let config = reach.place().load()?;
    let engine = config.store.engine;
    ensure!(
        engine == EngineKind::Lmdb,
        "only the embedded store is restored from a directory; this configuration says engine = \"{}\"",
        engine.name()
    );
    let data = DataDir::open(&config.node.data, engine)?;
    if let Some(node) = data.running().first() {
        let pid = node.pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        bail!("node {} is running on {}{pid}: stop it first", node.name, data.path().display());
    }
    // Until this is done no `rookery up` starts, nor any node, which something may look after and start again.
    let _locks = (data.lock_up(&[])?, data.lock_restore()?);
    let backup = LmdbEngine::verify(from).with_context(|| format!("{} holds no backup", from.display()))?;
    let question = format!(
        "Put the backup in {} ({} entries, {}) in place of the store in {}? What is there is moved aside.",
        from.display(),
        backup.keys,
        bytes(backup.bytes),
        data.path().display()
    );
    if !sure.yes && !confirm(&question)? {
        bail!("nothing was restored");
    }
    let store = data.lmdb();
    ensure!(!is_within(from, &store), "{} is the store itself", from.display());
    let aside = move_aside(&store)?;
    if let Err(error) = LmdbEngine::restore(from, &store) {
        put_back(&store, aside.as_deref())?;
        return Err(error).with_context(|| format!("{} is as it was", data.path().display()));
    }
    let restored = Restored {
        from: from.display().to_string(),
        commits: backup.commits,
        entries: backup.keys,
        bytes: backup.bytes,
        moved_aside: aside.as_ref().map(|path| path.display().to_string()),
    };
    if reach.json {
        let _ = write_json(&restored);
        return Ok(());
    }
    say(format_args!("restored {} entries ({})", restored.entries, bytes(restored.bytes)));
    if let Some(aside) = &restored.moved_aside {
        say(format_args!("what was there before is in {aside}: remove it when it is not needed any more"));
    }
    Ok(())
}

fn is_within(path: &Path, directory: &Path) -> bool {
    match (path.canonicalize(), directory.canonicalize()) {
        (Ok(path), Ok(directory)) => path.starts_with(directory),
        _ => false,
    }
}

/// Where the store has been moved to, if there was one.
fn move_aside(store: &Path) -> Result<Option<PathBuf>> {
    if fs::read_dir(store).map_or(true, |mut entries| entries.next().is_none()) {
        return Ok(None);
    }
    for number in 1.. {
        let aside = store.with_file_name(format!("lmdb-before-restore-{number}"));
        if !aside.exists() {
            fs::rename(store, &aside).with_context(|| format!("cannot move {} aside", store.display()))?;
            return Ok(Some(aside));
        }
    }
    bail!("there is no name left for {}", store.display())
}

fn put_back(store: &Path, aside: Option<&Path>) -> Result<()> {
    if let Some(aside) = aside {
        // What the restore has left is no store.
        let moved = fs::remove_dir_all(store).and_then(|()| fs::rename(aside, store));
        moved.with_context(|| {
            format!("nothing was restored, and the store is still in {}: move it back", aside.display())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_is_not_where_the_node_says_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let done = BackupLine::Done { directory: text(directory.path()).unwrap(), bytes: 1, took_ms: 1 };
        let BackupLine::Failed { message } = seen(done.clone()) else { panic!("it is not there") };
        assert!(message.contains("PrivateTmp"), "{message}");
        fs::write(directory.path().join("data.mdb"), "").unwrap();
        assert_eq!(seen(done.clone()), done);
    }
}
