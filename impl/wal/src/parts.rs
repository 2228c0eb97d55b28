//! The parts of a log that an opening hands over.

use std::sync::Arc;

use crate::disk::Disk;
use crate::group_commit::Opened;
use crate::settings::Settings;
use crate::store::Store;

/// The parts of a log that was recovered.
pub(crate) struct Parts<D: Disk> {
    pub(crate) disk: Arc<D>,
    pub(crate) lock: D::Lock,
    pub(crate) settings: Settings,
    pub(crate) store: Store<D>,
    pub(crate) opened: Opened,
}
