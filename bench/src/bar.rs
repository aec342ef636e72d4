//! A bar for people who wait.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts up to so many.
pub(crate) fn counting(count: u64, message: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len}").expect("the template is a valid one");
    ProgressBar::new(count).with_style(style).with_message(message)
}
