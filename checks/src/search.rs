//! One search, in this process.

mod components;
#[cfg(feature = "processes")]
mod shared;
mod stock;
mod visit;

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Instant;

use steadfast_cluster::{ClusterModel, record, replay, script};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::witnesses::witness;
use steadfast_guarantees::{Guarantee, GuaranteeId, guarantees};
use steadfast_trace::{Scope, Step, StepKind};

use crate::catalog::find_variant;
use crate::job::{Engine, Finding, Job, Reached, Run, Search, Stopped, Taken, TraceOrFile, Until};
use crate::settling;
use crate::usage::usage;
use crate::verdict::Verdict;

use self::visit::{Asked, Observer, Visit};

/// Performs a search.
///
/// # Errors
/// If the job names a twin or a witness that does not exist: without the one, another protocol would
/// be searched; without the other, a search that reaches nothing would pass.
pub(crate) fn search(
    job: &Job,
    listener: Option<TcpListener>,
    observer: Observer<'_>,
) -> Result<Run, String> {
    let variant = job.variant.as_deref().map(find_variant).transpose()?;
    let witnesses: Result<Vec<_>, _> = job.witnesses.iter().map(|id| witness(id)).collect();
    let witnesses = witnesses.map_err(|it| it.to_string())?;
    let asked = Asked { job, variant, witnesses };
    Ok(match (job.search, job.engine) {
        (Search::Graph, _) => judge_graph(job, variant),
        (Search::Script, _) => report(job, variant, follow_script(variant)),
        (Search::Bfs | Search::Dfs, Engine::Steadfast) => {
            report(job, variant, components::search(&asked, listener, observer))
        }
        (Search::Walk, _) | (_, Engine::Stateright) => report(job, variant, stock::search(&asked)),
    })
}

/// Judges the graph of the fault-free continuation.
fn judge_graph(job: &Job, variant: Option<&'static Variant>) -> Run {
    let begun = Instant::now();
    let settling = settling::judge(job.scope.clone(), variant, job.limits);
    let visit = Visit {
        unique: settling.states,
        generated: settling.edges,
        depth: 0,
        stopped: (!settling.complete).then_some(Stopped::Time),
        wall: begun.elapsed(),
        ..Visit::default()
    };
    let mut run = report(job, variant, visit);
    let id = GuaranteeId::Settles.short();
    if settling.verdict() == Verdict::Broken
        && let Some(finding) = run.guarantees.iter_mut().find(|it| it.id == id)
    {
        finding.found = "violated".to_owned();
    }
    run
}

/// Runs the shipped schedule of a twin.
fn follow_script(variant: Option<&'static Variant>) -> Visit {
    let begun = Instant::now();
    let mut found = HashMap::new();
    let mut taken = Vec::new();
    if let Some(trace) = variant.and_then(|variant| script(variant.name)) {
        let mut run = replay(&trace, variant);
        for step in &trace.steps {
            if run.take(&step.step).is_err() {
                break;
            }
            taken.push(step.step);
            for guarantee in run.broken() {
                found.entry(guarantee.name()).or_insert_with(|| taken.clone());
            }
        }
    }
    let (depth, unique) = (taken.len(), taken.len() + 1);
    let wall = begun.elapsed();
    Visit { unique, generated: unique, depth, wall, found, ..Visit::default() }
}

fn report(job: &Job, variant: Option<&'static Variant>, mut visit: Visit) -> Run {
    let (cpu_s, peak_rss_bytes) = usage();
    let is_stopped = job.until != Until::Everything && !visit.found.is_empty();
    let stopped = if is_stopped { Some(Stopped::Found) } else { visit.stopped };
    let guarantees = findings(job, variant, &mut visit.found, stopped.is_none());
    let Visit { unique, generated, depth, wall, .. } = visit;
    let undecided = visit.reached.iter().filter(|it| it.1.is_none());
    let undecided = undecided.map(|it| it.0.to_owned()).collect();
    let reached = |(id, reached): (&str, Option<bool>)| {
        Some(Reached { id: id.to_owned(), reached: reached? })
    };
    let mut run = Run::without_result(job, Stopped::Died, visit.reason);
    (run.complete, run.stopped) = (stopped.is_none(), stopped);
    (run.unique, run.generated, run.depth) = (unique, generated, depth);
    (run.wall_s, run.cpu_s, run.peak_rss_bytes) = (wall.as_secs_f64(), cpu_s, peak_rss_bytes);
    run.states_per_cpu_s = unique as f64 / cpu_s.max(1e-3);
    run.bytes_per_state = peak_rss_bytes as f64 / (unique as f64).max(1.0);
    run.collision_chance = collision_chance(unique, run.fingerprint_bits);
    run.guarantees = guarantees;
    run.witnesses = visit.reached.into_iter().filter_map(reached).collect();
    run.undecided = undecided;
    run.actions = actions(&job.scope, &visit.taken);
    run
}

fn findings(
    job: &Job,
    variant: Option<&'static Variant>,
    found: &mut HashMap<&'static str, Vec<Step>>,
    is_complete: bool,
) -> Vec<Finding> {
    let model = ClusterModel::new(job.scope.clone(), variant);
    let finding = |guarantee: &&'static Guarantee| {
        let unknown = Finding::unknown(guarantee, job.scope.settings);
        match (found.remove(guarantee.id().name()), is_complete) {
            (None, false) => unknown,
            (None, true) => Finding { found: "holds".to_owned(), ..unknown },
            (Some(run), _) => Finding {
                found: "violated".to_owned(),
                steps: Some(run.len()),
                trace: Some(TraceOrFile::Trace(Box::new(record(&model, variant, run)))),
                ..unknown
            },
        }
    };
    guarantees().iter().map(finding).collect()
}

/// The chance that `states` random fingerprints of this width are not all different.
fn collision_chance(states: usize, bits: u32) -> f64 {
    let states = states as f64;
    -f64::exp_m1(-states * (states - 1.0) / 2.0 / f64::from(bits).exp2())
}

fn actions(scope: &Scope, taken: &[u64]) -> Vec<Taken> {
    // Where no kinds were counted, none was taken.
    let kinds = StepKind::ALL.iter().zip(taken.iter().copied().chain(std::iter::repeat(0)));
    kinds
        .map(|(kind, times)| Taken {
            action: kind.name().to_owned(),
            times,
            is_possible: is_possible(*kind, scope),
        })
        .collect()
}

/// Whether the bounds of a scope allow a kind of steps. [`Scope::check_effects`] has refused bounds that
/// allow nothing because another one is zero.
fn is_possible(kind: StepKind, scope: &Scope) -> bool {
    let bounds = scope.bounds;
    let has_links = scope.settings.nodes() > 1;
    match kind {
        StepKind::Sync => true,
        StepKind::Deliver => has_links,
        StepKind::Store => scope.named_contents,
        // Without rot, a copy that is being sent need not go.
        StepKind::Transfer => {
            scope.named_contents && has_links && bounds.rot > 0 && bounds.replacements == 0
        }
        StepKind::LinkUp | StepKind::LinkDown => has_links && scope.link_events_apart,
        StepKind::Write => bounds.writes > 0,
        StepKind::Retry => bounds.retries > 0,
        StepKind::Read => bounds.reads > 0,
        StepKind::StaleRead => bounds.stale_reads > 0,
        StepKind::Timeout => bounds.elections > 0,
        StepKind::Tick => bounds.ticks > 0,
        StepKind::Crash => bounds.crashes > 0,
        StepKind::Recover => bounds.crashes > 0 || bounds.replacements > 0,
        StepKind::Replace => bounds.replacements > 0,
        StepKind::Cut | StepKind::Heal => has_links && bounds.partitions > 0,
        StepKind::Rot | StepKind::Scrub => bounds.rot > 0,
        StepKind::Drop => bounds.drops > 0,
        StepKind::Duplicate => bounds.duplicates > 0,
        StepKind::Rollback => bounds.rollbacks > 0,
        StepKind::Trim | StepKind::Checkpoint => bounds.trims > 0,
        StepKind::LoseContent => bounds.lost_contents > 0,
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use steadfast_cluster::shipped;
    use steadfast_guarantees::twins::twin;
    use steadfast_output::exit_code::INCOMPLETE;

    use super::*;
    use crate::job::DeadMessages;
    use crate::{report as texts, twins};

    fn job(scope: &str, witnesses: &[&str]) -> Job {
        Job::new(shipped(scope).expect("a shipped scope").scope(), witnesses)
    }

    fn run(job: &Job) -> Run {
        search(job, None, &|_| {}).expect("a job with known names")
    }

    /// The twin takes messages of earlier sessions, so that none of them is dead.
    #[test]
    fn a_search_of_a_flawed_system_is_incomplete_and_says_why() {
        let twin = twin("no-session-ids").expect("a twin");
        let mut job = job(twin.scope, &["first-leader"]);
        job.variant = Some(twin.variant.name.to_owned());
        job.reductions.dead_messages = DeadMessages::Check;
        let run = run(&job);

        assert_eq!((run.complete, run.stopped), (false, Some(Stopped::Flawed)));
        assert!(run.witnesses.is_empty() && run.guarantees.iter().all(|it| !it.is_violated()));
        assert_eq!(Verdict::of(&run).exit_code(), ExitCode::from(INCOMPLETE));
        let caught = twins::caught(twin, &run);
        assert_eq!(twins::verdict(&[caught]), Verdict::Incomplete);

        let row = texts::row(&run);
        let says =
            format!("INCOMPLETE\n  cannot search {} as no-session-ids: the step ", twin.scope);
        assert!(row.contains(&says), "{row}");
        assert!(row.contains(" (after the steps: "), "{row}");
        assert!(row.ends_with("; leave --dead-messages out: no proof\n"), "{row}");
        let idle = "no step is idle in a search that did not end";
        assert!(texts::vacuity(&run).is_empty(), "{idle}");
    }

    /// A search that could not have failed is no proof.
    #[test]
    fn a_search_without_clients_and_one_that_lacks_an_allowed_step_are_vacuous() {
        let mut idle = job("cold", &[]);
        (idle.scope.bounds.writes, idle.scope.bounds.reads) = (0, 0);
        idle.must_reach = false;
        let ended = run(&idle);
        assert_eq!((ended.complete, Verdict::of(&ended)), (true, Verdict::Broken));
        let row = texts::row(&ended);
        let says = "VACUOUS\n  no client writes or reads: no promise about files was tested\n";
        assert!(row.ends_with(says), "{row}");
        idle.witnesses = vec!["first-leader".to_owned()];
        let reaches = run(&idle);
        assert_eq!(Verdict::of(&reaches), Verdict::Kept, "the scope is one of elections");
        idle.silences_clients = true;
        assert_eq!(Verdict::of(&run(&idle)), Verdict::Broken);

        let mut never = run(&job("cold", &["first-leader"]));
        assert_eq!(Verdict::of(&never), Verdict::Kept);
        let action = never.actions.iter_mut().find(|it| it.action == "write");
        action.expect("an action").times = 0;
        assert_eq!(Verdict::of(&never), Verdict::Broken);
        assert!(texts::row(&never).contains("allowed, but never taken: write\n"));
    }

    #[test]
    fn a_job_with_an_unknown_name_is_refused() {
        for engine in [Engine::Steadfast, Engine::Stateright] {
            let unknown = Job { engine, ..job("cold", &["first-leader", "split-brian"]) };
            let error = search(&unknown, None, &|_| {}).expect_err("no such witness");
            let says = "no witness is called \"split-brian\": valid witnesses: split-brain, ";
            assert!(error.starts_with(says), "{error}");
            let unknown = Job { engine, variant: Some("nobody".into()), ..job("cold", &[]) };
            let error = search(&unknown, None, &|_| {}).expect_err("no such twin");
            assert!(error.starts_with("no variant is called \"nobody\": "), "{error}");
        }
    }

    #[test]
    fn wide_fingerprints_count_the_same_states_and_collide_less() {
        let narrow = run(&job("cold", &[]));
        let wide = run(&Job { has_wide_fingerprints: true, ..job("cold", &[]) });
        assert_eq!((narrow.fingerprint_bits, wide.fingerprint_bits), (64, 128));
        let counts = |it: &Run| (it.unique, it.generated, it.depth);
        assert_eq!(counts(&wide), counts(&narrow));
        assert!(wide.collision_chance < narrow.collision_chance / 1e18);
        // Of ten billion states, some would be taken for others, or none.
        assert!(collision_chance(10_000_000_000, 64) > 0.9);
        assert!(collision_chance(10_000_000_000, 128) < 1e-18);
    }

    /// No message is doubled on this network, so that nothing reaches the second witness.
    #[test]
    fn a_reduced_search_does_not_decide_what_a_left_out_step_may_show() {
        let full = job("cold", &["first-leader", "message-doubled"]);
        let mut drops = full.clone();
        drops.reductions.dead_messages = DeadMessages::Drop;
        let mut sleeps = full.clone();
        sleeps.reductions.sleep_sets = true;
        for job in [drops, sleeps] {
            let run = run(&job);
            let reached: Vec<_> = run.witnesses.iter().map(|it| (&*it.id, it.reached)).collect();
            assert_eq!(reached, [("first-leader", true)]);
            assert_eq!(run.undecided, ["message-doubled"]);
            assert_eq!(Verdict::of(&run), Verdict::Kept);
            let says = "witnesses that a search with these reductions may miss: message-doubled";
            assert!(texts::details(&run).contains(says), "{}", texts::details(&run));
        }
        let run = run(&full);
        assert_eq!((Verdict::of(&run), run.undecided.len()), (Verdict::Broken, 0));
    }
}
