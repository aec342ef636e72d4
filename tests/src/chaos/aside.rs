//! What clients do beside writing, and when: some fall out with others and make up again, and some look up what was said
//! where something has just been deleted.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rookery_client::ConversationId;
use tokio::time::sleep;

use super::random::{millis, moment};
use crate::fleet::Fleet;
use crate::history::Client;

/// Between two times that a client falls out with somebody, on average.
const FALLS_OUT_EVERY: Duration = Duration::from_secs(90);

/// Between two times that a client looks back, on average.
const LOOKS_BACK_EVERY: Duration = Duration::from_secs(20);

/// Something that a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aside {
    /// Since the beginning.
    pub at: Duration,
    /// Who.
    pub client: usize,
    /// What.
    pub act: AsideAct,
}

/// What somebody does who does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsideAct {
    /// Blocks a user, and no longer after a while.
    FallOut {
        /// The user, by place among the users.
        with: usize,
        /// After how long.
        lasts: Duration,
    },
    /// Asks what was said where something was deleted. If it is no conversation of the client's, the next client does
    /// whose it is.
    LookBack {
        /// Which of the last deletions.
        pick: u32,
    },
}

/// What so many clients do in a time, in order. With whom each falls out is drawn by `whom`.
pub fn asides(
    rng: &mut StdRng,
    clients: usize,
    storm: Duration,
    mut whom: impl FnMut(&mut StdRng, usize) -> usize,
) -> Vec<Aside> {
    let count = |each: Duration| (clients as f64 * storm.as_secs_f64() / each.as_secs_f64()) as usize;
    let mut asides = Vec::new();
    for _ in 0..count(FALLS_OUT_EVERY) {
        let (lasts, client) = (millis(rng, 0..5_000).min(storm / 2), rng.random_range(0..clients));
        let at = moment(rng, storm - lasts);
        let act = AsideAct::FallOut { with: whom(rng, client), lasts };
        asides.push(Aside { at, client, act });
    }
    for _ in 0..count(LOOKS_BACK_EVERY) {
        let (at, client) = (moment(rng, storm), rng.random_range(0..clients));
        asides.push(Aside { at, client, act: AsideAct::LookBack { pick: rng.random() } });
    }
    asides.sort_by_key(|aside| aside.at);
    asides
}

impl AsideAct {
    /// Does it; users are these.
    pub async fn perform(
        self,
        fleet: &Fleet,
        client: usize,
        users: impl Fn(usize) -> rookery_client::UserId,
    ) {
        match self {
            Self::FallOut { with, lasts } => {
                let (clients, whom) = (fleet.clients(), users(with));
                if whom != fleet.user(client) {
                    clients[client].block(whom, true).await;
                    sleep(lasts).await;
                    clients[client].block(whom, false).await;
                }
            }
            Self::LookBack { pick } => {
                if let Some((client, conversation)) = looks_back(fleet, client, pick) {
                    fleet.clients()[client].look_back(conversation).await;
                }
            }
        }
    }
}

/// Who looks where: this client or the next one who has been handed something there.
fn looks_back(fleet: &Fleet, client: usize, pick: u32) -> Option<(usize, ConversationId)> {
    let count = fleet.clients().len();
    fleet.recorder().progress(|_, progress| {
        let which = (pick as usize).checked_rem(progress.deletions.len())?;
        let conversation = progress.deletions[which];
        let is_theirs = |it: &usize| progress.positions.contains_key(&(Client(*it), conversation));
        let client = (0..count).map(|next| (client + next) % count).find(is_theirs)?;
        Some((client, conversation))
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn everybody_falls_out_and_looks_back_as_often_as_is_said_and_the_seed_decides() {
        let of = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            asides(&mut rng, 60, Duration::from_secs(90), |_, client| client + 1)
        };
        let all = of(1);
        assert_eq!((of(1) == all, of(2) == all), (true, false));
        let fallen_out = all.iter().filter(|it| matches!(it.act, AsideAct::FallOut { .. })).count();
        assert_eq!((fallen_out, all.len() - fallen_out), (60, 270));
        assert!(all.is_sorted_by_key(|aside| aside.at));
    }
}
