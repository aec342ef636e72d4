//! What `/metrics` says, as numbers.

use std::collections::BTreeMap;

/// Samples by name, labels summed up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text form; what is no sample is passed over.
    pub fn parse(text: &str) -> Self {
        let mut sums = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let name = series.split('{').next().unwrap_or(series);
            *sums.entry(name.to_owned()).or_default() += value;
        }
        Self(sums)
    }

    /// The sum of all samples of this name; 0 if there are none.
    pub fn sum(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// Whether there is a sample of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_are_summed_over_their_labels() {
        let text = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2 3\"} 3\n\nb 0.5\nnonsense\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("a"), 5.0);
        assert_eq!(metrics.sum("b"), 0.5);
        assert!(!metrics.has("nonsense"));
        assert_eq!(metrics.sum("c"), 0.0);
    }
}
