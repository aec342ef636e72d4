//! Whoever is connected while no node has any trouble is given something for as long as there is anything to give: a heartbeat
//! and some after the last of it, all that had been accepted is there. Lost doorbells cost no more than that, and nothing waits
//! for what comes after it. How long all of it takes is a matter of the way: far away, with few events on their way at once, a
//! rush lasts.
//!
//! Of messages between two; whoever has a group's is not known from one entry.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rookery_client::{ConversationId, Seq};
use rookery_tests::history::{Client, History, What};

/// After a trouble the world takes so long to be as it was.
const RECOVERED: Duration = Duration::from_secs(15);

/// When a client's connection came up and went down, in order.
type Connections = BTreeMap<Client, Vec<(Duration, bool)>>;

/// Who was given nothing for longer than `patience`, and had a message to get. A client whose connection has gone `silent` has
/// none until it has made another.
pub(crate) fn late(
    history: &History,
    troubles: &[(Duration, Duration)],
    silent: &[(Duration, usize)],
    patience: Duration,
) -> Vec<String> {
    let mut connections = Connections::new();
    let mut given: BTreeMap<Client, Vec<Duration>> = BTreeMap::new();
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
                given.entry(client).or_default().push(at);
            }
            What::Receipt { .. } => given.entry(client).or_default().push(at),
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
            let given = given.get(&client).map(Vec::as_slice).unwrap_or_default();
            // The end of the first time that the client is connected for long enough and given nothing, once there is
            // something to have.
            let due = spans(changes, ended).find_map(|(up, down)| {
                let nothing =
                    pauses(given, up.max(entry.at), down).filter(|(from, to)| *from + patience < *to);
                nothing.map(|(from, _)| (from, from + patience)).find(|(from, to)| is_calm(*from, *to))
            });
            let came = handed.get(&(client, *conversation, *seq));
            if let Some((from, due)) = due
                && came.is_none_or(|at| *at > due)
            {
                let until = came.map_or("never came".to_owned(), |at| format!("came {:?} later", *at - from));
                late.push(format!(
                    "{client} was connected and given nothing from {:.3} s on, and {seq} of {conversation} {until}",
                    from.as_secs_f64()
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

/// From when to when nothing was given, between two times; `given` is in order.
fn pauses(
    given: &[Duration],
    from: Duration,
    to: Duration,
) -> impl Iterator<Item = (Duration, Duration)> + '_ {
    let first = given.partition_point(|at| *at <= from);
    let within = given[first..].iter().copied().take_while(move |at| *at < to);
    std::iter::once(from).chain(within.clone()).zip(within.chain([to]))
}

#[cfg(test)]
mod tests {
    use rookery_client::{DeviceId, MessageId, UserId};
    use rookery_tests::history::{Entry, Handed, Owner, Said};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(22);

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What client 1 saw, to whom client 0 wrote one message a second from second 1 on, until client 0 had `sent` them; and
    /// that it all ended at second 300.
    fn history(sent: u64, seen: impl IntoIterator<Item = (u64, Seen)>) -> History {
        let owner = |user| Owner { user: UserId::new(user).expect("a user"), device: DeviceId::new(1) };
        let owners = vec![owner(1), owner(2)];
        let conversation = ConversationId::direct(owners[0].user, owners[1].user);
        let id = MessageId::from_bytes([7; 16]);
        let entry = |client, at, what| Entry { at: s(at), client: Client(client), what };
        let handed = |seq| {
            What::Handed(Handed {
                conversation,
                seq: Seq::new(seq),
                sender: owners[0],
                id,
                said: Said::default(),
                change: None,
                deleted: false,
                expires_ms: 0,
            })
        };
        let mut entries = vec![entry(1, 0, What::Connected)];
        entries
            .extend((1..=sent).map(|n| entry(0, n, What::Accepted { conversation, id, seq: Seq::new(n) })));
        entries.extend(seen.into_iter().map(|(at, seen)| match seen {
            Message(seq) => entry(1, at, handed(seq)),
            Down => entry(1, at, What::Disconnected { reason: "a test".into() }),
            Up => entry(1, at, What::Connected),
        }));
        entries.push(entry(0, 300, What::Closed));
        entries.sort_by_key(|entry| entry.at);
        History { owners, entries }
    }

    enum Seen {
        Message(u64),
        Down,
        Up,
    }

    use Seen::{Down, Message, Up};

    /// How many messages were late for client 1.
    fn count(history: &History, troubles: &[(Duration, Duration)], silent: &[(Duration, usize)]) -> usize {
        late(history, troubles, silent, PATIENCE).iter().filter(|said| said.starts_with("client 1 ")).count()
    }

    #[test]
    fn what_comes_soon_is_not_late() {
        assert_eq!(count(&history(1, [(20, Message(1))]), &[], &[]), 0);
    }

    #[test]
    fn what_comes_too_late_or_never_is_late() {
        assert_eq!(count(&history(1, [(24, Message(1))]), &[], &[]), 1);
        assert_eq!(count(&history(1, []), &[], &[]), 1);
    }

    #[test]
    fn a_slow_way_takes_its_time_as_long_as_something_comes() {
        let slowly = (1..=20).map(|seq| (10 * seq, Message(seq)));
        assert_eq!(count(&history(20, slowly), &[], &[]), 0);
        // The last three come 23 s after the one before.
        let halting = (1..=20).map(|seq| (10 * seq + if seq > 17 { 13 } else { 0 }, Message(seq)));
        assert_eq!(count(&history(20, halting), &[], &[]), 3);
    }

    #[test]
    fn what_was_left_out_is_late_once_nothing_comes_any_more() {
        let but_one = (2..=20).map(|seq| (seq + 1, Message(seq)));
        assert_eq!(count(&history(20, but_one), &[], &[]), 1);
    }

    #[test]
    fn nobody_waits_without_a_connection_or_in_a_trouble() {
        assert_eq!(count(&history(1, [(5, Down), (280, Up)]), &[], &[]), 0);
        assert_eq!(count(&history(1, [(5, Down), (270, Up)]), &[], &[]), 1);
        assert_eq!(count(&history(1, []), &[(s(0), s(270))], &[]), 0);
        assert_eq!(count(&history(1, [(250, Message(1))]), &[(s(0), s(200))], &[]), 0);
        assert_eq!(count(&history(1, [(250, Message(1))]), &[], &[(s(2), 1)]), 0);
    }
}
