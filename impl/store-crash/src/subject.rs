//! Contents on which a workload runs, with the promises that they have made.

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_delta::{Sink, Source};
use steadfast_simulated_disk::{DiskModel, Fault, SimulatedDisk};
use steadfast_store::{ContentDecisions, ContentError, HeldContent};

use crate::judge::{Opened, Promise, Truth, open, reads, scrub, truth};
use crate::workload::{COMMON, Letter, MOVED, MOVED_BY, Operation};

/// A running store.
pub(crate) struct Subject {
    opened: Option<Opened>,
    disk: SimulatedDisk,
    decisions: &'static dyn ContentDecisions,
    pub(crate) promises: [Promise; 2],
}

/// Why an operation ended early.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The disk failed it.
    Failed(String),
    /// A promise was broken.
    Broken(String),
}

impl Subject {
    pub(crate) fn new(decisions: &'static dyn ContentDecisions) -> Result<Subject, String> {
        let disk = SimulatedDisk::new(DiskModel::default());
        let opened = open(disk.clone(), decisions)?;
        Ok(Subject { opened: Some(opened), disk, decisions, promises: [Promise::MISSING; 2] })
    }

    pub(crate) fn disk(&self) -> &SimulatedDisk {
        &self.disk
    }

    pub(crate) fn opened(&self) -> Option<&Opened> {
        self.opened.as_ref()
    }

    /// Fails a later call, counted from 0.
    pub(crate) fn fail_in(&self, call: u64, fault: Fault) {
        self.disk.fail_at(self.disk.calls() + call, fault);
    }

    /// The promises while an operation is under way: those before it or those after it.
    pub(crate) fn promises_during(&self, operation: Operation) -> [Promise; 2] {
        let mut promises = self.promises;
        match operation {
            Operation::Put(letter) => {
                let it = &mut promises[letter.index()];
                *it = it.or(Promise::GOOD);
            }
            Operation::PutLike => return self.promises_during(Operation::Put(Letter::B)),
            Operation::Remove(letter) => {
                let it = &mut promises[letter.index()];
                *it = it.or(Promise::MISSING);
            }
            _ => {}
        }
        promises
    }

    /// Performs an operation. Its promises hold when this returns without an error.
    pub(crate) fn apply(&mut self, operation: Operation) -> Result<(), Stopped> {
        match operation {
            Operation::Put(letter) => {
                self.put(letter, letter)?;
                self.promises[letter.index()] = Promise::GOOD;
            }
            Operation::PutLike => {
                self.put_like()?;
                self.promises[Letter::B.index()] = Promise::GOOD;
            }
            Operation::Abandon(letter) => {
                let mut writer = self.contents()?.contents.writer().map_err(Stopped::of)?;
                let (one, two) = letter.bytes().split_at(300);
                writer.update(one).and_then(|()| writer.update(two)).map_err(Stopped::of)?;
            }
            Operation::PutOther(letter) => match self.put(letter, letter.other()) {
                Ok(()) => return Err(Stopped::Broken("other bytes got the name".to_owned())),
                Err(Stopped::Failed(why)) if why.contains("nothing was stored") => {}
                Err(stopped) => return Err(stopped),
            },
            Operation::Remove(letter) => {
                self.contents()?.contents.remove(letter.id()).map_err(Stopped::of)?;
                // A crash may bring it back.
                let it = &mut self.promises[letter.index()];
                *it = it.or(Promise::MISSING);
            }
            Operation::Scrub => scrub(self.contents()?).map_err(Stopped::Broken)?,
            Operation::Reopen => self.reopen()?,
            Operation::Rot(_) | Operation::LoseManifest(_) | Operation::Swap => {
                self.damage(operation);
            }
        }
        Ok(())
    }

    fn contents(&self) -> Result<&Opened, Stopped> {
        self.opened.as_ref().ok_or_else(|| Stopped::Failed("the contents are closed".to_owned()))
    }

    fn put(&self, name: Letter, bytes: Letter) -> Result<(), Stopped> {
        let mut writer = self.contents()?.contents.writer().map_err(Stopped::of)?;
        let written = writer.update(bytes.bytes()).and_then(|()| writer.finish_as(name.id()));
        written.map(|_| ()).map_err(Stopped::of)
    }

    fn put_like(&self) -> Result<(), Stopped> {
        let contents = &self.contents()?.contents;
        let (old, new) = (Letter::A.bytes(), Letter::B.bytes());
        let held = HeldContent::open(contents, Letter::A.id()).ok().filter(|it| {
            let mut read = vec![0; old.len()];
            Source::read_exact_at(it, &mut read, 0).is_ok() && read == old
        });
        let Some(held) = held else { return self.put(Letter::B, Letter::B) };
        let mut place = contents.place().map_err(Stopped::of)?;
        let moved = MOVED.start + MOVED_BY;
        let received = place
            .begin(new.len() as u64, Some(&held))
            .and_then(|()| place.copy_at(&new[COMMON], COMMON.start as u64, &held, 0))
            .and_then(|()| place.copy_at(&new[MOVED], MOVED.start as u64, &held, moved as u64))
            .and_then(|()| place.write_at(&new[MOVED.end..], MOVED.end as u64));
        received.map_err(|it| Stopped::Failed(it.to_string()))?;
        let finished = place.finish(&Manifest::of(new, Depth::Chunks));
        finished.map(|_| ()).map_err(Stopped::of)
    }

    fn reopen(&mut self) -> Result<(), Stopped> {
        self.opened = None;
        self.opened = Some(open(self.disk.clone(), self.decisions).map_err(Stopped::Failed)?);
        Ok(())
    }

    /// Damages files behind the store's back.
    fn damage(&mut self, operation: Operation) {
        let model = self.disk.model();
        match operation {
            Operation::Rot(letter) => {
                if let Some(bytes) = model.file(&letter.file()) {
                    let mut bytes = bytes.to_vec();
                    bytes[600] ^= 1;
                    self.disk.tamper(|it| it.put(&letter.file(), bytes));
                    self.note_damage(letter);
                }
            }
            Operation::LoseManifest(letter) => self.disk.tamper(|it| it.take(&letter.manifest())),
            _ => {
                let pairs =
                    [Letter::file, Letter::manifest].map(|name| (name(Letter::A), name(Letter::B)));
                for (one, other) in pairs {
                    if let (Some(first), Some(second)) = (model.file(&one), model.file(&other)) {
                        let (first, second) = (first.to_vec(), second.to_vec());
                        self.disk.tamper(|it| {
                            it.put(&one, second);
                            it.put(&other, first);
                        });
                    }
                }
                Letter::ALL.into_iter().for_each(|it| self.note_damage(it));
            }
        }
    }

    fn note_damage(&mut self, letter: Letter) {
        let damaged = match truth(&self.disk.model(), letter) {
            Truth::Bad => Promise::BAD,
            Truth::Good => Promise::GOOD,
            Truth::Missing => return,
        };
        let may_be_missing = self.promises[letter.index()].may_be_missing;
        self.promises[letter.index()] = Promise { may_be_missing, ..damaged };
    }

    /// Judges readers now.
    pub(crate) fn reads(&self) -> Result<(), String> {
        self.opened.as_ref().map_or(Ok(()), reads)
    }
}

impl Stopped {
    fn of(error: ContentError) -> Stopped {
        Stopped::Failed(error.to_string())
    }
}
