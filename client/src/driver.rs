//! One task per client: gives the machine what happens and does what it says.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rookery_protocol::{MessageId, RawFrame};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::link::{Link, Progress};
use crate::local_store::Commit;
use crate::machine::{CallId, Effect, Input, Machine};
use crate::shared::{AnswerReply, Command, Life, SentReply, Shared};
use crate::{Dialer, Event, LocalStoreError, NodeAddress, RequestError, SendError, TokenProvider};

/// For the last frames when the client ends.
const GOODBYE: Duration = Duration::from_secs(2);
/// Longer than any process runs.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

type Dialed = Result<(Link, String), String>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client's senses and limbs.
pub(crate) struct Driver {
    machine: Machine,
    shared: Arc<Shared>,
    dialer: Box<dyn Dialer>,
    token: TokenProvider,
    link: Option<Link>,
    dial: Option<Boxed<Dialed>>,
    commit: Option<Boxed<Result<(), LocalStoreError>>>,
    alarm: Pin<Box<Sleep>>,
    tickets: HashMap<MessageId, SentReply>,
    calls: HashMap<CallId, AnswerReply>,
    last_call: CallId,
    closing: bool,
    stopped: bool,
    frames: Vec<RawFrame>,
    commands: Vec<Command>,
}

/// What woke the driver.
enum Wake {
    Application,
    Dialed(Dialed),
    Link(std::io::Result<Progress>),
    Committed(Result<(), LocalStoreError>),
    Alarm,
}

impl Driver {
    pub(crate) fn new(
        machine: Machine,
        shared: Arc<Shared>,
        dialer: Box<dyn Dialer>,
        token: TokenProvider,
    ) -> Self {
        let alarm = Box::pin(sleep_until(shared.instant(NEVER)));
        Self {
            machine,
            shared,
            dialer,
            token,
            link: None,
            dial: None,
            commit: None,
            alarm,
            tickets: HashMap::new(),
            calls: HashMap::new(),
            last_call: 0,
            closing: false,
            stopped: false,
            frames: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Runs until the client ends.
    pub(crate) async fn run(mut self) {
        self.tell(Input::Start);
        while !self.stopped {
            self.write_output();
            self.set_alarm();
            match self.wake().await {
                Wake::Application => {
                    if self.hear_application() {
                        break;
                    }
                }
                Wake::Dialed(Ok((link, token))) => {
                    self.dial = None;
                    self.link = Some(link);
                    self.tell(Input::Dialed { token });
                }
                Wake::Dialed(Err(reason)) => {
                    self.dial = None;
                    self.tell(Input::DialFailed { reason });
                }
                Wake::Link(outcome) => self.hear_link(outcome),
                Wake::Committed(outcome) => {
                    self.commit = None;
                    self.tell(Input::Committed(outcome));
                }
                Wake::Alarm => self.tell(Input::Tick),
            }
        }
        self.end().await;
    }

    async fn wake(&mut self) -> Wake {
        let Self { shared, link, dial, commit, alarm, frames, .. } = self;
        // Biased: a simulation must see the same order each time. Nothing starves: each branch is bounded by the others.
        tokio::select! {
            biased;
            () = shared.driver.notified() => Wake::Application,
            outcome = maybe(commit) => Wake::Committed(outcome),
            outcome = maybe(dial) => Wake::Dialed(outcome),
            outcome = progress(link, frames) => Wake::Link(outcome),
            () = alarm => Wake::Alarm,
        }
    }

    /// Says whether the client was abandoned.
    fn hear_application(&mut self) -> bool {
        let mut commands = std::mem::take(&mut self.commands);
        let (taken, life, failure) = {
            let mut state = self.shared.state();
            std::mem::swap(&mut commands, &mut state.commands);
            (state.taken(), state.life, state.store_failure.clone())
        };
        if life == Life::Abandoned {
            return true;
        }
        if let Some(error) = failure {
            self.tell(Input::Committed(Err(error)));
            return false;
        }
        for command in commands.drain(..) {
            let input = match command {
                Command::Send { conversation, id, body, reference, expires_s, reply } => {
                    self.tickets.insert(id, reply);
                    Input::Send { conversation, id, body, reference, expires_s }
                }
                Command::Read { conversation, seq } => Input::Read { conversation, seq },
                Command::Watch(view) => Input::Watch(view),
                Command::Active(active) => Input::Active(active),
                Command::Typing { conversation, doing } => Input::Typing { conversation, doing },
                Command::Call { call, reply } => {
                    self.last_call += 1;
                    self.calls.insert(self.last_call, reply);
                    Input::Call { id: self.last_call, call }
                }
            };
            self.machine.handle(self.shared.now(), input);
        }
        if commands.capacity() <= 64 {
            self.commands = commands;
        }
        self.tell(Input::Taken(taken));
        if life == Life::Closing && !self.closing {
            self.closing = true;
            self.tell(Input::Close);
        }
        false
    }

    fn hear_link(&mut self, outcome: std::io::Result<Progress>) {
        let now = self.shared.now();
        // Frames before the end of a connection count.
        let mut frames = std::mem::take(&mut self.frames);
        if outcome.as_ref().is_ok_and(|progress| *progress == Progress::Heard) {
            self.machine.handle(now, Input::Heard);
        }
        for frame in frames.drain(..) {
            self.machine.handle(now, Input::Frame(frame));
        }
        if frames.capacity() <= 16 {
            self.frames = frames;
        }
        match outcome {
            Ok(_) => self.tell(Input::OutputTaken),
            Err(error) => {
                self.link = None;
                self.tell(Input::Lost { reason: error.to_string() });
            }
        }
    }

    /// Tells the machine, then does what it says until it says no more.
    fn tell(&mut self, input: Input) {
        self.machine.handle(self.shared.now(), input);
        let mut handed_up = false;
        while let Some(effect) = self.machine.next_effect() {
            handed_up |= self.perform(effect);
        }
        if handed_up {
            self.shared.application.notify_one();
        }
    }

    /// Says whether there is something for the application.
    fn perform(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Dial(node) => {
                let (dial, token) = (self.dialer.dial(&node), self.token.clone());
                self.dial = Some(Box::pin(connect(node, dial, token)));
            }
            Effect::HangUp => (self.link, self.dial) = (None, None),
            Effect::Commit(batch) => {
                let commit = self.shared.state().store.commit(batch);
                match commit {
                    Commit::Done(outcome) => {
                        self.machine.handle(self.shared.now(), Input::Committed(outcome));
                    }
                    Commit::Pending(commit) => self.commit = Some(commit),
                }
            }
            Effect::HandUp { delivery, entry } => {
                self.shared.state().hand_up(Some(delivery), entry.into());
                return true;
            }
            Effect::HandUpOther { delivery, event } => {
                self.shared.state().hand_up(delivery, event);
                return true;
            }
            Effect::Stored { id, conversation } => {
                self.shared.state().hand_up(None, Event::Stored { id, conversation });
                return true;
            }
            Effect::Sent { id, bytes, conversation, seq, time_ms } => {
                if let Some(ticket) = self.tickets.remove(&id) {
                    // The application may have dropped the ticket.
                    let _ = ticket.send(Ok((seq, time_ms)));
                }
                self.shared.state().outcome(bytes, None, Event::Sent { id, conversation, seq, time_ms });
                return true;
            }
            Effect::SendFailed { delivery, id, bytes, conversation, refusal } => {
                if let Some(ticket) = self.tickets.remove(&id) {
                    let _ = ticket.send(Err(SendError::Refused(refusal.clone())));
                }
                let event = Event::SendFailed { id, conversation, refusal };
                self.shared.state().outcome(bytes, Some(delivery), event);
                if self.shared.state().is_deaf() {
                    self.machine.handle(self.shared.now(), Input::Unheard(delivery));
                }
                return true;
            }
            Effect::Answer { id, answer } => {
                self.shared.state().calls_waiting -= 1;
                if let Some(reply) = self.calls.remove(&id) {
                    let _ = reply.send(answer);
                }
            }
            Effect::Timer(timer) => {
                self.shared.state().timers.insert(timer.conversation, timer.expires_s);
            }
            Effect::Followed(groups) => {
                let mut state = self.shared.state();
                state.followed.clone_from(&groups);
                state.hand_up(None, Event::Followed(groups));
                return true;
            }
            Effect::Connected(identity, clock) => {
                let mut state = self.shared.state();
                state.server_clock = Some(clock);
                state.identity = Some(identity.clone());
                state.connection_news(Event::Connected(identity));
                return true;
            }
            Effect::Disconnected { retry_in, reason } => {
                self.shared.state().connection_news(Event::Disconnected { retry_in, reason });
                return true;
            }
            Effect::Stop(error) => {
                self.stopped = true;
                if let Some(error) = error {
                    self.shared.state().hand_up(None, Event::Terminal(error));
                    return true;
                }
            }
        }
        false
    }

    fn write_output(&mut self) {
        if let Some(link) = &mut self.link
            && link.is_clear()
        {
            let mut frames = Vec::new();
            if self.machine.take_output(&mut frames) {
                link.send(frames);
            }
        }
    }

    fn set_alarm(&mut self) {
        let at: Instant = self.shared.instant(self.machine.deadline().unwrap_or(NEVER));
        if self.alarm.deadline() != at {
            self.alarm.as_mut().reset(at);
        }
    }

    async fn end(mut self) {
        if self.stopped
            && let Some(mut link) = self.link.take()
        {
            let goodbye = async {
                while !link.is_clear() {
                    link.progress(&mut self.frames).await?;
                }
                let mut frames = Vec::new();
                if self.machine.take_output(&mut frames) {
                    link.send(frames);
                }
                link.close().await
            };
            // Nothing depends on it: what was not said is said at the next connection.
            let _ = timeout(GOODBYE, Box::pin(goodbye)).await;
        }
        if let Some(commit) = self.commit.take() {
            // The store must be at rest before its successor opens it. Its failure repeats deliveries, at worst.
            let _ = commit.await;
        }
        for (_, ticket) in self.tickets.drain() {
            let _ = ticket.send(Err(SendError::Closed));
        }
        for (_, call) in self.calls.drain() {
            let _ = call.send(Err(RequestError::Closed));
        }
        let (store, commands) = {
            let mut state = self.shared.state();
            state.life = Life::Ended;
            state.connected = false;
            let store = std::mem::replace(&mut state.store, Box::new(crate::MemoryStore::new()));
            (store, std::mem::take(&mut state.commands))
        };
        drop((store, commands));
        self.shared.application.notify_one();
        self.shared.ended.notify_waiters();
    }
}

async fn connect(node: NodeAddress, dial: crate::DialFuture, token: TokenProvider) -> Dialed {
    let token = token.token().await.map_err(|error| error.to_string())?;
    match dial.await {
        Ok(link) => Ok((link, token)),
        Err(error) => Err(format!("{node}: {error}")),
    }
}

/// The future's output, or nothing ever.
async fn maybe<T>(future: &mut Option<Boxed<T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn progress(link: &mut Option<Link>, frames: &mut Vec<RawFrame>) -> std::io::Result<Progress> {
    match link {
        Some(link) => link.progress(frames).await,
        None => std::future::pending().await,
    }
}
