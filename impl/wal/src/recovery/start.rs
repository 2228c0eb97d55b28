//! Starts a log: creates it, or goes on behind its last batch in a fresh segment, and removes files
//! that mean nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::damage::{Case, Damage, DamagedPart, OpenError, ReadError};
use super::files::{Segments, read_root};
use super::tail::{End, Unstarted};
use super::walk::Walk;
use crate::checksum::Checksum;
use crate::disk::{Access, Call, Disk, DiskError, DiskFile};
use crate::format::batch::{self, BatchBuffer};
use crate::format::checkpoint::{Root, Start};
use crate::format::header::{HEADER_BYTES, Header, padded};
use crate::format::names::{RESERVE, segment_name};
use crate::group_commit::Opened;
use crate::segment_reader::SegmentReader;
use crate::settings::Settings;
use crate::store::{BatchWriter, Store, remove_if_there};
use crate::{Location, LogId, LogIndex, SegmentNumber, WriterEpoch};

/// The first segment of every log.
const FIRST_SEGMENT: SegmentNumber = SegmentNumber(1);

/// Looks at a directory before anything in it is touched, the lock included; creates it if need be.
pub(crate) fn refuse_what_is_no_log<D: Disk>(
    disk: &D,
    log: LogId,
    settings: Settings,
) -> Result<(), OpenError> {
    let segments = match Segments::list(disk) {
        Err(OpenError::Disk(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
            Segments::default()
        }
        result => result?,
    };
    if !segments.has_checkpoint {
        // One that a process has made that died at once may be seen and not durable.
        disk.create_directory().map_err(DiskError::of(Call::CreateDirectory, disk.directory()))?;
        return Ok(());
    }
    let (root, _) = read_root(disk, settings, &segments)?;
    if !settings.decisions.is_of_log(root.log, log) {
        let directory = disk.directory();
        return Err(OpenError::OtherLog { directory, found: root.log, wanted: log });
    }
    Ok(())
}

/// The state that a new log begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin<'a> {
    /// The state stands for every record up to this one.
    pub(crate) through: LogIndex,
    pub(crate) state: &'a [u8],
}

/// Creates a log: its first segment with a batch without records, then the checkpoint that makes
/// it a log. The remains of a creation that was cut off are removed first.
pub(crate) fn create<D: Disk>(
    disk: &Arc<D>,
    log: LogId,
    settings: Settings,
    segments: &Segments,
    origin: Origin<'_>,
) -> Result<(), OpenError> {
    if let Some(damage) = lost_checkpoint(&**disk, settings, segments)? {
        return Err(OpenError::Damaged { directory: disk.directory(), damage });
    }
    remove_if_there(&**disk, &segment_name(FIRST_SEGMENT))?;
    for draft in &segments.drafts {
        remove_if_there(&**disk, draft)?;
    }
    let Origin { through, state } = origin;
    let start = Start { segment: FIRST_SEGMENT, first: through.next(), previous: Checksum(0) };
    let root = Root { block_bytes: settings.block_bytes, log, through, durable: through, start };
    let mut store = Store::new(Arc::clone(disk), settings, BTreeMap::new(), through, false);
    let begins_with_segment = settings.decisions.begins_segment_before_checkpoint();
    if !begins_with_segment {
        store.write_checkpoint(&root, state)?;
    }
    // Opening starts another segment; this one only has to be there.
    let segment_bytes = first_bytes(&[], settings);
    store.make_segment_of(segment_bytes)?;
    let (epoch, newest) = (WriterEpoch(1), FIRST_SEGMENT);
    let first = First { log, epoch, start, segment_bytes, newest, body: &[], count: 0 };
    write_first(disk, settings, &first)?;
    if begins_with_segment {
        store.write_checkpoint(&root, state)?;
    }
    Ok(())
}

/// The damage of a directory without a checkpoint that holds more than the remains of a creation that
/// was cut off.
pub(crate) fn lost_checkpoint<D: Disk>(
    disk: &D,
    settings: Settings,
    segments: &Segments,
) -> Result<Option<Damage>, DiskError> {
    for &segment in &segments.numbers {
        if segment != FIRST_SEGMENT || has_records(disk, segment, settings)? {
            let part = DamagedPart::File(segment_name(segment));
            return Ok(Some(Damage { case: Case::LostCheckpoint, part, lost: None }));
        }
    }
    Ok(None)
}

/// Whether a segment begins with a whole batch that has records, or goes on behind the first.
fn has_records<D: Disk>(
    disk: &D,
    segment: SegmentNumber,
    settings: Settings,
) -> Result<bool, DiskError> {
    let mut reader = SegmentReader::open(disk, segment, settings, Vec::new())?;
    let mut offset = 0;
    while offset < reader.length {
        if let Ok(batch) = reader.batch(offset)?
            && batch.header.count > 0
        {
            return Ok(true);
        }
        offset += settings.padding();
    }
    Ok(false)
}

/// Starts a fresh segment with the last batch of the log, and removes files that mean nothing.
pub(crate) fn go_on<D: Disk>(
    disk: &Arc<D>,
    root: &Root,
    segments: &Segments,
    walk: &Walk<D::File>,
    end: &End,
) -> Result<(Store<D>, Opened), ReadError> {
    let settings = walk.settings;
    for draft in &segments.drafts {
        remove_if_there(&**disk, draft)?;
    }
    let lengths = lengths(disk, segments)?;
    let has_reserve = has_reserve(disk, segments, settings)?;
    let mut store = Store::new(Arc::clone(disk), settings, lengths, root.through, has_reserve);
    let last = walk.last()?;
    let is_rewritten = settings.decisions.rewrites_last_batch();
    let before = if is_rewritten { &walk.before_last } else { &walk.chain };
    let (body, count) =
        if is_rewritten { (walk.body(&last), last.header.count) } else { (&[][..], 0) };
    let bytes = first_bytes(body, settings);
    let mut ready = ready(&end.unstarted, settings, bytes);
    let (segment, segment_bytes) = match ready.pop_front() {
        Some(segment) => (segment, settings.segment_bytes),
        // A segment of full length takes time to make, and the caller of an opening waits.
        None => (make_fresh(&mut store, bytes, root, &last.header, &end.unstarted)?, bytes),
    };
    let start = Start { segment, first: before.next, previous: before.previous };
    let epoch = walk.chain.epoch.next();
    let newest = store.newest();
    let first = First { log: root.log, epoch, start, segment_bytes, newest, body, count };
    let (checksum, first_end) = write_first(disk, settings, &first)?;
    if !end.tail.is_uncertain() && last.location.segment == walk.end.segment {
        store.shorten(last.location.segment, walk.end.offset)?;
    }
    // On a full disk, the rest of the reserve is room for a checkpoint and for the next opening.
    store.shorten(segment, segment_bytes)?;
    store.retire_before(root.start.segment)?;
    let opened = Opened {
        log: root.log,
        epoch,
        tail: Location {
            segment,
            // One that has no room but for its first batch is full.
            offset: settings.segment_bytes - (segment_bytes - first_end),
        },
        previous: checksum,
        next: walk.chain.next,
        starts: walk.starts.iter().copied().chain([start]).collect(),
        ready,
        newest: store.newest(),
    };
    Ok((store, opened))
}

/// Makes a segment with room for this many bytes, also on a full disk. It must not be used for
/// more: that is the room for the next opening.
fn make_fresh<D: Disk>(
    store: &mut Store<D>,
    bytes: u64,
    root: &Root,
    last: &Header,
    unstarted: &[Unstarted],
) -> Result<SegmentNumber, DiskError> {
    let full = match store.make_segment_of(bytes) {
        Err(error) if error.is_out_of_space() => error,
        result => return result,
    };
    // An opening that was cut off may have made a segment of the reserve: it was not started then,
    // or room behind its first batch was not given back.
    let spare = unstarted.iter().find(|it| it.is_free && it.length >= bytes);
    if let Some(spare) = spare {
        return Ok(spare.segment);
    }
    store.retire_before(root.start.segment)?;
    if store.length(last.segment) > last.segment_bytes {
        store.shorten(last.segment, last.segment_bytes)?;
        match store.make_segment_of(bytes) {
            Err(error) if error.is_out_of_space() => {}
            result => return result,
        }
    }
    store.make_segment_of_reserve(bytes, full)
}

/// Whether there is a reserve that is long enough for any batch.
fn has_reserve<D: Disk>(
    disk: &Arc<D>,
    segments: &Segments,
    settings: Settings,
) -> Result<bool, DiskError> {
    if !segments.has_reserve {
        return Ok(false);
    }
    let file = disk.open(RESERVE, Access::Read).map_err(DiskError::of(Call::Open, RESERVE))?;
    let bytes = file.length().map_err(DiskError::of(Call::Read, RESERVE))?;
    Ok(bytes >= settings.reserve_bytes())
}

/// How many bytes a segment takes that holds nothing but its first batch.
fn first_bytes(body: &[u8], settings: Settings) -> u64 {
    padded((HEADER_BYTES + body.len()) as u64, settings.padding())
}

fn lengths<D: Disk>(
    disk: &Arc<D>,
    segments: &Segments,
) -> Result<BTreeMap<SegmentNumber, u64>, DiskError> {
    let mut lengths = BTreeMap::new();
    for &number in &segments.numbers {
        let name = segment_name(number);
        let file = disk.open(&name, Access::Read).map_err(DiskError::of(Call::Open, &name))?;
        lengths.insert(number, file.length().map_err(DiskError::of(Call::Read, &name))?);
    }
    Ok(lengths)
}

/// The segments behind the last started one that can be used as they are. None, if the first of
/// them is too short for the first batch, which an opening with longer batches may have written:
/// the segment that is made instead stands behind all of them.
fn ready(unstarted: &[Unstarted], settings: Settings, first_bytes: u64) -> VecDeque<SegmentNumber> {
    if first_bytes > settings.segment_bytes {
        return VecDeque::new();
    }
    let usable =
        unstarted.iter().filter(|it| !it.is_touched && it.length == settings.segment_bytes);
    usable.map(|it| it.segment).collect()
}

/// The first batch of a segment.
struct First<'a> {
    log: LogId,
    epoch: WriterEpoch,
    start: Start,
    segment_bytes: u64,
    newest: SegmentNumber,
    body: &'a [u8],
    count: u32,
}

/// Writes and syncs the first batch of a segment. Returns its header checksum and its end.
fn write_first<D: Disk>(
    disk: &Arc<D>,
    settings: Settings,
    first: &First<'_>,
) -> Result<(Checksum, u64), DiskError> {
    let body_bytes = u32::try_from(first.body.len()).unwrap_or(u32::MAX);
    let mut buffer = BatchBuffer::new(body_bytes, settings.padding());
    buffer.push_body(first.body, first.count);
    let (_, checksum) = buffer.seal(batch::Placement {
        log: first.log,
        segment: first.start.segment,
        epoch: first.epoch,
        first: first.start.first,
        durable: first.start.first.previous(),
        segment_bytes: first.segment_bytes,
        newest: first.newest,
        previous: first.start.previous,
    });
    let mut writer = BatchWriter::new(Arc::clone(disk), settings.decisions);
    writer.write_at(first.start.segment, 0, buffer.bytes())?;
    if settings.decisions.syncs_opening() {
        writer.sync()?;
    }
    Ok((checksum, buffer.padded_bytes()))
}
