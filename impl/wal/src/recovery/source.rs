//! Where runs come from: read when they are asked for, or ahead by another thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use super::runs::{READ_BYTES, Run, Runs};
use crate::disk::{AlignedBuffer, Call, Disk, DiskError, DiskFile};

/// How many runs are read ahead.
const RUNS_AHEAD: usize = 8;
/// Reading pauses while the runs in use take this many bytes, unless the verifier may need more to go
/// on.
const ABOUT_BYTES: usize = (RUNS_AHEAD + RUNS_HELD) * READ_BYTES;
/// The verifier holds up to this many runs for as long as it likes.
const RUNS_HELD: usize = 3;

type Read = Result<Option<Run>, DiskError>;

/// Where runs come from.
pub(super) enum Source<F> {
    /// They are read when they are asked for.
    Asked(Runs<F>, AlignedBuffer),
    /// Another thread reads them while those before are verified.
    Ahead(Ahead),
}

/// A thread that reads ahead.
pub(super) struct Ahead {
    runs: Option<Receiver<Read>>,
    /// Memory to use again: that of runs that are no longer needed.
    memory: Option<Sender<AlignedBuffer>>,
    thread: Option<JoinHandle<()>>,
}

impl<F: DiskFile> Source<F> {
    /// Reads ahead, if the disk is one for which that is of use.
    pub(super) fn ahead<D: Disk<File = F>>(
        disk: &Arc<D>,
        runs: Runs<F>,
    ) -> Result<Source<F>, DiskError> {
        if !disk.is_concurrent() {
            return Ok(Source::Asked(runs, AlignedBuffer::default()));
        }
        let (sender, receiver) = sync_channel(RUNS_AHEAD);
        let (memory, returned) = channel();
        let disk = Arc::clone(disk);
        let body = move || read_all(&*disk, runs, &sender, &returned);
        let thread = thread::Builder::new().name("wal-reader".to_owned()).spawn(body);
        let thread = Some(thread.map_err(DiskError::of(Call::Start, "thread wal-reader"))?);
        Ok(Source::Ahead(Ahead { runs: Some(receiver), memory: Some(memory), thread }))
    }

    /// The next run; `None` at the end.
    pub(super) fn next<D: Disk<File = F>>(&mut self, disk: &D) -> Read {
        match self {
            Source::Asked(runs, memory) => runs.next(disk, std::mem::take(memory)),
            // A thread that has ended has sent all its runs.
            Source::Ahead(ahead) => {
                ahead.runs.as_ref().and_then(|it| it.recv().ok()).unwrap_or(Ok(None))
            }
        }
    }

    /// Takes the memory of a run back.
    pub(super) fn recycle(&mut self, run: Run) {
        match self {
            Source::Asked(_, memory) => *memory = run.into_memory(),
            Source::Ahead(ahead) => {
                // The thread may have read all there is.
                let _ = ahead.memory.as_ref().map(|it| it.send(run.into_memory()));
            }
        }
    }
}

/// Reads run after run until the last one, or until the receiver is gone.
fn read_all<D: Disk>(
    disk: &D,
    mut runs: Runs<D::File>,
    sender: &SyncSender<Read>,
    returned: &Receiver<AlignedBuffer>,
) {
    let (mut about, mut about_bytes) = (0, 0);
    loop {
        let mut memory = AlignedBuffer::default();
        loop {
            let is_much = about > RUNS_HELD && about_bytes >= ABOUT_BYTES;
            let back = if is_much { returned.recv().ok() } else { returned.try_recv().ok() };
            let Some(back) = back else { break };
            about -= 1;
            about_bytes -= back.len();
            memory = back;
            if !is_much {
                break;
            }
        }
        let read = runs.next(disk, memory);
        let is_last = !matches!(read, Ok(Some(_)));
        if let Ok(Some(run)) = &read {
            about += 1;
            about_bytes += run.memory_bytes();
        }
        if sender.send(read).is_err() || is_last {
            return;
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // The thread waits for neither channel any more then.
        (self.runs, self.memory) = (None, None);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has printed its message.
            let _ = thread.join();
        }
    }
}
