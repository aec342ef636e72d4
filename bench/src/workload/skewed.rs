//! Choices of which some are far more frequent than others.

use rand::{Rng, RngExt};

/// Chooses by weights, among 0, 1, 2, ...
#[derive(Debug, Clone)]
pub(super) struct Skewed {
    /// The weights of a choice and of those before it, together.
    cumulative: Vec<f64>,
}

impl Skewed {
    /// Weights are more than 0, and there is at least one.
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let cumulative: Vec<f64> = weights
            .into_iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        assert!(sum > 0.0, "there is something to choose");
        Self { cumulative }
    }

    /// Zipf's law: of `count`, the one of rank k is chosen as often as 1 / k to the power of `exponent` says; 0 makes all alike.
    pub(super) fn zipf(count: usize, exponent: f64) -> Self {
        Self::new((1..=count).map(|rank| (rank as f64).powf(-exponent)))
    }

    /// One of them.
    pub(super) fn choose(&self, random: &mut impl Rng) -> usize {
        self.at(random.random())
    }

    /// The one at this part of all weights, from 0 to 1.
    fn at(&self, part: f64) -> usize {
        let (last, sum) = (self.cumulative.len() - 1, self.cumulative[self.cumulative.len() - 1]);
        self.cumulative.partition_point(|upto| *upto <= part * sum).min(last)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn each_has_the_part_of_its_weight() {
        let skewed = Skewed::new([1.0, 2.0, 1.0]);
        let at: Vec<usize> = [0.0, 0.24, 0.25, 0.74, 0.75, 1.0].map(|part| skewed.at(part)).to_vec();
        assert_eq!(at, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn zipf_chooses_the_second_half_as_often_as_the_first_and_the_tenth_a_tenth_as_often() {
        let (zipf, mut random) = (Skewed::zipf(100, 1.0), StdRng::seed_from_u64(1));
        let mut chosen = [0; 100];
        (0..200_000).for_each(|_| chosen[zipf.choose(&mut random)] += 1);
        let part = |rank: usize| f64::from(chosen[rank - 1]) / f64::from(chosen[0]);
        assert!((0.47..0.53).contains(&part(2)), "{}", part(2));
        assert!((0.09..0.11).contains(&part(10)), "{}", part(10));
    }

    #[test]
    fn without_skew_all_are_alike() {
        let zipf = Skewed::zipf(4, 0.0);
        assert_eq!([0.1, 0.3, 0.6, 0.9].map(|part| zipf.at(part)), [0, 1, 2, 3]);
    }
}
