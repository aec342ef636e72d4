//! When a fleet has come to rest: everything is sent, everybody has everything, and every tick has come.

use std::collections::BTreeMap;
use std::time::Duration;

use rookery_client::{ConversationId, Seq};

use super::Fleet;
use crate::deadline::{Late, wait_every};
use crate::group_log::GroupLog;
use crate::history::{Client, Recorder};

/// What is still missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// In words, a few examples.
    pub missing: Vec<String>,
}

impl std::fmt::Display for Unsettled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the fleet did not come to rest in time: {}", self.missing.join("; "))
    }
}

impl std::error::Error for Unsettled {}

/// Examples that are named.
const EXAMPLES: usize = 12;

impl Fleet {
    /// Waits until every running client is connected.
    ///
    /// # Errors
    /// When one is not in time.
    pub async fn connected(&self, within: Duration) -> Result<(), Late> {
        wait_every(self.look_every, "every client is connected", within, async || {
            for client in self.clients() {
                if client.status().await.is_some_and(|status| !status.connected) {
                    return None;
                }
            }
            Some(())
        })
        .await
    }

    /// Waits until nothing is under way any more: every client is connected and has sent all it had, has been handed
    /// all there is in its conversations, by the server's own word, and has been told that the other side has it. Of
    /// groups everybody has all that is for them, and the server says of each what its log does.
    ///
    /// # Errors
    /// When something is missing at the end of the time.
    pub async fn settle(&self, within: Duration) -> Result<(), Unsettled> {
        let mut heads = None;
        let mut missing = Vec::new();
        let settled = wait_every(self.look_every, "the fleet has come to rest", within, async || {
            missing = self.unsent().await;
            if !missing.is_empty() {
                return None;
            }
            // Nothing is sent any more, so what the server says now stays true, but for changes of groups whose outcome is
            // unknown.
            if heads.is_none() {
                match self.heads().await {
                    Ok(found) => heads = Some(found),
                    Err(problem) => {
                        missing = vec![problem];
                        return None;
                    }
                }
            }
            missing = lacking(self.recorder(), heads.as_ref()?);
            if missing.is_empty() {
                missing = self.misinformed().await;
                match self.heads().await {
                    Ok(found) if heads.as_ref() != Some(&found) => {
                        missing.push("something was still under way".to_owned());
                        heads = Some(found);
                    }
                    Ok(_) => {}
                    Err(problem) => missing.push(problem),
                }
            }
            missing.is_empty().then_some(())
        })
        .await;
        settled.map_err(|_| {
            missing.truncate(EXAMPLES);
            Unsettled { missing: std::mem::take(&mut missing) }
        })
    }

    async fn unsent(&self) -> Vec<String> {
        let mut unsent = Vec::new();
        for (index, client) in self.clients().iter().enumerate() {
            match client.status().await {
                None => unsent.push(format!("client {index} does not run")),
                Some(status) if !status.connected => unsent.push(format!("client {index} is not connected")),
                Some(status) if status.outbox_messages > 0 => {
                    unsent.push(format!("client {index} has {} messages to send", status.outbox_messages));
                }
                Some(_) => {}
            }
        }
        unsent
    }

    /// The last message of each conversation, asked of the server; of groups that still have members, of one of them.
    async fn heads(&self) -> Result<BTreeMap<ConversationId, Seq>, String> {
        let asked: Vec<(ConversationId, Client)> = self.recorder().progress(|history, progress| {
            let mut conversations = BTreeMap::new();
            for entry in &history.entries {
                if let crate::history::What::Enqueued { conversation, .. } = &entry.what
                    && conversation.group_id().is_none()
                {
                    conversations.entry(*conversation).or_insert(entry.client);
                }
            }
            for (conversation, changes) in &progress.changes {
                // Not every member has a client.
                let log = GroupLog::of(changes);
                let client = log.members().find_map(|user| history.of_user(user).next());
                if let Some(client) = client {
                    conversations.insert(*conversation, client);
                }
            }
            conversations.into_iter().collect()
        });
        let mut heads = BTreeMap::new();
        for (conversation, client) in asked {
            let head = self.clients()[client.0].head(conversation).await;
            heads.insert(
                conversation,
                head.map_err(|error| format!("the head of {conversation}: {error:#}"))?,
            );
        }
        Ok(heads)
    }
}

/// Which clients have not been handed everything, or not been told that the other side has it.
fn lacking(recorder: &Recorder, heads: &BTreeMap<ConversationId, Seq>) -> Vec<String> {
    recorder.progress(|history, progress| {
        let mut lacking = Vec::new();
        for (conversation, changes) in &progress.changes {
            let seen = progress.heads.get(conversation).copied().unwrap_or_default();
            let head = heads.get(conversation).copied().unwrap_or_default().max(seen);
            for (user, until) in GroupLog::of(changes).ever() {
                let due = until.unwrap_or(head);
                for client in history.of_user(user) {
                    let has = progress.positions.get(&(client, *conversation)).copied().unwrap_or_default();
                    if has < due {
                        lacking.push(format!("{client} has {has} of {due} in {conversation}"));
                    }
                }
            }
        }
        for (conversation, head) in heads.iter().filter(|(it, _)| it.group_id().is_none()) {
            let head = (*head).max(progress.heads.get(conversation).copied().unwrap_or_default());
            for client in history.members(*conversation) {
                let has = progress.positions.get(&(client, *conversation)).copied().unwrap_or_default();
                if has < head {
                    lacking.push(format!("{client} has {has} of {head} in {conversation}"));
                }
                let user = history.owner(client).user;
                let Some(peer) = conversation.direct_peer(user).filter(|peer| *peer != user) else {
                    continue;
                };
                // While one of them has blocked the other nobody is told, and not afterwards either.
                if progress.quarrels.contains(conversation) {
                    continue;
                }
                let sent = progress.sent.get(&(*conversation, user)).copied().unwrap_or_default();
                let key = (client, *conversation, peer);
                let delivered = progress.delivered.get(&key).copied().unwrap_or_default();
                if delivered < sent {
                    lacking
                        .push(format!("{client} sent {sent} in {conversation}, told delivered: {delivered}"));
                }
            }
        }
        lacking
    })
}
