//! Signals that end the program from outside.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::file::remove_temporary_files;

/// Signals that end the program and let it tidy up.
const SIGNALS: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU];

/// Signals by which a user asks the program to end.
const INTERRUPTS: [i32; 2] = [SIGINT, SIGTERM];

type Stop = Box<dyn Fn() + Send>;

/// What an interrupted program does so as to end soon; `None` if it ends at once.
static STOP: Mutex<Option<Stop>> = Mutex::new(None);

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C or SIGTERM call `stop`, on a thread of its own, instead of ending the program.
/// From then on [`is_interrupted`] holds; the program should end soon and report its results so far. The
/// second such signal ends it. Where no thread can be started, the first one does.
pub fn on_interrupt(stop: impl Fn() + Send + 'static) {
    *STOP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
    watch();
}

/// Whether Ctrl-C or SIGTERM asked the program to end, after a call of [`on_interrupt`].
#[must_use]
pub fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

/// Lets a thread wait for signals. Where none can be started, signals do what they did before, and may
/// leave a temporary file.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let (is_watching, begun) = sync_channel(1);
        // Handlers are installed by the thread itself: without it, they would swallow the signals.
        let wait = move || {
            let signals = Signals::new(SIGNALS.iter().filter(|it| !is_ignored(**it)));
            let _ = is_watching.send(());
            let Ok(mut signals) = signals else { return };
            signals.forever().for_each(handle);
        };
        if thread::Builder::new().name("signals".to_owned()).spawn(wait).is_ok() {
            let _ = begun.recv();
        }
    });
}

fn handle(signal: i32) {
    if INTERRUPTS.contains(&signal)
        && let Some(stop) = STOP.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        IS_INTERRUPTED.store(true, Ordering::Relaxed);
        stop();
        return;
    }
    // Ends the program while no temporary file can be made.
    let _removed = remove_temporary_files();
    let _ = emulate_default_handler(signal);
}

/// Whether the program was started with a signal ignored, which is to stay so (`nohup`, background
/// jobs). Known where the system shows it in `/proc`.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
