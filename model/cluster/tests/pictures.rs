//! Pictures of runs: their content, their size, and that no character of a name is taken for markup.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use stateright::Model;
use steadfast_cluster::{
    ClusterComponents, ClusterModel, STEPS_TOLD_MAX, record, replay, script, shipped, tell,
};
use steadfast_guarantees::twins::{Twin, twin, variant};
use steadfast_node::NodeStorage;
use steadfast_picture::{
    Change, Fate, Outcome, Story, itf as to_itf, page, page_of_two, shiviz, svg, text,
};
use steadfast_protocol::{NodeId, Path, Settings};
use steadfast_search::{Options, Search, Until};
use steadfast_trace::{Bounds, Names, Scope, Step, Trace, TraceStep};

const TWIN: &str = "ack-without-epoch";

fn shipped_script() -> Trace {
    script(TWIN).expect("a shipped script")
}

fn story(steps: usize) -> Story {
    let mut trace = shipped_script();
    trace.steps.truncate(steps);
    tell(&trace, variant(TWIN), STEPS_TOLD_MAX).story
}

/// The shortest counterexample of a twin.
fn counterexample(name: &str) -> (Trace, &'static Twin) {
    let twin = twin(name).expect("a twin");
    let scope = shipped(twin.scope).expect("a shipped scope").scope();
    let system = ClusterComponents::new(scope.clone(), Some(&twin.variant), &[]);
    let until = Until::Found(twin.caught_by as usize);
    let search = Search::new(&system, Options { until, ..Options::default() });
    let report = search.breadth_first();
    let found = report.finding(twin.caught_by.name()).expect("the twin is caught");
    let model = ClusterModel::new(scope, Some(&twin.variant));
    (record(&model, Some(&twin.variant), found.path.labels()), twin)
}

/// A run of five nodes with everything in it.
fn long_run(steps: usize) -> Trace {
    let many = u32::try_from(steps).expect("a number of steps");
    let bounds = Bounds {
        writes: many / 8,
        deletes: many / 40,
        resolves: many / 40,
        reads: many / 20,
        crashes: many / 60,
        partitions: many / 60,
        elections: many / 40,
        ticks: many / 8,
        paths: 4,
        ..Bounds::default()
    };
    let settings = Settings::new(5, 3, 3).expect("a majority");
    let model = ClusterModel::new(Scope::new("long", settings, bounds), None);
    let mut state = model.init_states().swap_remove(0);
    let mut random = 7_u64;
    let mut taken = Vec::new();
    while taken.len() < steps {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        // Knuth, "The Art of Computer Programming", volume 2, section 3.3.4: MMIX.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = usize::try_from(random >> 33).expect("31 bits");
        let progress: Vec<usize> =
            (0..actions.len()).filter(|it| actions[*it].step.is_progress()).collect();
        let at = match roll % 8 {
            0 => roll / 8 % actions.len(),
            _ if progress.is_empty() => roll / 8 % actions.len(),
            _ => progress[roll / 8 % progress.len()],
        };
        let step = actions.swap_remove(at).step;
        state = model.perform(&state, &step).expect("a possible step");
        taken.push(TraceStep { step, note: String::new() });
    }
    Trace::new(model.scope().clone(), None, Vec::new(), taken)
}

#[test]
fn the_text_of_a_counterexample_is_as_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("picture_ack-without-epoch", text(&story(34))));
}

#[test]
fn no_line_of_a_text_has_more_than_80_columns() {
    for story in [story(34), tell(&long_run(300), None, STEPS_TOLD_MAX).story] {
        let text = text(&story);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.lines().count() > story.moments.len());
    }
}

#[test]
fn a_break_says_which_rule_which_facts_and_which_steps_made_them() {
    let story = story(34);
    let [broken] = &story.breaks[..] else {
        panic!("one break, not {:?}", story.breaks);
    };
    assert_eq!((broken.step, broken.id, broken.is_promised), (34, "G5", true));
    assert!(
        broken.reason.contains("request 2 (read a at n0, steps 33 to 34)"),
        "{}",
        broken.reason
    );
    assert_eq!(broken.steps, [26, 32, 33, 34]);
    let of_client: Vec<(usize, bool)> =
        story.operations.iter().map(|it| (it.number, it.contradicts)).collect();
    assert_eq!(of_client, [(0, false), (1, true), (2, true)]);
    let verdict = story.about.iter().find(|it| it.0 == "clients").expect("a verdict");
    assert_eq!(verdict.1, "not linearizable from step 34 on");
}

#[test]
fn the_reason_names_the_facts_whichever_guarantee_it_is() {
    for (name, says) in [
        ("ack-before-sync", "is synced on"),
        ("last-write-by-arrival", "which is older"),
        ("apply-before-log", "but the replay of its synced log gives"),
        ("epoch-without-node-id", "led epoch"),
        ("reuse-sequence", "is the name of two entries"),
        ("last-write-by-wall-clock", "is not higher than"),
        ("no-forwarding", "the cluster has settled, and"),
        ("bad-copy-served", "from a copy whose bytes are not those of its name"),
        ("refused-instead-of-unknown", "was told that it is refused"),
        ("trust-torn-tail", "but its client put something else"),
        ("log-before-content", "with no copy of it"),
        ("read-without-quorum", "had led the newer epoch"),
        ("ignore-learned-entries", "had replaced that before the read was asked"),
        ("read-confirmed-without-copy", "is synced on 1 of the 2 nodes that W demands: n0"),
        ("vote-without-epoch", "which 1 of the 2 nodes that E demands have promised: n"),
        ("missing-content-not-asked-for", "with no copy of it"),
        ("requests-forgotten", "for a request that"),
        (
            "refusal-without-quorum",
            "that a does not exist, which no order of the operations explains: n",
        ),
        ("late-copy-written", "which request 1 of the same client had written"),
    ] {
        let (trace, twin) = counterexample(name);
        let story = tell(&trace, Some(&twin.variant), STEPS_TOLD_MAX).story;
        let last = story.breaks.iter().find(|it| it.id == twin.caught_by.short());
        let broken = last.unwrap_or_else(|| panic!("{name}: {:?}", story.breaks));
        assert_eq!(broken.step, trace.steps.len(), "{name}");
        assert!(broken.reason.contains(says), "{name}: {}", broken.reason);
        assert!(broken.steps.contains(&broken.step), "{name}: {:?}", broken.steps);
    }
}

#[test]
fn each_message_ends_where_its_step_says_and_only_there() {
    for trace in [shipped_script(), long_run(400)] {
        let run_twin = trace.variant.as_deref().and_then(variant);
        let story = tell(&trace, run_twin, STEPS_TOLD_MAX).story;
        let arrived = story.flights.iter().filter(|it| matches!(it.fate, Fate::Arrived(_)));
        let is_delivery = |it: &&TraceStep| matches!(it.step, Step::Deliver { .. });
        assert_eq!(arrived.count(), trace.steps.iter().filter(is_delivery).count());
        for flight in &story.flights {
            let (Fate::Arrived(end) | Fate::Lost(end)) = flight.fate else {
                continue;
            };
            assert!(flight.sent < end, "{flight:?}");
            let moment = story.moment(end).expect("a step of the story");
            assert!(
                flight.sent == 0
                    || moment.causes.contains(&flight.sent)
                    || matches!(flight.fate, Fate::Lost(_))
            );
        }
        let mut run = replay(&trace, run_twin);
        trace.steps.iter().for_each(|it| drop(run.take(&it.step)));
        let left: usize = run.state.channels().map(|(_, packets)| packets.len()).sum();
        let under_way = story.flights.iter().filter(|it| it.fate == Fate::UnderWay);
        assert_eq!(under_way.count(), left);
    }
}

#[test]
fn the_differences_add_up_to_the_state_at_the_end() {
    let trace = long_run(500);
    let story = tell(&trace, None, STEPS_TOLD_MAX).story;
    let mut run = replay(&trace, None);
    trace.steps.iter().for_each(|it| drop(run.take(&it.step)));
    let states = states_of(&to_itf(&story));
    let last = states.last().expect("a state");
    for node in run.state.nodes() {
        let id = node.id();
        let told = &last.nodes[&id.to_string()];
        let log: Vec<String> = node.storage().records().iter().map(|it| it.to_string()).collect();
        assert_eq!(told.log.len(), log.len(), "{id}");
        assert_eq!(told.synced, node.storage().synced().0, "{id}");
        assert_eq!(told.role == "down", node.replica().is_none(), "{id}");
        if let Some(replica) = node.replica() {
            assert_eq!(told.epoch, replica.promise().to_string());
            let shown: BTreeMap<&str, usize> =
                replica.files().iter().map(|(path, heads)| (path.as_str(), heads.len())).collect();
            let told: BTreeMap<&str, usize> =
                told.shows.iter().map(|(path, heads)| (path.as_str(), heads.len())).collect();
            assert_eq!(told, shown, "{id}");
        }
    }
}

/// A state of the export.
#[derive(Debug, Deserialize)]
struct State {
    action: String,
    broken: BTreeSet<String>,
    cut: BTreeSet<String>,
    messages: BTreeMap<u64, Message>,
    nodes: BTreeMap<String, Node>,
    operations: Vec<Asked>,
}

#[derive(Debug, Deserialize)]
struct Message {
    from: String,
    to: String,
    says: String,
}

#[derive(Debug, Deserialize)]
struct Node {
    role: String,
    epoch: String,
    log: Vec<String>,
    synced: u64,
    shows: BTreeMap<String, Vec<String>>,
    copies: BTreeMap<String, String>,
    sessions: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    asked: String,
    node: String,
    outcome: String,
    answer: String,
}

/// The states of an export, read by the grammar in Apalache's ADR 015: strings, booleans, lists and
/// records as in JSON, and objects with one key for numbers, sets and maps.
fn states_of(json: &str) -> Vec<State> {
    let trace: Value = serde_json::from_str(json).expect("JSON");
    let names = trace["vars"].as_array().expect("variables").iter();
    let names: Vec<&str> = names.map(|it| it.as_str().expect("a name")).collect();
    let states = trace["states"].as_array().expect("states").iter();
    let state = |(index, state): (u64, &Value)| {
        let fields = state.as_object().expect("a record");
        assert_eq!(fields["#meta"]["index"], index);
        let variables: Vec<&str> =
            fields.keys().map(String::as_str).filter(|it| *it != "#meta").collect();
        assert_eq!(variables, names, "each state gives each variable a value");
        let plain = variables.iter().map(|it| ((*it).to_owned(), plain(&fields[*it])));
        serde_json::from_value(Value::Object(plain.collect())).expect("a state of ours")
    };
    (0..).zip(states).map(state).collect()
}

/// An expression of the grammar as plain JSON.
fn plain(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::String(_) => value.clone(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, value)) if name.starts_with('#') => {
                assert_eq!(fields.len(), 1, "{name} stands alone");
                special(name, value)
            }
            _ => fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        },
        Value::Null | Value::Number(_) => panic!("the grammar has no bare {value}"),
    }
}

fn special(name: &str, value: &Value) -> Value {
    let items = || value.as_array().expect("a list").iter();
    match name {
        "#bigint" => {
            let number: i64 = value.as_str().expect("a number as text").parse().expect("digits");
            number.into()
        }
        "#set" => {
            let members: Vec<Value> = items().map(plain).collect();
            let is_once = |it: &Value| members.iter().filter(|other| *other == it).count() == 1;
            assert!(members.iter().all(is_once), "a set names a member once: {value}");
            members.into()
        }
        "#map" => {
            let pair = |it: &Value| {
                let [key, value] = &it.as_array().expect("a pair")[..] else {
                    panic!("a map is a list of pairs: {it}");
                };
                let key = plain(key);
                (key.as_str().map_or(key.to_string(), str::to_owned), plain(value))
            };
            items().map(pair).collect()
        }
        other => panic!("the grammar has no {other}"),
    }
}

#[test]
fn the_states_of_the_itf_export_are_those_of_the_run() {
    let states = states_of(&to_itf(&story(34)));
    assert_eq!(states.len(), 35, "the beginning and one a step");
    let (first, last) = (&states[0], &states[34]);
    assert_eq!(
        (first.nodes["n0"].role.as_str(), last.nodes["n2"].role.as_str()),
        ("leads", "leads")
    );
    assert_eq!(last.broken, BTreeSet::from(["G5".to_owned()]));
    assert!(states[33].broken.is_empty() && last.cut.is_empty());
    assert_eq!(last.nodes["n2"].shows["a"], ["\"v1\" (n2#1)"]);
    assert_eq!(last.nodes["n1"].sessions["n2"], 1);
    assert!(last.nodes["n1"].copies.is_empty());
    assert_eq!(last.messages.len(), 8);
    assert!(last.messages.values().all(|it| it.from != it.to && !it.says.is_empty()));
    let read = last.operations.last().expect("an operation");
    assert_eq!((read.outcome.as_str(), read.answer.as_str()), ("done", "value none"));
    assert_eq!((read.asked.as_str(), read.node.as_str()), ("read a", "n0"));
    assert_eq!(last.action, "34. n1 -> n0: Ack e1.n0 t1 []");
}

/// The events of a log, as the default parser of ShiViz reads them: host, clock and words.
fn events_of(log: &str) -> Vec<(String, BTreeMap<String, u64>, String)> {
    let parser =
        regex::Regex::new(r"(?<host>\S*) (?<clock>\{.*\})\n(?<event>.*)").expect("a parser");
    let event = |it: regex::Captures<'_>| {
        let clock = serde_json::from_str(&it["clock"]).expect("a clock is JSON");
        (it["host"].to_owned(), clock, it["event"].to_owned())
    };
    parser.captures_iter(log).map(event).collect()
}

#[test]
fn the_shiviz_log_is_read_whole_and_its_clocks_count_each_event_of_a_host_once() {
    for story in [story(34), tell(&long_run(300), None, STEPS_TOLD_MAX).story] {
        let log = shiviz(&story);
        let events = events_of(&log);
        assert_eq!(2 * events.len(), log.lines().count(), "no line is left over");
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for (host, clock, words) in &events {
            let count = seen.entry(host.clone()).or_default();
            *count += 1;
            assert_eq!(clock[host], *count, "{host}: {words}");
            for (other, known) in clock {
                assert!(
                    known <= seen.get(other).unwrap_or(&0),
                    "{host} knows the future of {other}"
                );
            }
        }
        assert!(events.iter().any(|(host, clock, _)| clock.len() > 1 && host == "n0"));
    }
}

#[test]
fn nothing_in_a_name_means_anything_to_a_browser() {
    let hostile =
        "</script></title><script>pwned=1</script>'\"><img src=x onerror=pwned=1>&#60;\u{202e}";
    let mut trace = shipped_script();
    trace.scope.name = hostile.to_owned();
    trace.scope.names = Names { paths: vec![Path::new(hostile)], contents: BTreeMap::new() };
    let told = tell(&trace, variant(TWIN), STEPS_TOLD_MAX);
    let one = page(&told.story);
    let two = page_of_two(&told.story, &tell(&trace, None, STEPS_TOLD_MAX).story);
    for page in [&one, &two] {
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("</script").count(), 1);
        assert_eq!(page.matches("</title></head").count() + page.matches("<img").count(), 0);
        assert!(page.contains("default-src 'none'") && !page.contains('\u{202e}'));
        assert!(!page.contains("http:") && !page.contains("src=\""), "nothing is fetched");
    }
    let picture = svg(&told.story);
    assert!(!picture.contains("<img") && !picture.contains("<script"));
    for text in [text(&told.story), shiviz(&told.story)] {
        assert!(text.chars().all(|it| it == '\n' || !it.is_control()), "{text}");
    }
    assert_eq!(states_of(&to_itf(&told.story)).len(), 35);
}

#[test]
fn a_page_of_500_steps_and_5_nodes_has_at_most_a_megabyte() {
    let sizes = [250, 500].map(|steps| {
        let told = tell(&long_run(steps), None, STEPS_TOLD_MAX);
        assert!(told.illegal.is_none() && told.story.moments.len() == steps);
        page(&told.story).len()
    });
    assert!(sizes[1] <= 1_000_000, "{sizes:?}");
    assert!(sizes[1] < 3 * sizes[0], "a story keeps differences and no states: {sizes:?}");
}

#[test]
fn a_page_of_10_000_steps_tells_the_last_ones_and_says_so() {
    let trace = long_run(10_000);
    let story = tell(&trace, None, STEPS_TOLD_MAX).story;
    assert_eq!((story.first, story.last()), (10_000 - STEPS_TOLD_MAX, 10_000));
    let page = page(&story);
    assert!(page.contains("steps 1 to 8000 were replayed and are left out"));
    assert!(page.len() < 5_000_000, "{}", page.len());
    assert!(svg(&story).contains("steps 1 to 8000 are left out"));
}

#[test]
fn a_story_of_the_last_steps_says_what_was_broken_before_them() {
    let mut trace = shipped_script();
    let step = Step::Deliver { from: NodeId(0), to: NodeId(1), nth: 0 };
    trace.steps.push(TraceStep { step, note: String::new() });
    let told = tell(&trace, variant(TWIN), 1);
    assert!(told.illegal.is_none(), "{:?}", told.illegal);
    assert_eq!((told.story.first, told.story.breaks.len()), (34, 0));
    let before = told.story.about.iter().find(|it| it.0 == "broken before");
    assert_eq!(before.map(|it| it.1.as_str()), Some("G5"));
}

#[test]
fn a_trace_that_no_longer_fits_is_told_as_far_as_it_does() {
    let mut trace = shipped_script();
    trace.steps[9].step = Step::Heal;
    let told = tell(&trace, variant(TWIN), STEPS_TOLD_MAX);
    let (number, why) = told.illegal.expect("nothing is cut");
    assert!(number == 10 && why.contains("`HEAL` is not possible here"), "{why}");
    assert_eq!(told.story.last(), 9);
    assert!(page(&told.story).contains("ends before step 10"));
}

#[test]
fn steps_about_nodes_and_paths_that_do_not_exist_are_refused() {
    use steadfast_trace::WriteKind::Put;
    let (here, nowhere) = (NodeId(0), NodeId(200));
    for step in [
        Step::Write { node: nowhere, path: 0, kind: Put },
        Step::Write { node: here, path: 60_000, kind: Put },
        Step::Read { node: nowhere, path: 0 },
        Step::Read { node: here, path: 60_000 },
        Step::Deliver { from: nowhere, to: here, nth: 9 },
        Step::Crash { node: nowhere, kept: 1, torn: true },
        Step::Retry { node: here, request: 9_999 },
    ] {
        let mut trace = shipped_script();
        trace.steps[0].step = step;
        let told = tell(&trace, variant(TWIN), STEPS_TOLD_MAX);
        assert_eq!(told.illegal.expect("refused").0, 1, "{step:?}");
        assert!(told.story.moments.is_empty());
    }
}

#[test]
fn a_twin_and_the_right_protocol_part_at_the_step_that_they_tell_differently() {
    let trace = shipped_script();
    let [one, other] = [variant(TWIN), None].map(|it| tell(&trace, it, STEPS_TOLD_MAX));
    assert_eq!(one.story.parts_from(&other.story), Some(34));
    assert!(other.story.breaks.is_empty());
    assert_eq!(one.story.parts_from(&one.story), None);
    let page = page_of_two(&one.story, &other.story);
    assert!(page.contains("The two part at <a href=\"#step-34\">step 34</a>"));
}

#[test]
fn an_operation_ends_when_its_client_hears_of_it() {
    let story = story(34);
    let ends: Vec<(usize, Option<usize>, Outcome)> =
        story.operations.iter().map(|it| (it.invoked, it.ended, it.outcome)).collect();
    let expected = [
        (1, Some(5), Outcome::Refused),
        (26, Some(32), Outcome::Done),
        (33, Some(34), Outcome::Done),
    ];
    assert_eq!(ends, expected);
    let hears = |at: usize| {
        let changes = &story.moment(at).expect("a step").changes;
        changes.iter().any(|it| matches!(it, Change::Answered { .. }))
    };
    assert!(hears(5) && hears(32) && hears(34) && !hears(33));
}

#[test]
fn the_pictures_in_the_readme_are_as_they_are_drawn_today() {
    for name in ["split-brain", "read-without-quorum"] {
        let place = |kind: &str, ending: &str| {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../snapshots");
            root.join(kind).join(format!("{name}.{ending}"))
        };
        let trace = Trace::read(&place("traces", "json")).expect("a trace");
        let told = tell(&trace, trace.variant.as_deref().and_then(variant), STEPS_TOLD_MAX);
        assert!(told.illegal.is_none() && told.breaks == trace.breaks, "{name}");
        let kept = std::fs::read_to_string(place("pictures", "svg")).expect("a picture");
        let again = format!(
            "check show snapshots/traces/{name}.json --svg -o snapshots/pictures/{name}.svg"
        );
        assert!(kept.trim_end() == svg(&told.story).trim_end(), "draw it again: {again}");
    }
}

#[test]
fn a_split_brain_heals_with_both_writes_kept() {
    let trace = Trace::parse(include_str!("../../../snapshots/traces/split-brain.json"));
    let story = tell(&trace.expect("a trace"), None, STEPS_TOLD_MAX).story;
    let shown = |node: u8| {
        let changes = story.moments.iter().rev().flat_map(|it| it.changes.iter().rev());
        let mut shown = changes.filter_map(|it| match it {
            Change::Shows { node: of, versions, .. } if of.0 == node => Some(versions.clone()),
            _ => None,
        });
        shown.next().expect("a version")
    };
    for node in 0..3 {
        assert_eq!(shown(node), ["\"v1\" (n1#1)", "\"v0\" (n0#1)"], "n{node}");
    }
    assert!(story.operations.iter().all(|it| it.outcome == Outcome::Done));
}
