//! Each message once, in order within its conversation: what to hand up, what to hold, what to ask for.
//!
//! The first message ever seen of a conversation sets its base, and so does a change that makes this user a member of a
//! group: what was said before is not for them. After that one whose predecessor is missing is held until HISTORY has
//! brought the missing ones, or said that they no longer exist. Changes of groups count as messages here. Entries of a
//! followed channel come from elsewhere, but are in the same order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rookery_protocol::{self as wire, ConversationId, HistoryPage, Seq};

use super::acks::AckIndex;
use crate::Entry;

/// Messages from the event stream that came before their predecessors.
#[derive(Debug)]
struct Gap {
    held: BTreeMap<Seq, Held>,
}

#[derive(Debug)]
struct Held {
    ack: AckIndex,
    /// `None` when the event came without a body that this client still has.
    entry: Option<Entry>,
    /// Nothing before it is missed.
    begins: bool,
}

#[derive(Debug)]
struct Track {
    /// The last message handed up, taken or not.
    handed: Seq,
    /// The delivery in which it was; 0 when before this run.
    delivery: u64,
    gap: Option<Box<Gap>>,
}

/// An entry to hand up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The delivery's number.
    pub(crate) delivery: u64,
    pub(crate) entry: Entry,
}

/// An event that is settled once a delivery is taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settlement {
    pub(crate) ack: AckIndex,
    pub(crate) delivery: u64,
}

/// What came of an event or a page.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ready: Vec<Ready>,
    pub(crate) settled: Vec<Settlement>,
    /// Messages are missing that HISTORY may have.
    pub(crate) missing: bool,
}

/// More messages wait for their predecessors than the buffer holds.
#[derive(Debug)]
pub(crate) struct Overflow;

/// All conversations.
#[derive(Debug)]
pub(crate) struct Ordering {
    tracks: HashMap<ConversationId, Track>,
    with_gap: BTreeSet<ConversationId>,
    held: usize,
    held_max: usize,
    delivery: u64,
}

impl Ordering {
    pub(crate) fn new(positions: &[(ConversationId, Seq)], held_max: usize) -> Self {
        let track = |handed| Track { handed, delivery: 0, gap: None };
        Self {
            tracks: positions.iter().map(|(conversation, seq)| (*conversation, track(*seq))).collect(),
            with_gap: BTreeSet::new(),
            held: 0,
            held_max,
            delivery: 0,
        }
    }

    /// The number of a new delivery that is no message.
    pub(crate) fn next_delivery(&mut self) -> u64 {
        self.delivery += 1;
        self.delivery
    }

    /// The last delivery's number.
    pub(crate) fn last_delivery(&self) -> u64 {
        self.delivery
    }

    /// A connection ended: the server pushes again what was held.
    pub(crate) fn drop_held(&mut self) {
        for conversation in std::mem::take(&mut self.with_gap) {
            if let Some(track) = self.tracks.get_mut(&conversation) {
                track.gap = None;
            }
        }
        self.held = 0;
    }

    /// A message came in an event, with its body where the event has it or this client still does; `begins` when it made
    /// this user a member.
    pub(crate) fn offer(
        &mut self,
        message: wire::Message,
        begins: bool,
        ack: AckIndex,
    ) -> Result<Outcome, Overflow> {
        let mut outcome = Outcome::default();
        let (conversation, seq) = (message.conversation, message.seq);
        let base = Seq::new(seq.get().saturating_sub(1));
        let track = self.tracks.entry(conversation).or_insert(Track { handed: base, delivery: 0, gap: None });
        if seq <= track.handed {
            outcome.settled.push(Settlement { ack, delivery: track.delivery });
            return Ok(outcome);
        }
        let is_next = seq == track.handed.next() || (begins && track.gap.is_none());
        match Entry::of(message) {
            Some(entry) if is_next => {
                self.delivery += 1;
                (track.handed, track.delivery) = (seq, self.delivery);
                outcome.ready.push(Ready { delivery: self.delivery, entry });
                outcome.settled.push(Settlement { ack, delivery: self.delivery });
                if track.gap.is_some() {
                    self.close_gap(conversation, &mut outcome);
                }
            }
            entry => {
                if self.held >= self.held_max {
                    return Err(Overflow);
                }
                let gap = track.gap.get_or_insert_with(|| Box::new(Gap { held: BTreeMap::new() }));
                self.with_gap.insert(conversation);
                // The older of two events for one message needs nothing of its own: acknowledgements are cumulative.
                match gap.held.insert(seq, Held { ack, entry, begins }) {
                    Some(older) => outcome.settled.push(Settlement { ack: older.ack, delivery: 0 }),
                    None => self.held += 1,
                }
                outcome.missing = true;
            }
        }
        Ok(outcome)
    }

    /// The last entry handed up, or that there was nothing to hand up before.
    pub(crate) fn handed(&self, conversation: ConversationId) -> Option<Seq> {
        self.tracks.get(&conversation).map(|track| track.handed)
    }

    /// Entries come from elsewhere than the event stream, ascending; those that have been handed up are left out. Up to
    /// `to` there are no others, or none that could be had.
    pub(crate) fn bring(
        &mut self,
        conversation: ConversationId,
        entries: Vec<wire::Message>,
        to: Seq,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let new = Track { handed: Seq::ZERO, delivery: 0, gap: None };
        let track = self.tracks.entry(conversation).or_insert(new);
        for entry in entries {
            if entry.conversation != conversation || entry.seq <= track.handed {
                continue;
            }
            self.delivery += 1;
            (track.handed, track.delivery) = (entry.seq, self.delivery);
            outcome.ready.push(Ready { delivery: self.delivery, entry: Entry::of_history(entry) });
        }
        track.handed = track.handed.max(to);
        self.close_gap(conversation, &mut outcome);
        outcome
    }

    /// What to ask HISTORY for: the first and the last message missing before the first one held.
    pub(crate) fn missing(&self, conversation: ConversationId) -> Option<(Seq, Seq)> {
        let track = self.tracks.get(&conversation)?;
        let (seq, held) = track.gap.as_ref()?.held.first_key_value()?;
        let to = if held.entry.is_some() { Seq::new(seq.get() - 1) } else { *seq };
        Some((track.handed.next(), to))
    }

    /// HISTORY answered a request for `missing`.
    pub(crate) fn fill(&mut self, conversation: ConversationId, mut page: HistoryPage) -> Outcome {
        let Some((_, to)) = self.missing(conversation) else { return Outcome::default() };
        page.messages.retain(|message| message.seq <= to);
        self.bring(conversation, page.messages, said_up_to(page.next).min(to))
    }

    /// HISTORY will never have what is missing.
    pub(crate) fn give_up(&mut self, conversation: ConversationId) -> Outcome {
        let Some((_, to)) = self.missing(conversation) else { return Outcome::default() };
        self.bring(conversation, Vec::new(), to)
    }

    /// Hands up what is held and no longer waits for anything.
    fn close_gap(&mut self, conversation: ConversationId, outcome: &mut Outcome) {
        let Some(track) = self.tracks.get_mut(&conversation) else { return };
        let Some(gap) = &mut track.gap else { return };
        while let Some(first) = gap.held.first_entry() {
            let seq = *first.key();
            let waits = seq > track.handed.next() && !first.get().begins;
            if waits || (seq > track.handed && first.get().entry.is_none()) {
                outcome.missing = true;
                return;
            }
            let Held { ack, entry, .. } = first.remove();
            self.held -= 1;
            if let Some(entry) = entry.filter(|_| seq > track.handed) {
                self.delivery += 1;
                (track.handed, track.delivery) = (seq, self.delivery);
                outcome.ready.push(Ready { delivery: self.delivery, entry });
            }
            outcome.settled.push(Settlement { ack, delivery: track.delivery });
        }
        track.gap = None;
        self.with_gap.remove(&conversation);
    }
}

/// The last entry about which a page of HISTORY says something, given its `next`.
pub(crate) fn said_up_to(next: Seq) -> Seq {
    Seq::new(next.get().saturating_sub(1))
}
