//! Whole files of a log that are gone, cut, longer, in each other's place or another log's.

use steadfast_simulated_disk::DiskModel;
use steadfast_wal::format::checkpoint::Root;
use steadfast_wal::format::header::Header;
use steadfast_wal::format::names::{CHECKPOINT, FileName};
use steadfast_wal::{DefaultDecisions, SegmentNumber};

use crate::damage::Damaged;

/// A file that ends in the header of its first batch has this length in bytes.
const IN_HEADER_BYTES: usize = 50;

/// Each segment lost, cut to whole blocks and in a header, longer by zeros; each two in each other's
/// place; each that has batches also under the name of another and under a new one; each replaced
/// by that of another log with the same history.
///
/// A segment as it was made, in place of itself, is left out: it takes the log back to an earlier
/// moment, and nothing on the disk shows that.
pub(crate) fn wrong_files(
    model: &DiskModel,
    other: &DiskModel,
    block_bytes: usize,
) -> Vec<Damaged> {
    let mut wrong = WrongFiles { model, all: Vec::new() };
    let segments: Vec<(&str, &[u8])> =
        model.files().filter(|it| segment_of(it.0).is_some()).collect();
    for (at, &(name, bytes)) in segments.iter().enumerate() {
        wrong.add(format!("{name} lost"), |it| it.take(name));
        let whole_blocks = (0..bytes.len()).step_by(block_bytes);
        for length in whole_blocks.chain([IN_HEADER_BYTES]) {
            let what = format!("{name} cut to {length} bytes");
            wrong.add(what, |it| it.put(name, bytes[..length].to_vec()));
        }
        let longer = [bytes, &vec![0; block_bytes]].concat();
        wrong.add(format!("{name} longer"), |it| it.put(name, longer));
        for &(second, its) in &segments[at + 1..] {
            wrong.add(format!("{name} and {second} swapped"), |it| {
                it.put(name, its.to_vec());
                it.put(second, bytes.to_vec());
            });
        }
        if is_needed(model, bytes) {
            let others = segments.iter().map(|it| it.0).filter(|it| *it != name);
            let next = next_name(&segments);
            for target in others.chain([next.as_str()]) {
                let what = format!("{name} also as {target}");
                wrong.add(what, |it| it.put(target, bytes.to_vec()));
            }
        }
        if let Some(foreign) = other.file(name).filter(|it| header_of(it).is_some()) {
            wrong.add(format!("{name} of another log"), |it| it.put(name, foreign.to_vec()));
        }
    }
    wrong.all
}

struct WrongFiles<'a> {
    model: &'a DiskModel,
    all: Vec<Damaged>,
}

impl WrongFiles<'_> {
    fn add(&mut self, what: String, change: impl FnOnce(&mut DiskModel)) {
        let mut model = self.model.clone();
        change(&mut model);
        self.all.push(Damaged { what, model, must_say_so: true });
    }
}

fn segment_of(name: &str) -> Option<SegmentNumber> {
    match FileName::parse(name) {
        Some(FileName::Segment(number)) => Some(number),
        _ => None,
    }
}

fn header_of(bytes: &[u8]) -> Option<Header> {
    Header::decode(bytes, &DefaultDecisions).ok().map(|it| it.0)
}

/// Whether a file begins with a batch of a segment that the checkpoint needs.
fn is_needed(model: &DiskModel, bytes: &[u8]) -> bool {
    let checkpoint = model.file(CHECKPOINT).unwrap_or_default();
    let root = Root::decode(checkpoint, &DefaultDecisions).ok().map(|it| it.0);
    header_of(bytes).zip(root).is_some_and(|(header, root)| header.segment >= root.start.segment)
}

fn next_name(segments: &[(&str, &[u8])]) -> String {
    let last = segments.last().and_then(|it| segment_of(it.0)).unwrap_or_default();
    steadfast_wal::format::names::segment_name(last.next())
}
