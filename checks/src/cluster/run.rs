//! One run: a cluster under load and faults, its end at rest, and the judgement.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use steadfast_client::{Client, Finding, Head, Options};
use steadfast_output::is_interrupted;
use steadfast_testbed::{Plan, Program, Testbed};
use tokio::time::sleep;

use super::Setting;
use super::clients::{CLIENTS, Worker, paths};
use super::disks::Disks;
use super::history::{Answer, History, Operation, Request, tally};
use super::judge::{Evidence, Fates, Judgement, Violation, judge};
use super::nemesis::{Injected, Nemesis};
use super::network::{Network, socket};
use super::schedule::{NODES, rounds};

/// How long a client goes on without progress. Faults last less than that, and some writes are to end with an unknown outcome.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long clients may take to end their last calls.
const ENDING_MAX: Duration = Duration::from_secs(120);
/// How often the nodes may be found with a damaged content that they did not know of, at rest.
const VERIFICATIONS_MAX: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// The surroundings of a run and its programs.
pub(crate) struct Means {
    pub(crate) program: Program,
    pub(crate) old_program: Option<Program>,
    pub(crate) is_in_namespace: bool,
    pub(crate) has_strace: bool,
}

/// The result of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) setting: &'static str,
    pub(crate) elect: u8,
    pub(crate) write: u8,
    pub(crate) seconds: f64,
    pub(crate) settling_s: f64,
    pub(crate) operations: BTreeMap<&'static str, BTreeMap<String, u64>>,
    pub(crate) faults: BTreeMap<&'static str, Injected>,
    pub(crate) noticed: BTreeMap<&'static str, u64>,
    pub(crate) acknowledged: Fates,
    pub(crate) linearizable_paths: u64,
    pub(crate) has_netem: bool,
    pub(crate) interrupted: bool,
    pub(crate) violations: Vec<Violation>,
    /// Where everything was left, if it was.
    pub(crate) directory: Option<PathBuf>,
}

/// Runs a cluster in this directory.
///
/// # Errors
/// A means failed, which says nothing about the nodes.
pub(crate) async fn run(
    means: &Means,
    setting: Setting,
    (seed, lasts): (u64, Duration),
    directory: &Path,
    say: &dyn Fn(String),
) -> Result<Run, String> {
    let begun = Instant::now();
    let (elect, write) = setting.quorums();
    let mut run = Run { setting: setting.name(), elect, write, ..Run::default() };
    let mut nemesis = begin(means, setting, seed, directory)?;
    run.has_netem = nemesis.has_netem();
    let history = Arc::new(History::default());
    let clients = clients(&nemesis.testbed, &history, seed)?;
    nemesis.testbed.start_all().map_err(|it| it.to_string())?;
    nemesis.testbed.settle().await.map_err(|it| it.to_string())?;

    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> =
        clients.into_iter().map(|it| tokio::spawn(it.work(Arc::clone(&stop)))).collect();
    for (number, round) in rounds(seed, means.old_program.is_some()).enumerate() {
        if begun.elapsed() >= lasts || is_interrupted() {
            break;
        }
        say(format!(
            "{}: round {number}, {} writes acknowledged, {} promises broken",
            setting.name(),
            history.acknowledged(),
            nemesis.violations.len()
        ));
        nemesis.inject(&round.faults, round.lasts).await?;
        sleep(round.pause).await;
    }
    stop.store(true, Ordering::Relaxed);
    run.interrupted = is_interrupted();
    let ended = tokio::time::timeout(ENDING_MAX, async {
        for task in tasks {
            // A client that panics is noticed by its operation without an answer.
            let _ = task.await;
        }
    });
    if ended.await.is_err() {
        run.violations.push(Violation::new("a client does not come back from its last call"));
    }
    let healed = Instant::now();
    let heads = if run.interrupted {
        None
    } else {
        rest(&mut nemesis, &history, &mut run, say, seed).await
    };
    run.settling_s = healed.elapsed().as_secs_f64();
    end(&mut nemesis, &mut run);
    run.violations.append(&mut nemesis.violations);
    run.faults = std::mem::take(&mut nemesis.injected);
    run.noticed = std::mem::take(&mut nemesis.noticed);
    let operations = history.operations();
    run.operations = tally(&operations);
    if let Some(heads) = heads {
        let is_linearizable = setting.is_linearizable();
        let (logs, operations, heads) = (&nemesis.logs, &operations[..], &heads);
        take(&mut run, judge(&Evidence { is_linearizable, operations, logs, heads }));
        if history.acknowledged() == 0 {
            run.violations.push(Violation::new("no write was acknowledged, so nothing was judged"));
        }
    }
    run.seconds = begun.elapsed().as_secs_f64();
    if !run.violations.is_empty() {
        keep(&mut nemesis, directory, &operations, &mut run)?;
    }
    Ok(run)
}

/// Makes the cluster and its surroundings. No node runs yet.
fn begin(means: &Means, setting: Setting, seed: u64, directory: &Path) -> Result<Nemesis, String> {
    let (elect, write) = setting.quorums();
    let (elect, write) = (elect.to_string(), write.to_string());
    let first = means.old_program.as_ref().unwrap_or(&means.program);
    let nodes = NODES
        .iter()
        .enumerate()
        .map(|(node, name)| ((*name).to_owned(), means.is_in_namespace.then(|| socket(node))));
    let mut plan = Plan::new(first.clone()).nodes(nodes).directory(directory);
    plan = plan.options(["--elect", &elect, "--write", &write]);
    if !means.is_in_namespace {
        plan = plan.options(["--allow-cut"]);
    }
    let mut testbed = plan.make().map_err(|it| it.to_string())?;
    let network = means.is_in_namespace.then(Network::make).transpose()?;
    let mut disks = means.is_in_namespace.then(Disks::default);
    for name in NODES.iter().filter(|_| means.is_in_namespace) {
        disks.iter_mut().try_for_each(|it| it.mount(&testbed.node(name)))?;
        let prefix = ["ip", "netns", "exec", name];
        testbed.set_prefix(name, prefix).map_err(|it| it.to_string())?;
    }
    let program = means.program.clone();
    Ok(Nemesis::new(testbed, network, disks, means.has_strace, program, seed))
}

fn clients(testbed: &Testbed, history: &Arc<History>, seed: u64) -> Result<Vec<Worker>, String> {
    (0..CLIENTS).map(|number| client(testbed, history, number, seed)).collect()
}

fn client(
    testbed: &Testbed,
    history: &Arc<History>,
    number: usize,
    seed: u64,
) -> Result<Worker, String> {
    let options = Options { deadline: PATIENCE, connect_timeout: PATIENCE / 4 };
    let of = |nodes: &[&str]| testbed.client_of(nodes, options).map_err(|it| it.to_string());
    let of_nodes = NODES.iter().map(|it| of(&[it])).collect::<Result<Vec<Client>, String>>()?;
    let run = format!("seed {seed}");
    Ok(Worker::new(number, of(&NODES)?, of_nodes, Arc::clone(history), (seed, run)))
}

/// Waits until all nodes hold the same with good contents, and reads every path. `None` if that does not come.
async fn rest(
    nemesis: &mut Nemesis,
    history: &Arc<History>,
    run: &mut Run,
    say: &dyn Fn(String),
    seed: u64,
) -> Option<BTreeMap<String, Vec<Head>>> {
    say(format!("{}: waiting until all nodes hold the same", run.setting));
    for round in 0.. {
        if let Err(error) = nemesis.testbed.settle().await {
            run.violations.push(Violation::new(error.to_string()));
            return None;
        }
        match bad_contents(&nemesis.testbed).await {
            Ok(0) => break,
            // They are fetched from the others now.
            Ok(_) if round < VERIFICATIONS_MAX => sleep(PAUSE).await,
            Ok(bad) => {
                let why = format!("{bad} contents stay damaged after {round} verifications");
                run.violations.push(Violation::new(why));
                return None;
            }
            Err(error) => {
                run.violations
                    .push(Violation::new(format!("contents cannot be verified: {error}")));
                return None;
            }
        }
    }
    let mut reader = match client(&nemesis.testbed, history, CLIENTS, seed) {
        Ok(reader) => reader,
        Err(error) => {
            run.violations.push(Violation::new(error));
            return None;
        }
    };
    for path in paths() {
        reader.perform(&path, Request::Get).await;
        reader.perform(&path, Request::Versions).await;
    }
    let mut heads = BTreeMap::new();
    for it in history.operations().into_iter().filter(|it| it.client == CLIENTS) {
        match it.answer {
            Some(Answer::Heads(of_path)) => drop(heads.insert(it.path, of_path)),
            Some(Answer::Found { .. } | Answer::Deleted(_) | Answer::Absent) => {}
            answer => {
                let why = format!("{} cannot be read at rest: {answer:?}", it.path);
                run.violations.push(Violation::new(why));
            }
        }
    }
    Some(heads)
}

/// How many contents the nodes find damaged when they read all.
async fn bad_contents(testbed: &Testbed) -> Result<u64, String> {
    let client = testbed.client().map_err(|it| it.to_string())?;
    let mut damaged = 0;
    for node in NODES {
        let mut verification = client.verify(node).await.map_err(|it| it.to_string())?;
        while let Some(finding) = verification.next().await.map_err(|it| it.to_string())? {
            if let Finding::End { bad, .. } = finding {
                damaged += bad;
            }
        }
    }
    Ok(damaged)
}

/// Ends the nodes, and reads their logs.
fn end(nemesis: &mut Nemesis, run: &mut Run) {
    for (node, name) in NODES.iter().enumerate() {
        if !nemesis.testbed.runs(name) {
            continue;
        }
        match nemesis.testbed.terminate(name) {
            Ok(status) if status.code() == Some(0) => {}
            Ok(status) => {
                let why = format!("node {name} ended with {status} after SIGTERM");
                run.violations.push(Violation::new(why));
            }
            Err(error) => {
                run.violations.push(Violation::new(error.to_string()));
                // It is known to run.
                let _ = nemesis.testbed.kill(name);
            }
        }
        nemesis.read_log(node);
    }
}

fn take(run: &mut Run, judgement: Judgement) {
    run.violations.extend(judgement.violations);
    run.acknowledged = judgement.fates;
    run.linearizable_paths = judgement.linearizable_paths;
}

/// Leaves everything that shows the failure: data, messages of the nodes, and the history as lines of JSON.
fn keep(
    nemesis: &mut Nemesis,
    directory: &Path,
    operations: &[Operation],
    run: &mut Run,
) -> Result<(), String> {
    nemesis.keep_data()?;
    let mut lines = String::new();
    for (operation, it) in operations.iter().enumerate() {
        #[derive(Serialize)]
        struct Line<'a> {
            operation: usize,
            #[serde(flatten)]
            of: &'a Operation,
        }
        lines +=
            &serde_json::to_string(&Line { operation, of: it }).map_err(|it| it.to_string())?;
        lines.push('\n');
    }
    for (name, text) in [("history.jsonl", lines), ("faults.txt", nemesis.timeline.join("\n"))] {
        let file = directory.join(name);
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    run.directory = Some(directory.to_owned());
    Ok(())
}
