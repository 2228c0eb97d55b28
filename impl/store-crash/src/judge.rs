//! Whether a directory of contents keeps its promises.

use std::sync::Arc;

use steadfast_node::ContentCopy;
use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_store::{ContentDecisions, ContentError, Contents};

use crate::workload::Letter;

/// The bytes that may be under the name of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    /// There may be no file.
    pub may_be_missing: bool,
    /// The file may be the content.
    pub may_be_good: bool,
    /// The file may hold other bytes, because it was damaged. No crash does that.
    pub may_be_bad: bool,
}

impl Promise {
    pub(crate) const MISSING: Promise =
        Promise { may_be_missing: true, may_be_good: false, may_be_bad: false };
    pub(crate) const GOOD: Promise =
        Promise { may_be_missing: false, may_be_good: true, may_be_bad: false };
    pub(crate) const BAD: Promise =
        Promise { may_be_missing: false, may_be_good: false, may_be_bad: true };

    /// Before and after an operation, while it has not ended.
    pub(crate) fn or(self, other: Promise) -> Promise {
        Promise {
            may_be_missing: self.may_be_missing || other.may_be_missing,
            may_be_good: self.may_be_good || other.may_be_good,
            may_be_bad: self.may_be_bad || other.may_be_bad,
        }
    }

    fn allows(self, truth: Truth) -> bool {
        match truth {
            Truth::Missing => self.may_be_missing,
            Truth::Good => self.may_be_good,
            Truth::Bad => self.may_be_bad,
        }
    }
}

/// The bytes that are under the name of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Missing,
    Good,
    Bad,
}

pub(crate) fn truth(disk: &DiskModel, letter: Letter) -> Truth {
    match disk.file(&letter.file()) {
        None => Truth::Missing,
        Some(bytes) if bytes == letter.bytes() => Truth::Good,
        Some(_) => Truth::Bad,
    }
}

/// Contents that were opened on a disk, and the disk.
pub(crate) struct Opened {
    pub(crate) disk: SimulatedDisk,
    pub(crate) contents: Arc<Contents<SimulatedDisk>>,
}

pub(crate) fn open(
    disk: SimulatedDisk,
    decisions: &'static dyn ContentDecisions,
) -> Result<Opened, String> {
    let contents = Contents::open_with(Arc::new(disk.clone()), decisions)
        .map_err(|error| format!("the contents do not open: {error}"))?;
    Ok(Opened { disk, contents: Arc::new(contents) })
}

/// Judges contents that were opened after a crash or a fault.
pub(crate) fn judge(opened: &Opened, promises: [Promise; 2]) -> Result<(), String> {
    let disk = opened.disk.model();
    if let Some(draft) = disk.files().find(|it| it.0.ends_with(".tmp")) {
        return Err(format!("the temporary file {} is left", draft.0));
    }
    for letter in Letter::ALL {
        let truth = truth(&disk, letter);
        if !promises[letter.index()].allows(truth) {
            return Err(format!(
                "{letter:?} is {truth:?}: allowed is {:?}",
                promises[letter.index()]
            ));
        }
        let has_file = truth != Truth::Missing;
        if (opened.contents.copy(letter.id()) != ContentCopy::Missing) != has_file {
            return Err(format!("{letter:?} is {truth:?}, and the index says otherwise"));
        }
    }
    reads(opened)
}

/// Judges the opening of a disk with files that have lost their manifests: bytes that are not those of the
/// content are a bad copy.
pub(crate) fn believes_no_name(before: &DiskModel, opened: &Opened) -> Result<(), String> {
    let is_unproven =
        |it: &Letter| truth(before, *it) == Truth::Bad && before.file(&it.manifest()).is_none();
    let mut unproven = Letter::ALL.into_iter().filter(is_unproven);
    match unproven.find(|it| opened.contents.copy(it.id()) != ContentCopy::Wrong) {
        Some(letter) => Err(format!("{letter:?} is bad, has no manifest, and counts as good")),
        None => Ok(()),
    }
}

/// Judges readers: they hand out the bytes of a content, or nothing.
pub(crate) fn reads(opened: &Opened) -> Result<(), String> {
    for letter in Letter::ALL {
        let truth = truth(&opened.disk.model(), letter);
        let mut bytes = vec![0; letter.bytes().len()];
        let read = opened.contents.reader(letter.id()).and_then(|mut it| it.read_at(0, &mut bytes));
        match (truth, read) {
            (Truth::Good, Ok(())) if bytes == letter.bytes() => {}
            (_, Ok(())) if bytes != letter.bytes() => {
                return Err(format!("a reader got other bytes than those of {letter:?}"));
            }
            (Truth::Bad, Err(ContentError::Rotten { .. })) => {}
            (Truth::Missing, Err(ContentError::Missing(_))) => {}
            (truth, read) => return Err(format!("{letter:?} is {truth:?}, a reader got {read:?}")),
        }
    }
    Ok(())
}

/// Judges a scrub of everything.
pub(crate) fn scrub(opened: &Opened) -> Result<(), String> {
    let mut verdicts = Vec::new();
    loop {
        let scrubbed = opened.contents.scrub(1).map_err(|error| format!("scrub: {error}"))?;
        verdicts.extend(scrubbed.verdicts);
        if scrubbed.is_complete {
            break;
        }
    }
    let disk = opened.disk.model();
    for letter in Letter::ALL {
        let truth = truth(&disk, letter);
        let mut found = verdicts.iter().filter(|it| it.content == letter.id());
        let verdict = found.next().map(|it| it.is_good);
        let copy = opened.contents.copy(letter.id());
        let is_right = match truth {
            Truth::Missing => verdict.is_none() && copy == ContentCopy::Missing,
            Truth::Good => verdict == Some(true) && copy == ContentCopy::Exact,
            Truth::Bad => verdict == Some(false) && copy == ContentCopy::Wrong,
        };
        if !is_right || found.next().is_some() {
            return Err(format!("{letter:?} is {truth:?}: a scrub says {verdict:?}, {copy:?}"));
        }
    }
    Ok(())
}

/// Judges whether contents go on: each is written and read.
pub(crate) fn goes_on(opened: &Opened) -> Result<(), String> {
    for letter in Letter::ALL {
        let mut writer = opened.contents.writer().map_err(|error| format!("then: {error}"))?;
        let written = writer.update(letter.bytes()).and_then(|()| writer.finish());
        written.map_err(|error| format!("then: {error}"))?;
    }
    judge(opened, [Promise::GOOD; 2]).map_err(|broken| format!("then: {broken}"))
}
