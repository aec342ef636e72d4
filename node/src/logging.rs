//! Logs: to standard error, for people or as JSON, with a level that can change while the node runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Directives, LogConfig, LogFormat};

/// What other crates say that is of use to their own authors only. Of a link that breaks `link` tells, with the reason.
const QUIET: [&str; 2] = ["ractor=warn", "ractor_cluster=error"];

/// Changes the level.
#[derive(Debug, Clone)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
    level: Arc<Mutex<Directives>>,
}

/// The process has a subscriber already.
#[derive(Debug, thiserror::Error)]
#[error("logging has been set up already")]
pub struct AlreadyLogging(#[source] tracing_subscriber::util::TryInitError);

/// Installs the process's subscriber. For the program, once. `colour` is for lines that end on a terminal.
///
/// # Errors
/// When there is one.
pub fn install(config: &LogConfig, colour: bool) -> Result<LogControl, AlreadyLogging> {
    let (filter, control) = reload::Layer::new(filter(&config.level));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Human => lines.with_target(false).with_ansi(colour).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(AlreadyLogging)?;
    Ok(LogControl { filter: control, level: Arc::new(Mutex::new(config.level.clone())) })
}

impl LogControl {
    /// Logs what `level` says from now on.
    pub fn set(&self, level: &Directives) {
        if let Err(error) = self.filter.reload(filter(level)) {
            tracing::error!(%error, "the log level could not be changed");
            return;
        }
        self.current().clone_from(level);
    }

    /// What is logged.
    pub fn level(&self) -> String {
        self.current().as_str().to_owned()
    }

    fn current(&self) -> MutexGuard<'_, Directives> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn filter(level: &Directives) -> EnvFilter {
    let parse =
        |text: &str| EnvFilter::builder().parse(text).expect("directives are checked when they are read");
    // What is said later counts: an operator who names one of these crates gets what was asked for.
    parse(&format!("{},{}", QUIET.join(","), level.as_str()))
}
