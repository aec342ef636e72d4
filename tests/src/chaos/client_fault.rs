//! What may befall a client: its network, or itself.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::random::millis;
use crate::fleet::{FleetClient, HowStopped};
use crate::{Cut, HowCut, Weather};

/// A client's misfortune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFault {
    /// Its network changes for a while.
    Weather {
        /// To this.
        weather: Weather,
        /// For so long.
        lasts: Duration,
    },
    /// Its connection ends.
    Cut(Cut),
    /// It ends and comes back.
    Restart {
        /// How it ends.
        how: HowStopped,
        /// After so long.
        down: Duration,
    },
}

impl ClientFault {
    /// Some misfortune.
    pub fn random(rng: &mut StdRng) -> Self {
        match rng.random_range(0..10) {
            0..4 => {
                let how = [HowCut::Reset, HowCut::Closed, HowCut::HalfOpen][rng.random_range(0..3)];
                let after_bytes = if rng.random() { 0 } else { rng.random_range(1..2000) };
                Self::Cut(Cut { how, after_bytes })
            }
            4..7 => {
                let weather = match rng.random_range(0..4) {
                    0 => Weather::Stalled,
                    1 => Weather::Slow(millis(rng, 5..80)),
                    2 => Weather::Dribbling,
                    _ => Weather::Refusing,
                };
                Self::Weather { weather, lasts: millis(rng, 100..3_000) }
            }
            _ => {
                let how = [HowStopped::Closed, HowStopped::Crashed, HowStopped::CrashedWithMessageInHand];
                Self::Restart { how: how[rng.random_range(0..3)], down: millis(rng, 0..1_500) }
            }
        }
    }

    /// Lets it happen, and makes it end.
    ///
    /// # Panics
    /// When the client's local store cannot be opened again.
    pub async fn befall(self, client: &FleetClient) {
        match self {
            Self::Cut(cut) => client.network().cut(cut),
            Self::Weather { weather, lasts } => {
                client.network().set(weather);
                sleep(lasts).await;
                client.network().set(Weather::Clear);
            }
            Self::Restart { how, down } => {
                client.stop(how).await;
                sleep(down).await;
                client.start().await.expect("a local store outlives its client");
            }
        }
    }
}
