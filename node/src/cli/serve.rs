//! Runs a node until it is told to stop: what `rookery up` and `rookery node` share.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail, ensure};
use rand::Rng;
use rookery_actors::SystemClock;

use super::InstallRecorder;
use super::arguments::{Node as Arguments, Place, UnderUp};
use super::up::encrypt;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::logging::{self, LogControl};
use crate::node::{Node, NodeParts};
use crate::shutdown::{Asked, Signals};

/// `rookery node`.
pub(super) async fn run_service(arguments: Arguments, recorder: InstallRecorder) -> Result<()> {
    let Arguments { place, name, under_up: UnderUp { up, nth, tls, colour } } = arguments;
    if let Some(up) = up {
        die_with(up)?;
    }
    let mut config = place.load()?.nth(nth)?;
    if let Some(name) = name {
        config.node.id = Some(name);
    }
    let (data, _) = DataDir::open_or_create(&config.node.data, config.store.engine)?;
    data.make_shared(&config.cluster)?;
    if tls {
        encrypt(&mut config, &data)?;
    }
    let colour = colour || std::io::stderr().is_terminal();
    let running = Running::start(config, data, colour, recorder).await?;
    let listening = running.node.listening();
    tracing::info!(clients = listening.clients.join(","), http = listening.http, "listening");
    let mut line = format!("ready clients={}", listening.clients.join(","));
    if let Some(http) = &listening.http {
        line += &format!(" http={http}");
    }
    say(&line);
    running.until_stopped(&place).await
}

/// Makes the system kill this process as soon as its parent, whose process id is `up`, has ended: a node that `rookery up`
/// started has no use without it, and would keep the ports and the data directory of the next one.
///
/// For the program's first thread: the order is gone with the thread that gave it.
fn die_with(up: u32) -> Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have ended before the order was given.
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_pid());
    ensure!(u32::try_from(parent) == Ok(up), "the `rookery up` that started this node is gone");
    Ok(())
}

/// Writes a line for whoever started the process. That nobody reads it is no reason to stop.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A node, and the signals it listens to.
pub(super) struct Running {
    pub(super) node: Node,
    signals: Signals,
    log: LogControl,
}

impl Running {
    pub(super) async fn start(
        config: Config,
        data: DataDir,
        colour: bool,
        recorder: InstallRecorder,
    ) -> Result<Self> {
        let log = logging::install(&config.log, colour)?;
        // Before the node: a signal that comes while it starts must stop it gracefully too.
        let signals = Signals::listen()?;
        let parts = NodeParts {
            data,
            engine: None,
            clock: std::sync::Arc::new(SystemClock),
            rng_seed: rand::rng().next_u64(),
            metrics: Some(recorder()?),
            log: Some(log.clone()),
            config,
        };
        let node = Box::pin(Node::start(parts)).await?;
        Ok(Self { node, signals, log })
    }

    pub(super) async fn until_stopped(self, place: &Place) -> Result<()> {
        let Self { node, mut signals, log } = self;
        loop {
            let asked = tokio::select! {
                asked = signals.next() => asked,
                () = node.superseded() => {
                    bail!("another process has joined the cluster under this node's name: give each its own `node.id`");
                }
            };
            if asked != Asked::Reload {
                break;
            }
            reload(&node, &log, place);
        }
        tracing::info!("stopping; a second signal stops at once");
        tokio::select! {
            in_time = node.stop() => {
                if in_time {
                    tracing::info!("stopped");
                } else {
                    tracing::warn!("stopped after 30 seconds, with work left: nothing that was acknowledged is lost");
                }
                Ok(())
            }
            () = signals.stop() => bail!("stopped at once: nothing that was acknowledged is lost"),
        }
    }
}

/// Takes over what can change while a node runs. What is wrong is logged, and stays as it was.
fn reload(node: &Node, log: &LogControl, place: &Place) {
    reload_level(log, place);
    match node.reload_certificate() {
        Ok(true) => tracing::info!("the certificate has been read again"),
        Ok(false) => {}
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the certificate was not taken over");
        }
    }
}

/// Takes over the log level of the configuration.
pub(super) fn reload_level(log: &LogControl, place: &Place) {
    match place.load() {
        Ok(config) => {
            log.set(&config.log.level);
            tracing::info!(level = config.log.level.as_str(), "the log level has been read again");
        }
        Err(error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "the configuration is wrong and was not taken over"
            );
        }
    }
}
