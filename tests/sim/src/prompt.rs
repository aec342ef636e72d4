//! Whoever is connected for long enough, while no node has any trouble, has what was accepted before or meanwhile a heartbeat
//! later: lost doorbells cost no more than that, and nothing waits for what comes after it.
//!
//! Of messages between two; whoever has a group's is not known from one entry.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rookery_client::ConversationId;
use rookery_client::Seq;
use rookery_tests::history::{Client, History, What};

/// After a trouble the world takes so long to be as it was.
const RECOVERED: Duration = Duration::from_secs(15);

/// When a client's connection came up and went down, in order.
type Connections = BTreeMap<Client, Vec<(Duration, bool)>>;

/// Who had to wait longer than `patience`. A client whose connection has gone `silent` has none until it has made another.
pub(crate) fn late(
    history: &History,
    troubles: &[(Duration, Duration)],
    silent: &[(Duration, usize)],
    patience: Duration,
) -> Vec<String> {
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
    for (client, changes) in &mut connections {
        changes.extend(silent.iter().filter(|(_, other)| *other == client.0).map(|(at, _)| (*at, false)));
        changes.sort_by_key(|(at, _)| *at);
    }
    let ended = history.entries.last().map_or(Duration::ZERO, |entry| entry.at);
    let is_calm = |from: Duration, to: Duration| {
        to < ended && !troubles.iter().any(|(begins, ends)| *begins <= to && *ends + RECOVERED >= from)
    };
    let mut late = Vec::new();
    for entry in &history.entries {
        let What::Accepted { conversation, seq, .. } = &entry.what else { continue };
        for client in history.members(*conversation) {
            let changes = connections.get(&client).map(Vec::as_slice).unwrap_or_default();
            // The first time that the client is connected for long enough, once there is something to have.
            let due = spans(changes, ended).find_map(|(up, down)| {
                let from = up.max(entry.at);
                (from + patience < down && is_calm(from, from + patience)).then_some(from + patience)
            });
            let came = handed.get(&(client, *conversation, *seq));
            if due.is_some_and(|due| came.is_none_or(|at| *at > due)) {
                let waited = came.map_or("for ever".to_owned(), |at| format!("for {:?}", *at - entry.at));
                late.push(format!(
                    "{client} was connected, and waited for {seq} of {conversation} {waited} from {:.3} s on",
                    entry.at.as_secs_f64()
                ));
            }
        }
    }
    late
}

/// From when to when there was a connection.
fn spans(changes: &[(Duration, bool)], ended: Duration) -> impl Iterator<Item = (Duration, Duration)> + '_ {
    let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([ended]);
    changes.iter().zip(ends).filter(|((_, is_up), _)| *is_up).map(|((up, _), down)| (*up, down))
}
