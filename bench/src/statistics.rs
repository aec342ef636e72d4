//! What several runs say together.

use serde::{Deserialize, Serialize};

/// The middle of some values, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` where there is no value. The median of an even number of values is the mean of the two in the middle.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, min, max })
    }

    /// Whether some value may lie in both: then the runs do not show that they differ.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_whatever_the_order() {
        let spread = Spread::of(&[9.0, 1.0, 4.0]);
        assert_eq!(spread, Some(Spread { median: 4.0, min: 1.0, max: 9.0 }));
    }

    #[test]
    fn median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = Spread::of(&[8.0, 1.0, 2.0, 4.0]);
        assert_eq!(spread, Some(Spread { median: 3.0, min: 1.0, max: 8.0 }));
    }

    #[test]
    fn no_values_have_no_median() {
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn spreads_that_touch_overlap_and_others_do_not() {
        let spread = |min, max| Spread { median: min, min, max };
        assert!(spread(1.0, 2.0).overlaps(&spread(2.0, 3.0)));
        assert!(spread(2.0, 3.0).overlaps(&spread(1.0, 2.0)));
        assert!(spread(1.0, 9.0).overlaps(&spread(4.0, 5.0)));
        assert!(!spread(1.0, 2.0).overlaps(&spread(2.1, 3.0)));
        assert!(!spread(2.1, 3.0).overlaps(&spread(1.0, 2.0)));
    }
}
