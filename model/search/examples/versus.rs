//! The engine beside stateright on two-phase commit, all in one run, each search in a process of its
//! own.
//!
//! `cargo run -p steadfast-search --example versus 8`

use std::num::NonZero;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use stateright::{Checker, Model};
use steadfast_search::{Options, Search, Width};
use stock_two_phase_commit::TwoPhaseSys;
use two_phase_commit::TwoPhaseCommit;

#[path = "../tests/models/stock_two_phase_commit.rs"]
mod stock_two_phase_commit;

#[expect(dead_code, reason = "its main is another program")]
#[path = "two_phase_commit.rs"]
mod two_phase_commit;

const SEARCHES: [&str; 9] = [
    "stateright, breadth first",
    "stateright, breadth first, 2 threads",
    "stateright, depth first",
    "engine, breadth first",
    "engine, breadth first, 2 threads",
    "engine, sleep sets",
    "engine, sleep sets, 2 threads",
    "engine, 128 bits",
    "engine, depth first",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let resources = arguments.first().and_then(|it| it.parse().ok());
    let Some(resources) = resources.filter(|it| (1..=16).contains(it)) else {
        eprintln!("versus: name a number of resource managers from 1 to 16");
        std::process::exit(2);
    };
    match arguments.get(1) {
        Some(search) => measure(search, resources),
        None => compare(resources),
    }
}

/// Every search in turns, three times.
fn compare(resources: u16) {
    println!("two-phase commit of {resources}, with the CPU time of the least of three runs");
    println!(
        "{:<38} {:>9} {:>10} {:>7} {:>7} {:>11} {:>11}",
        "search", "unique", "generated", "CPU s", "wall s", "unique/CPU s", "peak B/state"
    );
    let program = std::env::current_exe().expect("this program has a path");
    let mut runs = vec![Vec::new(); SEARCHES.len()];
    for _ in 0..3 {
        for (search, runs) in SEARCHES.iter().zip(&mut runs) {
            let output = Command::new(&program).args([&resources.to_string(), *search]).output();
            let line = String::from_utf8(output.expect("the search runs").stdout).expect("text");
            let numbers: Vec<f64> =
                line.split_whitespace().map_while(|it| it.parse().ok()).collect();
            runs.push(<[f64; 5]>::try_from(numbers).expect("five numbers"));
        }
    }
    for (search, mut runs) in SEARCHES.iter().zip(runs) {
        runs.sort_by(|a, b| a[2].total_cmp(&b[2]));
        let [unique, generated, cpu, wall, peak] = runs[0];
        println!(
            "{search:<38} {unique:>9} {generated:>10} {cpu:>7.2} {wall:>7.2} {:>11.0} {:>11.0}",
            unique / cpu,
            peak / unique
        );
    }
}

/// Runs one search, and prints unique and generated states, CPU and wall seconds, and peak bytes.
fn measure(search: &str, resources: u16) {
    let begun = Instant::now();
    let threads = if search.ends_with("2 threads") { 2 } else { 1 };
    let (unique, generated) = match search.strip_prefix("stateright, ") {
        Some(how) => {
            let checker = TwoPhaseSys(resources.into()).checker().threads(threads);
            match how.starts_with("depth") {
                true => counts(checker.spawn_dfs().join()),
                false => counts(checker.spawn_bfs().join()),
            }
        }
        None => {
            let options = Options {
                threads: NonZero::new(threads).expect("a thread"),
                sleep_sets: search.contains("sleep sets"),
                fingerprints: if search.contains("128") { Width::Bits128 } else { Width::Bits64 },
                ..Options::default()
            };
            let system = TwoPhaseCommit(resources);
            let search_of = Search::new(&system, options);
            let report = match search.contains("depth") {
                true => search_of.depth_first(),
                false => search_of.breadth_first(),
            };
            assert!(report.is_as_expected(), "{report:?}");
            (report.unique, report.generated)
        }
    };
    let wall = begun.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the usage of this process");
    let seconds = |it: nix::sys::time::TimeVal| it.tv_sec() as f64 + it.tv_usec() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{unique} {generated} {cpu} {wall} {}", usage.max_rss() * 1024);
}

fn counts<M: Model>(checker: impl Checker<M>) -> (u64, u64) {
    (checker.unique_state_count() as u64, checker.state_count() as u64)
}
