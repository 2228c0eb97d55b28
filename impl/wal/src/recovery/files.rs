//! The files of a log: which there are, and its root.

use std::collections::BTreeSet;

use super::damage::{Case, Damage, DamagedPart, OpenError};
use crate::SegmentNumber;
use crate::disk::{Access, Call, Disk, DiskError, DiskFile, read_full};
use crate::format::checkpoint::{CHECKPOINT_HEADER_BYTES, NoCheckpoint, Root, STATE_BYTES_MAX};
use crate::format::names::{CHECKPOINT, FileName};
use crate::settings::Settings;

/// The files of a log.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    pub(crate) numbers: BTreeSet<SegmentNumber>,
    pub(crate) drafts: Vec<String>,
    pub(crate) has_checkpoint: bool,
    pub(crate) has_lock: bool,
    pub(crate) has_reserve: bool,
}

impl Segments {
    /// Lists the directory, and refuses one with files in it that are none of a log's.
    pub(crate) fn list<D: Disk>(disk: &D) -> Result<Segments, OpenError> {
        let mut found = Segments::default();
        for name in disk.list().map_err(DiskError::of(Call::List, disk.directory()))? {
            match FileName::parse(&name) {
                Some(FileName::Lock) => found.has_lock = true,
                Some(FileName::Checkpoint) => found.has_checkpoint = true,
                Some(FileName::Reserve) => found.has_reserve = true,
                Some(FileName::Draft) => found.drafts.push(name),
                Some(FileName::Segment(number)) => {
                    found.numbers.insert(number);
                }
                None => return Err(OpenError::ForeignFile { directory: disk.directory(), name }),
            }
        }
        Ok(found)
    }
}

/// Reads the checkpoint: its fields and the state. A file that does not begin as a checkpoint does is
/// damage if there are segments beside it.
pub(crate) fn read_root<D: Disk>(
    disk: &D,
    settings: Settings,
    segments: &Segments,
) -> Result<(Root, Vec<u8>), OpenError> {
    let directory = || disk.directory();
    let damaged = || OpenError::Damaged {
        directory: directory(),
        damage: Damage {
            case: Case::DamagedCheckpoint,
            part: DamagedPart::File(CHECKPOINT.to_owned()),
            lost: None,
        },
    };
    let file =
        disk.open(CHECKPOINT, Access::Read).map_err(DiskError::of(Call::Open, CHECKPOINT))?;
    let length = file.length().map_err(DiskError::of(Call::Read, CHECKPOINT))?;
    if length > CHECKPOINT_HEADER_BYTES as u64 + STATE_BYTES_MAX {
        return Err(damaged());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged())?];
    let read = read_full(&file, &mut bytes, 0).map_err(DiskError::of(Call::Read, CHECKPOINT))?;
    bytes.truncate(read);
    match Root::decode(&bytes, settings.decisions) {
        Ok((root, state)) => Ok((root, state.to_vec())),
        Err(NoCheckpoint::NotOne) if !segments.numbers.is_empty() => Err(damaged()),
        Err(NoCheckpoint::NotOne) => Err(OpenError::NotALog { directory: directory() }),
        Err(NoCheckpoint::OtherVersion(version)) => {
            Err(OpenError::OtherVersion { directory: directory(), version })
        }
        Err(NoCheckpoint::Damaged) => Err(damaged()),
    }
}
