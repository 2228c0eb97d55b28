//! Searches for people: a row each, in 80 columns, and details.

use crate::colour::{green, red, yellow};
use crate::fold::fold;
use crate::job::{DeadMessages, Finding, Run, Search, Stopped, TraceOrFile};
use crate::program_name::program_name;
use crate::verdict::Verdict;

/// The head of the table of searches.
pub(crate) fn head() -> String {
    format!(
        "{:<20} {:>10} {:>11} {:>5} {:>8} {:>8}  {}",
        "scope", "unique", "generated", "depth", "cpu s", "peak MB", "verdict"
    )
}

/// The row of a search, and a line for each thing that is not as it should be.
pub(crate) fn row(run: &Run) -> String {
    let mut text = format!(
        "{:<20} {:>10} {:>11} {:>5} {:>8.2} {:>8.1}  {}\n",
        run.scope,
        run.unique,
        run.generated,
        run.depth,
        run.cpu_s,
        run.peak_rss_bytes as f64 / 1e6,
        verdict(run),
    );
    for finding in run.broken() {
        text += &format!("  {} {}\n", finding.id, violation("BROKEN", finding));
    }
    let unreached: Vec<&str> = run.unreached().map(|it| it.id.as_str()).collect();
    if !unreached.is_empty() && run.must_reach && run.complete {
        text += &format!("  never reached, although it must be: {}\n", unreached.join(", "));
    }
    for reason in vacuity(run) {
        text += &format!("  {reason}\n");
    }
    if let Some(reason) = incompleteness(run) {
        text += &format!("  {reason}: no proof\n");
    }
    text
}

/// One search in a word.
fn verdict(run: &Run) -> String {
    match (Verdict::of(run), run.search) {
        (Verdict::Broken, _) if run.broken().next().is_some() => red("BROKEN"),
        (Verdict::Broken, _) => red("VACUOUS"),
        (Verdict::Incomplete, _) => yellow("INCOMPLETE"),
        (Verdict::Kept, Search::Walk) => green("sampled"),
        (Verdict::Kept, _) => green("kept"),
    }
}

fn violation(word: &str, finding: &Finding) -> String {
    let mut text = format!("{word} after {} steps", finding.steps.unwrap_or(0));
    if let Some(TraceOrFile::File(file)) = &finding.trace {
        text += &format!(": {} replay {file}", program_name());
    }
    if let Some(page) = &finding.page {
        text += &format!(", picture {page}");
    }
    text
}

/// Why a search that ended could not have failed, a sentence each.
pub(crate) fn vacuity(run: &Run) -> Vec<String> {
    if !run.complete {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    // A witness that is reached shows that the scope is about something else.
    let is_silent = !run.bounds.lets_clients_ask() && run.witnesses.iter().all(|it| !it.reached);
    if is_silent || run.silences_clients {
        reasons.push("no client writes or reads: no promise about files was tested".to_owned());
    }
    let idle = idle(run);
    if !idle.is_empty() {
        reasons.push(format!("allowed, but never taken: {}", idle.join(", ")));
    }
    reasons
}

/// The kinds of steps that the bounds allow and that no run takes.
fn idle(run: &Run) -> Vec<&str> {
    let idle = run.actions.iter().filter(|it| it.is_possible && it.times == 0);
    idle.map(|it| it.action.as_str()).collect()
}

/// Why a search did not visit every state, if that makes it incomplete.
pub(crate) fn incompleteness(run: &Run) -> Option<String> {
    let variant = run.variant.as_deref().map_or(String::new(), |it| format!(" as {it}"));
    let reason = run.reason.as_deref().unwrap_or("it does not say why");
    match (run.stopped, &run.unwritten) {
        (Some(Stopped::Time), _) => Some("out of time (--timeout)".to_owned()),
        (Some(Stopped::Memory), _) => Some("out of memory (--memory)".to_owned()),
        (Some(Stopped::Interrupted), _) => Some("interrupted".to_owned()),
        (Some(Stopped::Flawed), _) => {
            Some(format!("cannot search {}{variant}: {reason}", run.scope))
        }
        (Some(Stopped::Died), _) => Some(format!(
            "no result: {reason}; `{} run {}` searches it alone",
            program_name(),
            run.scope
        )),
        (None | Some(Stopped::Found | Stopped::Sampled), Some(unwritten)) => {
            Some(unwritten.clone())
        }
        (None | Some(Stopped::Found | Stopped::Sampled), None) => None,
    }
}

/// The details of one search: how it went, what each guarantee and witness came to, and how often each
/// action was taken.
pub(crate) fn details(run: &Run) -> String {
    let mut text = format!(
        "{}, N={} E={} W={}, {} with {}, {}: {}\n",
        run.scope,
        run.nodes,
        run.elect,
        run.write,
        run.search,
        run.engine,
        count(run.threads, "thread"),
        coverage(run)
    );
    text += &format!(
        "  {:.2} s wall, {:.0} states per CPU second, {:.0} bytes a state, chance of a collision {:.0e}\n",
        run.wall_s, run.states_per_cpu_s, run.bytes_per_state, run.collision_chance
    );
    if !run.processes.is_empty() {
        let each = run.processes.iter().map(|it| {
            format!("{:.2} CPU s and {:.1} MB", it.cpu_s, it.peak_rss_bytes as f64 / 1e6)
        });
        let head = format!("  shared by {} processes: ", run.processes.len());
        text += &folded(&head, &each.collect::<Vec<_>>());
    }
    let unpromised = run.guarantees.iter().filter(|it| it.is_violated() && !it.is_promised());
    for finding in unpromised {
        text += &format!("  {} {}\n", finding.id, violation("not promised, and violated", finding));
    }
    if !run.undecided.is_empty() {
        let ids = run.undecided.join(", ");
        text += &format!("  witnesses that a search with these reductions may miss: {ids}\n");
    }
    let taken = run.actions.iter().filter(|it| it.times > 0);
    let taken: Vec<String> = taken.map(|it| format!("{} {}", it.action, it.times)).collect();
    text += &folded("  actions taken: ", &taken);
    let unreached = run.unreached().map(|it| format!("witness {}", it.id));
    let idle = idle(run).into_iter().map(|it| format!("action {it}"));
    let missing: Vec<String> = idle.chain(unreached).collect();
    let nothing = vec!["nothing that the scope allows or names".to_owned()];
    text + &folded("  did not reach: ", if missing.is_empty() { &nothing } else { &missing })
}

fn count(number: usize, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

/// How far a search that ended went.
fn coverage(run: &Run) -> &'static str {
    match (run.complete, run.reductions.dead_messages, run.reductions.sleep_sets) {
        _ if run.stopped == Some(Stopped::Sampled) => "some states visited",
        (false, ..) => "not every state visited",
        (true, DeadMessages::Drop, _) => "every state without dead messages visited",
        (true, DeadMessages::Check, false) => {
            "every state visited, dead messages make no difference"
        }
        (true, DeadMessages::Check, true) => {
            "every state visited by some order of steps, dead messages make no difference"
        }
        (true, DeadMessages::Explore, true) => "every state visited by some order of steps",
        (true, DeadMessages::Explore, false) => "every state visited",
    }
}

/// A list in lines of at most 80 columns.
fn folded(head: &str, items: &[String]) -> String {
    fold(&format!("{head}{}", items.join(", ")), "    ") + "\n"
}
