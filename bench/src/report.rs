//! What one run has measured: figures with their names and units, how long things took, and what happened over time.
//!
//! Workloads fill a [`Report`]; what is kept and shown of one or more of them is in [`results`](crate::results).

use std::time::Instant;

use anyhow::ensure;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::machine::ProcessorTime;
use crate::probe::Fdatasync;
use crate::process;

/// The points of a distribution double in number as the rest above them halves: so many for each half.
const CDF_POINTS_PER_HALF: u32 = 8;

/// One run's figures. Made before the run begins, for it notes what else the machine does meanwhile.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) title: String,
    pub(crate) figures: Vec<Figure>,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) series: Vec<Series>,
    pub(crate) rates: Vec<AtRate>,
    before: Before,
}

#[derive(Debug)]
struct Before {
    began: Instant,
    load_average: f64,
    processors: Option<ProcessorTime>,
}

/// A figure of a report.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) is_headline: bool,
    pub(crate) limit: Option<FigureId>,
}

/// Which figure of its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FigureId(pub(crate) usize);

/// The figures of a latency that others are made of, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LatencyFigures {
    pub(crate) p50: FigureId,
    pub(crate) p99: FigureId,
}

/// How long something took, each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) name: String,
    /// How many times.
    pub(crate) count: u64,
    /// Milliseconds, and the share of times that took no longer: from 0 to 1, rising.
    pub(crate) cdf: Vec<(f64, f64)>,
}

/// A value over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) unit: String,
    /// Seconds since counting began, and the value then; in order of time.
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a rate of messages did to their latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AtRate {
    /// Per second, as intended.
    pub(crate) offered: f64,
    /// Per second, as it came to be.
    pub(crate) achieved: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// What the machine did during a run, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    /// The whole run, with its preparation.
    pub(crate) seconds: f64,
    pub(crate) load_average_before: f64,
    pub(crate) load_average_after: f64,
    /// The share of all processors' time that the machine's host gave to others while there was work here. `None` where the
    /// kernel does not tell.
    pub(crate) stolen: Option<f64>,
}

impl Report {
    /// `title`: the workload's name and what it does, in a line.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            figures: Vec::new(),
            latencies: Vec::new(),
            series: Vec::new(),
            rates: Vec::new(),
            before: Before {
                began: Instant::now(),
                load_average: process::load(),
                processors: ProcessorTime::read(),
            },
        }
    }

    /// Adds a figure. Its name is its own in the report, and the same in every run of the workload.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) -> FigureId {
        let name = name.into();
        debug_assert!(
            self.figures.iter().all(|figure| figure.name != name),
            "there are two figures {name:?}"
        );
        self.figures.push(Figure { name, value, unit, is_headline: false, limit: None });
        FigureId(self.figures.len() - 1)
    }

    /// A figure's value.
    pub(crate) fn value(&self, figure: FigureId) -> f64 {
        self.figures[figure.0].value
    }

    /// Marks a figure as one that the workload is run for.
    pub(crate) fn headline(&mut self, figure: FigureId) {
        self.figures[figure.0].is_headline = true;
    }

    /// Says which other figure, of the same unit, binds this one: it is also given as a share of that.
    pub(crate) fn share_of(&mut self, figure: FigureId, limit: FigureId) {
        debug_assert_eq!(
            self.figures[figure.0].unit, self.figures[limit.0].unit,
            "shares are of like things"
        );
        self.figures[figure.0].limit = Some(limit);
    }

    /// Adds the quantiles of how long something took, of a histogram in microseconds, and keeps the distribution.
    ///
    /// # Errors
    /// When the histogram is empty: the run was too short for it.
    pub(crate) fn latency(
        &mut self,
        name: impl Into<String>,
        times_us: &Histogram<u64>,
    ) -> anyhow::Result<LatencyFigures> {
        let name = name.into();
        ensure!(!times_us.is_empty(), "nothing was counted for {name:?}: let it run for more --seconds");
        let mut add = |what: &str, quantile: f64| {
            self.add(format!("{name}, {what}"), times_us.value_at_quantile(quantile) as f64 / 1e3, "ms")
        };
        let p50 = add("p50", 0.5);
        add("p90", 0.9);
        let figures = LatencyFigures { p50, p99: add("p99", 0.99) };
        add("p99.9", 0.999);
        let steps = times_us.iter_quantiles(CDF_POINTS_PER_HALF);
        let cdf = steps.map(|step| (step.value_iterated_to() as f64 / 1e3, step.quantile())).collect();
        self.latencies.push(Latency { name, count: times_us.len(), cdf });
        Ok(figures)
    }

    /// Keeps a value over time: seconds since counting began, and the value then. What is no finite number is left out.
    pub(crate) fn series(
        &mut self,
        name: impl Into<String>,
        unit: impl Into<String>,
        mut points: Vec<(f64, f64)>,
    ) {
        points.retain(|(_, value)| value.is_finite());
        self.series.push(Series { name: name.into(), unit: unit.into(), points });
    }

    /// Keeps what a rate of messages did to their latency, of a histogram in microseconds: one point of throughput against
    /// latency. Rates are per second.
    pub(crate) fn at_rate(&mut self, offered: f64, achieved: f64, times_us: &Histogram<u64>) {
        let ms = |quantile| times_us.value_at_quantile(quantile) as f64 / 1e3;
        self.rates.push(AtRate { offered, achieved, p50_ms: ms(0.5), p99_ms: ms(0.99) });
    }

    /// Adds what the disk does by itself, and returns the figure of the median.
    pub(crate) fn disk(&mut self, disk: &Fdatasync) -> FigureId {
        let p50 = self.add("disk: fdatasync of 4 KiB, p50", disk.quantile_us(0.5) as f64 / 1000.0, "ms");
        self.add("disk: fdatasync of 4 KiB, p99", disk.quantile_us(0.99) as f64 / 1000.0, "ms");
        p50
    }

    /// Adds what the disk does by itself, before the run and after it.
    pub(crate) fn disk_around(&mut self, before: &Fdatasync, after: &Fdatasync) {
        self.disk(before);
        self.add("disk: fdatasync p50 after the run", after.quantile_us(0.5) as f64 / 1000.0, "ms");
    }

    /// Adds what the disk does by itself, before the run and after it, and says that it binds these times, which the
    /// workload is run for.
    pub(crate) fn bind_by_disk(&mut self, times: LatencyFigures, before: &Fdatasync, after: &Fdatasync) {
        self.disk_around(before, after);
        let both_us = (before.quantile_us(0.5) + after.quantile_us(0.5)) as f64 / 2.0;
        let fdatasync = self.add("disk: fdatasync p50, before and after", both_us / 1000.0, "ms");
        for time in [times.p50, times.p99] {
            self.headline(time);
            self.share_of(time, fdatasync);
        }
    }

    /// A figure's value, by its name.
    #[cfg(test)]
    pub(crate) fn value_of(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// What the machine has done since the report was made.
    pub(crate) fn surroundings(&self) -> Surroundings {
        let Before { began, load_average, processors } = &self.before;
        let stolen = processors.as_ref().zip(ProcessorTime::read());
        Surroundings {
            seconds: began.elapsed().as_secs_f64(),
            load_average_before: *load_average,
            load_average_after: process::load(),
            stolen: stolen.map(|(before, now)| now.stolen_since(before)),
        }
    }
}
