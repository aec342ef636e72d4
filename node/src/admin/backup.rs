//! Copies of the embedded store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use rookery_store::engine::BackupError;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::api::{BackupLine, BackupRequest, FailureCode};
use super::failure::ApiError;
use super::input::Body;
use super::lines::stream;
use super::shared::Shared;
use super::this_node::millis;

/// How often it says that it is still at it.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn backup(
    State(shared): State<Arc<Shared>>,
    Body(BackupRequest { directory }): Body<BackupRequest>,
) -> Result<Response, ApiError> {
    let path = PathBuf::from(&directory);
    if !path.is_absolute() {
        let error = ApiError::bad(format!("`{directory}` is no absolute path"));
        return Err(
            error.hint("the directory is one of the node's machine, such as /var/backups/rookery/monday")
        );
    }
    if shared.about.engine != "lmdb" {
        let text = format!("the {} engine has no copy to give", shared.about.engine);
        let error = ApiError::new(FailureCode::NotSupported, text);
        return Err(error.hint("a FoundationDB cluster is backed up with fdbbackup"));
    }
    let place = shared.backups.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(FailureCode::Busy, "a backup is being made already").hint("wait for its end")
    })?;
    // In a task of its own: a copy that is half done is worth finishing, whether or not somebody reads of it.
    let copying = shared.store.backup(path.clone());
    let mut copying = tokio::spawn(async move {
        let copied = copying.await;
        drop(place);
        copied
    });
    Ok(stream(async move |lines| {
        let begun = Instant::now();
        let mut ticks = interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                copied = &mut copying => {
                    let copied = copied.unwrap_or(Err(BackupError::Unavailable));
                    return lines.write(&last_line(&path, copied, begun.elapsed())).await;
                }
                _ = ticks.tick() => lines.write(&BackupLine::Progress { took_ms: millis(begun.elapsed()) }).await?,
            }
        }
    }))
}

fn last_line(path: &Path, copied: Result<u64, BackupError>, took: Duration) -> BackupLine {
    match copied {
        Ok(bytes) => {
            tracing::info!(directory = %path.display(), bytes, ?took, "a backup was made");
            BackupLine::Done { directory: path.display().to_string(), bytes, took_ms: millis(took) }
        }
        Err(error) => {
            tracing::warn!(directory = %path.display(), error = &error as &dyn std::error::Error, "no backup");
            let message = match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            };
            BackupLine::Failed { message }
        }
    }
}
