//! Whoever is connected all the time, while no node has any trouble, has a message a heartbeat after it was accepted: lost
//! doorbells cost no more than that.
//!
//! Of messages between two; whoever has a group's is not known from one entry.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rookery_client::ConversationId;
use rookery_client::Seq;
use rookery_tests::history::{Client, History, What};

/// After a trouble the world takes so long to be as it was.
const RECOVERED: Duration = Duration::from_secs(30);

/// When a client's connection came up and went down, in order.
type Connections = BTreeMap<Client, Vec<(Duration, bool)>>;

/// Who had to wait longer than `patience`.
pub(crate) fn late(history: &History, troubles: &[(Duration, Duration)], patience: Duration) -> Vec<String> {
    let mut connections = Connections::new();
    let mut handed: HashMap<(Client, ConversationId, Seq), Duration> = HashMap::new();
    for entry in &history.entries {
        let (client, at) = (entry.client, entry.at);
        match &entry.what {
            What::Connected => connections.entry(client).or_default().push((at, true)),
            What::Disconnected { .. } | What::Closed | What::Crashed | What::Started => {
                connections.entry(client).or_default().push((at, false));
            }
            What::Handed(message) => {
                handed.entry((client, message.conversation, message.seq)).or_insert(at);
            }
            _ => {}
        }
    }
    let ended = history.entries.last().map_or(Duration::ZERO, |entry| entry.at);
    let is_calm = |from: Duration, to: Duration| {
        to < ended && !troubles.iter().any(|(begins, ends)| *begins <= to && *ends + RECOVERED >= from)
    };
    let was_connected = |client: Client, from: Duration, to: Duration| {
        let all = connections.get(&client).map(Vec::as_slice).unwrap_or_default();
        let next = all.partition_point(|(at, _)| *at <= from);
        let before = next.checked_sub(1).map(|last| all[last]);
        // What a client that has just come has to take may be much.
        let settled = before.is_some_and(|(at, is_up)| is_up && at + RECOVERED < from);
        settled && all.get(next).is_none_or(|(at, _)| *at > to)
    };
    let mut late = Vec::new();
    for entry in &history.entries {
        let What::Accepted { conversation, seq, .. } = &entry.what else { continue };
        let (from, to) = (entry.at, entry.at + patience);
        if !is_calm(from, to) {
            continue;
        }
        for client in history.members(*conversation) {
            let came = handed.get(&(client, *conversation, *seq));
            if was_connected(client, from, to) && came.is_none_or(|at| *at > to) {
                let waited = came.map_or("for ever".to_owned(), |at| format!("for {:?}", *at - from));
                late.push(format!("{client} was connected, and waited for {seq} of {conversation} {waited}"));
            }
        }
    }
    late
}
