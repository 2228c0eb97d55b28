//! `versus check`: our search engine beside stateright's checkers and Spin.
//!
//! Every search runs in a process of its own, on the same scopes, in turns.

mod report;
mod search;
mod spin;
mod subject;
mod targets;

use std::process::ExitCode;

use clap::Args;
use steadfast_cluster::shipped;
use steadfast_output::number::whole;
use steadfast_output::{escaped, say, warn};

use report::{Report, Row};
use search::{SEARCHES, Sample, Search};
pub use search::{SearchOne, search_one};
use spin::Spin;
use subject::{RESOURCES_MAX, Subject};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The scopes and searches to measure.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The scopes, as `check list` names them. `link-events-2` takes stateright ten minutes or more.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', num_args = 0..,
          default_values = ["replicate", "available", "consistent-2"], value_parser = scope)]
    scopes: Vec<String>,
    /// The number of resource managers in two-phase commit, which Spin searches as well; 0 leaves
    /// it out.
    #[arg(long, value_name = "COUNT", default_value_t = 8,
          value_parser = whole::<u16>(0..=RESOURCES_MAX))]
    resource_managers: u16,
    /// Only these searches.
    #[arg(long, value_name = "NAMES", value_delimiter = ',',
          default_values = SEARCHES.map(|it| it.name), value_parser = SEARCHES.map(|it| it.name))]
    searches: Vec<String>,
    /// How often each search is repeated; the median counts. One that takes more than a minute is
    /// not repeated.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = whole::<u32>(1..=100))]
    rounds: u32,
    /// Also compares the speed of our engine after 10^6 states with that after 10^8 in this scope.
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    flat: Option<String>,
    /// Prints one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// A search that takes longer is not repeated, in CPU seconds.
const REPEATED_MAX_S: f64 = 60.0;

/// The numbers of states after which speeds are compared.
const FLAT_STATES: [u64; 2] = [1_000_000, 100_000_000];

fn scope(name: &str) -> std::result::Result<String, String> {
    let found = shipped(name).map(|it| it.name.to_owned());
    found.ok_or_else(|| {
        format!("no scope is called {:?}: `check list` names the valid scopes", escaped(name))
    })
}

/// Measures and judges.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let result = measure(options).and_then(|report| {
        if options.json {
            say(serde_json::to_string_pretty(&report)?);
        } else {
            report.show();
        }
        Ok(report.exit_code())
    });
    result.unwrap_or_else(|error| {
        warn(format_args!("versus: {error}"));
        ExitCode::from(4)
    })
}

fn measure(options: &Options) -> Result<Report> {
    let mut report = Report::new();
    let scopes = options.scopes.iter().map(|it| Subject::Scope(it.clone()));
    let commit = (options.resource_managers > 0)
        .then_some(Subject::TwoPhaseCommit(options.resource_managers));
    let is_asked = |it: &&Search| options.searches.iter().any(|name| name == it.name);
    let asked: Vec<&Search> = SEARCHES.iter().filter(is_asked).collect();
    for subject in scopes.chain(commit) {
        let searches = asked.iter().copied().filter(|it| it.can_search(&subject));
        let mut searches: Vec<&Search> = searches.collect();
        let mut spin = None;
        if searches.iter().any(|it| it.is_spin()) {
            match Spin::prepare(&subject)? {
                Ok(prepared) => spin = Some(prepared),
                Err(missing) => {
                    report.notes.push(missing);
                    searches.retain(|it| !it.is_spin());
                }
            }
        }
        let verifier = spin.as_ref().map(Spin::verifier);
        report.rows.extend(rows(&subject, &searches, verifier, options.rounds)?);
    }
    if let Some(scope) = &options.flat {
        report.flat.extend(flat(scope)?);
    }
    report.judge();
    Ok(report)
}

/// Searches one subject in turns, and takes the medians.
fn rows(
    subject: &Subject,
    searches: &[&Search],
    verifier: Option<&std::path::Path>,
    rounds: u32,
) -> Result<Vec<Row>> {
    let mut samples: Vec<Vec<Sample>> = searches.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for (search, samples) in searches.iter().zip(&mut samples) {
            if samples.first().is_some_and(|it| it.cpu_s > REPEATED_MAX_S) {
                continue;
            }
            let name = search.name;
            warn(format_args!("{subject}, {name}: round {} of {rounds}", round + 1));
            samples.push(search.in_child(subject, u64::MAX, verifier)?);
        }
    }
    let rows = searches.iter().zip(samples);
    rows.map(|(search, samples)| Row::median(subject, search, samples)).collect()
}

/// The engine on one thread, which stops after these numbers of states.
fn flat(scope: &str) -> Result<Vec<Row>> {
    let subject = Subject::Scope(scope.to_owned());
    let engine = &SEARCHES[0];
    let searched = FLAT_STATES.map(|states| {
        warn(format_args!("{subject}, {}: {states} states", engine.name));
        let sample = engine.in_child(&subject, states, None)?;
        if sample.unique < states {
            let few = format!("{subject} has {} states, fewer than {states}", sample.unique);
            return Err(few.into());
        }
        Row::median(&subject, engine, vec![sample])
    });
    searched.into_iter().collect()
}
