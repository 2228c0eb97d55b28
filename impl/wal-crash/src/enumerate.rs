//! Goes through workloads, moments, crashes, and crashes during recovery.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;
use serde::Serialize;
use steadfast_simulated_disk::{CrashModel, DiskModel, EIO, ENOSPC, Fault, SimulatedDisk};
use steadfast_wal::{Decisions, LogId, Opening, Settings};

use crate::damage::damages;
use crate::driver::{Driver, LOG, Moment, OTHER_LOG, Stopped};
use crate::fingerprints::{Fingerprints, hasher};
use crate::geometry::Geometry;
use crate::history::{History, Promise};
use crate::judge::{Opened, Outcome, judge_crash, keeps, recover};
use crate::subject::LogKind;
use crate::turns::Schedule;
use crate::workload::{Operation, Workload};
use crate::wrong_files::wrong_files;

/// The number of crashes that follow each other: one while the log works, one while it recovers.
const CRASHES: u32 = 2;
/// How often a process dies on a full disk.
const DEATHS: usize = 2;
/// No more violations than these are kept.
const VIOLATIONS_MAX: usize = 10;
const SHARDS: usize = 64;

/// A part of the enumeration.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The sizes of blocks, sectors and records.
    pub geometry: Geometry,
    /// The logs that each workload runs on. [`Schedule::ClientFirst`] needs another scope with the same
    /// workloads on [`LogKind::Serial`]: an operation that does the same on both is judged there.
    pub kinds: Vec<LogKind>,
    /// The workloads. Of each, the moments of the last operation are gone through, or of all.
    pub workloads: Vec<Workload>,
    /// Whether the moments of every operation are gone through, not only of the last.
    pub is_every_operation: bool,
    /// Whether the machine crashes at each moment.
    pub has_crashes: bool,
    /// Whether each call also fails, is cut short and goes astray, once each.
    pub has_faults: bool,
    /// Whether the disk is also damaged in each way there is.
    pub has_damages: bool,
    /// Whether whole files are also wrong in each way there is, and the disk is also filled.
    pub has_wrong_files: bool,
}

/// How much was gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Workloads.
    pub workloads: u64,
    /// Moments between two calls to the disk.
    pub moments: u64,
    /// Different disks that crashes left.
    pub crash_states: u64,
    /// Recoveries from them; more, as the same disk may have to keep different promises.
    pub recoveries: u64,
    /// Recoveries from disks that were damaged.
    pub damages: u64,
    /// Runs in which one call failed or went astray.
    pub faults: u64,
}

impl Counts {
    /// Adds others to these.
    pub fn add(&mut self, other: &Counts) {
        self.workloads += other.workloads;
        self.moments += other.moments;
        self.crash_states += other.crash_states;
        self.recoveries += other.recoveries;
        self.damages += other.damages;
        self.faults += other.faults;
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// The log.
    pub log: LogKind,
    /// The geometry.
    pub geometry: String,
    /// The operations before it.
    pub workload: Workload,
    /// The fault or the damage.
    pub what: String,
    /// The promise that was broken.
    pub broken: String,
}

/// Goes through a scope with one thread per processor.
#[must_use]
pub fn enumerate(
    scope: &Scope,
    decisions: &'static dyn Decisions,
    stops_at_first: bool,
) -> (Counts, Vec<Violation>) {
    let enumerator = Enumerator::new(scope.geometry, decisions, stops_at_first);
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let runs: Vec<Run<'_>> = scope
        .kinds
        .iter()
        .flat_map(|log| scope.workloads.iter().map(|it| Run { log: *log, workload: &it.0 }))
        .collect();
    let work = || {
        while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if enumerator.is_over() {
                return;
            }
            enumerator.go_through(scope, *run);
        }
    };
    std::thread::scope(|threads_of_scope| {
        for _ in 1..threads {
            // Where the system starts no more threads, those that run do the work.
            let _ = std::thread::Builder::new().spawn_scoped(threads_of_scope, work);
        }
        work();
    });
    enumerator.finish(runs.len())
}

struct Enumerator {
    geometry: Geometry,
    settings: Settings,
    crash_model: CrashModel,
    state: RandomState,
    /// The disks that were met, by fingerprint.
    disks: Vec<Mutex<HashSet<u64>>>,
    /// The disks that were judged, with the promise they had to keep.
    judged: Vec<Mutex<HashSet<u64>>>,
    moments: AtomicU64,
    damages: AtomicU64,
    faults: AtomicU64,
    violations: Mutex<Vec<Violation>>,
    stops_at_first: bool,
    is_stopped: AtomicBool,
}

/// A workload on a log.
#[derive(Clone, Copy)]
struct Run<'a> {
    log: LogKind,
    workload: &'a [Operation],
}

/// A run that has ended or was stopped.
struct Performed {
    driver: Driver,
    /// The moments of the last operation.
    moments: Vec<Moment>,
    result: Result<(), Stopped>,
}

impl Performed {
    /// Whether two logs did the same to their disks and promised the same.
    fn is_like(&self, other: &Performed) -> bool {
        self.moments == other.moments
            && self.result == other.result
            && self.driver.is_like(&other.driver)
    }
}

/// A run and its fault, for reports.
struct About<'a> {
    run: Run<'a>,
    what: String,
}

impl Enumerator {
    fn new(
        geometry: Geometry,
        decisions: &'static dyn Decisions,
        stops_at_first: bool,
    ) -> Enumerator {
        let sets = || (0..SHARDS).map(|_| Mutex::new(HashSet::new())).collect();
        Enumerator {
            geometry,
            settings: geometry.settings(decisions),
            crash_model: geometry.crash_model(),
            state: hasher(),
            disks: sets(),
            judged: sets(),
            moments: AtomicU64::new(0),
            damages: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            violations: Mutex::new(Vec::new()),
            stops_at_first,
            is_stopped: AtomicBool::new(false),
        }
    }

    fn is_over(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn finish(self, workloads: usize) -> (Counts, Vec<Violation>) {
        let size = |sets: &[Mutex<HashSet<u64>>]| {
            sets.iter()
                .map(|it| it.lock().unwrap_or_else(PoisonError::into_inner).len() as u64)
                .sum()
        };
        let counts = Counts {
            workloads: workloads as u64,
            moments: self.moments.load(Ordering::Relaxed),
            crash_states: size(&self.disks),
            recoveries: size(&self.judged),
            damages: self.damages.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
        };
        let violations = self.violations.into_inner().unwrap_or_else(PoisonError::into_inner);
        (counts, violations)
    }

    fn violated(&self, about: &About<'_>, broken: String) {
        let mut violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        if violations.len() < VIOLATIONS_MAX {
            violations.push(Violation {
                log: about.run.log,
                geometry: self.geometry.name.to_owned(),
                workload: Workload(about.run.workload.to_vec()),
                what: about.what.clone(),
                broken,
            });
        }
        if self.stops_at_first || violations.len() >= VIOLATIONS_MAX {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a fingerprint is new.
    fn is_new(&self, sets: &[Mutex<HashSet<u64>>], fingerprint: u64) -> bool {
        let shard = &sets[usize::try_from(fingerprint % SHARDS as u64).unwrap_or(0)];
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint)
    }

    fn go_through(&self, scope: &Scope, run: Run<'_>) {
        if scope.has_crashes {
            self.crashes(run, scope.is_every_operation);
        }
        if scope.has_damages {
            self.damages(run);
        }
        if scope.has_faults {
            self.faults(run);
        }
        if scope.has_wrong_files {
            self.wrong_files(run);
            self.full_disk(run);
        }
    }

    /// Runs all but the last operation. Without any operation, the creation of the log is the
    /// last.
    fn before_last(&self, run: Run<'_>) -> Result<Driver, Stopped> {
        let mut driver = Driver::new(run.log, LOG, self.geometry, self.settings);
        if let Some((_, before)) = run.workload.split_last() {
            driver.create()?;
            before.iter().try_for_each(|it| driver.apply(*it))?;
        }
        Ok(driver)
    }

    fn last(driver: &mut Driver, run: Run<'_>) -> Result<(), Stopped> {
        match run.workload.last() {
            None => driver.create(),
            Some(operation) => driver.apply(*operation),
        }
    }

    /// Runs a workload and watches its last operation, in which one call may fail.
    fn perform(&self, run: Run<'_>, fault: Option<(u64, Fault)>) -> Result<Performed, Stopped> {
        let mut driver = self.before_last(run)?;
        if let Some((call, fault)) = fault {
            driver.fail_in(call, fault);
        }
        driver.watch();
        let result = Enumerator::last(&mut driver, run);
        let moments = driver.moments();
        Ok(Performed { driver, moments, result })
    }

    /// Whether the log without threads does the same to its disk, call by call, and promises the same
    /// at each moment: then the scopes of that log judge these moments.
    fn repeats_serial_log(
        &self,
        performed: &Performed,
        run: Run<'_>,
        fault: Option<(u64, Fault)>,
    ) -> bool {
        run.log == LogKind::Threaded(Schedule::ClientFirst)
            && self
                .perform(Run { log: LogKind::Serial, ..run }, fault)
                .is_ok_and(|it| it.is_like(performed))
    }

    /// Crashes at every moment of the last operation.
    fn crashes(&self, run: Run<'_>, is_every_operation: bool) {
        let first = if is_every_operation { 1 } else { run.workload.len() };
        for length in first..=run.workload.len() {
            let done = Run { workload: &run.workload[..length], ..run };
            let about = About { run: done, what: "a crash".to_owned() };
            let performed = match self.perform(done, None) {
                Ok(performed) => performed,
                Err(Stopped(why)) => {
                    self.violated(&about, format!("without a fault: {why}"));
                    continue;
                }
            };
            if let Err(Stopped(why)) = &performed.result {
                self.violated(&about, format!("without a fault: {why}"));
                continue;
            }
            self.moments.fetch_add(performed.moments.len() as u64, Ordering::Relaxed);
            if self.repeats_serial_log(&performed, done, None) {
                continue;
            }
            for moment in &performed.moments {
                self.moment(&about, &performed.driver.history, moment, 1);
                self.death(&about, &performed.driver.history, moment);
            }
        }
    }

    /// The process dies at one moment and the machine does not: written bytes are seen, and not
    /// durable.
    fn death(&self, about: &About<'_>, history: &History, moment: &Moment) {
        self.image(about, history, &moment.model, moment.promise, 1);
    }

    /// The machine crashes at one moment, in every way there is.
    fn moment(&self, about: &About<'_>, history: &History, moment: &Moment, crash: u32) {
        let fingerprints = Fingerprints::new(&moment.model, &self.state);
        self.crash_model.each(&moment.model, &mut |image| {
            let disk = fingerprints.of(&image);
            let key = self.state.hash_one((disk, moment.promise, crash));
            if self.is_new(&self.judged, key) {
                self.is_new(&self.disks, disk);
                self.image(about, history, &image, moment.promise, crash);
            }
            !self.is_over()
        });
    }

    /// Judges a disk that a crash left, and crashes while it is recovered.
    fn image(
        &self,
        about: &About<'_>,
        history: &History,
        image: &DiskModel,
        promise: Promise,
        crash: u32,
    ) {
        let disk = SimulatedDisk::new(image.clone());
        if crash < CRASHES {
            disk.start_tape();
        }
        let opened = match judge_crash(&disk, self.settings, history, promise) {
            Ok(opened) => opened,
            Err(broken) => return self.violated(about, format!("after crash {crash}: {broken}")),
        };
        if crash == CRASHES {
            return;
        }
        let Opened { mut log, found, shown } = *opened;
        let tape = disk.take_tape();
        let recovered = Promise {
            durable: found.last,
            accepted: found.last,
            through_least: found.through,
            through_most: found.through,
        };
        let last = tape.len() - 1;
        // The first is the disk that was just judged.
        for (at, model) in tape.into_iter().enumerate().skip(1) {
            let durable = promise.durable.max(shown.after(at));
            let promise = if at == last { recovered } else { Promise { durable, ..promise } };
            self.moment(about, history, &Moment { model, promise }, crash + 1);
        }
        // A recovered log goes on: the next record survives, too.
        let mut longer = history.clone();
        longer.truncate(found.last);
        let record = longer.make(self.geometry.short_bytes);
        let result = log.append(&record).map_err(|it| it.to_string());
        let result = result.and_then(|_| log.sync().map_err(|it| it.to_string()));
        let result = result.and_then(|_| {
            let after = SimulatedDisk::new(self.crash_model.crash(&disk.model(), &mut |_| 0));
            let more = found.last + 1;
            let promise = Promise { durable: more, accepted: more, ..recovered };
            judge_crash(&after, self.settings, &longer, promise).map(|_| ())
        });
        if let Err(broken) = result {
            self.violated(about, format!("going on after crash {crash}: {broken}"));
        }
    }

    /// Damages the disk in each way there is, one at a time.
    fn damages(&self, run: Run<'_>) {
        let Ok(performed) = self.perform(run, None) else {
            return;
        };
        if performed.result.is_err() || self.repeats_serial_log(&performed, run, None) {
            return;
        }
        let driver = performed.driver;
        let model = driver.disk.model();
        for damaged in damages(&model, self.geometry.sector_bytes) {
            if self.is_over() {
                return;
            }
            self.damages.fetch_add(1, Ordering::Relaxed);
            let about = About { run, what: damaged.what };
            self.damaged(&about, &driver, &damaged.model, damaged.must_say_so);
        }
        let disk = Arc::new(SimulatedDisk::new(model));
        if Opening::begin(disk, OTHER_LOG, self.settings).is_ok() {
            let about = About { run, what: "an opening as another log".to_owned() };
            self.violated(&about, "the log was opened under another id".to_owned());
        }
    }

    /// Judges a disk with damage that no crash explains: the log must be refused, or recovered without
    /// loss, or lose the last batch only, which nothing proves.
    fn damaged(&self, about: &About<'_>, driver: &Driver, model: &DiskModel, must_say_so: bool) {
        let disk = SimulatedDisk::new(model.clone());
        let promise = driver.promise;
        let found = match recover(&disk, self.settings, &driver.history) {
            Ok(Outcome::Refused(_)) if is_unchanged(model, &disk.model()) => return,
            Ok(Outcome::Refused(why)) => {
                return self.violated(about, format!("changed although refused: {why}"));
            }
            Ok(Outcome::Opened(opened)) => opened.found,
            Err(broken) => return self.violated(about, broken),
        };
        let is_last_batch = found.last + 1 >= driver.last_batch;
        let is_said = found.is_uncertain || !must_say_so;
        let excused = if is_last_batch && is_said { found.last } else { promise.durable };
        let durable = promise.durable.min(excused);
        if let Err(broken) = keeps(Promise { durable, ..promise }, found) {
            self.violated(about, format!("without a word: {broken}"));
        }
    }

    /// Runs a workload as the log with this id.
    fn run(&self, run: Run<'_>, id: LogId) -> Result<Driver, Stopped> {
        let mut driver = Driver::new(run.log, id, self.geometry, self.settings);
        driver.create()?;
        run.workload.iter().try_for_each(|it| driver.apply(*it))?;
        Ok(driver)
    }

    /// Makes whole files wrong in each way there is, one at a time: the log must be refused, or
    /// recovered without any loss. Once as the workload leaves the log, and once after its disk was
    /// filled, when no segment is ready any more.
    ///
    /// Nothing proves the loss of a segment that no batch before it knows of. So the cases
    /// that begin such segments are left out: a maker of segments that is starved, and a log without
    /// threads on a full disk.
    fn wrong_files(&self, run: Run<'_>) {
        let is_filled: &[bool] = match run.log {
            LogKind::Serial => &[false],
            LogKind::Threaded(Schedule::ClientFirst) => &[],
            LogKind::Threaded(_) => &[false, true],
        };
        for &is_filled in is_filled {
            let made = |id| {
                let mut driver = self.run(run, id)?;
                if is_filled {
                    driver.fill_disk()?;
                }
                Ok::<_, Stopped>(driver)
            };
            if let Ok((driver, other)) = made(LOG).and_then(|it| Ok((it, made(OTHER_LOG)?))) {
                self.wrong_files_of(run, &driver, &other);
            }
        }
    }

    fn wrong_files_of(&self, run: Run<'_>, driver: &Driver, other: &Driver) {
        let block_bytes = self.geometry.block_bytes as usize;
        for wrong in wrong_files(&driver.disk.model(), &other.disk.model(), block_bytes) {
            if self.is_over() {
                return;
            }
            self.damages.fetch_add(1, Ordering::Relaxed);
            let about = About { run, what: wrong.what };
            let disk = SimulatedDisk::new(wrong.model.clone());
            let result = match recover(&disk, self.settings, &driver.history) {
                Ok(Outcome::Refused(_)) if is_unchanged(&wrong.model, &disk.model()) => Ok(()),
                Ok(Outcome::Refused(why)) => Err(format!("changed although refused: {why}")),
                Ok(Outcome::Opened(opened)) => keeps(driver.promise, opened.found)
                    .map_err(|broken| format!("without a word: {broken}")),
                Err(broken) => Err(broken),
            };
            if let Err(broken) = result {
                self.violated(&about, broken);
            }
        }
    }

    /// Fills the disk until the log refuses records, and lets the process die again and again: the
    /// log must open each time, and a checkpoint must make room.
    fn full_disk(&self, run: Run<'_>) {
        let about = About { run, what: "a full disk".to_owned() };
        let Ok(mut driver) = self.run(run, LOG) else {
            return;
        };
        self.faults.fetch_add(1, Ordering::Relaxed);
        let result = driver.fill_disk().and_then(|()| {
            for _ in 0..DEATHS {
                driver.apply(Operation::Kill)?;
            }
            driver.apply(Operation::Checkpoint)?;
            driver.apply(Operation::Write)
        });
        if let Err(Stopped(why)) = result {
            self.violated(&about, why);
        }
    }

    /// Lets each call of the last operation fail, be cut short, and go astray.
    fn faults(&self, run: Run<'_>) {
        let Ok(mut dry) = self.before_last(run) else {
            return;
        };
        let before = dry.disk.calls();
        let _ = Enumerator::last(&mut dry, run);
        let calls = dry.disk.calls() - before;
        let sector = i64::try_from(self.geometry.sector_bytes).unwrap_or(i64::MAX);
        let faults = [
            Fault::Error(EIO),
            Fault::Error(ENOSPC),
            Fault::Short(100),
            Fault::Misdirected(sector),
            Fault::Misdirected(2 * sector),
            Fault::Misdirected(-sector),
        ];
        for call in 0..calls {
            for fault in faults {
                if self.is_over() {
                    return;
                }
                self.faults.fetch_add(1, Ordering::Relaxed);
                self.fault(run, call, fault);
            }
        }
    }

    fn fault(&self, run: Run<'_>, call: u64, fault: Fault) {
        let Ok(mut performed) = self.perform(run, Some((call, fault))) else {
            return;
        };
        let about = About { run, what: format!("{fault:?} in call {call}") };
        if !self.repeats_serial_log(&performed, run, Some((call, fault))) {
            self.after_fault(&about, &performed, fault);
        }
        let is_stopped = matches!(fault, Fault::Error(EIO)) && performed.result.is_err();
        if is_stopped && performed.driver.apply(Operation::Write).is_ok() {
            self.violated(&about, "a log that had failed went on".to_owned());
        }
    }

    fn after_fault(&self, about: &About<'_>, performed: &Performed, fault: Fault) {
        let Performed { driver, moments, result } = performed;
        if let Fault::Misdirected(_) = fault {
            return self.damaged(about, driver, &driver.disk.model(), false);
        }
        if let (Fault::Short(_), Err(Stopped(why))) = (fault, result) {
            return self.violated(about, format!("a short transfer stopped the log: {why}"));
        }
        if let Some(moment) = moments.last() {
            // The driver knows of operations that the fault has stopped.
            let moment = Moment { promise: driver.promise, ..moment.clone() };
            self.moment(about, &driver.history, &moment, CRASHES);
            self.death(about, &driver.history, &moment);
        }
    }
}

/// Whether a disk holds the same files as before, the lock apart.
fn is_unchanged(before: &DiskModel, after: &DiskModel) -> bool {
    let files = |it: &DiskModel| -> Vec<(String, Vec<u8>)> {
        let files = it.files().filter(|it| it.0 != "LOCK");
        files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
    };
    files(before) == files(after)
}
