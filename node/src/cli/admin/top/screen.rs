//! How `top` looks: a table of nodes that leaves out what the terminal has no room for, and messages per second over
//! time where there is room below.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as Cells, Sparkline, Table};

use super::sample::{Row, Sample};
use crate::cli::admin::show::time_of_day;

/// Looks remembered for the curve: more than terminals are wide.
const HISTORY: usize = 512;

/// Lines below which there is no curve.
const CURVE_HEIGHT: u16 = 6;

/// What is on the screen.
#[derive(Default)]
pub(super) struct Screen {
    sample: Sample,
    /// What the last look has failed with.
    trouble: Option<String>,
    /// Messages per second of all nodes, the newest last.
    accepted: VecDeque<u64>,
}

struct Column {
    title: &'static str,
    width: u16,
    /// What has the highest number goes first when there is no room.
    rank: u8,
    show: fn(&Row) -> String,
}

/// In the order they are shown, after the node's name and state.
const COLUMNS: [Column; 12] = [
    Column { title: "msg/s", width: 8, rank: 1, show: |row| rate(row.accepted_per_second) },
    Column { title: "push/s", width: 8, rank: 2, show: |row| rate(row.pushed_per_second) },
    Column { title: "fail/s", width: 7, rank: 10, show: |row| rate(row.failed_per_second) },
    Column { title: "send p50", width: 9, rank: 8, show: |row| ms(row.send_p50_ms) },
    Column { title: "send p99", width: 9, rank: 3, show: |row| ms(row.send_p99_ms) },
    Column { title: "commit p99", width: 10, rank: 9, show: |row| ms(row.commit_p99_ms) },
    Column { title: "ops/commit", width: 10, rank: 11, show: |row| rate(row.commit_operations) },
    Column { title: "conns", width: 7, rank: 4, show: |row| row.connections.to_string() },
    Column { title: "sessions", width: 8, rank: 7, show: |row| row.sessions.to_string() },
    Column { title: "slots", width: 5, rank: 6, show: |row| row.slots.to_string() },
    Column { title: "links", width: 5, rank: 5, show: |row| format!("{}/{}", row.links_up, row.links) },
    Column { title: "queue", width: 7, rank: 5, show: |row| row.waiting.to_string() },
];

/// The width of a node's state.
const STATE_WIDTH: u16 = 15;

fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => "-".into(),
        Some(few) if few < 10.0 => format!("{few:.1}"),
        Some(many) => format!("{many:.0}"),
    }
}

fn ms(milliseconds: Option<f64>) -> String {
    milliseconds.map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms"))
}

/// The columns for which there is room, by their rank.
fn fitting(width: u16) -> Vec<&'static Column> {
    let mut columns: Vec<&Column> = COLUMNS.iter().collect();
    let needed = |columns: &[&Column]| columns.iter().map(|column| column.width + 1).sum::<u16>();
    while needed(&columns) > width {
        let Some(last) = (0..columns.len()).max_by_key(|at| columns[*at].rank) else { break };
        columns.remove(last);
    }
    columns
}

impl Screen {
    pub(super) fn take(&mut self, looked: anyhow::Result<Sample>) {
        match looked {
            Ok(sample) => {
                let accepted: f64 = sample.nodes.iter().filter_map(|row| row.accepted_per_second).sum();
                self.accepted.push_back(accepted.round() as u64);
                if self.accepted.len() > HISTORY {
                    self.accepted.pop_front();
                }
                self.sample = sample;
                self.trouble = None;
            }
            Err(error) => self.trouble = Some(format!("{error:#}")),
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let nodes = self.sample.nodes.len() + self.sample.unanswered.len();
        let table_height = u16::try_from(nodes + 1).unwrap_or(u16::MAX);
        let [head, table, curve, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Max(table_height.saturating_add(1)),
            Constraint::Fill(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.head(), head);
        frame.render_widget(self.table(table.width), table);
        if curve.height >= CURVE_HEIGHT {
            // The newest at the right edge.
            let shown = self.accepted.len().min(curve.width.into());
            let gap = usize::from(curve.width) - shown;
            let values = self.accepted.iter().skip(self.accepted.len() - shown).copied();
            let values: Vec<u64> = std::iter::repeat_n(0, gap).chain(values).collect();
            let most = values.iter().max().copied().unwrap_or_default();
            let title = format!(" messages/s, up to {most} ");
            let block = Block::new().borders(Borders::TOP).title(title);
            frame.render_widget(Sparkline::default().block(block).data(values), curve);
        }
        frame.render_widget(self.foot(), foot);
    }

    fn head(&self) -> Paragraph<'_> {
        let Sample { cluster, time_ms, epoch, nodes, unanswered } = &self.sample;
        if cluster.is_empty() {
            return Paragraph::new("looking ...");
        }
        let time = time_of_day(*time_ms);
        let time = time.get(..8).unwrap_or_default();
        let (answer, all) = (nodes.len(), nodes.len() + unanswered.len());
        let connections: u64 = nodes.iter().map(|row| row.connections).sum();
        let accepted = nodes.iter().map(|row| row.accepted_per_second).sum::<Option<f64>>();
        let text = format!(
            "{time}  nodes {answer}/{all}  epoch {epoch}  msg/s {}  connections {connections}  cluster {cluster}",
            rate(accepted)
        );
        Paragraph::new(text).style(Style::new().add_modifier(Modifier::BOLD))
    }

    fn table(&self, width: u16) -> Table<'_> {
        let Sample { nodes, unanswered, .. } = &self.sample;
        let names = nodes.iter().map(|row| &row.node).chain(unanswered.iter().map(|it| &it.node));
        let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
        let name_width = u16::try_from(longest.clamp(4, 24)).unwrap_or(24);
        let columns = fitting(width.saturating_sub(name_width + 1 + STATE_WIDTH));
        let right = |text: String| Cell::new(Text::from(text).alignment(Alignment::Right));
        let mut header = vec![Cell::new("node"), Cell::new("state")];
        header.extend(columns.iter().map(|column| right(column.title.into())));
        let mut rows = Vec::new();
        for row in nodes {
            let colour = if row.state == "ready" { Color::Green } else { Color::Yellow };
            let mut cells = vec![Cell::new(row.node.as_str()), Cell::new(row.state).style(colour)];
            cells.extend(columns.iter().map(|column| right((column.show)(row))));
            rows.push((&row.node, Cells::new(cells)));
        }
        for gone in unanswered {
            let cells = [Cell::new(gone.node.as_str()), Cell::new("does not answer").style(Color::Red)];
            rows.push((&gone.node, Cells::new(cells)));
        }
        rows.sort_by_key(|(name, _)| *name);
        let mut widths = vec![Constraint::Length(name_width), Constraint::Length(STATE_WIDTH)];
        widths.extend(columns.iter().map(|column| Constraint::Length(column.width)));
        let header = Cells::new(header).style(Style::new().add_modifier(Modifier::UNDERLINED));
        Table::new(rows.into_iter().map(|(_, row)| row), widths).header(header).column_spacing(1)
    }

    fn foot(&self) -> Line<'_> {
        match &self.trouble {
            Some(trouble) => Line::styled(trouble.as_str(), Color::Red),
            None => Line::from("q quits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::cli::admin::error::Unanswered;

    fn screen() -> Screen {
        let row = |node: &str| Row {
            node: node.into(),
            state: "ready",
            slots: 1365,
            connections: 20,
            sessions: 10,
            accepted_per_second: Some(123.4),
            pushed_per_second: Some(7.25),
            failed_per_second: Some(0.0),
            send_p50_ms: Some(1.0),
            send_p99_ms: Some(12.34),
            commit_p99_ms: None,
            commit_operations: None,
            links_up: 1,
            links: 2,
            waiting: 42,
        };
        let gone = Unanswered { node: "rook-2".into(), admin: String::new(), error: "nothing came".into() };
        let mut screen = Screen::default();
        screen.take(Ok(Sample {
            cluster: "c1".into(),
            time_ms: 3_600_000,
            epoch: 7,
            nodes: vec![row("rook-1"), row("rook-3")],
            unanswered: vec![gone],
        }));
        screen
    }

    fn drawn(screen: &Screen, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        let text = terminal.backend().to_string();
        text.lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect()
    }

    #[test]
    fn a_wide_terminal_shows_everything_and_a_curve() {
        let lines = drawn(&screen(), 132, 20);
        assert!(
            lines[0].starts_with("01:00:00  nodes 2/3  epoch 7  msg/s 247  connections 40"),
            "{lines:#?}"
        );
        for column in COLUMNS {
            assert!(lines[2].contains(column.title), "{} in {lines:#?}", column.title);
        }
        assert!(lines[3].starts_with("rook-1 ready") && lines[3].contains("12.3 ms"), "{lines:#?}");
        assert!(lines[4].starts_with("rook-2 does not answer"), "{lines:#?}");
        assert!(lines[5].starts_with("rook-3 ready"), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("messages/s, up to 247")), "{lines:#?}");
        assert_eq!(lines[19], "q quits");
    }

    #[test]
    fn a_small_terminal_leaves_out_what_matters_less() {
        let lines = drawn(&screen(), 44, 8);
        assert!(lines[2].contains("msg/s") && lines[2].contains("push/s"), "{lines:#?}");
        assert!(!lines[2].contains("ops/commit"), "{lines:#?}");
        assert!(lines[4].starts_with("rook-2 does not answer"), "{lines:#?}");
        for (width, height) in [(1, 1), (5, 3), (20, 2), (300, 100)] {
            drawn(&screen(), width, height);
        }
    }

    #[test]
    fn what_was_known_stays_when_nobody_answers() {
        let mut screen = screen();
        screen.take(Err(anyhow!("no node is running")));
        let lines = drawn(&screen, 80, 10);
        assert!(lines[3].starts_with("rook-1 ready"), "{lines:#?}");
        assert_eq!(lines[9], "no node is running");
    }
}
