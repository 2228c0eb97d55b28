//! Every disk that a crash at one moment may leave.

use std::hash::{BuildHasher, Hash, Hasher};

use ahash::RandomState;
use steadfast_simulated_disk::{CrashModel, DiskModel};

/// Shows every disk that a crash may leave, some more than once, until `show` returns `false`. Goes
/// through the choices of the crash like an odometer.
pub(crate) fn images(
    model: &DiskModel,
    crash_model: &CrashModel,
    show: &mut dyn FnMut(DiskModel) -> bool,
) {
    // For each choice: the chosen possibility, and how many there are.
    let mut choices: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut at = 0;
        let image = crash_model.crash(model, &mut |count| {
            if at == choices.len() {
                choices.push((0, count));
            }
            let chosen = choices[at].0;
            at += 1;
            chosen
        });
        choices.truncate(at);
        if !show(image) {
            return;
        }
        while choices.last().is_some_and(|it| it.0 + 1 >= it.1) {
            choices.pop();
        }
        match choices.last_mut() {
            Some(last) => last.0 += 1,
            None => return,
        }
    }
}

/// Fingerprints that are the same in every run.
pub(crate) fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// The fingerprint of the files on a disk.
pub(crate) fn fingerprint(image: &DiskModel, state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    for (name, bytes) in image.files() {
        name.hash(&mut hasher);
        bytes.hash(&mut hasher);
    }
    hasher.finish()
}
