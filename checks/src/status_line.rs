//! How far an invocation is, on standard error: a bar on a terminal, and elsewhere a line whenever nothing
//! has been printed for some seconds.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use steadfast_output::{assert_threads, say, warn};

use crate::program_name::program_name;

/// Nothing is silent for longer.
const SILENCE_MAX: Duration = Duration::from_secs(4);

/// The status of one stage of an invocation. Dropped, it disappears from a terminal.
pub(crate) struct StatusLine {
    bar: ProgressBar,
    /// Hears of each print, so that a line is due only after a silence. Dropped, it ends the thread.
    printed: Sender<()>,
}

impl StatusLine {
    /// The status of a stage of this many tasks; `None` if their number is not known.
    pub(crate) fn begin(tasks: Option<u64>, message: &'static str) -> StatusLine {
        // A wide message is cut off at the width of the terminal: a line that wraps is not erased.
        let template = match tasks {
            Some(_) => "{bar:20} {pos}/{len} {elapsed} (about {eta} left) {wide_msg}",
            None => "{spinner} {pos} {elapsed} {wide_msg}",
        };
        let style = ProgressStyle::with_template(template);
        let bar = tasks.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(message);
        let (printed, prints) = channel();
        // The bar takes a thread too, and panics without one. Without threads there is no status.
        if assert_threads(1).is_ok() {
            if bar.is_hidden() {
                let bar = bar.clone();
                let _ = thread::Builder::new().spawn(move || print_lines(&bar, &prints));
            } else {
                bar.enable_steady_tick(Duration::from_secs(1));
            }
        }
        StatusLine { bar, printed }
    }

    /// Says what is being done.
    pub(crate) fn say(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// Counts a task that has ended.
    pub(crate) fn task_done(&self) {
        self.bar.inc(1);
    }

    /// Prints a part of the result on standard output.
    pub(crate) fn print(&self, text: &str) {
        self.bar.suspend(|| say(text.trim_end_matches('\n')));
        note_print();
        // Without a thread nobody hears it.
        let _ = self.printed.send(());
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// When something was last printed. One stage may end in silence and another begin so.
static LAST_PRINT: Mutex<Option<Instant>> = Mutex::new(None);

fn note_print() {
    *LAST_PRINT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// How long it may stay silent from now on.
fn silence_left() -> Duration {
    let mut last = LAST_PRINT.lock().unwrap_or_else(PoisonError::into_inner);
    SILENCE_MAX.saturating_sub(last.get_or_insert_with(Instant::now).elapsed())
}

fn print_lines(bar: &ProgressBar, prints: &Receiver<()>) {
    loop {
        match prints.recv_timeout(silence_left()) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => {
                warn(line(bar));
                note_print();
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn line(bar: &ProgressBar) -> String {
    let of = bar.length().map_or(String::new(), |it| format!(" of {it}"));
    let (program, seconds) = (program_name(), bar.elapsed().as_secs());
    format!("{program}: {}{of} done after {seconds} s; {}", bar.position(), bar.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_many_tasks_are_done_and_what_is_being_done() {
        let status = StatusLine::begin(Some(3), "searching");
        status.task_done();
        status.say("replicate, level 4");
        assert_eq!(line(&status.bar), "check: 1 of 3 done after 0 s; replicate, level 4");
        let endless = StatusLine::begin(None, "seeds");
        assert_eq!(line(&endless.bar), "check: 0 done after 0 s; seeds");
    }
}
