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
use steadfast_output::say;

use crate::catalog;
use crate::failure::Failure;
use crate::options::SeedOptions;
use crate::progress_bar::progress_bar;
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
const TWIN_COUNT_IN_SUITE: u64 = 250;

/// The result of seeds, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    ok: bool,
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
    let mut verdict = Verdict::Kept;
    let name = variant.map(|it| it.name);
    let mut report =
        Report { ok: true, variant: name, seeds: None, seed_twins: Vec::new(), speed: None };
    if options.speed {
        report.speed = Some(speed::measure());
    } else if options.twins {
        report.seed_twins = find_twins(seeds);
    } else {
        let mut swarm = run_swarm(seeds, variant);
        swarm.save_traces(&traces)?;
        verdict = swarm.verdict(options.count);
        report.seeds = Some(swarm);
    }
    report.ok = verdict == Verdict::Kept;
    if !options.json {
        variant.iter().for_each(|it| say(format_args!("As {}: {}.\n", it.name, it.about)));
    }
    print(&report, options.json)?;
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
    let bar = progress_bar(seeds.count);
    bar.set_message("seeds");
    let swarm = Swarm::run(seeds, variant, swarm::cores(), &|| bar.inc(1));
    bar.finish_and_clear();
    swarm
}

fn find_twins(seeds: Seeds) -> Vec<FoundTwin> {
    let bar = progress_bar(catalog::twins().count() as u64);
    let found = twins::find_all(seeds, swarm::cores(), &|name| {
        bar.set_message(format!("seeds as {name}"));
        bar.inc(1);
    });
    bar.finish_and_clear();
    found
}

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    if json {
        let json = serde_json::to_string_pretty(report).map_err(Failure::io)?;
        say(json);
        return Ok(());
    }
    if let Some(swarm) = &report.seeds {
        say(swarm.text());
        say(format_args!("{}.", capitalised(&swarm.sentence())));
    }
    if !report.seed_twins.is_empty() {
        say(twins::table(&report.seed_twins));
        say(format_args!("{}.", capitalised(&twins::sentence(&report.seed_twins))));
    }
    if let Some(speed) = &report.speed {
        say(speed.text());
    }
    Ok(())
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
