//! How far a command has come, on a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redrawn at most so often in a second.
const REDRAWN_HZ: u8 = 10;

/// A bar on standard error; nothing where that is no terminal.
pub(crate) fn bar(what: &'static str, length: u64) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(REDRAWN_HZ));
    let template = "{msg} {wide_bar} {percent:>3}% {eta:>4}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()));
    bar.set_message(what);
    // No steady tick: it would take a thread, which the system may refuse.
    bar.tick();
    bar
}

/// Moves a bar by what is written.
pub(crate) struct Observed<'a, W> {
    pub(crate) inner: W,
    pub(crate) bar: &'a ProgressBar,
}

impl<W: Write> Write for Observed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bar.inc(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
