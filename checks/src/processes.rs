//! A search that several processes of this machine share. Each is a child like that of any other search;
//! all report the same result.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex};
use std::thread;

use steadfast_output::is_interrupted;

use crate::child::{self, Child};
use crate::job::{Job, ProcessUsage, Progress, Run, Said, Share, Stopped};

/// One of the processes.
struct Member {
    child: Arc<Mutex<Child>>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Performs a search in this many processes.
pub(crate) fn search_together(
    job: &Job,
    count: usize,
    progress: &(dyn Fn(&Job, Progress) + Sync),
) -> Run {
    let mut members = Vec::new();
    for index in 0..count {
        match start(job, index, count) {
            Ok(member) => members.push(member),
            Err(error) => {
                members.iter().for_each(|it: &Member| child::end(&it.child));
                let reason = format!("process {index} of {count} cannot be started: {error}");
                return Run::without_result(job, Stopped::Died, Some(reason));
            }
        }
    }
    if let Err((index, error)) = introduce(&mut members) {
        members.iter().for_each(|it| child::end(&it.child));
        let reason = format!("process {index} of {count} does not answer: {error}");
        return Run::without_result(job, Stopped::Died, Some(reason));
    }
    let reports = thread::scope(|scope| {
        let listen = |(index, member): (usize, Member)| {
            scope.spawn(move || {
                // Each process tells the progress of all.
                let tell = |it: Progress| {
                    if index == 0 {
                        progress(job, it)
                    }
                };
                let report = child::listen(member.output, &tell);
                let status = child::end_of(&member.child, report.is_err());
                drop(member.input);
                match (report, status) {
                    (Ok(Some(run)), _) => Ok(run),
                    (Err(error), _) | (_, Err(error)) => Err(format!("does not answer: {error}")),
                    (Ok(None), Ok(status)) => Err(format!("died ({status})")),
                }
            })
        };
        let threads: Vec<_> = members.into_iter().enumerate().map(listen).collect();
        let join = |it: thread::ScopedJoinHandle<'_, _>| it.join();
        let lost = || Err("cannot be listened to".to_owned());
        threads.into_iter().map(|it| join(it).unwrap_or_else(|_| lost())).collect::<Vec<_>>()
    });
    together(job, &reports)
}

/// Starts a process and hands it its part of the job.
fn start(job: &Job, index: usize, count: usize) -> io::Result<Member> {
    let (child, mut input, output) = child::start()?;
    child::register(&child);
    let share = Some(Share { index, count, addresses: None });
    child::hand(&Job { share, ..job.clone() }, &mut input)?;
    Ok(Member { child, input, output: BufReader::new(output) })
}

/// Asks each process where it listens, and tells all.
fn introduce(members: &mut [Member]) -> Result<(), (usize, io::Error)> {
    let mut addresses = Vec::new();
    for (index, member) in members.iter_mut().enumerate() {
        addresses.push(address_of(member).map_err(|it| (index, it))?);
    }
    for (index, member) in members.iter_mut().enumerate() {
        let told = serde_json::to_writer(&mut member.input, &addresses).map_err(io::Error::from);
        told.and_then(|()| member.input.write_all(b"\n")).map_err(|it| (index, it))?;
    }
    Ok(())
}

fn address_of(member: &mut Member) -> io::Result<String> {
    let mut line = String::new();
    member.output.read_line(&mut line)?;
    match serde_json::from_str(&line) {
        Ok(Said::Listens(address)) => Ok(address),
        _ => Err(io::Error::other("it does not listen")),
    }
}

/// The report of all processes, given that of each.
fn together(job: &Job, reports: &[Result<Run, String>]) -> Run {
    if is_interrupted() {
        return Run::without_result(job, Stopped::Interrupted, None);
    }
    let count = reports.len();
    let runs = || reports.iter().flatten();
    // The process that found a flaw knows the run that shows it.
    let flawed = runs().find(|it| it.stopped == Some(Stopped::Flawed));
    let Some(first) = flawed.or_else(|| runs().next()) else {
        let reason = format!("all {count} processes died");
        return Run::without_result(job, Stopped::Died, Some(reason));
    };
    let mut run = first.clone();
    run.processes = runs()
        .map(|it| ProcessUsage { cpu_s: it.cpu_s, peak_rss_bytes: it.peak_rss_bytes })
        .collect();
    run.cpu_s = run.processes.iter().map(|it| it.cpu_s).sum();
    run.peak_rss_bytes = run.processes.iter().map(|it| it.peak_rss_bytes).max().unwrap_or(0);
    let all_bytes: u64 = run.processes.iter().map(|it| it.peak_rss_bytes).sum();
    run.states_per_cpu_s = run.unique as f64 / run.cpu_s.max(1e-3);
    run.bytes_per_state = all_bytes as f64 / (run.unique as f64).max(1.0);
    let dead = reports.iter().position(Result::is_err);
    let differs = runs().any(|it| {
        (it.unique, it.generated, it.depth) != (first.unique, first.generated, first.depth)
    });
    let reason = match dead {
        Some(index) => {
            let how = reports[index].as_ref().err().map_or("", |it| it.as_str());
            Some(format!("process {index} of {count} {how}"))
        }
        None if run.complete && differs => Some("the processes count differently".to_owned()),
        None => None,
    };
    if let Some(reason) = reason {
        (run.complete, run.stopped, run.reason) = (false, Some(Stopped::Died), Some(reason));
    }
    run
}
