//! Goes through workloads, moments, crashes, and crashes during recovery.

use std::collections::HashSet;

use ahash::RandomState;
use steadfast_node::ContentCopy;
use steadfast_simulated_disk::{CrashModel, DiskModel, EIO, ENOSPC, Fault, SimulatedDisk};
use steadfast_store::ContentDecisions;

use crate::judge::{Promise, Truth, believes_no_name, goes_on, judge, open, scrub, truth};
use crate::subject::{Stopped, Subject};
use crate::workload::{Letter, Operation, Workload};

/// Sectors of 512 bytes that are old, new or garbage.
const CRASHES: CrashModel = CrashModel {
    sector_bytes: 512,
    tears_sectors: true,
    has_garbage_in_fresh_space: true,
    combined_sectors_max: 4,
};
/// The number of crashes that follow each other: one while the store works, one while it recovers.
const CRASHES_MAX: u32 = 2;
/// No more violations than these are kept.
const VIOLATIONS_MAX: usize = 10;
/// The faults of a call.
const FAULTS: [Fault; 3] = [Fault::Error(EIO), Fault::Error(ENOSPC), Fault::Short(100)];

/// How much was gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workloads.
    pub workloads: u64,
    /// Moments between two calls to the disk.
    pub moments: u64,
    /// Different disks that crashes left, each with the promises that it had to keep.
    pub crash_states: u64,
    /// Runs in which one call failed or was cut short.
    pub faults: u64,
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The operations before it.
    pub workload: Workload,
    /// The crash or the fault.
    pub cause: String,
    /// The promise that was broken.
    pub broken: String,
}

/// Goes through workloads.
#[must_use]
pub fn enumerate(
    workloads: &[Workload],
    decisions: &'static dyn ContentDecisions,
    stops_at_first: bool,
) -> (Counts, Vec<Violation>) {
    let mut enumerator = Enumerator {
        decisions,
        state: RandomState::with_seeds(1, 2, 3, 4),
        judged: HashSet::new(),
        counts: Counts::default(),
        violations: Vec::new(),
        violations_max: if stops_at_first { 1 } else { VIOLATIONS_MAX },
    };
    for workload in workloads {
        if enumerator.is_over() {
            break;
        }
        enumerator.counts.workloads += 1;
        enumerator.crashes(workload);
        enumerator.faults(workload);
    }
    enumerator.counts.crash_states = enumerator.judged.len() as u64;
    (enumerator.counts, enumerator.violations)
}

struct Enumerator {
    decisions: &'static dyn ContentDecisions,
    state: RandomState,
    /// The disks that were judged, with the promises and the number of the crash.
    judged: HashSet<u64>,
    counts: Counts,
    violations: Vec<Violation>,
    violations_max: usize,
}

impl Enumerator {
    fn is_over(&self) -> bool {
        self.violations.len() >= self.violations_max
    }

    fn violated(&mut self, workload: &Workload, cause: &str, broken: String) {
        if !self.is_over() {
            let (workload, cause) = (workload.clone(), cause.to_owned());
            self.violations.push(Violation { workload, cause, broken });
        }
    }

    /// Runs all but the last operation.
    fn before_last(&self, workload: &Workload) -> Result<(Subject, Operation), String> {
        let mut subject = Subject::new(self.decisions)?;
        let (last, before) = workload.0.split_last().ok_or("a workload without operations")?;
        for operation in before {
            subject.apply(*operation).map_err(|stopped| format!("{stopped:?}"))?;
        }
        Ok((subject, *last))
    }

    /// Crashes at every moment of the last operation.
    fn crashes(&mut self, workload: &Workload) {
        const CAUSE: &str = "a crash";
        let (mut subject, last) = match self.before_last(workload) {
            Ok(begun) => begun,
            Err(broken) => return self.violated(workload, "no fault", broken),
        };
        let during = subject.promises_during(last);
        subject.disk().start_tape();
        if let Err(stopped) = subject.apply(last) {
            return self.violated(workload, "no fault", format!("{stopped:?}"));
        }
        if let Err(broken) = subject.reads() {
            self.violated(workload, "no fault", broken);
        }
        let tape = subject.disk().take_tape();
        self.counts.moments += tape.len() as u64;
        for model in &tape {
            self.moment(workload, CAUSE, model, during, 1);
        }
        // The operation has ended: now its own promises count.
        self.moment(workload, CAUSE, &subject.disk().model(), subject.promises, 1);
    }

    /// The process dies at one moment, or the machine does, in every way there is.
    fn moment(
        &mut self,
        workload: &Workload,
        cause: &str,
        model: &DiskModel,
        promises: [Promise; 2],
        crash: u32,
    ) {
        // A later crash may still take what a dead process has left unsynced, unless this one is the last.
        if crash < CRASHES_MAX || self.is_new(model, promises, crash) {
            self.image(workload, cause, model, promises, crash);
        }
        let mut images = Vec::new();
        CRASHES.each(model, &mut |image| {
            if self.is_new(&image, promises, crash) {
                images.push(image);
            }
            true
        });
        for image in images {
            if self.is_over() {
                return;
            }
            self.image(workload, cause, &image, promises, crash);
        }
    }

    /// Whether no such files had to keep these promises yet.
    fn is_new(&mut self, disk: &DiskModel, promises: [Promise; 2], crash: u32) -> bool {
        let files: Vec<(&str, &[u8])> = disk.files().collect();
        self.judged.insert(self.state.hash_one((files, promises, crash)))
    }

    /// Opens the contents on a disk, judges them, and crashes again meanwhile.
    fn image(
        &mut self,
        workload: &Workload,
        cause: &str,
        image: &DiskModel,
        promises: [Promise; 2],
        crash: u32,
    ) {
        if let Err(broken) = self.recover(workload, cause, image, promises, crash) {
            self.violated(workload, cause, broken);
        }
    }

    fn recover(
        &mut self,
        workload: &Workload,
        cause: &str,
        image: &DiskModel,
        promises: [Promise; 2],
        crash: u32,
    ) -> Result<(), String> {
        let disk = SimulatedDisk::new(image.clone());
        disk.start_tape();
        let opened = open(disk.clone(), self.decisions)?;
        let tape = disk.take_tape();
        if crash < CRASHES_MAX {
            for model in &tape {
                let cause = format!("{cause}, and one in recovery");
                self.moment(workload, &cause, model, promises, crash + 1);
            }
            // An opening shows durable contents.
            let (shown, cause) =
                (shown(&disk.model(), promises), format!("{cause}, and one after"));
            self.moment(workload, &cause, &disk.model(), shown, CRASHES_MAX);
        }
        believes_no_name(image, &opened)?;
        judge(&opened, promises)?;
        drop(opened);
        let opened = open(SimulatedDisk::new(disk.model()), self.decisions)?;
        scrub(&opened)?;
        goes_on(&opened)
    }

    /// Each call of the last operation fails or is cut short once.
    fn faults(&mut self, workload: &Workload) {
        for (call, fault) in self.faults_of(workload) {
            let Ok((subject, last)) = self.before_last(workload) else {
                return;
            };
            if self.is_over() {
                return;
            }
            subject.fail_in(call, fault);
            let cause = format!("{fault:?} in call {call}");
            if let Err(broken) = self.with_fault(workload, &cause, subject, (last, fault)) {
                self.violated(workload, &cause, broken);
            }
            self.counts.faults += 1;
        }
    }

    /// The calls of the last operation, each with every fault.
    fn faults_of(&self, workload: &Workload) -> Vec<(u64, Fault)> {
        let Ok((mut subject, last)) = self.before_last(workload) else {
            return Vec::new();
        };
        let before = subject.disk().calls();
        let result = subject.apply(last);
        let calls = if result.is_ok() { subject.disk().calls() - before } else { 0 };
        (0..calls).flat_map(|call| FAULTS.map(|fault| (call, fault))).collect()
    }

    fn with_fault(
        &mut self,
        workload: &Workload,
        cause: &str,
        mut subject: Subject,
        (last, fault): (Operation, Fault),
    ) -> Result<(), String> {
        let disk = subject.disk().clone();
        let during = subject.promises_during(last);
        let first = subject.apply(last);
        if let Err(Stopped::Failed(why)) = &first
            && matches!(fault, Fault::Short(_))
        {
            return Err(format!("a short call is no failure: {why}"));
        }
        let is_scrub = last == Operation::Scrub;
        match first {
            Ok(()) => self.moment(workload, cause, &disk.model(), subject.promises, 1),
            Err(Stopped::Broken(_)) if is_scrub => {}
            Err(Stopped::Broken(broken)) => return Err(broken),
            Err(Stopped::Failed(_)) => {
                // What counts as there in spite of the failure is durable.
                let durable = subject.opened().map_or(during, |opened| {
                    Letter::ALL.map(|it| {
                        let is_there = opened.contents.copy(it.id()) == ContentCopy::Exact;
                        let may_be_missing = during[it.index()].may_be_missing && !is_there;
                        Promise { may_be_missing, ..during[it.index()] }
                    })
                });
                self.moment(workload, cause, &disk.model(), durable, 1);
                if matches!(last, Operation::Reopen) {
                    // Its contents are closed: the crash has opened them again.
                    return Ok(());
                }
                if let Err(stopped) = subject.apply(last) {
                    return Err(format!("the second try: {stopped:?}"));
                }
                self.moment(workload, cause, &disk.model(), subject.promises, 1);
            }
        }
        subject.reads()
    }
}

/// The promises of an opening that has shown the contents on this disk.
fn shown(disk: &DiskModel, promises: [Promise; 2]) -> [Promise; 2] {
    Letter::ALL.map(|letter| match truth(disk, letter) {
        // A removed file may come back.
        Truth::Missing => promises[letter.index()],
        Truth::Good | Truth::Bad => Promise { may_be_missing: false, ..promises[letter.index()] },
    })
}
