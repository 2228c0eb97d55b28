//! What opening a log found.

use std::sync::Arc;

use crate::chain::Chain;
use crate::disk::Disk;
use crate::recovery::{Opening, Tail};
use crate::replay::Replay;
use crate::{Sequence, WriterEpoch};

/// What opening a log found. Everything in it is durable.
pub struct Recovered<D: Disk> {
    /// The state of the last checkpoint; empty if there was none.
    pub state: Vec<u8>,
    /// The state stands for every record up to this number.
    pub through: Sequence,
    /// The number of the last record.
    pub last: Sequence,
    /// Which opening of the log this is, counted from 1.
    pub epoch: WriterEpoch,
    /// How the log ended: whether something was cut off.
    pub tail: Tail,
    /// The records that the state does not stand for.
    pub replay: Replay<D>,
}

impl<D: Disk> Recovered<D> {
    pub(crate) fn of(opening: &mut Opening<D>) -> Recovered<D> {
        let (root, settings) = (opening.root, opening.settings);
        let chain = Chain::new(root.log, root.start, settings.decisions);
        let disk = Arc::clone(opening.store.disk());
        let extents = opening.extents.clone();
        Recovered {
            state: std::mem::take(&mut opening.state),
            through: root.through,
            last: opening.opened.next.previous(),
            epoch: opening.opened.epoch,
            tail: opening.tail,
            replay: Replay::new(disk, settings, extents, chain, root.through),
        }
    }
}
