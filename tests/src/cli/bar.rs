//! How a run goes, for whoever waits.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rookery_tests::chaos::Watch;

/// A bar on the terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Result<Self> {
        let bar = ProgressBar::new(1);
        bar.set_style(ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self(bar))
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Watch for Bar {
    fn steps(&self, done: usize, of: usize) {
        self.0.set_length(of as u64);
        self.0.set_position(done as u64);
    }

    fn phase(&self, what: &str) {
        // Where there is no terminal there is no bar.
        if self.0.is_hidden() {
            println!("{:>6.1} s  {what}", self.0.elapsed().as_secs_f64());
        }
        self.0.set_message(what.to_owned());
    }
}
