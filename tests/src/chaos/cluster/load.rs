//! Who writes what to whom, and when: an endless stream that grows from a seed.
//!
//! Each client writes to a few contacts, and to the first of them most (Zipf); a few clients write most of it all; and
//! some write several messages without waiting.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::chaos::Saying;
use crate::chaos::random::body_bytes;

/// Contacts of a client.
const CONTACTS: usize = 12;

/// A message that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// Since the beginning.
    pub at: Duration,
    /// Who writes.
    pub client: usize,
    /// To which user, by place among the users.
    pub to: usize,
    /// What kind of message.
    pub saying: Saying,
    /// The body's length.
    pub bytes: usize,
}

/// The stream.
#[derive(Debug)]
pub struct Load {
    rng: StdRng,
    at: Duration,
    rate: f64,
    clients: Zipf,
    contacts: Zipf,
    /// Of each client.
    users: Vec<Vec<usize>>,
    burst: Option<(Sending, u32)>,
}

impl Load {
    /// So many messages a second, between so many clients and users.
    ///
    /// # Panics
    /// When there is nobody.
    pub fn new(seed: u64, clients: usize, users: usize, messages_per_second: u32) -> Self {
        assert!(clients > 0 && users > 0, "a load has senders and receivers");
        let mut rng = StdRng::seed_from_u64(seed ^ 0x10ad);
        let popular = Zipf::new(users, 0.5);
        let mut contacts = |_| (0..CONTACTS).map(|_| popular.draw(&mut rng)).collect();
        let users = (0..clients).map(&mut contacts).collect();
        Self {
            rng,
            at: Duration::ZERO,
            rate: f64::from(messages_per_second.max(1)),
            clients: Zipf::new(clients, 0.5),
            contacts: Zipf::new(CONTACTS, 1.0),
            users,
            burst: None,
        }
    }
}

impl Load {
    /// A user to whom a client writes, the more often the likelier.
    pub fn contact(&self, rng: &mut StdRng, client: usize) -> usize {
        self.users[client][self.contacts.draw(rng)]
    }
}

impl Iterator for Load {
    type Item = Sending;

    fn next(&mut self) -> Option<Sending> {
        const BURST_ONE_IN: u32 = 20;
        const BURST: std::ops::Range<u32> = 2..12;
        let sending = match self.burst.take() {
            Some((sending, left)) => {
                self.burst = (left > 1).then_some((sending, left - 1));
                sending
            }
            None => {
                // Exponential gaps; those after bursts are longer, so that the rate is what was asked for.
                let per_event = 1.0 + f64::from(BURST.start + BURST.end - 3) / 2.0 / f64::from(BURST_ONE_IN);
                let even: f64 = self.rng.random();
                self.at += Duration::from_secs_f64(-(1.0 - even).ln() * per_event / self.rate);
                let client = self.clients.draw(&mut self.rng);
                let to = self.users[client][self.contacts.draw(&mut self.rng)];
                let sending = Sending { at: self.at, client, to, saying: Saying::Plain, bytes: 0 };
                if self.rng.random_ratio(1, BURST_ONE_IN) {
                    self.burst = Some((sending, self.rng.random_range(BURST) - 1));
                }
                sending
            }
        };
        let (saying, bytes) = (Saying::random(&mut self.rng), body_bytes(&mut self.rng));
        Some(Sending { saying, bytes, ..sending })
    }
}

/// Places 0, 1, 2, ..., the first the likeliest.
#[derive(Debug)]
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, rng: &mut StdRng) -> usize {
        let sum = self.0.last().copied().unwrap_or_default();
        let drawn = rng.random::<f64>() * sum;
        self.0.partition_point(|reached| *reached < drawn).min(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_what_was_asked_for_and_the_seed_decides() {
        let take = |seed| Load::new(seed, 50, 40, 200).take_while(|it| it.at < Duration::from_secs(60));
        let all: Vec<_> = take(1).collect();
        assert!((10_000..14_000).contains(&all.len()), "{}", all.len());
        assert!(all.is_sorted_by_key(|sending| sending.at));
        assert!(take(1).eq(all.iter().copied()));
        assert!(!take(2).eq(all.iter().copied()));
    }

    #[test]
    fn some_pairs_talk_much_more_than_others() {
        let mut pairs = std::collections::HashMap::new();
        for sending in Load::new(1, 50, 40, 200).take(10_000) {
            *pairs.entry((sending.client, sending.to)).or_insert(0) += 1;
        }
        let mut counts: Vec<i32> = pairs.into_values().collect();
        counts.sort_unstable();
        assert!(counts[counts.len() - 1] > 10 * counts[counts.len() / 2], "{counts:?}");
    }
}
