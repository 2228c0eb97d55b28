//! Twins in the simulator: the first seed that finds each.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use steadfast_guarantees::twins::Twin;
use steadfast_output::in_parallel;
use steadfast_sim::Schedule;

use super::range::Seeds;
use crate::catalog;
use crate::program_name::program_name;

/// The result for one twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FoundTwin {
    pub name: String,
    /// The first seed that finds it; `None` when none did.
    pub seed: Option<u64>,
    /// The guarantee that the seed found broken.
    pub caught_by: Option<String>,
    /// How many seeds were run.
    pub seeds: u64,
}

/// Runs every twin until a seed finds it. `done` hears of each twin by name.
pub(super) fn find_all(
    seeds: Seeds,
    threads: usize,
    done: &(dyn Fn(&str) + Sync),
) -> Vec<FoundTwin> {
    let next = AtomicUsize::new(0);
    let all: Vec<&Twin> = catalog::twins().collect();
    let found: Vec<Mutex<Option<FoundTwin>>> = all.iter().map(|_| Mutex::new(None)).collect();
    in_parallel(threads, || {
        while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed))
            && let Some(twin) = all.get(at)
        {
            let result = find(twin, seeds);
            if let Ok(mut place) = found[at].lock() {
                *place = Some(result);
            }
            done(twin.variant.name);
        }
    });
    found.into_iter().filter_map(|it| it.into_inner().ok().flatten()).collect()
}

fn find(twin: &'static Twin, seeds: Seeds) -> FoundTwin {
    let mut found =
        FoundTwin { name: twin.variant.name.to_owned(), seed: None, caught_by: None, seeds: 0 };
    // The options were checked for the end of this range.
    for seed in seeds.first..seeds.first + seeds.count {
        found.seeds += 1;
        if let Some(guarantee) =
            Schedule::of(seed, Some(&twin.variant)).run().failure.and_then(|it| it.guarantee())
        {
            found.seed = Some(seed);
            found.caught_by = Some(guarantee.to_string());
            break;
        }
        // Not before, because no seeds would say nothing about the twin.
        if seeds.is_late() {
            break;
        }
    }
    found
}

/// The twins as a table.
pub(super) fn table(found: &[FoundTwin]) -> String {
    let mut text = format!("{:<32} {:>8}  caught by\n", "twin", "seed");
    for it in found {
        let none = || format!("not found in {} seeds", it.seeds);
        let seed = it.seed.map_or("-".to_owned(), |it| it.to_string());
        let caught_by = it.caught_by.clone().unwrap_or_else(none);
        text += &format!("{:<32} {seed:>8}  {caught_by}\n", it.name);
    }
    text + &format!("again: {} seeds --variant TWIN --from SEED --count 1\n", program_name())
}

/// The result in a few words.
pub(super) fn sentence(found: &[FoundTwin]) -> String {
    let missed: Vec<&str> =
        found.iter().filter(|it| it.seed.is_none()).map(|it| it.name.as_str()).collect();
    let count = format!("seeds found {} of {} twins", found.len() - missed.len(), found.len());
    match missed.is_empty() {
        true => count,
        false => format!("{count} (not {})", missed.join(", ")),
    }
}
