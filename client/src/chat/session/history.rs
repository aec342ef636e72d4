//! Going back in a conversation.

use std::collections::HashMap;

use rookery_protocol::{ConversationId, HistoryPage, Seq};

use super::{Session, Update, plainly};
use crate::chat::calendar;
use crate::chat::rooms::{Line, Room, What, moment};
use crate::chat::words::By;
use crate::{Change, Client, Entry, RequestError};

/// Messages asked for when a conversation is opened, and each time the person goes back beyond those that are there.
pub(super) const HISTORY_ON_OPENING: u64 = 50;
const HISTORY_AT_MOST: u64 = 250;
/// Messages shown of a day.
const PAST_SHOWN_MAX: usize = 20;
/// Messages by which Page Up goes back.
const SCROLLED: usize = 8;

impl Session {
    pub(super) fn show_history(&mut self, argument: &str) {
        let Some(conversation) = self.open_or_notice() else { return };
        let count = if argument.is_empty() { Ok(HISTORY_ON_OPENING) } else { argument.parse() };
        if let Ok(count) = count {
            return self.fetch_history(conversation, count.clamp(1, HISTORY_AT_MOST), self.is_plain);
        }
        let Some(time_ms) = calendar::parse(argument) else {
            let usage = "/history takes a number, or a time like 2026-11-22 or 2026-11-22 10:30, UTC";
            return self.notices.push(usage.to_owned());
        };
        self.ask(move |client| async move {
            match client.history_since(conversation, time_ms).await {
                Ok(page) => {
                    let entries = page.messages.into_iter().take(PAST_SHOWN_MAX).map(Entry::of_history);
                    Update::Past { since_ms: time_ms, entries: entries.collect() }
                }
                Err(error) => Update::Problem(plainly(&error)),
            }
        });
    }

    /// What was said from some time on, told below the conversation: it may be far from what is shown.
    pub(super) fn past(&mut self, since_ms: u64, entries: Vec<Entry>) {
        let mut room = Room::default();
        let seqs: Vec<_> = entries.iter().map(|entry| entry.place().1).collect();
        for entry in entries {
            match entry {
                Entry::Message(message) => {
                    self.ask_name(message.sender);
                    room.take(message, false, false);
                }
                Entry::Change(change) => {
                    let by = By::of(&change);
                    let Change { seq, sender, time_ms, change, .. } = change;
                    room.change(
                        seq,
                        false,
                        Line { sender, time_ms, what: What::Changed(by, change), answers: None },
                    );
                }
            }
        }
        if seqs.is_empty() {
            return self.notices.push(format!("nothing was said since {}", moment(since_ms)));
        }
        let first = seqs.first().and_then(|seq| room.lines.get(seq)).map_or(since_ms, |line| line.time_ms);
        let lines = self.lines_of(&room, seqs.into_iter());
        self.notices.push(format!("from {} on:", moment(first)));
        self.notices.extend(lines);
    }

    /// `told`: as lines, where these are all there is.
    pub(super) fn fetch_history(&mut self, conversation: ConversationId, count: u64, told: bool) {
        let (client, updates) = (self.client.clone(), self.updates.clone());
        self.busy |= told;
        tokio::spawn(async move {
            let update = match last_messages(&client, conversation, count).await {
                Ok(entries) => Update::History { conversation, entries, told },
                // A conversation in which nothing was said yet is not known to the server.
                Err(RequestError::Refused(_)) => Update::History { conversation, entries: Vec::new(), told },
                Err(error) => Update::Problem(format!("history: {}", plainly(&error))),
            };
            let _ = updates.send(update).await;
        });
    }

    pub(super) fn history(&mut self, conversation: ConversationId, entries: Vec<Entry>, told: bool) {
        let seqs: Vec<_> = entries.iter().map(|entry| entry.place().1).collect();
        for entry in entries {
            match entry {
                Entry::Message(message) => {
                    self.ask_name(message.sender);
                    self.rooms.add(message, false);
                }
                Entry::Change(change) => self.changed(change),
            }
        }
        if told {
            self.busy = false;
            if let Some(room) = self.rooms.rooms.get(&conversation) {
                let lines = self.lines_of(room, seqs.into_iter());
                self.notices.extend(lines);
            }
        }
    }

    /// Goes back by some messages, and asks for more before the screen has none.
    pub(crate) fn scroll_back(&mut self) {
        let Some(conversation) = self.rooms.open else { return };
        let Some(room) = self.rooms.rooms.get(&conversation) else { return };
        let until = self.scrolled.unwrap_or(Seq::new(u64::MAX));
        let mut above = room.lines.range(..=until).rev().map(|(seq, _)| *seq).skip(SCROLLED);
        let Some(target) = above.next() else {
            return self.fetch_older(conversation);
        };
        let left = above.count();
        self.scrolled = Some(target);
        if left < 4 * SCROLLED {
            self.fetch_older(conversation);
        }
    }

    pub(crate) fn scroll_on(&mut self) {
        let Some(room) = self.rooms.open.and_then(|open| self.rooms.rooms.get(&open)) else { return };
        let Some(until) = self.scrolled else { return };
        let next = room.lines.range(until..).map(|(seq, _)| *seq).nth(SCROLLED);
        self.scrolled = next.filter(|next| room.lines.last_key_value().is_some_and(|(last, _)| last > next));
    }

    /// How many messages are below those that are shown.
    pub(crate) fn messages_below(&self) -> usize {
        let room = self.rooms.open.and_then(|open| self.rooms.rooms.get(&open));
        match (self.scrolled, room) {
            (Some(until), Some(room)) => room.lines.range(until.next()..).count(),
            _ => 0,
        }
    }

    fn fetch_older(&mut self, conversation: ConversationId) {
        let oldest = self.rooms.rooms.get(&conversation).and_then(|room| room.lines.first_key_value());
        let Some(oldest) = oldest.map(|(seq, _)| *seq) else { return };
        let to = self.asked_before.get(&conversation).copied().unwrap_or(oldest).min(oldest).get() - 1;
        if to == 0 {
            return;
        }
        let from = to.saturating_sub(HISTORY_ON_OPENING - 1).max(1);
        self.asked_before.insert(conversation, Seq::new(from));
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            let page = client.history(conversation, Seq::new(from), Seq::new(to)).await;
            let update = match page {
                Ok(page) => {
                    let entries = page.messages.into_iter().map(Entry::of_history).collect();
                    Update::History { conversation, entries, told: false }
                }
                Err(error) => Update::Told(vec![format!("history: {}", plainly(&error))], HashMap::new()),
            };
            let _ = updates.send(update).await;
        });
    }
}

async fn last_messages(
    client: &Client,
    conversation: ConversationId,
    count: u64,
) -> Result<Vec<Entry>, RequestError> {
    let head = client.history(conversation, Seq::new(1), Seq::new(1)).await?.head.get();
    let mut from = (head + 1).saturating_sub(count).max(1);
    let mut entries = Vec::new();
    while from <= head {
        let page: HistoryPage = client.history(conversation, Seq::new(from), Seq::new(head)).await?;
        entries.extend(page.messages.into_iter().map(Entry::of_history));
        if page.next.get() <= from {
            break;
        }
        from = page.next.get();
    }
    Ok(entries)
}
