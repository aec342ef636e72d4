//! A wrong time of day.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Outcome, Scene};
use crate::cluster::clocks_can_be_shifted;

impl Scene {
    pub(super) async fn shift_clock(&self, node: usize, seconds: i64, lasts: Duration) -> Result<Outcome> {
        if !clocks_can_be_shifted() {
            return Ok(Outcome::Skipped("libfaketime is not installed"));
        }
        let member = self.cluster.member(node);
        member.shift_clock(seconds)?;
        sleep(lasts).await;
        member.shift_clock(0)?;
        Ok(Outcome::Done)
    }
}
