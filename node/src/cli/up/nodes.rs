//! `rookery up` with several nodes: one process each, kept running until `up` is told to stop.
//!
//! Only the processes know what a node is; here is when they are started, stopped and started again. They die with this
//! process, however it ends (see `serve::die_with`), and with the thread that started them: [`Nodes::run`] is for the
//! program's first thread, which lives as long as the program.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rookery_store::keys::node::NodeName;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::lines::Lines;
use super::process::{Event, NodeProcess, Said, how};
use super::restarts::Restarts;
use super::terminal;
use crate::cli::failure::{self, NodeFailed};
use crate::config::PORTS_APART;
use crate::shutdown::{Asked, Signals};

/// How long nodes may take to stop: what each promises, and some.
const STOP: Duration = Duration::from_secs(35);

/// One node: what its process is started with, and the process, unless it has ended.
pub(super) struct Node {
    pub(super) name: NodeName,
    pub(super) arguments: Vec<OsString>,
    pub(super) lines: Lines,
    pub(super) life: Life,
}

/// Where a node is between its starts.
#[derive(Default)]
pub(super) struct Life {
    process: Option<NodeProcess>,
    ready: bool,
    started: Option<Instant>,
    starts_again: Option<Instant>,
    restarts: Restarts,
}

/// All of them.
pub(super) struct Nodes {
    nodes: Vec<Node>,
    events: mpsc::Receiver<Event>,
    tell: mpsc::Sender<Event>,
    welcomed: bool,
}

impl Nodes {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        // Two events are all a process has to tell.
        let (tell, events) = mpsc::channel(2 * nodes.len());
        Self { nodes, events, tell, welcomed: false }
    }

    /// Runs them until a signal says stop. `welcome` is called once, when all are ready; `reload` on SIGHUP, which they
    /// get too.
    ///
    /// # Errors
    /// When one of them does not start for the first time: its own message and exit code.
    pub(super) async fn run(
        mut self,
        mut signals: Signals,
        welcome: impl FnOnce(),
        reload: impl Fn(),
    ) -> Result<()> {
        let mut suspend = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
        for node in 0..self.nodes.len() {
            self.start(node)?;
        }
        let mut welcome = Some(welcome);
        loop {
            let due = self.nodes.iter().filter_map(|node| node.life.starts_again).min();
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => return self.stop(signals).await,
                    Asked::Reload => {
                        reload();
                        self.signal_all(Signal::HUP);
                    }
                },
                Some(()) = suspend.recv() => self.suspend(),
                Some(event) = self.events.recv() => {
                    if let Err(failed) = self.take(event) {
                        self.stop_quietly(signals).await;
                        return Err(failed);
                    }
                    if self.nodes.iter().all(|node| node.life.ready)
                        && let Some(welcome) = welcome.take()
                    {
                        self.welcomed = true;
                        welcome();
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.start_due(),
            }
        }
    }

    fn start(&mut self, at: usize) -> Result<()> {
        let node = &mut self.nodes[at];
        // Also of one that cannot be started, which has not lived at all.
        node.life.started = Some(Instant::now());
        let process = NodeProcess::start(&node.arguments, at, node.lines.clone(), self.tell.clone())
            .with_context(|| format!("cannot start a process for node {}", node.name))?;
        tracing::debug!(node = %node.name, pid = process.pid(), "the node's process has been started");
        node.life.process = Some(process);
        Ok(())
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        for at in 0..self.nodes.len() {
            if self.nodes[at].life.starts_again.is_none_or(|due| due > now) {
                continue;
            }
            self.nodes[at].life.starts_again = None;
            if let Err(error) = self.start(at) {
                self.start_later(at, &format!("{error:#}"));
            }
        }
    }

    /// Takes note of what a process does. An error when that is the end of everything.
    fn take(&mut self, Event { node: at, said }: Event) -> Result<()> {
        let node = &mut self.nodes[at];
        match said {
            Said::Ready => {
                node.life.ready = true;
                if self.welcomed {
                    tracing::info!(node = %node.name, "the node is ready again");
                }
            }
            Said::Ended(said) => {
                let process = node.life.process.take().expect("a process ends once");
                let status = process.wait().context("cannot wait for a node's process")?;
                node.life.ready = false;
                if !self.welcomed {
                    let mut message = said.unwrap_or_else(|| format!("it ended with {}", how(status)));
                    let code = status.code().and_then(|code| u8::try_from(code).ok());
                    if code == Some(failure::LISTEN) && at > 0 {
                        let more = at * usize::from(PORTS_APART);
                        message +=
                            &format!(" (this node's ports are those of the configuration plus {more})");
                    }
                    return Err(NodeFailed { node: node.name.clone(), message, code }.into());
                }
                let how = said.map_or_else(|| how(status), |message| format!("{}: {message}", how(status)));
                self.start_later(at, &how);
            }
        }
        Ok(())
    }

    fn start_later(&mut self, at: usize, ended: &str) {
        let Node { name, life, .. } = &mut self.nodes[at];
        let lived = life.started.map_or(Duration::ZERO, |started| started.elapsed());
        let delay = life.restarts.delay(lived);
        if delay.is_zero() {
            tracing::warn!(node = %name, ended, "the node has died and is started again");
        } else {
            let seconds = delay.as_secs();
            tracing::warn!(node = %name, ended, seconds, "the node has died and is started again a little later");
        }
        life.starts_again = Some(Instant::now() + delay);
    }

    fn signal_all(&self, signal: Signal) {
        for process in self.nodes.iter().filter_map(|node| node.life.process.as_ref()) {
            process.signal(signal);
        }
    }

    /// Stands still with all nodes, as Ctrl-Z asks, until a shell's `fg` or `bg`. Nodes that went on alone would stand still
    /// a little later, in the middle of something: nobody reads what they log.
    fn suspend(&self) {
        // The first of its session has no shell that could let it go on; the system does not stop such either.
        if terminal::is_first_of_session() {
            return;
        }
        self.signal_all(Signal::STOP);
        // Returns when this process goes on.
        let _ = kill_process(getpid(), Signal::STOP);
        self.signal_all(Signal::CONT);
    }

    /// Stops all at once, gracefully; a second signal kills them.
    async fn stop(mut self, mut signals: Signals) -> Result<()> {
        tracing::info!("stopping; a second signal stops at once");
        self.signal_all(Signal::TERM);
        tokio::select! {
            ended = tokio::time::timeout(STOP, self.all_ended()) => {
                if ended.is_err() {
                    tracing::warn!("a node did not stop and is killed: nothing that was acknowledged is lost");
                }
                Ok(())
            }
            () = signals.stop() => bail!("stopped at once: nothing that was acknowledged is lost"),
        }
    }

    /// Stops those that started when another could not.
    async fn stop_quietly(&mut self, mut signals: Signals) {
        self.signal_all(Signal::TERM);
        tokio::select! {
            // Who does not end in time is killed with `self`.
            _ = tokio::time::timeout(STOP, self.all_ended()) => {}
            () = signals.stop() => {}
        }
    }

    async fn all_ended(&mut self) {
        while self.nodes.iter().any(|node| node.life.process.is_some()) {
            let Some(Event { node, said: Said::Ended(failure) }) = self.events.recv().await else { continue };
            let node = &mut self.nodes[node];
            if let Some(failure) = failure
                && self.welcomed
            {
                tracing::warn!(node = %node.name, failure, "the node did not stop as it should");
            }
            if let Some(process) = node.life.process.take() {
                let _ = process.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_cannot_be_started_is_tried_again_after_longer_and_longer_times() {
        let node = Node {
            name: "rook-1".parse().unwrap(),
            // No program takes it.
            arguments: vec!["\0".into()],
            lines: Lines::new("rook-1", 0, 6, LogFormat::Human, false),
            life: Life { started: Some(Instant::now()), ..Life::default() },
        };
        let mut nodes = Nodes::new(vec![node]);
        tokio::time::advance(Duration::from_secs(3600)).await;
        nodes.start_later(0, "it died");
        let mut waited = Vec::new();
        for _ in 0..4 {
            let due = nodes.nodes[0].life.starts_again.unwrap();
            waited.push((due - Instant::now()).as_secs());
            sleep_until(due).await;
            nodes.start_due();
        }
        assert_eq!(waited, [0, 1, 2, 4]);
    }
}
