//! The pages and the explorer in a real browser. Skipped, and said so, where there is none;
//! `.ci/browser` installs it.
//!
//! How long pages take is printed and not judged: machines differ.

#[path = "browser/driver.rs"]
mod driver;

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use driver::{Browser, place};
use serde_json::Value;
use stateright::Model;
use steadfast_cluster::{ClusterModel, STEPS_TOLD_MAX, script, tell};
use steadfast_guarantees::twins::variant;
use steadfast_picture::{page, page_of_two, svg};
use steadfast_protocol::{Path, Settings};
use steadfast_sim::Random;
use steadfast_trace::{Bounds, Names, Scope, Trace, TraceStep};

const TWIN: &str = "ack-without-epoch";

fn written(name: &str, text: &str) -> PathBuf {
    let file = place(name);
    std::fs::write(&file, text).expect("a file");
    file
}

fn trace() -> Trace {
    script(TWIN).expect("a shipped script")
}

fn page_of(trace: &Trace) -> String {
    page(&tell(trace, variant(TWIN), STEPS_TOLD_MAX).story)
}

/// A run of five nodes that is long enough to be slow.
fn long_run(steps: usize) -> Trace {
    let many = u32::try_from(steps / 8).expect("a number");
    let bounds = Bounds {
        writes: many,
        reads: many / 2,
        crashes: many / 6,
        partitions: many / 6,
        elections: many / 4,
        ticks: many,
        paths: 4,
        ..Bounds::default()
    };
    let settings = Settings::new(5, 3, 3).expect("a majority");
    let model = ClusterModel::new(Scope::new("long", settings, bounds), None);
    let mut state = model.init_states().swap_remove(0);
    let mut random = Random::new(7);
    let mut taken = Vec::new();
    while taken.len() < steps {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        let progress: Vec<usize> =
            (0..actions.len()).filter(|it| actions[*it].step.is_progress()).collect();
        let at = match progress.is_empty() || random.below(8) == 0 {
            true => random.below(actions.len()),
            false => progress[random.below(progress.len())],
        };
        let step = actions.swap_remove(at).step;
        state = model.perform(&state, &step).expect("a possible step");
        taken.push(TraceStep { step, note: String::new() });
    }
    Trace::new(model.scope().clone(), None, Vec::new(), taken)
}

/// The step that a page says it shows.
fn where_it_is(browser: &Browser) -> String {
    let text = browser.run("return document.getElementById('where').textContent");
    text.as_str().expect("text").to_owned()
}

fn count(browser: &Browser, selector: &str) -> u64 {
    let script = format!("return document.querySelectorAll({selector:?}).length");
    browser.run(&script).as_u64().expect("a number")
}

#[test]
fn a_page_steps_scrubs_filters_and_marks_causes() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let file = written("counterexample.html", &page_of(&trace()));
    browser.open_file(&file, "");
    assert_eq!(where_it_is(&browser), "start, 34 steps");
    browser.screenshot("start.png");

    browser.press("ArrowRight");
    browser.press("j");
    assert_eq!(where_it_is(&browser), "step 2 of 34");
    browser.press("k");
    assert_eq!(where_it_is(&browser), "step 1 of 34");
    assert_eq!(browser.run("return location.hash"), "#step-1");
    browser.press("b");
    assert_eq!(where_it_is(&browser), "step 34 of 34");
    let here = browser.run("return document.querySelector('.here').id");
    assert_eq!((here, count(&browser, ".here")), ("step-34".into(), 1));
    browser.screenshot("break.png");

    let scrub = "const it = document.getElementById('scrub'); it.value = 12; \
                 it.dispatchEvent(new Event('input')); return it.getAttribute('aria-valuetext')";
    assert_eq!(browser.run(scrub), "12. n2 syncs its log");
    assert_eq!(where_it_is(&browser), "step 12 of 34");
    browser.press("Home");
    browser.press("End");
    browser.press("c");
    let (of_cone, all) = (count(&browser, ".step.in"), count(&browser, ".step"));
    assert!(of_cone > 5 && of_cone < all, "{of_cone} of {all}");
    // Step 16 is n2's timeout: nothing of it has reached n0 by the end.
    assert_eq!(count(&browser, ".step.in[data-s='16']"), 0);
    assert_eq!(count(&browser, ".step.in[data-s='2']"), 1);
    browser.screenshot("causes.png");
    browser.press("c");
    assert_eq!(count(&browser, ".coned"), 0);

    browser.click("#filters summary");
    browser.click("[data-filter=n][value='1']");
    browser.click("[data-filter=n][value='2']");
    let hidden = count(&browser, "li.filtered");
    assert!(hidden > 5 && hidden < 34, "{hidden}");
    browser.screenshot("filter.png");
    browser.click("#all");
    assert_eq!(count(&browser, "li.filtered") + count(&browser, ".off"), 0);
    browser.click("#filters summary");

    browser.run("location.hash = '#step-26'");
    let go = "return new Promise((done) => setTimeout(() => \
              done(document.getElementById('where').textContent), 50))";
    assert_eq!(browser.run(go), "step 26 of 34");
    browser.click("#step-29 > span");
    assert_eq!(where_it_is(&browser), "step 29 of 34");
    let shown = browser.run("return document.querySelector('.shown table').innerText");
    assert!(shown.as_str().expect("text").contains("\"v1\" (n2#1)"), "{shown}");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_page_opens_at_the_step_of_its_address_and_for_a_row_that_is_clicked() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let file = written("address.html", &page_of(&trace()));
    browser.open_file(&file, "#step-15");
    assert_eq!(where_it_is(&browser), "step 15 of 34");
    browser.click(".step[data-s='17'] .number");
    assert_eq!(where_it_is(&browser), "step 17 of 34");
    for wrong in ["#step-99999", "#step--1", "#step-x", "#<script>"] {
        browser.open_file(&file, wrong);
        let place = where_it_is(&browser);
        assert!(place == "start, 34 steps" || place == "step 34 of 34", "{wrong}: {place}");
    }
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_page_can_be_read_in_the_dark_and_on_paper() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let file = written("dark.html", &page_of(&trace()));
    let ground = "return getComputedStyle(document.querySelector('.body')).backgroundColor";
    browser.open_file(&file, "#step-34");
    let light = browser.run(ground);
    browser.prefer("dark");
    let dark = browser.run(ground);
    assert_ne!(light, dark);
    browser.screenshot("dark.png");
    browser.prefer("light");
    let pdf = browser.print("print.pdf");
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 10_000, "{} bytes", pdf.len());
}

#[test]
fn two_stories_stand_side_by_side() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let of = |name| tell(&trace(), variant(name), STEPS_TOLD_MAX).story;
    let file = written("two.html", &page_of_two(&of(TWIN), &of("right")));
    browser.open_file(&file, "#step-34");
    assert_eq!((count(&browser, ".story"), count(&browser, ".here")), (2, 2));
    let tops = "return [...document.querySelectorAll('.now')].map((it) => it.getAttribute('y'))";
    let tops = browser.run(tops);
    assert_eq!(tops[0], tops[1], "equal steps are at equal heights");
    browser.screenshot("two.png");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn nothing_in_a_name_runs() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let hostile = "</script><script>window.pwned=1</script>'\"><img src=x onerror=window.pwned=1>";
    let mut trace = trace();
    trace.scope.name = hostile.to_owned();
    trace.scope.names = Names { paths: vec![Path::new(hostile)], ..Names::default() };
    let file = written("hostile.html", &page_of(&trace));
    browser.open_file(&file, "#step-34");
    let is_harmed =
        "return [window.pwned ?? null, document.images.length, document.scripts.length]";
    assert_eq!(browser.run(is_harmed), serde_json::json!([null, 0, 1]));
    assert_eq!(where_it_is(&browser), "step 34 of 34");
    assert_eq!(browser.errors(), Vec::<String>::new());
    browser.screenshot("hostile.png");
    // Were something inserted nevertheless, the policy of the page would stop it.
    browser.run(
        "const it = document.createElement('script'); it.textContent = 'window.pwned=2'; \
         document.body.append(it)",
    );
    assert_eq!(browser.run("return window.pwned ?? null"), Value::Null);

    let picture = svg(&tell(&trace, variant(TWIN), STEPS_TOLD_MAX).story);
    browser.open_file(&written("hostile.svg", &picture), "");
    let root = browser.run("return [document.documentElement.tagName, window.pwned ?? null]");
    assert_eq!(root, serde_json::json!(["svg", null]), "it is well-formed XML");
    browser.screenshot("svg.png");
}

#[test]
fn long_runs_open_and_step() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for steps in [500, 10_000] {
        let story = tell(&long_run(steps), None, STEPS_TOLD_MAX).story;
        let text = page(&story);
        let file = written(&format!("{steps}-steps.html"), &text);
        let begin = Instant::now();
        browser.open_file(&file, "");
        let opened = begin.elapsed();
        let loaded = browser.run("return performance.getEntriesByType('navigation')[0].duration");
        let slowest = browser.run(
            "let slowest = 0; \
             for (let at = 0; at < 60; at++) { \
               const begin = performance.now(); \
               document.getElementById('on').click(); \
               document.querySelector('figure').getBoundingClientRect(); \
               slowest = Math.max(slowest, performance.now() - begin); \
             } return slowest",
        );
        println!(
            "{steps} steps: {} bytes, opened in {} ms (the page says {loaded}), slowest of 60 steps {slowest} ms",
            text.len(),
            opened.as_millis()
        );
        let last = story.last();
        assert_eq!(where_it_is(&browser), format!("step {} of {last}", story.first + 60));
        browser.press("End");
        assert_eq!(where_it_is(&browser), format!("step {last} of {last}"));
        browser.screenshot(&format!("{steps}-steps.png"));
        assert_eq!(browser.errors(), Vec::<String>::new());
    }
}

#[test]
fn the_explorer_draws_the_same_picture() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let mut explorer = Command::new(env!("CARGO_BIN_EXE_check"))
        .args(["explore", "three-elections", "--twin", TWIN, "--address", &address])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("check runs");
    let output = BufReader::new(explorer.stdout.take().expect("its output"));
    let mut lines = output.lines().map_while(Result::ok);
    assert!(lines.any(|it| it.trim_end_matches('/').ends_with(&address)));
    let link = lines.find(|it| it.contains("/#/steps/")).expect("a link to the counterexample");
    let mut tries = (0..600).map(|_| std::thread::sleep(Duration::from_millis(100)));
    tries.find(|()| TcpStream::connect(&address).is_ok()).expect("the explorer serves");
    browser.open(&link);
    // It asks for the steps of the link one after the other.
    let is_drawn = tries.any(|()| count(&browser, "svg.steadfast-run .step") == 34);
    let (steps, breaks) = (
        count(&browser, "svg.steadfast-run .step"),
        browser.run("return document.querySelector('svg.steadfast-run')?.textContent ?? ''"),
    );
    browser.run("document.querySelector('svg.steadfast-run')?.scrollIntoView()");
    browser.screenshot("explorer.png");
    explorer.kill().expect("it runs");
    explorer.wait().expect("it ends");
    assert!(is_drawn, "the explorer shows no picture");
    assert_eq!(steps, 34);
    assert!(breaks.as_str().expect("text").contains("BREAKS G5 linearizable"));
}
