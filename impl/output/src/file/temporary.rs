//! Temporary names, which a signal that ends the program removes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::{Builder, TempPath};

/// Signals that end the program from outside and let it tidy up.
const SIGNALS: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU];

/// The temporary names. Locked while one is made or given up, so that a signal finds all.
static NAMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary name. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Temporary {
    path: Option<TempPath>,
}

impl Temporary {
    /// Makes a file or a link with a name of its own in `directory`.
    pub(super) fn make<R>(
        directory: &Path,
        mut make: impl FnMut(&Path) -> io::Result<R>,
    ) -> io::Result<(R, Temporary)> {
        static WATCH: Once = Once::new();
        WATCH.call_once(watch);
        let mut names = names();
        // The error of the library would name the temporary file, which the user does not know.
        let mut code = None;
        let mut noted = |path: &Path| make(path).inspect_err(|it| code = it.raw_os_error());
        let made = Builder::new().make_in(directory, &mut noted);
        let without_name = |error: io::Error| {
            code.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
        };
        let (made, path) = made.map_err(without_name)?.into_parts();
        names.push(path.to_path_buf());
        Ok((made, Temporary { path: Some(path) }))
    }

    /// Renames the file to `target`, replacing the file that had that name.
    pub(super) fn persist(mut self, target: &Path) -> io::Result<()> {
        let mut names = names();
        let Some(path) = self.path.take() else { return Ok(()) };
        let name = path.to_path_buf();
        // Dropped, the error removes the temporary name.
        let persisted = path.persist(target).map_err(|it| it.error);
        names.retain(|it| *it != name);
        persisted
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let mut names = names();
            names.retain(|it| **it != *path);
            drop(path);
        }
    }
}

/// Removes all temporary files, before the program ends without running destructors.
pub(crate) fn remove_temporary_files() {
    names().drain(..).for_each(|it| drop(fs::remove_file(it)));
}

fn names() -> MutexGuard<'static, Vec<PathBuf>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a thread wait for signals. Where none can be started, signals do what they did before, and may
/// leave a temporary file.
fn watch() {
    let (is_watching, begun) = sync_channel(1);
    // Handlers are installed by the thread itself: without it, they would swallow the signals.
    let wait = move || {
        let signals = Signals::new(SIGNALS.iter().filter(|it| !is_ignored(**it)));
        let _ = is_watching.send(());
        let Ok(mut signals) = signals else { return };
        for signal in signals.forever() {
            let mut names = names();
            names.drain(..).for_each(|it| drop(fs::remove_file(it)));
            // Ends the program while nothing can be added to the names.
            let _ = emulate_default_handler(signal);
        }
    };
    if thread::Builder::new().name("signals".to_owned()).spawn(wait).is_ok() {
        let _ = begun.recv();
    }
}

/// Whether the program was started with a signal ignored, which is to stay so (`nohup`, background
/// jobs). Known where the system shows it in `/proc`.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
