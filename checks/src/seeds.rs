//! `check seeds`: random clusters, workloads and faults in the simulator, judged at every step.

mod failed;
mod range;
mod speed;
mod swarm;
mod twins;

use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use steadfast_guarantees::twins::Variant;
use steadfast_output::{is_interrupted, on_interrupt, say, warn};

use crate::catalog;
use crate::failure::Failure;
use crate::json;
use crate::options::SeedOptions;
use crate::program_name::program_name;
use crate::status_line::StatusLine;
use crate::traces::Traces;
use crate::verdict::Verdict;

pub(crate) use swarm::{Swarm, cores};
pub(crate) use twins::FoundTwin;

use self::range::Seeds;

/// How many seeds are run when nothing is said.
const COUNT: u64 = 1_000;
/// How many seeds are in the default suite.
const COUNT_IN_SUITE: u64 = 1_000;
/// How many seeds each twin gets in the default suite.
const TWIN_COUNT_IN_SUITE: u64 = 64;

/// The result of seeds, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    /// The variant that ran, if it was not the protocol as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<Swarm>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seed_twins: Vec<FoundTwin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<speed::Speed>,
}

/// `check seeds`.
pub(crate) fn run(options: &SeedOptions) -> Result<ExitCode, Failure> {
    let seeds = seeds(options).map_err(Failure::usage)?;
    let variant = options.protocol.variant()?;
    let traces = Traces::into(options.traces.as_deref())?;
    on_interrupt(|| {});
    let mut verdict = Verdict::Kept;
    let name = variant.map(|it| it.name);
    let mut report = Report { variant: name, seeds: None, seed_twins: Vec::new(), speed: None };
    if options.speed {
        let _status = StatusLine::begin(None, "measuring the simulator");
        report.speed = Some(speed::measure());
    } else if options.twins {
        report.seed_twins = find_twins(seeds);
        if is_interrupted() {
            verdict = Verdict::Incomplete;
        }
    } else {
        let mut swarm = run_swarm(seeds, variant);
        verdict = swarm.verdict(options.count);
        if let Err(failure) = swarm.save_traces(&traces) {
            warn(format_args!("{}: {}", program_name(), failure.message));
            verdict = verdict.max(Verdict::Incomplete);
        }
        report.seeds = Some(swarm);
    }
    if options.json {
        json::print(verdict, &report)?;
    } else {
        variant.iter().for_each(|it| say(format_args!("As {}: {}.\n", it.name, it.about)));
        print(&report, verdict);
    }
    Ok(verdict.exit_code())
}

/// The part of the default suite that runs seeds.
pub(crate) fn run_in_suite(variant: Option<&'static Variant>) -> (Swarm, Vec<FoundTwin>) {
    let seeds = |count| Seeds { first: 0, count, deadline: None };
    let swarm = run_swarm(seeds(COUNT_IN_SUITE), variant);
    let found = variant.is_none().then(|| find_twins(seeds(TWIN_COUNT_IN_SUITE)));
    (swarm, found.unwrap_or_default())
}

fn seeds(options: &SeedOptions) -> Result<Seeds, String> {
    let deadline = options.minutes.and_then(|it| Instant::now().checked_add(it));
    let endless = u64::MAX - options.from;
    let count = options.count.unwrap_or(if deadline.is_some() { endless } else { COUNT });
    match options.from.checked_add(count) {
        Some(_) => Ok(Seeds { first: options.from, count, deadline }),
        None => Err(format!(
            "{count} seeds from seed {}: the last valid seed is {}",
            options.from,
            u64::MAX
        )),
    }
}

fn run_swarm(seeds: Seeds, variant: Option<&'static Variant>) -> Swarm {
    let is_counted = seeds.deadline.is_none();
    let status = StatusLine::begin(is_counted.then_some(seeds.count), "seeds");
    Swarm::run(seeds, variant, swarm::cores(), &|| status.task_done())
}

fn find_twins(seeds: Seeds) -> Vec<FoundTwin> {
    let status = StatusLine::begin(Some(catalog::twins().count() as u64), "seeds as twins");
    twins::find_all(seeds, swarm::cores(), &|name| {
        status.say(format!("seeds as {name}"));
        status.task_done();
    })
}

fn print(report: &Report, verdict: Verdict) {
    let says = |sentence: &str| match verdict {
        Verdict::Incomplete => say(format_args!("INCOMPLETE: {sentence}.")),
        _ => say(format_args!("{}.", capitalised(sentence))),
    };
    if let Some(swarm) = &report.seeds {
        say(swarm.text());
        says(&swarm.sentence());
    }
    if !report.seed_twins.is_empty() {
        say(twins::table(&report.seed_twins));
        says(&twins::sentence(&report.seed_twins));
    }
    if let Some(speed) = &report.speed {
        say(speed.text());
    }
}

/// The tables for the default suite.
pub(crate) fn tables(swarm: &Swarm, found: &[FoundTwin]) -> String {
    format!("{}\n{}", swarm.text(), twins::table(found))
}

/// The result of seeds, as a part of the verdict on the default suite.
pub(crate) fn sentence(swarm: &Swarm, found: &[FoundTwin]) -> String {
    format!("{}; {}", swarm.sentence(), twins::sentence(found))
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |it| it.to_uppercase().chain(letters).collect())
}
