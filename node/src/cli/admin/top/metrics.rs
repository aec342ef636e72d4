//! What `top` needs of a node's metrics, in Prometheus' text form.

use std::collections::BTreeMap;

/// A node's metrics at one moment, summed over their labels.
#[derive(Debug, Default, Clone)]
pub(super) struct Metrics {
    values: BTreeMap<String, f64>,
    /// By a histogram's name, how many were up to each bound. The last bound is infinite.
    buckets: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Metrics {
    /// Skips what it cannot read.
    pub(super) fn parse(text: &str) -> Self {
        let mut metrics = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            match (name.strip_suffix("_bucket"), bound(labels)) {
                (Some(histogram), Some(bound)) => metrics.count(histogram, bound, value),
                _ => *metrics.values.entry(name.to_owned()).or_default() += value,
            }
        }
        metrics
    }

    fn count(&mut self, histogram: &str, bound: f64, value: f64) {
        let buckets = self.buckets.entry(histogram.to_owned()).or_default();
        let at = buckets.partition_point(|(known, _)| *known < bound);
        match buckets.get_mut(at) {
            Some((known, count)) if *known == bound => *count += value,
            _ => buckets.insert(at, (bound, value)),
        }
    }

    pub(super) fn value(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or_default()
    }

    /// How much a counter has grown since, if it is the same counter.
    pub(super) fn grown(&self, before: &Self, name: &str) -> Option<f64> {
        let grown = self.value(name) - before.value(name);
        (grown >= 0.0).then_some(grown)
    }

    /// The value that this part of what has been measured since was below. None when nothing was.
    pub(super) fn quantile(&self, before: &Self, histogram: &str, part: f64) -> Option<f64> {
        let now = self.buckets.get(histogram)?;
        let then = before.buckets.get(histogram).map_or(&[][..], Vec::as_slice);
        let since = now.iter().map(|(bound, count)| {
            let known = then.iter().find(|(known, _)| known == bound).map_or(0.0, |(_, count)| *count);
            (*bound, count - known)
        });
        let since: Vec<(f64, f64)> = since.collect();
        let total = since.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let wanted = total * part;
        let at = since.iter().position(|(_, count)| *count >= wanted)?;
        let (low, below) = at.checked_sub(1).map_or((0.0, 0.0), |before| since[before]);
        let (high, upto) = since[at];
        // Beyond the last bound nothing is known but that.
        if high.is_infinite() {
            return Some(low);
        }
        let within = if upto > below { (wanted - below) / (upto - below) } else { 1.0 };
        Some(low + (high - low) * within)
    }
}

fn bound(labels: &str) -> Option<f64> {
    let (_, rest) = labels.split_once("le=\"")?;
    match rest.split_once('"')?.0 {
        "+Inf" => Some(f64::INFINITY),
        bound => bound.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# TYPE a counter\na{x=\"1\"} 5\na{x=\"2\"} 7\nnonsense\n\
        h_bucket{le=\"0.5\"} 10\nh_bucket{le=\"1\"} 10\nh_bucket{le=\"+Inf\"} 10\nh_sum 2\nh_count 10\n";
    const AFTER: &str = "a{x=\"1\"} 6\na{x=\"2\"} 9\n\
        h_bucket{le=\"0.5\"} 60\nh_bucket{le=\"1\"} 109\nh_bucket{le=\"+Inf\"} 110\nh_sum 80\nh_count 110\n";

    #[test]
    fn counters_are_summed_over_labels_and_compared() {
        let (before, after) = (Metrics::parse(BEFORE), Metrics::parse(AFTER));
        assert_eq!(before.value("a"), 12.0);
        assert_eq!(after.grown(&before, "a"), Some(3.0));
        assert_eq!(before.grown(&after, "a"), None, "a node that was started again counts anew");
        assert_eq!(after.value("none"), 0.0);
    }

    #[test]
    fn quantiles_are_of_what_was_measured_since() {
        let (before, after) = (Metrics::parse(BEFORE), Metrics::parse(AFTER));
        assert_eq!(after.quantile(&before, "h", 0.5), Some(0.5));
        assert_eq!(after.quantile(&before, "h", 0.25), Some(0.25));
        assert_eq!(after.quantile(&before, "h", 0.99), Some(1.0));
        assert_eq!(
            after.quantile(&before, "h", 1.0),
            Some(1.0),
            "beyond the last bound it is the last bound"
        );
        assert_eq!(after.quantile(&after, "h", 0.5), None);
        assert_eq!(after.quantile(&before, "none", 0.5), None);
    }
}
