//! `steadfast simulate`: the six scenarios.

mod user_files;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use steadfast_output::number::whole;
use steadfast_output::size::bytes;
use steadfast_output::{WholeFile, names_standard_output, say, shown, warn};
use steadfast_protocol::NODES_MAX;
use steadfast_sim::scenario::{Cast, SCENARIOS, Scenario, ScenarioError, Story, default_sources};

use crate::failure::Failure;
use crate::names::is_standard;
use crate::scratch::MappedFiles;

/// How many nodes there may be, and E and W at most.
const NODES: RangeInclusive<u8> = 1..=NODES_MAX;

/// The options of `steadfast simulate`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The scenario, or all of them.
    #[arg(default_value = "all", value_name = "all|SCENARIO")]
    scenario: String,
    /// Where all random numbers come from: the same seed gives the same story.
    #[arg(long, default_value_t = 1, value_parser = whole::<u64>(0..=u64::MAX))]
    seed: u64,
    /// Tell it on the files in this directory and the directories below it; links to directories are
    /// not followed.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Leave out files with more bytes. Every simulated disk holds every version of a file in memory: some 20
    /// times its length with three nodes. A number below 2^64, with a unit if wanted: 500M, 1G.
    #[arg(long, value_name = "BYTES", default_value = "64M", requires = "files", value_parser = bytes)]
    file_limit: u64,
    /// N: nodes.
    #[arg(long, default_value_t = 3, value_parser = whole::<u8>(NODES))]
    nodes: u8,
    /// E: votes needed to lead.
    #[arg(long, value_parser = whole::<u8>(NODES))]
    elect: Option<u8>,
    /// W: synced copies needed to acknowledge.
    #[arg(long, value_parser = whole::<u8>(NODES))]
    write: Option<u8>,
    /// Print one JSON object instead of the stories.
    #[arg(long)]
    json: bool,
    /// Write the trace to this file, for `check replay` and `check show`; with more than one
    /// story, to one file each.
    #[arg(long, value_name = "OUT.json")]
    trace: Option<PathBuf>,
}

/// Tells the stories.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let scenarios = chosen(&options.scenario)?;
    if options.trace.as_deref().is_some_and(|it| is_standard(it) || names_standard_output(it)) {
        let message = "a trace cannot go to standard output, which the stories take";
        return Err(Failure::usage(message).help("name a file with --trace"));
    }
    let files = MappedFiles::default();
    let sources = match &options.files {
        Some(directory) => user_files::read(directory, options.file_limit, &files)?,
        None => default_sources(options.seed),
    };
    let cast = Cast {
        seed: options.seed,
        nodes: options.nodes,
        elect: options.elect,
        write: options.write,
        sources,
        scratch: &files,
        observer: None,
    };
    let stories = tell(&scenarios, &cast, &files, options)?;
    save_traces(&stories, options.trace.as_deref())?;
    let holds = stories.iter().all(Story::holds);
    match options.json {
        true => say(report(&stories, holds)),
        false => say(table(&stories, options)),
    }
    Ok(ExitCode::from(u8::from(!holds)))
}

/// Tells the scenarios one after the other. Of several, one that the cluster is unfit for is named
/// and left out.
fn tell(
    scenarios: &[&Scenario],
    cast: &Cast<'_>,
    files: &MappedFiles,
    options: &Options,
) -> Result<Vec<Story>, Failure> {
    let mut stories = Vec::new();
    for scenario in scenarios {
        let told = scenario.tell(cast);
        files.assert_unchanged()?;
        let told = match told {
            Err(ScenarioError::Unfit(why)) if scenarios.len() > 1 => {
                warn(format_args!("warning: {} is left out: {why}", scenario.name));
                continue;
            }
            told => told.map_err(|error| refused(scenario, &error))?,
        };
        for story in told {
            if !options.json {
                say(&story);
            }
            stories.push(story);
        }
    }
    Ok(stories)
}

fn chosen(name: &str) -> Result<Vec<&'static Scenario>, Failure> {
    if name == "all" {
        return Ok(SCENARIOS.iter().collect());
    }
    let found = SCENARIOS.iter().find(|it| it.name == name);
    found.map(|it| vec![it]).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|it| it.name).collect();
        let names = names.join(", ");
        Failure::usage(format!("no scenario is called {name:?}: valid scenarios: all, {names}"))
    })
}

fn refused(scenario: &Scenario, error: &ScenarioError) -> Failure {
    match error {
        ScenarioError::Settings(_) | ScenarioError::Unfit(_) => {
            Failure::usage(format!("{}: {error}", scenario.name))
        }
        ScenarioError::Scratch(_) => Failure::io(scenario.name, error),
    }
}

fn save_traces(stories: &[Story], file: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = file else {
        return Ok(());
    };
    for (number, story) in (1..).zip(stories) {
        let file = match stories.len() {
            1 => file.to_owned(),
            _ => numbered(file, number),
        };
        let written = WholeFile::write(&file, |out| story.trace.write(out));
        written.map_err(|error| {
            Failure::io(format!("cannot write the trace {}", file.display()), &error)
        })?;
    }
    Ok(())
}

/// `trace.json` as `trace-2.json`.
fn numbered(file: &Path, number: usize) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = match file.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    file.with_file_name(name)
}

fn table(stories: &[Story], options: &Options) -> String {
    let width = stories.iter().map(|it| it.title.chars().count()).max().unwrap_or(0);
    let mut text =
        format!("{:<20} {:<width$} {:>12}  verdict\n", "scenario", "about", "virtual time");
    for story in stories {
        let verdict = if story.holds() { "as promised" } else { "NOT AS PROMISED" };
        let (scenario, about, simulated) = (story.scenario, &story.title, story.simulated);
        text += &format!("{scenario:<20} {about:<width$} {simulated:>12}  {verdict}\n");
    }
    let failed: Vec<&str> = stories.iter().filter(|it| !it.holds()).map(|it| it.scenario).collect();
    match failed.first() {
        None => text + "All as promised.",
        Some(scenario) => {
            text + &format!(
                "NOT AS PROMISED; again with: steadfast simulate {scenario} {}",
                arguments(options)
            )
        }
    }
}

/// The arguments that tell the same story again.
fn arguments(options: &Options) -> String {
    let mut text = format!("--seed {} --nodes {}", options.seed, options.nodes);
    let number = |name: &str, value: Option<u8>| {
        value.map_or(String::new(), |value| format!(" --{name} {value}"))
    };
    text += &number("elect", options.elect);
    text += &number("write", options.write);
    if let Some(directory) = &options.files {
        text += &format!(" --files {}", shown(directory));
    }
    text
}

fn report(stories: &[Story], ok: bool) -> String {
    let story = |it: &Story| {
        let findings = it.findings.iter();
        let findings: Vec<Value> =
            findings.map(|it| json!({ "what": it.what, "holds": it.holds })).collect();
        let broken: Vec<&str> = it.violated.iter().map(|id| id.short()).collect();
        let counts = it.ledger.counts().map(|(what, count)| (what.to_owned(), count.into()));
        json!({
            "scenario": it.scenario,
            "title": it.title,
            "ok": it.holds(),
            "findings": findings,
            "broken": broken,
            "virtual_us": it.simulated.micros,
            "ledger": Value::Object(counts.collect()),
            "timeline": it.text.lines().collect::<Vec<_>>(),
        })
    };
    let stories: Vec<Value> = stories.iter().map(story).collect();
    format!("{:#}", json!({ "ok": ok, "stories": stories }))
}
