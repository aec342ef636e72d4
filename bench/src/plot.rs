//! Results as pictures: what happened over time, how latencies are distributed, and what throughput does to them. All runs
//! are drawn, those of one kind in one colour.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::results::{Results, Run};
use crate::table::number;

/// Pixels across and down.
const SIZE: (u32, u32) = (960, 540);

const TITLE: (&str, u32) = ("sans-serif", 19);
const SUBTITLE: (&str, u32) = ("sans-serif", 14);
const LABEL: (&str, u32) = ("sans-serif", 13);

/// Told apart also by who does not see all colours (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Writes all plots there are of some results into a directory that exists, and returns their paths.
pub(crate) fn write(results: &Results, directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let workload = results.conditions.workload.replace(' ', "-");
    let mut paths = Vec::new();
    for (name, chart) in charts(results) {
        let path = directory.join(format!("{workload}-{name}.svg"));
        let svg = chart.svg(results).with_context(|| format!("cannot draw {}", path.display()))?;
        fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        paths.push(path);
    }
    Ok(paths)
}

/// What is drawn, with what its axes say.
#[derive(Debug, PartialEq)]
struct Chart {
    x: Axis,
    y: Axis,
    lines: Vec<Line>,
    /// Whether the points themselves are marked.
    has_marks: bool,
}

#[derive(Debug, PartialEq)]
struct Axis {
    label: String,
    is_log: bool,
    /// Where it begins and ends, where that does not follow from what is drawn.
    bounds: (Option<f64>, Option<f64>),
}

/// What belongs together, of one run. Lines of a name have a colour.
#[derive(Debug, PartialEq)]
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Axis {
    fn from_0(label: &str) -> Self {
        Self { label: label.into(), is_log: false, bounds: (Some(0.0), None) }
    }

    fn log(label: &str) -> Self {
        Self { label: label.into(), is_log: true, bounds: (None, None) }
    }

    /// Where it begins and ends: around these values, and never at one place. A logarithmic axis has a power of ten in it,
    /// without which it would have no numbers.
    fn range(&self, values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
        let (low, high) = (values.clone().fold(f64::MAX, f64::min), values.fold(f64::MIN, f64::max));
        let (low, high) = if self.is_log {
            let power = 10_f64.powf((high * 1.3).log10().floor());
            ((low / 1.3).min(power), high * 1.3)
        } else {
            (low, high * 1.05)
        };
        let (low, high) = (self.bounds.0.unwrap_or(low), self.bounds.1.unwrap_or(high));
        if high > low { low..high } else { low..low + 1.0 }
    }
}

/// A number at an axis, without zeros that say nothing.
fn tick(value: f64) -> String {
    let number = number(value);
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number,
    }
}

/// All charts that there is something for, by the ends of their names.
fn charts(results: &Results) -> Vec<(String, Chart)> {
    let latency = "latency in ms";
    let lines = |of: &dyn Fn(&Run) -> Vec<Line>| -> Vec<Line> { results.runs.iter().flat_map(of).collect() };
    let mut charts = Vec::new();

    let mut units: Vec<&str> = results.runs.iter().flat_map(|run| &run.series).map(|it| &*it.unit).collect();
    units.sort_unstable();
    units.dedup();
    for unit in units {
        let lines = lines(&|run| {
            let series = run.series.iter().filter(|series| series.unit == unit);
            series.map(|series| Line { name: series.name.clone(), points: series.points.clone() }).collect()
        });
        let (name, y) = match unit {
            "ms" => ("latency-over-time".to_owned(), Axis::log(latency)),
            "/s" => ("throughput-over-time".to_owned(), Axis::from_0("per second")),
            other => (format!("{}-over-time", in_a_file_name(other)), Axis::from_0(&format!("in {other}"))),
        };
        charts.push((name, Chart { x: Axis::from_0("seconds"), y, lines, has_marks: false }));
    }

    let distributions = lines(&|run| {
        let of = |name: &str, cdf: &[(f64, f64)]| Line {
            name: name.to_owned(),
            points: cdf.iter().map(|(ms, share)| (*ms, share * 100.0)).collect(),
        };
        run.latencies.iter().map(|latency| of(&latency.name, &latency.cdf)).collect()
    });
    let shares = Axis { label: "% took no longer".into(), is_log: false, bounds: (Some(0.0), Some(100.0)) };
    let cdf = Chart { x: Axis::log(latency), y: shares, lines: distributions, has_marks: false };
    charts.push(("latency-cdf".to_owned(), cdf));

    let by_rate = lines(&|run| {
        let mut rates = run.rates.clone();
        // Where more is offered than can be done, the line may turn back.
        rates.sort_by(|a, b| a.offered.total_cmp(&b.offered));
        let line = |name: &str, ms: fn(&crate::report::AtRate) -> f64| Line {
            name: name.to_owned(),
            points: rates.iter().map(|rate| (rate.achieved, ms(rate))).collect(),
        };
        vec![line("p50", |rate| rate.p50_ms), line("p99", |rate| rate.p99_ms)]
    });
    let by_rate =
        Chart { x: Axis::from_0("done per second"), y: Axis::log(latency), lines: by_rate, has_marks: true };
    charts.push(("latency-by-throughput".to_owned(), by_rate));

    charts.into_iter().filter_map(|(name, chart)| Some((name, chart.drawable()?))).collect()
}

fn in_a_file_name(text: &str) -> String {
    text.chars().map(|character| if character.is_alphanumeric() { character } else { '-' }).collect()
}

impl Chart {
    /// Without what has no place on its axes. `None` when nothing is left.
    fn drawable(mut self) -> Option<Self> {
        let (x, y) = (self.x.is_log, self.y.is_log);
        for line in &mut self.lines {
            line.points.retain(|point| (!x || point.0 > 0.0) && (!y || point.1 > 0.0));
        }
        self.lines.retain(|line| !line.points.is_empty());
        (!self.lines.is_empty()).then_some(self)
    }

    fn svg(&self, results: &Results) -> anyhow::Result<String> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let x = self.x.range(points.clone().map(|point| point.0));
        let y = self.y.range(points.map(|point| point.1));
        match (self.x.is_log, self.y.is_log) {
            (false, false) => self.draw(results, x, y),
            (false, true) => self.draw(results, x, y.log_scale()),
            (true, false) => self.draw(results, x.log_scale(), y),
            (true, true) => self.draw(results, x.log_scale(), y.log_scale()),
        }
    }

    fn draw<X, Y>(&self, results: &Results, x: X, y: Y) -> anyhow::Result<String>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut svg = String::new();
        self.draw_into(results, x, y, &mut svg).map_err(|error| anyhow!("{error}"))?;
        Ok(svg)
    }

    fn draw_into<X, Y>(
        &self,
        results: &Results,
        x: X,
        y: Y,
        svg: &mut String,
    ) -> Result<(), Box<dyn std::error::Error>>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let (title, subtitle) = titles(results);
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(&title, TITLE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(subtitle, SUBTITLE)
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .label_style(LABEL)
            .axis_desc_style(LABEL)
            .max_light_lines(2)
            .light_line_style(BLACK.mix(0.06))
            .bold_line_style(BLACK.mix(0.16))
            .draw()?;
        let mut names: Vec<&str> = Vec::new();
        for line in &self.lines {
            let known = names.iter().position(|name| *name == line.name);
            let number = known.unwrap_or(names.len());
            let colour = COLOURS[number % COLOURS.len()];
            let drawn =
                chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
            if known.is_none() {
                names.push(&line.name);
                drawn
                    .label(&line.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            }
            if self.has_marks {
                let marks = line.points.iter().map(|point| Circle::new(*point, 4, colour.filled()));
                chart.draw_series(marks)?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(LABEL)
            .draw()?;
        root.present()?;
        Ok(())
    }
}

/// What was measured; and with what and when.
fn titles(results: &Results) -> (String, String) {
    let conditions = &results.conditions;
    let title = results.runs.first().map_or(&conditions.workload, |run| &run.title).clone();
    let bench = || format!("rookery-bench {}", conditions.bench);
    let program = conditions.program.clone().unwrap_or_else(bench);
    let runs = if results.runs.len() > 1 { format!(", {} runs", results.runs.len()) } else { String::new() };
    let processors = conditions.machine.processors;
    (title, format!("{program}, {processors} processors, {}{runs}", conditions.began))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::results;

    fn names(results: &Results) -> Vec<String> {
        charts(results).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn there_is_a_chart_for_whatever_the_runs_have() {
        let mut results = results(&[10.0, 20.0]);
        assert_eq!(names(&results), ["throughput-over-time", "latency-cdf", "latency-by-throughput"]);
        results.runs.iter_mut().for_each(|run| run.rates.clear());
        assert_eq!(names(&results), ["throughput-over-time", "latency-cdf"]);
        for run in &mut results.runs {
            run.latencies.clear();
            run.series.clear();
        }
        assert_eq!(names(&results), Vec::<String>::new());
    }

    #[test]
    fn chart_says_what_it_shows_in_which_units_and_of_which_build() {
        let mut results = results(&[10.0, 20.0]);
        results.conditions.program = Some("rookery 0.1.0 (0123456789ab)".into());
        for (_, chart) in charts(&results) {
            let svg = chart.svg(&results).expect("it can be drawn");
            let said =
                ["direct: 2 pairs", "rookery 0.1.0 (0123456789ab)", "2 runs", &chart.x.label, &chart.y.label];
            for text in said.into_iter().chain(chart.lines.iter().map(|line| &*line.name)) {
                assert!(svg.contains(text), "{text} is not in {svg}");
            }
        }
    }

    #[test]
    fn what_has_no_place_on_a_log_axis_is_left_out() {
        let line = |points: &[(f64, f64)]| Line { name: "it".into(), points: points.to_vec() };
        let chart = |lines| Chart { x: Axis::from_0("s"), y: Axis::log("ms"), lines, has_marks: false };
        let drawable = chart(vec![line(&[(0.0, 0.0), (1.0, 2.0)]), line(&[(0.0, 0.0)])]).drawable();
        assert_eq!(drawable, Some(chart(vec![line(&[(1.0, 2.0)])])));
        assert_eq!(chart(vec![line(&[(0.0, 0.0)])]).drawable(), None);
    }

    #[test]
    fn logarithmic_axis_has_a_power_of_ten_in_it() {
        for (low, high) in [(150.0, 500.0), (1.5, 7.0), (0.02, 0.06), (8.0, 20.0), (0.5, 800.0)] {
            let range = Axis::log("ms").range([low, high].into_iter());
            let powers = (-6..6).map(|power| 10_f64.powi(power));
            assert!(powers.into_iter().any(|power| range.contains(&power)), "none in {range:?}");
            assert!(range.start <= low && range.end >= high);
        }
    }

    #[test]
    fn axes_have_no_zeros_that_say_nothing() {
        let ticks = [0.0, 0.5, 1.0, 20.0, 100.0, 12_000.0, 0.01].map(tick);
        assert_eq!(ticks, ["0", "0.5", "1", "20", "100", "12000", "0.01"]);
    }

    #[test]
    fn axis_of_a_single_value_has_a_length() {
        for axis in [Axis::log("ms"), Axis::from_0("s")] {
            for value in [0.001, 5.0] {
                let range = axis.range([value].into_iter());
                assert!(range.start < range.end && range.contains(&value), "{range:?} around {value}");
            }
        }
        let range = Axis::from_0("s").range([0.0].into_iter());
        assert!(range.start < range.end);
    }
}
