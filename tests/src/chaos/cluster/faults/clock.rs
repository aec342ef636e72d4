//! A wrong time of day.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Outcome, Scene};
use crate::cluster::{Member, clocks_can_be_shifted};

impl Scene {
    pub(super) async fn shift_clock(&self, node: usize, seconds: i64, lasts: Duration) -> Result<Outcome> {
        if !clocks_can_be_shifted() {
            return Ok(Outcome::Skipped("libfaketime is not installed"));
        }
        let member = self.cluster.member(node);
        member.shift_clock(seconds)?;
        let shifted = Instant::now() + lasts;
        let followed = follows(member, seconds).await;
        sleep_until(shifted).await;
        member.shift_clock(0)?;
        followed?;
        follows(member, 0).await?;
        Ok(Outcome::Done)
    }
}

/// Waits until the node's clock says what it is to say: otherwise there was no fault.
async fn follows(member: &Member, seconds: i64) -> Result<()> {
    const WITHIN: Duration = Duration::from_secs(10);
    const TOLERANCE: i64 = 3;
    let deadline = Instant::now() + WITHIN;
    loop {
        let ahead = member.clock_ahead().await?;
        if (ahead - seconds).abs() <= TOLERANCE {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the clock of {} is {ahead} s ahead instead of {seconds}", member.name());
        }
        sleep(Duration::from_millis(200)).await;
    }
}
