//! Figures that must be reached.

use serde::Serialize;
use steadfast_output::exit_code::{BROKEN, INCOMPLETE};

/// A figure that must be reached, told as `M`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target<M> {
    /// Its number.
    pub(crate) id: &'static str,
    /// What is asked for.
    pub(crate) must: String,
    /// What came out.
    pub(crate) measured: M,
    /// Whether that is enough; nothing when it cannot be judged.
    pub(crate) met: Option<bool>,
}

impl<M> Target<M> {
    /// The verdict in words.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "not judged",
        }
    }
}

/// 0 when every target is met, 1 when one is not, 3 when some could not be judged.
pub(crate) fn exit_code(met: impl Iterator<Item = Option<bool>>) -> u8 {
    let met: Vec<Option<bool>> = met.collect();
    if met.contains(&Some(false)) {
        BROKEN
    } else if met.is_empty() || met.contains(&None) {
        INCOMPLETE
    } else {
        0
    }
}
