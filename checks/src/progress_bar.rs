//! The progress bar of searches and seeds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use steadfast_output::assert_threads;

/// Shown on standard error, and only if that is a terminal.
pub(crate) fn progress_bar(length: u64) -> ProgressBar {
    // A wide message is cut off at the width of the terminal: a line that wraps is not erased.
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
    let bar = ProgressBar::new(length);
    // It takes a thread, and panics without one.
    if !bar.is_hidden() && assert_threads(1).is_ok() {
        bar.enable_steady_tick(Duration::from_secs(1));
    }
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
