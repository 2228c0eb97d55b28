//! A target of the log's comparison.

use serde::Serialize;

use crate::target::Target;

/// A target, and what stands beside it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    #[serde(flatten)]
    pub(super) target: Target<f64>,
    /// What comes out when the raw loop does the same instead of our log.
    pub(super) raw: Option<f64>,
}
