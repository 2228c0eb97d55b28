//! Reports for people.

use crate::job::{DeadMessages, Run, Search, Stopped, TraceOrFile};
use crate::program_name::program_name;
use crate::verdict::Verdict;

/// The table of searches.
pub(crate) fn table(runs: &[Run]) -> String {
    let mut text = format!(
        "{:<20} {:>5} {:<6} {:>10} {:>11} {:>5} {:>7} {:>7} {:>9} {:>7} {:>6} {:>8}  verdict\n",
        "scope",
        "N,E,W",
        "search",
        "unique",
        "generated",
        "depth",
        "wall s",
        "cpu s",
        "states/s",
        "peak MB",
        "B/st",
        "P(coll.)"
    );
    for run in runs {
        text += &format!(
            "{:<20} {},{},{} {:<6} {:>10} {:>11} {:>5} {:>7.2} {:>7.2} {:>9.0} {:>7.1} {:>6.0} {:>8.0e}  {}\n",
            run.scope,
            run.nodes,
            run.elect,
            run.write,
            run.search.to_string(),
            run.unique,
            run.generated,
            run.depth,
            run.wall_s,
            run.cpu_s,
            run.states_per_cpu_s,
            run.peak_rss_bytes as f64 / 1e6,
            run.bytes_per_state,
            run.collision_chance,
            summary(run),
        );
    }
    text
}

/// One search in a few words.
fn summary(run: &Run) -> String {
    let broken: Vec<&str> = run.broken().map(|it| it.id.as_str()).collect();
    let unreached: Vec<&str> = run.unreached().map(|it| it.id.as_str()).collect();
    match (Verdict::of(run), run.search) {
        (Verdict::Broken, _) if !broken.is_empty() => format!("BROKEN {}", broken.join(", ")),
        (Verdict::Broken, _) => format!("VACUOUS, never reached: {}", unreached.join(", ")),
        (Verdict::Incomplete, _) => match run.stopped {
            Some(Stopped::Memory) => "INCOMPLETE, out of memory (--memory): no proof".to_owned(),
            Some(Stopped::Flawed) => "INCOMPLETE, cannot be searched: no proof".to_owned(),
            _ => "INCOMPLETE, out of time (--timeout): no proof".to_owned(),
        },
        (Verdict::Kept, Search::Walk) => "sampled, nothing broken".to_owned(),
        (Verdict::Kept, _) => match (run.reductions.dead_messages, run.reductions.sleep_sets) {
            (DeadMessages::Drop, _) => {
                "every state without dead messages visited, all promises kept"
            }
            (DeadMessages::Check, false) => {
                "every state visited, all promises kept, dead messages make no difference"
            }
            (DeadMessages::Check, true) => {
                "every state visited by some order of steps, all promises kept, dead messages make \
                 no difference"
            }
            (DeadMessages::Explore, true) => {
                "every state visited by some order of steps, all promises kept"
            }
            (DeadMessages::Explore, false) => "every state visited, all promises kept",
        }
        .to_owned(),
    }
}

/// The details of one search: what each guarantee and witness came to, and how often each action
/// was taken.
pub(crate) fn details(run: &Run) -> String {
    let mut text = String::new();
    for finding in run.guarantees.iter().filter(|it| it.is_violated()) {
        let promised = if finding.is_promised() { "BROKEN" } else { "not promised, and violated" };
        text += &format!("  {} {promised} after {} steps", finding.id, finding.steps.unwrap_or(0));
        if let Some(TraceOrFile::File(file)) = &finding.trace {
            text += &format!(": {} replay {file}", program_name());
        }
        if let Some(page) = &finding.page {
            text += &format!(", picture {page}");
        }
        text.push('\n');
    }
    if !run.undecided.is_empty() {
        let ids = run.undecided.join(", ");
        text += &format!("  witnesses that a search with these reductions may miss: {ids}\n");
    }
    let taken = run.actions.iter().filter(|it| it.times > 0);
    let taken: Vec<String> = taken.map(|it| format!("{} {}", it.action, it.times)).collect();
    text + &format!("  actions taken: {}\n", taken.join(", "))
}

/// Why the engine could not search, if it could not.
pub(crate) fn flaw(run: &Run) -> Option<String> {
    let variant = run.variant.as_deref().map_or(String::new(), |it| format!(" as {it}"));
    let flaw = run.flaw.as_ref()?;
    Some(format!("{}: cannot search {}{variant}: {flaw}", program_name(), run.scope))
}

/// Warnings about actions that a search could not judge, because it never took them. A search that was
/// cut off has none: it may have come to them later.
pub(crate) fn warnings(run: &Run) -> Vec<String> {
    if !run.complete && run.stopped != Some(Stopped::Sampled) {
        return Vec::new();
    }
    let idle = run.actions.iter().filter(|it| it.is_possible && it.times == 0);
    let idle = idle
        .map(|it| format!("warning: in {} the action `{}` was never taken", run.scope, it.action));
    let bounds = run.bounds;
    let asks = bounds.writes > 0 || bounds.reads > 0 || bounds.stale_reads > 0;
    let quiet = (!asks).then(|| {
        let scope = &run.scope;
        format!("warning: in {scope} no client writes or reads: no promise about files was tested")
    });
    idle.chain(quiet).collect()
}
