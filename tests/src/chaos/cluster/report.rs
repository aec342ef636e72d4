//! What came of a run, for people: a text, and a plot beside it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rookery_client::ConversationId;

use super::deliveries::shown;
use super::run::write_files;
use super::{ClusterPlan, Deliveries, Delivery, Kind, Note, Span, Stalled, Timeline, plot};
use crate::Verdict;
use crate::chaos::talk::Talk;
use crate::fleet::Unsettled;
use crate::group_log::GroupLog;
use crate::history::{Handed, History, What};

/// Silences that are listed.
const GAPS: usize = 8;

/// What came of groups.
#[derive(Debug, Clone, Copy, Default)]
struct GroupCounts {
    made: usize,
    /// Users who have been in the largest.
    members_max: usize,
    /// Members that the largest had at one time.
    members_at_once: usize,
    asked: usize,
    done: usize,
    denied: usize,
    said: usize,
    accepted: usize,
    refused: usize,
    messages_handed: usize,
    changes_handed: usize,
}

impl GroupCounts {
    fn of(history: &History) -> Self {
        let in_group = |conversation: &ConversationId| conversation.group_id().is_some();
        let mut counts = Self::default();
        for entry in &history.entries {
            match &entry.what {
                What::Asked { .. } => counts.asked += 1,
                What::Done { .. } => counts.done += 1,
                What::Denied { .. } => counts.denied += 1,
                What::Enqueued { conversation, .. } if in_group(conversation) => counts.said += 1,
                What::Accepted { conversation, .. } if in_group(conversation) => counts.accepted += 1,
                What::Refused { conversation, .. } if in_group(conversation) => counts.refused += 1,
                What::Handed(Handed { change: Some(_), .. }) => counts.changes_handed += 1,
                What::Handed(Handed { conversation, .. }) if in_group(conversation) => {
                    counts.messages_handed += 1;
                }
                _ => {}
            }
        }
        let groups = GroupLog::all(history);
        counts.made = groups.len();
        counts.members_max = groups.values().map(|log| log.ever().count()).max().unwrap_or_default();
        counts.members_at_once = groups.values().map(GroupLog::members_max).max().unwrap_or_default();
        counts
    }
}

impl fmt::Display for GroupCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, members_max, members_at_once, asked, done, denied, .. } = self;
        writeln!(
            f,
            "  groups     {made}, one in which {members_max} users have been, {members_at_once} at one time"
        )?;
        writeln!(
            f,
            "             {asked} changes asked for, {done} done, {denied} denied, {} without an answer",
            asked - done - denied
        )?;
        let Self { said, accepted, refused, .. } = self;
        writeln!(f, "             {said} messages given, {accepted} confirmed, {refused} refused")?;
        let Self { messages_handed, changes_handed, .. } = self;
        writeln!(f, "             {messages_handed} messages and {changes_handed} changes handed up")
    }
}

/// The outcome of a run.
#[derive(Debug)]
pub struct ClusterReport {
    plan: ClusterPlan,
    enqueued: usize,
    accepted: usize,
    handed: usize,
    receipts: usize,
    connected: usize,
    groups: GroupCounts,
    talk: Talk,
    deliveries: Deliveries,
    spans: Vec<Span>,
    notes: Vec<Note>,
    /// From the first message to the end of the storm.
    stormy: (Duration, Duration),
    rested: Duration,
    /// What came of messages given while the store stood still.
    pub stalled: Stalled,
    /// What is to be said against it.
    pub verdict: Verdict,
}

impl ClusterReport {
    pub(super) fn new(
        plan: &ClusterPlan,
        history: &History,
        deliveries: Deliveries,
        timeline: &Timeline,
        over: Duration,
        rested: Duration,
        unsettled: Option<Unsettled>,
    ) -> Self {
        let stalled = Stalled::of(history, &timeline.stalls());
        let mut surprises = timeline.surprises();
        if stalled.confirmed > 0 {
            let Stalled { given, confirmed } = stalled;
            surprises.push(format!(
                "{confirmed} of {given} messages given while the store stood still were confirmed meanwhile"
            ));
        }
        let began = deliveries.0.first().map_or(over, |first| first.sent);
        Self {
            plan: plan.clone(),
            enqueued: history.count(|what| matches!(what, What::Enqueued { .. })),
            accepted: history.count(|what| matches!(what, What::Accepted { .. })),
            handed: history.count(|what| matches!(what, What::Handed(_))),
            receipts: history.count(|what| matches!(what, What::Receipt { .. })),
            connected: history.count(|what| *what == What::Connected),
            groups: GroupCounts::of(history),
            talk: Talk::of(history),
            deliveries,
            spans: timeline.spans(),
            notes: timeline.notes(),
            stormy: (began, over),
            rested,
            stalled,
            verdict: Verdict::of(history, unsettled, surprises),
        }
    }

    /// What happened, in order.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The longest time during the storm in which nothing was handed up to anybody.
    pub fn silence(&self) -> Duration {
        self.deliveries.gaps(self.stormy, 1).first().map(|gap| gap.1).unwrap_or_default()
    }

    /// How long the slowest message took between clients without troubles of their own.
    pub fn worst(&self) -> Duration {
        self.deliveries.spread(|_| true).worst().unwrap_or_default()
    }

    /// Writes the plan, this report with its timeline, and the plot into a directory.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let plot = plot::svg(&self.deliveries, &self.spans, self.stormy, &self.title());
        let report = format!("{self}\ntimeline\n{}", self.timeline());
        let plan = self.plan.to_string();
        write_files(directory, &[("plan.txt", plan), ("report.txt", report), ("latency.svg", plot)])
    }

    fn title(&self) -> String {
        let ClusterPlan { seed, shape, devices, .. } = &self.plan;
        format!(
            "chaos, seed {seed}: {} nodes, {} clients of {} users{}, {} messages/s, {:.0} s",
            shape.nodes,
            shape.clients,
            devices.len() - shape.absent,
            shape.absent_too(),
            shape.messages_per_second,
            shape.storm.as_secs_f64()
        )
    }

    /// What happened when, a line each, in seconds since the first message.
    pub fn timeline(&self) -> String {
        self.notes.iter().fold(String::new(), |mut text, Note { at, what }| {
            let _ = writeln!(text, "  {:>8.2} s  {what}", self.since(*at));
            text
        })
    }

    /// Seconds since the first message.
    fn since(&self, at: Duration) -> f64 {
        at.as_secs_f64() - self.stormy.0.as_secs_f64()
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let felt: Vec<_> = self.spans.iter().map(Span::felt).collect();
        let is_hurt = |it: &Delivery| felt.iter().any(|span| it.meets(*span));
        let excused = self.deliveries.0.iter().filter(|it| it.excused).count();
        writeln!(
            f,
            "\nfrom the sender's application to the recipient's, without the {excused} deliveries whose own ends had \
             trouble"
        )?;
        writeln!(
            f,
            "  {:<18} {:>9} {:>10} {:>10} {:>10} {:>8}",
            "", "messages", "p50", "p99", "worst", "> 1 s"
        )?;
        let rows = [
            ("while whole", false, false),
            ("while hurt", true, false),
            ("in groups, whole", false, true),
            ("in groups, hurt", true, true),
        ];
        let has_groups = self.plan.shape.groups > 0;
        for (name, hurt, in_group) in rows.into_iter().filter(|(.., in_group)| has_groups || !in_group) {
            let spread = self.deliveries.spread(|it| is_hurt(it) == hurt && it.in_group == in_group);
            writeln!(
                f,
                "  {name:<18} {:>9} {:>10} {:>10} {:>10} {:>8}",
                spread.count(),
                shown(spread.quantile(0.5)),
                shown(spread.quantile(0.99)),
                shown(spread.worst()),
                spread.above(Duration::from_secs(1))
            )?;
        }
        Ok(())
    }

    /// A line for each kind of fault.
    fn faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: BTreeMap<Kind, Vec<&Span>> = BTreeMap::new();
        for span in &self.spans {
            kinds.entry(span.fault.kind()).or_default().push(span);
        }
        writeln!(
            f,
            "\nwhat was under way from a fault's beginning until three seconds after all nodes were back"
        )?;
        writeln!(
            f,
            "  {:<18} {:>5} {:>9} {:>10} {:>10} {:>10} {:>8} {:>10} {:>10}",
            "fault", "times", "messages", "p50", "p99", "worst", "> 1 s", "silence", "whole in"
        )?;
        for (kind, spans) in kinds {
            let spread = self.deliveries.spread(|it| spans.iter().any(|span| it.meets(span.felt())));
            let silence = spans.iter().filter_map(|span| {
                let (since, until) = span.felt();
                self.deliveries.gaps((since, until.min(self.stormy.1)), 1).first().map(|gap| gap.1)
            });
            let whole = spans.iter().map(|span| span.whole.map(|whole| whole.saturating_sub(span.healed)));
            let whole = whole.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
            writeln!(
                f,
                "  {:<18} {:>5} {:>9} {:>10} {:>10} {:>10} {:>8} {:>10} {:>10}",
                kind.name(),
                spans.len(),
                spread.count(),
                shown(spread.quantile(0.5)),
                shown(spread.quantile(0.99)),
                shown(spread.worst()),
                spread.above(Duration::from_secs(1)),
                shown(silence.max()),
                shown(whole)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for ClusterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        writeln!(
            f,
            "  faults     {} of nodes, {} of clients",
            self.spans.len(),
            self.plan.client_strikes.len()
        )?;
        writeln!(f, "  connected  {} times", self.connected)?;
        writeln!(f, "  messages   {} given, {} confirmed to their sender", self.enqueued, self.accepted)?;
        writeln!(f, "  handed up  {} messages, {} receipts", self.handed, self.receipts)?;
        write!(f, "{}", self.talk)?;
        if self.plan.shape.groups > 0 {
            write!(f, "{}", self.groups)?;
        }
        writeln!(f, "  at rest    {:.1} s after healing", self.rested.as_secs_f64())?;
        write!(f, "{}", self.verdict)?;
        self.latencies(f)?;
        self.faults(f)?;
        writeln!(f, "\nthe longest times in which nothing was handed up to anybody")?;
        for (began, length) in self.deliveries.gaps(self.stormy, GAPS) {
            writeln!(f, "  {:>8.2} s  {:>10}", self.since(began), shown(Some(length)))?;
        }
        for note in self.notes.iter().filter(|note| note.what.starts_with("skipped: ")) {
            writeln!(f, "  {}", note.what)?;
        }
        Ok(())
    }
}
