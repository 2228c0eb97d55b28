//! Measures a node's disk and memory:
//! `cargo run --release -p steadfast-store --example bounds -- [PATHS] [WRITES] [CLIENTS] [DIRECTORY]`.
//!
//! CLIENTS clients (64 by default) write in turn to PATHS paths (a million) of a cluster of one node, WRITES times
//! in all (each path twice), with trims as the default policy asks for them. The example prints the resident memory
//! after each power of ten of writes and the longest time that one write took, then the bytes on the disk against
//! those of the state, the time of a recovery, and how long an append takes while a checkpoint is being written and
//! while none is.

use std::error::Error;
use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use steadfast_node::Node;
use steadfast_protocol::{
    Base, Content, Identity, Incarnation, Input, Intent, LogIndex, NodeId, Parameters, Path,
    RequestId, Settings, Steadfast, WriteRequest,
};
use steadfast_store::{
    CheckpointJob, Checkpointed, Store, ThreadedLog, TrimPolicy, create, log_settings,
};
use steadfast_wal::{CheckpointError, LogId, RealDisk};

type Served = Node<Store<ThreadedLog<RealDisk>>>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Writing = JoinHandle<std::result::Result<Checkpointed, CheckpointError>>;

/// Writes that are synced together while the paths are written.
const GROUP: u64 = 512;
/// The appends that are timed in each of the two cases.
const TIMED: usize = 3_000;

struct Bench {
    node: Served,
    writing: Option<Writing>,
    number: u64,
    /// The number of clients, which write in turn.
    clients: u64,
    /// The longest time that one write took.
    longest: Duration,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let paths: u64 = arguments.next().map_or(Ok(1_000_000), |it| it.parse())?;
    let writes: u64 = arguments.next().map_or(Ok(2 * paths), |it| it.parse())?;
    let clients: u64 = arguments.next().map_or(Ok(64), |it| it.parse())?;
    if paths == 0 || clients == 0 {
        return Err("PATHS and CLIENTS are at least 1".into());
    }
    let temporary = tempfile::tempdir()?;
    let directory = arguments.next().map_or(temporary.path().to_owned(), Into::into);
    let (log, contents) = (directory.join("log"), directory.join("contents"));
    let disks = [&log, &contents].map(|it| Arc::new(RealDisk::new(it)));
    create(&disks[0], &disks[1], alone(), (LogId(1), log_settings()))?;

    let mut bench = Bench {
        node: start(&disks, 1)?,
        writing: None,
        number: 0,
        clients,
        longest: Duration::ZERO,
    };
    bench.fill(paths, writes, &log)?;
    bench.end_checkpoint(true)?;
    bench.checkpoint()?;
    bench.end_checkpoint(true)?;
    let (state, _) = bench.node.storage().log_bytes();
    println!(
        "state: {state} bytes for {paths} paths, {:.0} bytes each",
        state as f64 / paths as f64
    );

    let (number, longest) = (bench.number, bench.longest);
    drop(bench.node);
    let (wall, cpu) = (Instant::now(), cpu_time()?);
    let node = start(&disks, 2)?;
    println!("recovery: {:.2?} wall, {:.2?} of the processor", wall.elapsed(), cpu_time()? - cpu);

    let mut bench = Bench { node, writing: None, number, clients, longest };
    bench.appends("without a checkpoint", paths, false)?;
    bench.appends("while checkpoints are written", paths, true)
}

fn alone() -> Identity {
    Identity { node: NodeId(0), settings: Settings::new(1, 1, 1).expect("one node is a cluster") }
}

fn start(disks: &[Arc<RealDisk>; 2], number: u64) -> Result<Served> {
    let layout = (LogId(1), log_settings());
    let began = Instant::now();
    let store = Store::open(&disks[0], &disks[1], alone(), layout, TrimPolicy::default())?;
    let opened = began.elapsed();
    let mut node = Node::new(alone(), Parameters::default(), store);
    node.start(Incarnation(number), &Steadfast)?;
    println!(
        "opening: {opened:.2?} for the store, {:.2?} for the replica",
        began.elapsed() - opened
    );
    node.hear(Input::ElectionTimeout, &Steadfast, &mut Vec::new());
    Ok(node)
}

impl Bench {
    fn write(&mut self, path: u64) {
        self.number += 1;
        let seen = self.node.replica().map(|it| it.log().fold().counter()).unwrap_or_default();
        let request = WriteRequest {
            request: RequestId { client: self.number % self.clients, number: self.number },
            path: Path::new(format!("directory-{:03}/file-{path:07}", path % 1000)),
            intent: Intent::Put(Content::Inline(self.number.to_le_bytes().as_slice().into())),
            base: Base::Visible,
            seen,
        };
        let began = Instant::now();
        self.node.hear(Input::Write(request), &Steadfast, &mut Vec::new());
        self.longest = self.longest.max(began.elapsed());
    }

    fn sync(&mut self) -> Result<()> {
        let log = Arc::clone(self.node.storage().log());
        log.wait(log.last())?;
        let synced = self.node.storage_mut().note_synced(LogIndex(log.durable().0));
        self.node.hear(synced, &Steadfast, &mut Vec::new());
        Ok(())
    }

    /// Begins to write a checkpoint. Returns the time that the node was held up.
    fn checkpoint(&mut self) -> Result<Duration> {
        self.sync()?;
        let began = Instant::now();
        self.node.hear(Input::Trim, &Steadfast, &mut Vec::new());
        let job: CheckpointJob<_> = self.node.storage_mut().take_checkpoint().ok_or("no job")?;
        self.writing = Some(thread::spawn(move || job.run()));
        Ok(began.elapsed())
    }

    /// Notes the end of the checkpoint that is being written. Returns the time that the node was held up.
    fn end_checkpoint(&mut self, waits: bool) -> Result<Duration> {
        let Some(writing) = self.writing.take_if(|it| waits || it.is_finished()) else {
            return Ok(Duration::ZERO);
        };
        let written = writing.join().map_err(|_| "the checkpoint's thread panicked")??;
        let began = Instant::now();
        let input = self.node.storage_mut().note_checkpointed(written);
        self.node.hear(input, &Steadfast, &mut Vec::new());
        Ok(began.elapsed())
    }

    fn fill(&mut self, paths: u64, writes: u64, log: &FilePath) -> Result<()> {
        let began = Instant::now();
        let (mut trims, mut rest, mut writing) = (0, 0_i64, 0_i64);
        let (mut begins, mut ends) = (Duration::ZERO, Duration::ZERO);
        for nth in 1..=writes {
            self.write(nth % paths * 7_919 % paths);
            if nth >= paths.min(writes) && is_power_of_ten(nth) || nth == writes {
                let (elapsed, memory) = (began.elapsed(), resident_bytes()? >> 20);
                println!("{nth} writes: {elapsed:.1?}, {trims} trims, {memory} MiB of memory");
            }
            if nth % GROUP > 0 && nth < writes {
                continue;
            }
            self.sync()?;
            ends = ends.max(self.end_checkpoint(false)?);
            let excess = bytes_in(log)? - 2 * i64::try_from(self.node.storage().log_bytes().0)?;
            match self.writing {
                Some(_) => writing = writing.max(excess),
                None => rest = rest.max(excess),
            }
            if self.node.storage().is_trim_due() {
                trims += 1;
                begins = begins.max(self.checkpoint()?);
            }
        }
        let mib = |bytes: i64| bytes as f64 / f64::from(1 << 20);
        println!("log on disk beyond twice the state: at most {:.1} MiB", mib(rest));
        println!("the same while a checkpoint is being written: {:.1} MiB", mib(writing));
        println!("longest time that one write took: {:.2?}", self.longest);
        println!(
            "longest stop of the node at the begin of a checkpoint: {begins:.2?}, at its end: {ends:.2?}"
        );
        Ok(())
    }

    fn appends(&mut self, name: &str, paths: u64, has_checkpoints: bool) -> Result<()> {
        let (mut appends, mut syncs, mut checkpoints, mut ends) =
            (Vec::new(), Vec::new(), 0, Duration::ZERO);
        for at in 0..TIMED {
            ends = ends.max(self.end_checkpoint(false)?);
            if has_checkpoints && self.writing.is_none() {
                checkpoints += 1;
                self.checkpoint()?;
            }
            let began = Instant::now();
            self.write(at as u64 * 31 % paths);
            appends.push(began.elapsed());
            self.sync()?;
            syncs.push(began.elapsed());
        }
        self.end_checkpoint(true)?;
        println!(
            "{name} ({checkpoints}): append {}; durable {}; stop at their ends {ends:.2?}",
            quantiles(&mut appends),
            quantiles(&mut syncs)
        );
        Ok(())
    }
}

fn quantiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    format!("p50 {:.0?} p99 {:.0?} p99.9 {:.0?}", at(500), at(990), at(999))
}

fn bytes_in(directory: &FilePath) -> Result<i64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        // A file may be renamed or removed meanwhile.
        bytes += entry?.metadata().map_or(0, |it| it.len());
    }
    Ok(i64::try_from(bytes)?)
}

fn is_power_of_ten(number: u64) -> bool {
    10_u64.pow(number.ilog10()) == number
}

/// The memory of this process that is in use.
fn resident_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

/// The processor time of this thread so far.
fn cpu_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("an empty file")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}
