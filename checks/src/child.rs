//! Searches in child processes: each has its own memory, so that its peak is true, and its own
//! time limit, so that one that never ends does not hold up the others.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
pub(crate) use std::process::Child;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio, exit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use steadfast_output::exit_code::INCOMPLETE;
use steadfast_output::{assert_threads, in_parallel, is_interrupted, on_interrupt};

use crate::job::{Engine, Job, Progress, Run, Said, Stopped};
use crate::processes::search_together;
use crate::search::search;

/// The hidden subcommand that a child runs.
pub(crate) const CHILD: &str = "search-one";

/// The children that run.
static CHILDREN: Mutex<Vec<Arc<Mutex<Child>>>> = Mutex::new(Vec::new());

fn children() -> MutexGuard<'static, Vec<Arc<Mutex<Child>>>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn locked(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes Ctrl-C end all searches instead of this process, which then reports what is finished.
pub(crate) fn end_searches_on_interrupt() {
    on_interrupt(|| children().iter().for_each(|it| drop(locked(it).kill())));
}

/// What a child does: reads a job, searches, writes the report. It ends when its parent does.
pub(crate) fn be_child() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let mut job: Job = serde_json::from_str(&line)?;
    let listener = listen_for_others(&mut job)?;
    // stateright would panic without its threads; our engine searches with those that it gets. One more
    // watches the time, and one the parent.
    let searching = match job.engine {
        Engine::Steadfast => 1,
        Engine::Stateright => job.threads,
    };
    assert_threads(searching + 2)?;
    thread::Builder::new().spawn(end_with_parent)?;
    // That nobody listens any more is found out when the report is written.
    let run = search(&job, listener, &|progress| drop(tell(&Said::Progress(progress))));
    let run = run.map_err(|it| io::Error::new(io::ErrorKind::InvalidInput, it))?;
    tell(&Said::Run(Box::new(run)))?;
    // A search that ran out of time still has threads that search on.
    exit(0)
}

/// Of a search that several processes of this machine share: listens, says where, and hears where the
/// others do.
fn listen_for_others(job: &mut Job) -> io::Result<Option<TcpListener>> {
    let Some(share) = job.share.as_mut().filter(|it| it.addresses.is_none()) else {
        return Ok(None);
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    tell(&Said::Listens(listener.local_addr()?.to_string()))?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    share.addresses = Some(serde_json::from_str(&line)?);
    Ok(Some(listener))
}

/// Waits for the end of standard input, which the parent keeps open: the system closes it however the
/// parent ends.
fn end_with_parent() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    exit(INCOMPLETE.into())
}

fn tell(said: &Said) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, said)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Performs searches, one on each processor at a time, until the user interrupts them. `done` hears of
/// each as it ends, in any order, and `progress` of each that takes long.
pub(crate) fn search_all(
    jobs: &[&Job],
    done: &(dyn Fn(usize, Run) + Sync),
    progress: &(dyn Fn(&Job, Progress) + Sync),
) {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    in_parallel(workers, || {
        while !is_interrupted()
            && let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(job) = jobs.get(at)
        {
            done(at, search_one(job, progress));
        }
    });
}

/// Performs a search in a process of its own. Whatever happens to the process concerns this search alone.
pub(crate) fn search_one(job: &Job, progress: &(dyn Fn(&Job, Progress) + Sync)) -> Run {
    if let Some(count) = job.processes {
        return search_together(job, count, progress);
    }
    let died = |reason: String| Run::without_result(job, Stopped::Died, Some(reason));
    let (child, mut input, output) = match start() {
        Ok(started) => started,
        Err(error) => return died(format!("no process can be started for it: {error}")),
    };
    register(&child);
    let handed = hand(job, &mut input);
    let report = handed.and_then(|()| listen(BufReader::new(output), &|it| progress(job, it)));
    let status = end_of(&child, report.is_err());
    match (report, status) {
        (Ok(Some(run)), _) => run,
        (_, _) if is_interrupted() => Run::without_result(job, Stopped::Interrupted, None),
        (Err(error), _) | (_, Err(error)) => died(format!("its process does not answer: {error}")),
        (Ok(None), Ok(status)) => died(format!("its process died ({status})")),
    }
}

pub(crate) type Started = (Arc<Mutex<Child>>, ChildStdin, ChildStdout);

/// Starts the process of a search.
pub(crate) fn start() -> io::Result<Started> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command
        .arg(CHILD)
        // Ctrl-C on a terminal reaches this process alone, which ends its children.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (input, output) = pipes.ok_or_else(|| io::Error::other("its pipes are missing"))?;
    Ok((Arc::new(Mutex::new(child)), input, output))
}

/// Lets an interruption end a child.
pub(crate) fn register(child: &Arc<Mutex<Child>>) {
    children().push(Arc::clone(child));
}

/// Hands a child its job.
pub(crate) fn hand(job: &Job, input: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *input, job)?;
    input.write_all(b"\n")
}

/// Listens to a child until it says no more.
pub(crate) fn listen(output: impl BufRead, progress: &dyn Fn(Progress)) -> io::Result<Option<Run>> {
    let mut report = None;
    for line in output.lines() {
        match serde_json::from_str(&line?) {
            Ok(Said::Progress(it)) => progress(it),
            Ok(Said::Run(run)) => report = Some(*run),
            // A process that dies may leave half a line.
            Ok(Said::Listens(_)) | Err(_) => return Ok(None),
        }
    }
    Ok(report)
}

/// Waits for the end of a child, which is killed first if it cannot be spoken to.
pub(crate) fn end_of(child: &Arc<Mutex<Child>>, is_lost: bool) -> io::Result<ExitStatus> {
    let status = wait(child, is_lost);
    children().retain(|it| !Arc::ptr_eq(it, child));
    status
}

/// Ends a child that nobody listens to.
pub(crate) fn end(child: &Arc<Mutex<Child>>) {
    // Only a child that has ended cannot be killed.
    drop(end_of(child, true));
}

/// Waits for a child, which is killed first if it cannot be spoken to.
fn wait(child: &Mutex<Child>, is_lost: bool) -> io::Result<ExitStatus> {
    let mut child = locked(child);
    if is_lost {
        child.kill()?;
    }
    child.wait()
}
