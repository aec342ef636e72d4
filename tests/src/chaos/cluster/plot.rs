//! A run as a picture: how long messages took over time, on a logarithmic scale, and how many arrived each second, with
//! the times of faults shaded.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Deliveries, Kind, Span, Spread};

const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const LATENCY: (f64, f64) = (60.0, 420.0);
const ARRIVALS: (f64, f64) = (470.0, 620.0);
const LEGEND: f64 = 660.0;
const LEGEND_COLUMNS: usize = 5;

/// What the scale of times begins and ends with, as powers of ten of milliseconds: 0.1 ms and 100 s.
const DECADES: std::ops::RangeInclusive<i32> = -1..=5;

/// Columns of the picture, at most.
const COLUMNS: f64 = 550.0;

/// Draws it.
pub(super) fn svg(
    deliveries: &Deliveries,
    spans: &[Span],
    (began, over): (Duration, Duration),
    title: &str,
) -> String {
    let seconds = over.saturating_sub(began).as_secs_f64().max(1.0);
    let columns = Columns::of(deliveries, began, seconds);
    let across = |at: f64| LEFT + (WIDTH - LEFT - RIGHT) * (at / seconds).clamp(0.0, 1.0);
    let height = LEGEND + 40.0 + 18.0 * kinds(spans).len().div_ceil(LEGEND_COLUMNS) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    shade(&mut svg, spans, began, across);
    scale_of_times(&mut svg);
    for (part, colour, width) in [(1.0, "#bbbbbb", 1.0), (0.99, "#c0392b", 1.5), (0.5, "#1f5fa8", 1.5)] {
        let point = |(at, spread): (f64, &Spread)| {
            let time = if part == 1.0 { spread.worst() } else { spread.quantile(part) };
            time.map(|time| (across(at), down_to(time)))
        };
        line(&mut svg, columns.latencies().map(point), colour, width);
    }
    arrivals(&mut svg, &columns, across);
    time_axis(&mut svg, seconds, across);
    legend(&mut svg, spans);
    svg += "</svg>\n";
    svg
}

/// What is drawn at each place from left to right.
struct Columns {
    /// Seconds a column stands for.
    step: f64,
    /// By the time of sending.
    sent: Vec<Spread>,
    /// By the time of arrival.
    arrived: Vec<usize>,
}

impl Columns {
    fn of(deliveries: &Deliveries, began: Duration, seconds: f64) -> Self {
        let step = (seconds / COLUMNS).max(1.0);
        let count = (seconds / step).ceil() as usize;
        let mut times = vec![Vec::new(); count];
        let mut arrived = vec![0; count];
        let place = |at: Duration| (at.saturating_sub(began).as_secs_f64() / step) as usize;
        for delivery in &deliveries.0 {
            if let Some(column) = times.get_mut(place(delivery.sent)).filter(|_| !delivery.excused) {
                column.push(delivery.took);
            }
            if let Some(column) = arrived.get_mut(place(delivery.arrived())) {
                *column += 1;
            }
        }
        Self { step, sent: times.into_iter().map(Spread::of).collect(), arrived }
    }

    /// Each column's middle in seconds, and its times.
    fn latencies(&self) -> impl Iterator<Item = (f64, &Spread)> {
        self.sent.iter().enumerate().map(|(at, spread)| ((at as f64 + 0.5) * self.step, spread))
    }
}

fn down_to(time: Duration) -> f64 {
    let (least, most) = (f64::from(*DECADES.start()), f64::from(*DECADES.end()));
    let power = (time.as_secs_f64() * 1e3).max(1e-9).log10().clamp(least, most);
    LATENCY.1 - (LATENCY.1 - LATENCY.0) * (power - least) / (most - least)
}

fn shade(svg: &mut String, spans: &[Span], began: Duration, across: impl Fn(f64) -> f64) {
    let since = |at: Duration| at.as_secs_f64() - began.as_secs_f64();
    for span in spans {
        let (left, right) = (across(since(span.began)), across(since(span.whole.unwrap_or(span.healed))));
        let (top, bottom) = (LATENCY.0, ARRIVALS.1);
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\" fill-opacity=\"0.25\">\
             <title>{}</title></rect>",
            (right - left).max(1.0),
            bottom - top,
            colour(span.fault.kind()),
            escaped(&span.fault.to_string())
        );
    }
}

fn scale_of_times(svg: &mut String) {
    for decade in DECADES {
        let time = Duration::from_secs_f64(10f64.powi(decade) / 1e3);
        let y = down_to(time);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{time:?}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"46\">send to hand-up: <tspan fill=\"#1f5fa8\">p50</tspan>, <tspan \
         fill=\"#c0392b\">p99</tspan>, <tspan fill=\"#888888\">worst</tspan></text>"
    );
}

/// A line that is interrupted where there is no point.
fn line(svg: &mut String, points: impl Iterator<Item = Option<(f64, f64)>>, colour: &str, width: f64) {
    let mut path = String::new();
    let mut pen = 'M';
    for point in points {
        match point {
            Some((x, y)) => {
                let _ = write!(path, "{pen}{x:.1} {y:.1}");
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>");
}

fn arrivals(svg: &mut String, columns: &Columns, across: impl Fn(f64) -> f64) {
    let most = columns.arrived.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (top, bottom) = ARRIVALS;
    let mut path = format!("M{LEFT} {bottom}");
    for (at, count) in columns.arrived.iter().enumerate() {
        let (left, right) = (at as f64 * columns.step, (at + 1) as f64 * columns.step);
        let y = bottom - (bottom - top) * *count as f64 / most;
        let _ = write!(path, "L{:.1} {y:.1}L{:.1} {y:.1}", across(left), across(right));
    }
    let _ = writeln!(
        svg,
        "<path d=\"{path}L{:.1} {bottom}Z\" fill=\"#4f8f5b\" fill-opacity=\"0.7\"/>\
         <text x=\"{LEFT}\" y=\"{}\">deliveries a second</text>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0}</text>\
         <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>",
        WIDTH - RIGHT,
        top - 10.0,
        LEFT - 6.0,
        top + 4.0,
        most / columns.step,
        LEFT - 6.0
    );
}

fn time_axis(svg: &mut String, seconds: f64, across: impl Fn(f64) -> f64) {
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 3_600.0];
    let step = steps.into_iter().find(|step| seconds / step <= 15.0).unwrap_or(7_200.0);
    for tick in 0..=(seconds / step) as u32 {
        let at = f64::from(tick) * step;
        let (x, y) = (across(at), ARRIVALS.1);
        let text = if step >= 60.0 { format!("{:.0} min", at / 60.0) } else { format!("{at:.0} s") };
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{y}\" x2=\"{x:.1}\" y2=\"{}\" stroke=\"black\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
            y + 5.0,
            y + 20.0
        );
    }
}

fn kinds(spans: &[Span]) -> Vec<Kind> {
    let mut kinds: Vec<_> = spans.iter().map(|span| span.fault.kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn legend(svg: &mut String, spans: &[Span]) {
    for (at, kind) in kinds(spans).into_iter().enumerate() {
        let x = LEFT + 220.0 * (at % LEGEND_COLUMNS) as f64;
        let y = LEGEND + 18.0 * (at / LEGEND_COLUMNS) as f64;
        let times = spans.iter().filter(|span| span.fault.kind() == kind).count();
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{}\" fill-opacity=\"0.5\"/>\
             <text x=\"{}\" y=\"{}\">{} ({times})</text>",
            colour(kind),
            x + 18.0,
            y + 10.0,
            kind.name()
        );
    }
}

fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Killed => "#e15759",
        Kind::Stopped => "#4e79a7",
        Kind::Restarted => "#59a14f",
        Kind::Rolling => "#8cd17d",
        Kind::AllKilled => "#7b0d1e",
        Kind::LinkSilent => "#f28e2b",
        Kind::LinkOneWay => "#ffbe7d",
        Kind::LinkTorn => "#b6992d",
        Kind::LinkSlow => "#f1ce63",
        Kind::Isolated => "#9c755f",
        Kind::StoreStalled => "#b07aa1",
        Kind::DiskFull => "#ff9da7",
        Kind::ClockJumped => "#76b7b2",
        Kind::Two => "#555555",
        Kind::JoinedMeanwhile => "#86bcb6",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::{Delivery, Fault};
    use super::*;

    #[test]
    fn the_picture_has_a_shade_for_each_fault_and_is_well_formed() {
        let s = Duration::from_secs;
        let took = Duration::from_millis(3);
        let at = |sent| Delivery { sent: s(sent), took, excused: false, in_group: false };
        let deliveries = Deliveries((1..100).map(at).collect());
        let fault = Fault::Killed { node: 1, down: s(2) };
        let spans = [Span { fault, began: s(10), healed: s(12), whole: Some(s(13)) }];
        let svg = svg(&deliveries, &spans, (s(1), s(100)), "a <title> & more");
        assert!(svg.contains("killed: n2 for 2.0 s") && svg.contains("a &lt;title&gt; &amp; more"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let count = |what: &str| svg.matches(what).count();
        for tag in ["text", "svg", "title", "tspan"] {
            let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
            assert_eq!(opened, count(&format!("</{tag}>")), "{tag}");
        }
    }
}
