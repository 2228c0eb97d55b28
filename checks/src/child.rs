//! Searches in child processes: each has its own memory, so that its peak is true, and its own
//! time limit, so that one that never ends does not hold up the others.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast_output::{assert_threads, in_parallel};
use thiserror::Error;

use crate::job::{Job, Progress, Run, Said};
use crate::program_name::program_name;
use crate::search::search;

/// Why a search has no report.
#[derive(Debug, Error)]
pub(crate) enum ChildError {
    /// The process could not be started or spoken to.
    #[error("cannot run the search of {scope} in a process of its own")]
    Io {
        /// The scope.
        scope: String,
        /// Why.
        source: io::Error,
    },
    /// The process died.
    #[error(
        "the search of {scope} died ({status}); run `{program} run {scope}` again to see it alone",
        program = program_name()
    )]
    Died {
        /// The scope.
        scope: String,
        /// How.
        status: String,
    },
}

/// The hidden subcommand that a child runs.
pub(crate) const CHILD: &str = "search-one";

/// What a child does: reads a job, searches, writes the report.
pub(crate) fn be_child() -> io::Result<()> {
    let job: Job = serde_json::from_reader(io::stdin().lock())?;
    // The checker would panic without them: those that search, and one that watches the time.
    assert_threads(job.threads + 1)?;
    // That nobody listens any more is found out when the report is written.
    let run = search(&job, &|progress| drop(tell(&Said::Progress(progress))));
    let run = run.map_err(|it| io::Error::new(io::ErrorKind::InvalidInput, it))?;
    tell(&Said::Run(Box::new(run)))?;
    // A search that ran out of time still has threads that search on.
    std::process::exit(0)
}

fn tell(said: &Said) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, said)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Performs searches, one on each processor at a time, and reports them in order.
/// `done` hears of each as it ends, and `progress` of each that takes long.
pub(crate) fn search_all(
    jobs: &[Job],
    done: &(dyn Fn(usize, &Job) + Sync),
    progress: &(dyn Fn(&Job, Progress) + Sync),
) -> Result<Vec<Run>, ChildError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<Run, ChildError>>>> =
        jobs.iter().map(|_| Mutex::new(None)).collect();
    in_parallel(workers, || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at) else {
                return;
            };
            let result = search_one(job, progress);
            if let Ok(mut place) = results[at].lock() {
                *place = Some(result);
            }
            done(at, job);
        }
    });
    results.into_iter().filter_map(|it| it.into_inner().ok().flatten()).collect()
}

fn search_one(job: &Job, progress: &(dyn Fn(&Job, Progress) + Sync)) -> Result<Run, ChildError> {
    let scope = || job.scope.name.clone();
    let failed = |source: io::Error| ChildError::Io { scope: scope(), source };
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg(CHILD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        serde_json::to_writer(&mut input, job).map_err(|it| failed(it.into()))?;
    }
    let (mut report, mut unreadable) = (None, None);
    for line in child.stdout.take().into_iter().flat_map(|it| BufReader::new(it).lines()) {
        match serde_json::from_str(&line.map_err(failed)?) {
            Ok(Said::Progress(it)) => progress(job, it),
            Ok(Said::Run(run)) => report = Some(*run),
            // A process that dies may leave half a line.
            Err(error) => unreadable = Some(error),
        }
    }
    let status = child.wait().map_err(failed)?;
    match report.filter(|_| status.success()) {
        Some(run) => Ok(run),
        None => Err(match unreadable.filter(|_| status.success()) {
            Some(error) => failed(error.into()),
            None => ChildError::Died { scope: scope(), status: status.to_string() },
        }),
    }
}
