//! What a session decides: whom to push what, when to read the inbox, which acknowledgements to commit.
//!
//! Each device has a window of events pushed and not acknowledged. One sweep of the inbox runs at a time and serves
//! every device that stands where it began; one acknowledgement is committed at a time, and what comes meanwhile joins
//! the next. Positions: `committed <= acked <= pushed`, in stamps.

use std::collections::{BTreeMap, VecDeque};

use rookery_protocol::{ConversationId, DeviceId, Seq, Stamp, limits};

use crate::connection::ConnectionId;

/// Events acknowledged that nobody waits for to be committed are committed this many at a time, or when there is other
/// reason to: those that need no receipt, and messages of groups, whose receipts are told to nobody unasked.
const LAZY_ACKS_MAX: u32 = 64;

/// After this many acknowledged events the inbox is trimmed of what every device has.
const TRIM_EVERY: u32 = 64;

/// Receipts that may wait for the store before no more events are pushed.
const UNCOMMITTED_MAX: usize = 1024;

/// Events read from the inbox at once.
pub(crate) const SWEEP_EVENTS_MAX: usize = 128;

/// A device to be served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joining {
    pub(crate) connection: ConnectionId,
    pub(crate) device: DeviceId,
    pub(crate) window_events: u32,
    /// What the store says it has acknowledged.
    pub(crate) cursor: Stamp,
    /// What the device itself says it has: counts as acknowledged as far as the inbox bears it out.
    pub(crate) resume: Stamp,
    /// A predecessor of this machine failed, and nobody knows what it had pushed.
    pub(crate) recovering: bool,
}

/// An event read from the inbox, ready to be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event<F> {
    pub(crate) stamp: Stamp,
    /// What to push; `None` for an event that is not for clients.
    pub(crate) frame: Option<F>,
    /// What to push instead on the connection that sent it.
    pub(crate) for_sender: Option<(ConnectionId, F)>,
    /// The frame's length, or the window's share of it.
    pub(crate) bytes: usize,
    /// A message from another user: acknowledging it is a receipt.
    pub(crate) receipt: Option<(ConversationId, Seq)>,
}

impl<F: Clone> Event<F> {
    fn push_to(&self, connection: ConnectionId) -> Option<Effect<F>> {
        let frame = match &self.for_sender {
            Some((sender, frame)) if *sender == connection => Some(frame),
            _ => self.frame.as_ref(),
        };
        frame.map(|frame| Effect::Push(connection, frame.clone()))
    }
}

/// Where to read the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sweep {
    pub(crate) after: Stamp,
    pub(crate) limit: usize,
}

/// An acknowledgement to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) device: DeviceId,
    pub(crate) stamp: Stamp,
    pub(crate) delivered: Vec<(ConversationId, Seq)>,
    pub(crate) trim: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect<F> {
    /// Write this to a connection.
    Push(ConnectionId, F),
    /// Read the inbox, then call [`Machine::swept`] or [`Machine::sweep_failed`].
    Sweep(Sweep),
    /// Commit this, then call [`Machine::committed`] or [`Machine::commit_failed`].
    Commit(Commit),
    /// The acknowledgement was of something not pushed here.
    BadAck(ConnectionId),
}

#[derive(Debug)]
struct Attached {
    connection: ConnectionId,
    device: DeviceId,
    window_events: usize,
    /// What the device says it has, until the inbox has been read that far.
    resume: Stamp,
    /// What may have been pushed before this machine knew: acknowledgements up to here are believed.
    offered: Stamp,
    committed: Stamp,
    acked: Stamp,
    pushed: Stamp,
    unacked: VecDeque<Unacked>,
    unacked_bytes: usize,
    /// The inbox may hold more than has been pushed.
    behind: bool,
    /// The window was full, and is not open again.
    is_shut: bool,
    lazy_acks: u32,
    untrimmed: u32,
}

#[derive(Debug)]
struct Unacked {
    stamp: Stamp,
    bytes: usize,
    receipt: Option<(ConversationId, Seq)>,
}

impl Attached {
    /// How many events may be pushed now.
    fn room(&self) -> usize {
        if self.is_shut || self.is_full() { 0 } else { self.window_events - self.unacked.len() }
    }

    /// Opens a window that was full once there is room enough to be worth reading the inbox for: a device that is behind
    /// and acknowledges one event at a time must not cost a read for each.
    fn open_if_worthwhile(&mut self) {
        let worthwhile = (self.window_events / 4).clamp(1, 16);
        self.is_shut &= self.window_events.saturating_sub(self.unacked.len()) < worthwhile;
    }

    fn is_full(&self) -> bool {
        self.unacked.len() >= self.window_events || self.unacked_bytes >= limits::WINDOW_BYTES_MAX
    }
}

/// A user's devices, and what each has been offered.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    devices: Vec<Attached>,
    sweeping: Option<Sweep>,
    /// Up to where bells that came while a sweep ran say that the inbox has grown.
    rung: Option<Stamp>,
    committing: Option<(DeviceId, Stamp)>,
    /// The last commit failed: the next one waits for a flush, so that a failing store is not asked in a loop.
    commits_fail: bool,
    /// Delivered and not yet committed. Kept apart from the devices: one that leaves takes no receipt with it.
    delivered: BTreeMap<(DeviceId, ConversationId), Seq>,
    /// Of devices that have left, what they have acknowledged and is not committed.
    left: Vec<(DeviceId, Stamp)>,
}

impl Machine {
    /// A device has connected, and takes the place of its earlier connection.
    pub(crate) fn join<F>(&mut self, joining: Joining) -> Vec<Effect<F>> {
        if let Some(at) = self.devices.iter().position(|attached| attached.device == joining.device) {
            self.remove(at);
        }
        // What it acknowledged on an earlier connection may not be on record yet.
        let unrecorded = self.left.iter().chain(&self.committing).filter(|(left, _)| *left == joining.device);
        let acked = unrecorded.map(|(_, stamp)| *stamp).fold(joining.cursor, Stamp::max);
        self.devices.push(Attached {
            connection: joining.connection,
            device: joining.device,
            window_events: joining.window_events.max(1) as usize,
            resume: joining.resume,
            offered: if joining.recovering { Stamp::MAX } else { acked },
            committed: joining.cursor,
            acked,
            pushed: acked,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            behind: true,
            is_shut: false,
            lazy_acks: 0,
            untrimmed: 0,
        });
        self.next().into_iter().collect()
    }

    /// A connection has gone.
    pub(crate) fn leave<F>(&mut self, connection: ConnectionId) -> Vec<Effect<F>> {
        if let Some(at) = self.at(connection) {
            self.remove(at);
        }
        self.flush()
    }

    fn remove(&mut self, at: usize) {
        let gone = self.devices.swap_remove(at);
        if gone.acked > gone.committed {
            self.put_off(gone.device, gone.acked);
        }
    }

    /// Notes what a device that has left has acknowledged.
    fn put_off(&mut self, device: DeviceId, acked: Stamp) {
        match self.left.iter_mut().find(|(left, _)| *left == device) {
            Some((_, stamp)) => *stamp = acked.max(*stamp),
            None => self.left.push((device, acked)),
        }
    }

    /// The inbox has grown by the event at `stamp`, or by something that is not said: [`Stamp::MAX`]. One event may ring
    /// more than once, and many that come together ring each: what has been pushed is not looked for again. Of two events
    /// in an inbox the one with the lower stamp is seen no later than the other, so nothing before it is missing either.
    pub(crate) fn ring<F>(&mut self, stamp: Stamp) -> Vec<Effect<F>> {
        if self.sweeping.is_some() {
            self.rung = self.rung.max(Some(stamp));
        }
        for device in &mut self.devices {
            device.behind |= device.pushed < stamp;
        }
        self.next().into_iter().collect()
    }

    /// Something between here and the device may have lost an acknowledgement: offer again what is not acknowledged.
    pub(crate) fn resync<F>(&mut self, connection: ConnectionId) -> Vec<Effect<F>> {
        if let Some(at) = self.at(connection) {
            let device = &mut self.devices[at];
            device.offered = device.offered.max(device.pushed);
            device.pushed = device.acked;
            device.unacked.clear();
            device.unacked_bytes = 0;
            device.is_shut = false;
            device.behind = true;
        }
        self.next().into_iter().collect()
    }

    /// The inbox has been read: `events` in order, all there is if `exhausted`.
    pub(crate) fn swept<F: Clone>(&mut self, events: &[Event<F>], exhausted: bool) -> Vec<Effect<F>> {
        let sweep = self.sweeping.take().expect("one sweep runs at a time, and ends once");
        let rung = self.rung.take();
        let mut effects = Vec::new();
        for device in &mut self.devices {
            // Who joined, or fell back, meanwhile needs a sweep that begins further back.
            if device.pushed < sweep.after {
                continue;
            }
            let mut took_all = true;
            let after = device.pushed;
            for event in events.iter().filter(|event| event.stamp > after) {
                let is_known = event.stamp <= device.resume || event.frame.is_none();
                if !is_known && device.is_full() {
                    took_all = false;
                    break;
                }
                device.pushed = event.stamp;
                if is_known && device.unacked.is_empty() {
                    device.acked = event.stamp;
                    device.lazy_acks += 1;
                    device.untrimmed += 1;
                    deliver(&mut self.delivered, device.device, event.receipt);
                    continue;
                }
                let bytes = if is_known { 0 } else { event.bytes };
                device.unacked.push_back(Unacked { stamp: event.stamp, bytes, receipt: event.receipt });
                device.unacked_bytes += bytes;
                if !is_known {
                    effects.extend(event.push_to(device.connection));
                }
            }
            if took_all && exhausted {
                device.resume = Stamp::ZERO;
                device.offered = device.pushed;
            }
            let is_rung = rung.is_some_and(|rung| device.pushed < rung);
            device.behind = is_rung || !took_all || !exhausted;
        }
        effects.extend(self.commit(false));
        effects.extend(self.next());
        effects
    }

    /// The inbox could not be read. It is tried again at the next ring, acknowledgement or heartbeat.
    pub(crate) fn sweep_failed(&mut self) {
        self.sweeping = None;
        self.rung = None;
    }

    /// A device has acknowledged everything up to `stamp`.
    pub(crate) fn ack<F>(&mut self, connection: ConnectionId, stamp: Stamp) -> Vec<Effect<F>> {
        let Some(at) = self.at(connection) else { return Vec::new() };
        let device = &mut self.devices[at];
        if stamp > device.pushed {
            if stamp > device.offered {
                return vec![Effect::BadAck(connection)];
            }
            // Pushed before this machine knew: known to the device, as far as the inbox bears it out.
            device.resume = device.resume.max(stamp);
            device.behind = true;
        }
        device.is_shut |= device.is_full();
        while let Some(event) = device.unacked.pop_front_if(|event| event.stamp <= stamp) {
            device.unacked_bytes -= event.bytes;
            device.lazy_acks += 1;
            device.untrimmed += 1;
            deliver(&mut self.delivered, device.device, event.receipt);
        }
        device.acked = device.acked.max(stamp.min(device.pushed));
        device.open_if_worthwhile();
        let mut effects: Vec<_> = self.commit(false).into_iter().collect();
        effects.extend(self.next());
        effects
    }

    /// The acknowledgement has been committed.
    pub(crate) fn committed<F>(&mut self, commit: &Commit) -> Vec<Effect<F>> {
        self.committing = None;
        for device in self.devices.iter_mut().filter(|attached| attached.device == commit.device) {
            device.committed = device.committed.max(commit.stamp);
        }
        self.left.retain(|(device, stamp)| *device != commit.device || *stamp > commit.stamp);
        let mut effects: Vec<_> = self.commit(false).into_iter().collect();
        effects.extend(self.next());
        effects
    }

    /// The acknowledgement could not be committed. It joins the next one, which a flush makes.
    pub(crate) fn commit_failed(&mut self, commit: Commit) {
        self.committing = None;
        self.commits_fail = true;
        for (conversation, seq) in commit.delivered {
            deliver(&mut self.delivered, commit.device, Some((conversation, seq)));
        }
        if !self.devices.iter().any(|attached| attached.device == commit.device) {
            self.put_off(commit.device, commit.stamp);
        }
    }

    /// Commits what has been put off, and reads the inbox if a device is behind.
    pub(crate) fn flush<F>(&mut self) -> Vec<Effect<F>> {
        let mut effects: Vec<_> = self.commit(true).into_iter().collect();
        effects.extend(self.next());
        effects
    }

    /// Whether forgetting this machine would change nothing: where its devices stand is on record.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = |device: &Attached| {
            device.unacked.is_empty() && !device.behind && device.committed >= device.acked
        };
        self.sweeping.is_none()
            && self.committing.is_none()
            && self.delivered.is_empty()
            && self.left.is_empty()
            && self.devices.iter().all(idle)
    }

    /// The stamp up to which every attached device has been pushed.
    pub(crate) fn pushed_to_all(&self) -> Stamp {
        self.devices.iter().map(|device| device.pushed).min().unwrap_or(Stamp::MAX)
    }

    fn at(&self, connection: ConnectionId) -> Option<usize> {
        self.devices.iter().position(|device| device.connection == connection)
    }

    /// The sweep that is due, if one is and none runs.
    fn next<F>(&mut self) -> Option<Effect<F>> {
        if self.sweeping.is_some() || self.delivered.len() >= UNCOMMITTED_MAX {
            return None;
        }
        let eligible = || self.devices.iter().filter(|device| device.behind && device.room() > 0);
        let after = eligible().map(|device| device.pushed).min()?;
        let known = eligible().any(|device| device.resume > device.pushed);
        let room = eligible().map(Attached::room).max().unwrap_or(0);
        let limit = if known { SWEEP_EVENTS_MAX } else { room.min(SWEEP_EVENTS_MAX) };
        let sweep = Sweep { after, limit };
        self.sweeping = Some(sweep);
        Some(Effect::Sweep(sweep))
    }

    /// The commit that is due, if one is and none runs.
    fn commit<F>(&mut self, lazy_too: bool) -> Option<Effect<F>> {
        if self.committing.is_some() || (self.commits_fail && !lazy_too) {
            return None;
        }
        let (device, stamp, trim) = self.due(lazy_too)?;
        self.commits_fail = false;
        let commit = self.take_commit(device, stamp, trim);
        self.committing = Some((device, stamp));
        Some(Effect::Commit(commit))
    }

    fn take_commit(&mut self, device: DeviceId, stamp: Stamp, trim: bool) -> Commit {
        let mut delivered = Vec::new();
        self.delivered.retain(|(of, conversation), seq| {
            if *of == device {
                delivered.push((*conversation, *seq));
            }
            *of != device
        });
        Commit { device, stamp, delivered, trim }
    }

    /// Everything that is acknowledged and not being committed, for a machine at its end.
    pub(crate) fn uncommitted(&mut self) -> Vec<Commit> {
        for at in (0..self.devices.len()).rev() {
            self.remove(at);
        }
        let mut commits = Vec::new();
        while let Some((device, stamp, trim)) = self.due(true) {
            commits.push(self.take_commit(device, stamp, trim));
        }
        commits
    }

    /// Whose acknowledgement is to be committed next, up to where, and whether to trim.
    fn due(&mut self, lazy_too: bool) -> Option<(DeviceId, Stamp, bool)> {
        if let Some((device, stamp)) = self.left.pop() {
            return Some((device, stamp, true));
        }
        let delivered = &self.delivered;
        let due = self.devices.iter_mut().find(|device| {
            let has_receipts = delivered.keys().any(|key| key.0 == device.device && is_awaited(key));
            let is_lazy = device.acked > device.committed && (lazy_too || device.lazy_acks >= LAZY_ACKS_MAX);
            has_receipts || is_lazy
        });
        if let Some(device) = due {
            device.lazy_acks = 0;
            let trim = device.untrimmed >= TRIM_EVERY || lazy_too;
            if trim {
                device.untrimmed = 0;
            }
            return Some((device.device, device.acked, trim));
        }
        // Receipts of a device that has left and whose cursor needs no commit.
        let (device, _) = self.delivered.keys().find(|key| lazy_too || is_awaited(key))?;
        Some((*device, Stamp::ZERO, false))
    }
}

/// Whether a receipt is told to the sender as soon as it is committed.
fn is_awaited((_, conversation): &(DeviceId, ConversationId)) -> bool {
    conversation.group_id().is_none()
}

fn deliver(
    delivered: &mut BTreeMap<(DeviceId, ConversationId), Seq>,
    device: DeviceId,
    receipt: Option<(ConversationId, Seq)>,
) {
    if let Some((conversation, seq)) = receipt {
        let most = delivered.entry((device, conversation)).or_default();
        *most = (*most).max(seq);
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
