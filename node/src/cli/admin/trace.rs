//! `rookery admin trace`: what all nodes see of one user's messages, in one stream.

use std::time::Duration;

use anyhow::Result;
use hyper::Method;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::client::{Api, NOTHING};
use super::cluster::{Cluster, all, unanswered};
use super::error::{AdminError, Unanswered};
use super::show::{length, time_of_day, write_json, write_line};
use super::url::segment;
use crate::admin::api::TraceLine;

/// Lines that wait to be written. A node that has to wait says how many it has not told.
const WAITING_MAX: usize = 1_024;

/// A line, with the node that has seen it.
#[derive(Serialize)]
struct Seen {
    seen_by: String,
    #[serde(flatten)]
    line: TraceLine,
}

pub(super) async fn run(cluster: &Cluster, user: &str, time: Duration, json: bool) -> Result<()> {
    let path = format!("/v1/users/{}/trace?seconds={}", segment(user), time.as_secs());
    let (ways, mut missing) = cluster.ways();
    let (sender, mut lines) = mpsc::channel(WAITING_MAX);
    let mut followed = JoinSet::new();
    for api in ways {
        let (path, sender) = (path.clone(), sender.clone());
        followed.spawn(async move { (follow(&api, &path, &sender).await, api) });
    }
    drop(sender);
    let mut names = Names::default();
    let (mut refused, mut has_begun) = (None, false);
    loop {
        let seen = tokio::select! {
            seen = lines.recv() => seen,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let Some(seen) = seen else { break };
        has_begun = true;
        let written = if json { write_json(&seen) } else { names.text(&seen).map_or(Ok(()), write_line) };
        if written.is_err() {
            // Nobody reads any more.
            return Ok(());
        }
    }
    while let Some(ended) = followed.join_next().await {
        if let Ok((Err(error), api)) = ended {
            missing.push(unanswered(&api, &error));
            if matches!(error, AdminError::Refused(_)) {
                refused = Some(error);
            }
        }
    }
    match (has_begun, refused) {
        (false, Some(refused)) => Err(refused.into()),
        (false, None) => Err(AdminError::Nobody(missing).into()),
        (true, _) => all(&missing),
    }
}

async fn follow(api: &Api, path: &str, sender: &mpsc::Sender<Seen>) -> Result<(), AdminError> {
    let followed = async {
        let mut lines = api.lines::<TraceLine>(Method::GET, path, NOTHING).await?;
        let mut has_ended = false;
        while let Some(line) = lines.next().await? {
            has_ended = matches!(line, TraceLine::Ended { .. });
            if sender.send(Seen { seen_by: api.name.clone(), line }).await.is_err() {
                return Ok(());
            }
        }
        if has_ended {
            Ok(())
        } else {
            let why = "it has ended in the middle: the node is gone".to_owned();
            Err(AdminError::NoAnswer { who: api.name.clone(), why })
        }
    };
    let outcome = followed.await;
    // Told at once: the others may go on for long.
    if let Err(error @ AdminError::NoAnswer { .. }) = &outcome {
        let Unanswered { node, error, .. } = unanswered(api, error);
        eprintln!("{node}: {error}");
    }
    outcome
}

/// Lines as people read them.
#[derive(Default)]
struct Names {
    /// The longest node's name so far.
    width: usize,
}

impl Names {
    /// None for what only programs want to know.
    fn text(&mut self, seen: &Seen) -> Option<String> {
        let (time_ms, what, said) = words(&seen.line)?;
        self.width = self.width.max(seen.seen_by.chars().count());
        let (node, width) = (&seen.seen_by, self.width);
        let time = time_ms.map_or_else(|| " ".repeat(12), time_of_day);
        Some(format!("{time}  {node:<width$}  {what:<12}  {said}").trim_end().to_owned())
    }
}

fn words(line: &TraceLine) -> Option<(Option<u64>, &'static str, String)> {
    let some = |message: &Option<String>| message.clone().unwrap_or_else(|| "no message".into());
    Some(match line {
        TraceLine::Started { time_ms, user, until_ms, .. } => {
            let time = length(until_ms.saturating_sub(*time_ms));
            (Some(*time_ms), "following", format!("user {user} for {time}"))
        }
        TraceLine::Arrived { time_ms, user, message, conversation, device, connection, body_bytes } => {
            let from = format!("from user {user} device {device} on connection {connection}");
            (Some(*time_ms), "arrived", format!("{message} in {conversation} {from}, {body_bytes} bytes"))
        }
        TraceLine::Committed { time_ms, message, conversation, seq, stamp, took_us } => {
            let place =
                stamp.as_ref().map_or_else(|| "accepted before".into(), |stamp| format!("at {stamp}"));
            let took = *took_us as f64 / 1_000.0;
            let text = format!("{message} in {conversation} as {seq}, {place}, after {took:.1} ms");
            (Some(*time_ms), "committed", text)
        }
        TraceLine::Refused { time_ms, message, conversation, code } => {
            (Some(*time_ms), "refused", format!("{message} in {conversation}: {code}"))
        }
        TraceLine::Rung { time_ms, user, message, node, .. } => {
            (Some(*time_ms), "rung", format!("{} for user {user} at {node}", some(message)))
        }
        TraceLine::RungMany { time_ms, users, message, node, .. } => {
            (Some(*time_ms), "rung", format!("{} for {users} users at {node}", some(message)))
        }
        TraceLine::Pushed { time_ms, user, message, stamp, device, connection } => {
            let to = format!("to user {user} device {device} on connection {connection}");
            (Some(*time_ms), "pushed", format!("{} {to}, at {stamp}", some(message)))
        }
        TraceLine::Acknowledged { time_ms, stamp, device, connection } => {
            let text = format!("everything up to {stamp} by device {device} on connection {connection}");
            (Some(*time_ms), "acknowledged", text)
        }
        TraceLine::Delivered { time_ms, user, device, conversation, seq } => {
            let text = format!("{conversation} up to {seq} to user {user} device {device}");
            (Some(*time_ms), "delivered", text)
        }
        TraceLine::Alive { .. } => return None,
        TraceLine::Lost { lines } => (None, "lost", format!("{lines} lines: more than could be read")),
        TraceLine::Ended { reason } => (None, "ended", reason.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_programs_has_the_node_that_saw_it_besides_the_one_it_is_about() {
        let line = TraceLine::Rung { time_ms: 5, user: 7, message: None, stamp: None, node: "rook-2".into() };
        let seen = Seen { seen_by: "rook-1".into(), line };
        let json = serde_json::to_value(&seen).unwrap();
        assert_eq!(json["seen_by"], "rook-1");
        assert_eq!((&json["line"], &json["node"]), (&"rung".into(), &"rook-2".into()));
        let text = Names::default().text(&seen).unwrap();
        assert_eq!(text, "00:00:00.005  rook-1  rung          no message for user 7 at rook-2");
        let alive = Seen { seen_by: "rook-1".into(), line: TraceLine::Alive { time_ms: 1 } };
        assert_eq!(Names::default().text(&alive), None);
    }
}
