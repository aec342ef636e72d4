//! One node of a cluster: a process that comes and goes, on ports and files that stay.
//!
//! Faults run as tasks side by side, so everything here takes `&self`.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use rookery_client::NodeAddress;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::clock::Clock;
use super::{Links, View};
use crate::deadline::LOOK_EVERY;
use crate::node_config::Ports;
use crate::process::{Process, log_end, wait_ready};
use crate::{Answer, Metrics, NodeConfig, Operator, Port, get, rookery};

/// How long a start may take. A machine that runs tests is busy, and a store that stalls stalls it too.
const START: Duration = Duration::from_secs(60);

/// How long a stop may take: what the program promises, and some.
const STOP: Duration = Duration::from_secs(40);

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(90);

/// What is around a node.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) ports: Ports,
    /// What its command line begins with, to run where its files are.
    pub(super) inside: Vec<OsString>,
    /// The network to the others, if it can fail.
    pub(super) links: Option<Arc<Links>>,
    /// Its own, if it is not the machine's.
    pub(super) clock: Option<Clock>,
}

/// The signal of `kill -9`.
const KILLED: i32 = 9;

/// A node.
#[derive(Debug)]
pub struct Member {
    name: String,
    place: usize,
    files: PathBuf,
    ports: Ports,
    operator: Operator,
    links: Option<Arc<Links>>,
    clock: Option<Clock>,
    process: Mutex<Option<Process>>,
}

impl Member {
    /// A node that has not been started; its configuration is written.
    pub(super) fn new(
        place: usize,
        files: PathBuf,
        data: &Path,
        config: &NodeConfig,
        around: Around,
    ) -> Result<Self> {
        let Around { ports, inside, links, clock } = around;
        let file = files.join("cluster.toml");
        std::fs::write(&file, config.text(data, ports))?;
        let name = config.membership.as_ref().context("a member has a name")?.name.clone();
        let operator = Operator::new(inside, file);
        Ok(Self { name, place, files, ports, operator, links, clock, process: Mutex::default() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it, unless it runs, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start in time.
    pub async fn start(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        self.spawn().await?;
        let ended = || self.process().as_mut().map_or_else(|| None, Process::ended);
        let ready = wait_ready(self.address(Port::Http), START, ended).await;
        ready.map_err(|error| anyhow!("{} does not start: {error:#}\n{}", self.name, self.log_end(40)))
    }

    async fn spawn(&self) -> Result<()> {
        let mut command = self.command();
        command.args(["node", "--config"]).arg(self.files.join("cluster.toml"));
        if let Some(links) = &self.links {
            links.open(self.place).await.with_context(|| format!("the door of {}", self.name))?;
        }
        let process = Process::start(command, &self.log_file())?;
        if let Some(links) = &self.links {
            links.is_process(self.place, process.pid());
        }
        *self.process() = Some(process);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = self.operator.inside(rookery());
        if let Some(clock) = &self.clock {
            clock.govern(&mut command);
        }
        command
    }

    /// Whether its process has been started and not been ended by us.
    pub fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// How it ended, if it has without being asked to.
    pub fn ended_by_itself(&self) -> Option<ExitStatus> {
        self.process().as_mut().and_then(Process::ended)
    }

    fn gone(&self) {
        *self.process() = None;
        if let Some(links) = &self.links {
            links.shut(self.place);
        }
    }

    /// Sends a signal, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &*self.process() {
            process.signal(signal);
        }
    }

    /// `kill -9`, if it runs.
    pub fn kill(&self) {
        self.gone();
    }

    /// Stops its processor time, as a machine that hangs. [`resume`](Self::resume) goes on.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends a [`pause`](Self::pause). Whether the node is still there: one that was stopped in its turn to write to the
    /// embedded store is killed by those who waited for it, and then it has to be started again.
    pub fn resume(&self) -> bool {
        self.signal(Signal::CONT);
        let killed = self.ended_by_itself().is_some_and(|status| status.signal() == Some(KILLED));
        if killed {
            self.gone();
        }
        !killed
    }

    /// SIGTERM, and waits for the end, which must be an orderly one. One that does not run is left alone.
    ///
    /// # Errors
    /// When it does not end in time, or not with 0.
    pub async fn terminate(&self) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        self.signal(Signal::TERM);
        self.wait_end(STOP).await
    }

    async fn wait_end(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let status = loop {
            ensure!(self.is_running(), "{} was ended by somebody else", self.name);
            if let Some(status) = self.ended_by_itself() {
                break status;
            }
            ensure!(Instant::now() < deadline, "{} has not ended within {within:?}", self.name);
            sleep(LOOK_EVERY).await;
        };
        self.gone();
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// `rookery admin drain`, which waits until its users and clients are elsewhere, and then a stop in order.
    ///
    /// # Errors
    /// When the command fails, or the node does not end as it should.
    pub async fn drain(&self) -> Result<()> {
        let arguments = ["admin", "drain", &self.name, "--yes"];
        tokio::time::timeout(DRAIN, self.operator.command(&arguments))
            .await
            .context("the drain takes too long")??;
        self.terminate().await
    }

    /// Sets its time of day so many seconds forward, or back. 0 makes it right again.
    ///
    /// # Errors
    /// When its clock is the machine's.
    pub fn shift_clock(&self, seconds: i64) -> Result<()> {
        self.clock.as_ref().context("its clock is the machine's")?.shift(seconds)
    }

    /// How many seconds its time of day is ahead of the machine's, at most half a day either way: by what it writes when
    /// it is told to read its configuration again.
    ///
    /// # Errors
    /// When it writes nothing.
    pub async fn clock_ahead(&self) -> Result<i64> {
        const DAY: i64 = 24 * 60 * 60;
        const WITHIN: Duration = Duration::from_secs(5);
        let before = self.log().len();
        self.signal(Signal::HUP);
        let deadline = Instant::now() + WITHIN;
        loop {
            let log = self.log();
            if let Some(seconds) = log.get(before..).and_then(|new| new.lines().find_map(time_of_day)) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
                return Ok((seconds - i64::try_from(now)? % DAY + DAY / 2).rem_euclid(DAY) - DAY / 2);
            }
            ensure!(Instant::now() < deadline, "{} writes nothing", self.name);
            sleep(LOOK_EVERY).await;
        }
    }

    /// Where a listener is.
    pub fn address(&self, port: Port) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.of(port)).into()
    }

    /// A listener's URL for clients.
    ///
    /// # Panics
    /// For the operators' listener, which has none.
    pub fn url(&self, port: Port) -> NodeAddress {
        port.url_at(self.address(port))
    }

    /// Asks an operator's question.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        get(self.address(Port::Http), path).await
    }

    /// Its metrics now.
    ///
    /// # Errors
    /// When it does not tell them.
    pub async fn metrics(&self) -> Result<Metrics> {
        let answer = self.get("/metrics").await?;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(Metrics::parse(&answer.body))
    }

    /// What it believes of the cluster, if it says anything.
    pub async fn view(&self) -> Option<View> {
        // One that has been stopped takes a connection and never answers.
        let metrics = tokio::time::timeout(Duration::from_secs(1), self.metrics()).await;
        View::of(&metrics.ok()?.ok()?)
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.files.join("node.log")
    }

    /// All it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The last lines it has written.
    pub fn log_end(&self, lines: usize) -> String {
        log_end(&self.log(), lines)
    }

    /// How commands are run with its configuration.
    pub fn operator(&self) -> Operator {
        self.operator.clone()
    }
}

/// The seconds of the day in which a log's line was written, if it says when.
fn time_of_day(line: &str) -> Option<i64> {
    let (_, time) = line.split_once(' ')?.0.split_once('T')?;
    let mut seconds = 0;
    for part in time.split('.').next()?.split(':') {
        seconds = seconds * 60 + part.parse::<i64>().ok()?;
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::time_of_day;

    #[test]
    fn a_lines_time_is_read_and_other_lines_have_none() {
        assert_eq!(time_of_day("2026-11-22T05:20:27.206792Z  INFO stopped"), Some((5 * 60 + 20) * 60 + 27));
        assert_eq!(time_of_day("ready clients=ws://127.0.0.1:1/v1"), None);
        assert_eq!(time_of_day(""), None);
    }
}
