//! What clients ask the server was said: now and then in a storm, and all of it at rest.

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use rookery_client::{ConversationId, Entry, HistoryPage, Seq};

use super::entry::handed;
use super::{Fleet, FleetClient};
use crate::history::{Client, Handed};

/// Requests of a fleet at once.
const AT_ONCE: usize = 16;

/// Failures that are named.
const EXAMPLES: usize = 12;

fn entries(page: HistoryPage) -> impl Iterator<Item = Handed> {
    page.messages.into_iter().map(|message| handed(Entry::of_history(message)))
}

impl FleetClient {
    /// Asks for the end of a conversation, a page of it. Without an answer, as in a storm, nothing is noted.
    pub async fn look_back(&self, conversation: ConversationId) {
        let asked = self.recorder.count();
        let page = self.ask_library(async |library| {
            library.history_backwards(conversation, Seq::new(1), Seq::new(u64::MAX)).await
        });
        if let Some(Ok(page)) = page.await {
            self.recorder.note_recalled(self.me, conversation, asked, None, entries(page).collect());
        }
    }

    /// Asks for all of a conversation, when nothing goes on any more.
    ///
    /// # Errors
    /// When the client does not run, or the server does not answer.
    pub async fn recall(&self, conversation: ConversationId) -> Result<()> {
        let library = self.library().await?;
        let (asked, began_ms) = (self.recorder.count(), self.now_ms());
        let (mut all, mut from) = (Vec::new(), Seq::new(1));
        loop {
            let page = library.history(conversation, from, Seq::new(u64::MAX)).await?;
            let (next, head) = (page.next, page.head);
            all.extend(entries(page));
            if next > head {
                break;
            }
            anyhow::ensure!(next > from, "a page from {from} on goes on at {next}");
            from = next;
        }
        let at_rest = Some((began_ms, self.now_ms()));
        self.recorder.note_recalled(self.me, conversation, asked, at_rest, all);
        Ok(())
    }
}

impl Fleet {
    /// Every client asks for all of every conversation of which it has been handed anything. To be done at rest: what is
    /// written meanwhile is found to be missing. Returns what went wrong at that.
    pub async fn recall_everything(&self) -> Vec<String> {
        let mut all: Vec<(Client, ConversationId)> =
            self.recorder().progress(|_, progress| progress.positions.keys().copied().collect());
        all.sort_unstable();
        let asked = stream::iter(all).map(async |(client, conversation)| {
            let recalled = self.clients()[client.0].recall(conversation).await;
            recalled.with_context(|| format!("{client} asks what was said in {conversation}")).err()
        });
        let failed = asked.buffer_unordered(AT_ONCE).filter_map(std::future::ready).take(EXAMPLES);
        failed.map(|error| format!("{error:#}")).collect().await
    }
}
