//! A story as one page that needs no network.
//!
//! The picture is the SVG of `svg`, and the list beside it describes each step in words. Both are
//! complete without the script, which only steps, filters and marks.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write};

use steadfast_protocol::NodeId;
use steadfast_trace::StepKind;

use crate::layout::Layout;
use crate::markup::{escaped, list};
use crate::story::{Break, Change, Moment, Story};
use crate::svg::{self, HEADS};
use crate::words;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The hash that a browser compares the script with before it runs it: no other script may run. A
/// test computes it.
const SCRIPT_SHA256: &str = "sha256-vGNFItlDkLsFPTwuwB3LyvnumdhjEfh4J1nh7bJeHnE=";

/// The page of a story.
#[must_use]
pub fn page(story: &Story) -> String {
    Page::default().write(&[story])
}

/// The page of two stories of the same steps, side by side.
#[must_use]
pub fn page_of_two(story: &Story, other: &Story) -> String {
    Page::default().write(&[story, other])
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// Writing into a `String` cannot fail.
    fn put(&mut self, what: Arguments<'_>) {
        let _ = writeln!(self.text, "{what}");
    }

    fn write(mut self, stories: &[&Story]) -> String {
        let Some(first) = stories.first() else {
            return self.text;
        };
        let title = escaped(&first.title);
        let style = svg::STYLE;
        let class = if stories.len() > 1 { "two" } else { "one" };
        self.put(format_args!(
            r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src '{SCRIPT_SHA256}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}{STYLE}</style>
<body class="{class}">
<header>
<h1>{title}</h1>"#
        ));
        self.about(first);
        self.verdicts(stories);
        self.put(format_args!("</header>"));
        self.controls(stories);
        self.put(format_args!("<main>"));
        let has_one_start = stories.iter().all(|it| it.first == first.first);
        let shared = has_one_start.then(|| Layout::of(stories));
        for (at, story) in stories.iter().enumerate() {
            let own = Layout::of(&[story]);
            self.story(story, shared.as_ref().unwrap_or(&own), at);
        }
        self.put(format_args!("</main>"));
        self.legend();
        self.put(format_args!("<script>{SCRIPT}</script>"));
        self.text
    }

    fn about(&mut self, story: &Story) {
        self.put(format_args!("<dl>"));
        for (name, value) in &story.about {
            self.put(format_args!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(value)));
        }
        let left_out = match story.first {
            0 => String::new(),
            first => format!(" (steps 1 to {first} were replayed and are left out)"),
        };
        let (from, to) = (story.first + 1, story.last());
        self.put(format_args!("<div><dt>steps</dt><dd>{from} to {to}{left_out}</dd></div></dl>"));
    }

    /// The broken guarantees, and the step at which two stories part.
    fn verdicts(&mut self, stories: &[&Story]) {
        for (at, story) in stories.iter().enumerate() {
            let whose = match (stories.len(), at) {
                (1, _) => String::new(),
                (_, 0) => "Left: ".to_owned(),
                _ => "Right: ".to_owned(),
            };
            for it in &story.breaks {
                self.verdict(&whose, it);
            }
            if story.breaks.is_empty() {
                self.put(format_args!(
                    r#"<p class="kept">{whose}no guarantee breaks in these steps.</p>"#
                ));
            }
            if let Some(why) = &story.ends_early {
                let why = escaped(&words::clipped(why, 600));
                self.put(format_args!(r#"<p class="note">{whose}{why}</p>"#));
            }
        }
        if let [one, other] = stories {
            match one.parts_from(other) {
                Some(step) => self.put(format_args!(
                    r##"<p class="note">The two part at <a href="#step-{step}">step {step}</a>: before it both tell the same.</p>"##
                )),
                None => self.put(format_args!(r#"<p class="note">The two do not part.</p>"#)),
            }
        }
    }

    fn verdict(&mut self, whose: &str, it: &Break) {
        let (class, how) = match it.is_promised {
            true => ("breaks", "breaks"),
            false => ("unpromised", "does not keep, and these settings do not promise,"),
        };
        let steps: Vec<String> =
            it.steps.iter().map(|it| format!(r##"<a href="#step-{it}">{it}</a>"##)).collect();
        self.put(format_args!(
            r##"<p class="{class}">{whose}<a href="#step-{step}">step {step}</a> {how} <strong>{} {}</strong>: {}. <span class="promise">The rule: {}.</span> <span class="made">Made by steps {}.</span></p>"##,
            it.id,
            it.name,
            escaped(&it.reason),
            escaped(it.promise),
            steps.join(", "),
            step = it.step
        ));
    }

    fn controls(&mut self, stories: &[&Story]) {
        let first = stories[0];
        let last = stories.iter().map(|it| it.last()).max().unwrap_or(0);
        let begin = first.first;
        self.put(format_args!(
            r#"<nav aria-label="Steps and filters">
<button id="back" title="Left arrow or k">◀ back</button>
<input id="scrub" type="range" min="{begin}" max="{last}" value="{begin}" aria-label="Step">
<button id="on" title="Right arrow or j">on ▶</button>
<output id="where"></output>
<button id="break" title="b">next break</button>
<button id="cone" aria-pressed="false" title="c">causes of this step</button>
<details id="filters"><summary>filter</summary>"#
        ));
        self.choices(
            "nodes",
            "n",
            NodeId::all(first.nodes).map(|it| (it.0.to_string(), it.to_string())),
        );
        let mut kinds: Vec<StepKind> = Vec::new();
        for story in stories {
            kinds.extend(story.moments.iter().map(|it| it.step.kind()));
        }
        kinds.sort_unstable();
        kinds.dedup();
        self.choices(
            "kinds",
            "k",
            kinds.iter().map(|it| ((*it as usize).to_string(), it.name().to_owned())),
        );
        let paths = stories[0].paths();
        let some = paths.iter().take(PATHS_LISTED_MAX).enumerate();
        self.choices("paths", "p", some.map(|(at, it)| (at.to_string(), words::clipped(it, 40))));
        if paths.len() > PATHS_LISTED_MAX {
            let more = paths.len() - PATHS_LISTED_MAX;
            self.put(format_args!("<p>{more} more paths are left out here.</p>"));
        }
        self.put(format_args!(r#"<button id="all">show all</button></details></nav>"#));
        self.put(format_args!(r#"<p id="said" aria-live="polite"></p>"#));
    }

    fn choices(&mut self, name: &str, key: &str, items: impl Iterator<Item = (String, String)>) {
        self.put(format_args!("<fieldset><legend>{name}</legend>"));
        for (value, text) in items {
            self.put(format_args!(
                r#"<label><input type="checkbox" checked data-filter="{key}" value="{value}"> {}</label>"#,
                escaped(&text)
            ));
        }
        self.put(format_args!("</fieldset>"));
    }

    fn story(&mut self, story: &Story, layout: &Layout, at: usize) {
        let (width, height) = (layout.width, layout.height);
        let name = escaped(story.about.iter().find(|it| it.0 == "protocol").map_or("", |it| &it.1));
        let (heads, body) = (svg::heads(story, layout), svg::body_of(story, layout));
        self.put(format_args!(
            r#"<section class="story" data-at="{at}" aria-label="{}">
<h2>protocol: {name}</h2>
<figure tabindex="0" aria-label="Space-time diagram; the list after it tells the same in words">
<svg class="steadfast-run heads" width="{width}" height="{HEADS}" viewBox="0 0 {width} {HEADS}" aria-hidden="true">{heads}</svg>
<svg class="steadfast-run body" width="{width}" height="{height}" viewBox="0 0 {width} {height}" preserveAspectRatio="xMinYMin" role="img" aria-label="{}">
<g class="paper" transform="translate(0 -9)" aria-hidden="true">{heads}</g>{body}<rect class="now" width="{width}" height="0"/><rect class="veil" width="{width}" height="0"/></svg>
</figure>
<div class="told">
<div class="shown"><table><caption>versions after this step</caption></table></div>
<div class="list"><ol start="{}">"#,
            escaped(&story.title),
            escaped(&svg::description(story)),
            story.first + 1
        ));
        let paths: BTreeMap<&str, usize> =
            story.paths().into_iter().enumerate().map(|(at, it)| (it, at)).collect();
        self.start(story, &paths);
        let prefix = if at == 0 { "step" } else { "other-step" };
        for moment in &story.moments {
            self.moment(story, moment, &paths, prefix);
        }
        self.put(format_args!("</ol>"));
        self.put(format_args!(r#"<ul class="way">"#));
        for words in svg::under_way(story) {
            self.put(format_args!("<li>{}</li>", escaped(&words)));
        }
        self.put(format_args!("</ul></div></div></section>"));
    }

    /// The versions of every node where the story begins, for the table of versions.
    fn start(&mut self, story: &Story, paths: &BTreeMap<&str, usize>) {
        let has_shown = story.start.iter().any(|it| !it.shows.is_empty());
        if !has_shown {
            return;
        }
        self.put(format_args!(
            r#"<li class="begin" value="{}">what is shown at the beginning<ul>"#,
            story.first
        ));
        for (node, facts) in NodeId::all(story.nodes).zip(&story.start) {
            for (path, versions) in
                facts.shows.iter().filter(|(it, _)| paths.contains_key(it.as_str()))
            {
                self.shows(node, path, versions, paths);
            }
        }
        self.put(format_args!("</ul></li>"));
    }

    fn shows(
        &mut self,
        node: NodeId,
        path: &str,
        versions: &[String],
        paths: &BTreeMap<&str, usize>,
    ) {
        let number = paths.get(path).map_or(String::new(), usize::to_string);
        let versions = words::versions(versions);
        self.put(format_args!(
            r#"<li data-n="{}" data-p="{number}" data-shows="{}">{node} shows {}={}</li>"#,
            node.0,
            escaped(&versions),
            escaped(path),
            escaped(&versions)
        ));
    }

    fn moment(
        &mut self,
        story: &Story,
        moment: &Moment,
        paths: &BTreeMap<&str, usize>,
        prefix: &str,
    ) {
        let number = moment.number;
        let breaks = moment.changes.iter().any(|it| matches!(it, Change::Broke(_)));
        let class = if breaks { r#" class="broken""# } else { "" };
        let numbers = moment.paths.iter().filter_map(|it| paths.get(it.as_str()));
        self.put(format_args!(
            r#"<li id="{prefix}-{number}" value="{number}"{class} data-k="{}" data-n="{}" data-p="{}" data-c="{}"><span>{}</span><ul>"#,
            moment.step.kind() as usize,
            list(nodes_of(story, moment)),
            list(numbers),
            list(&moment.causes),
            escaped(&words::clipped(&moment.words, 200))
        ));
        for change in &moment.changes {
            match change {
                Change::Shows { node, path, versions } => self.shows(*node, path, versions, paths),
                Change::Broke(_) => {
                    let words = escaped(&words::change(change, story));
                    self.put(format_args!(r#"<li class="breaks">✗ {words}</li>"#));
                }
                _ => self.put(format_args!("<li>{}</li>", escaped(&words::change(change, story)))),
            }
        }
        if moment.changes.is_empty() {
            self.put(format_args!("<li>nothing changes that is told here</li>"));
        }
        self.put(format_args!("</ul></li>"));
    }

    fn legend(&mut self) {
        self.put(format_args!(
            r#"<footer><details><summary>how to read and move</summary>
<p>Time goes down, one row a step. A column is a node or a lane of client operations. An arrow begins where a message was sent and ends where it arrived; a dashed one that ends in a cross was lost. A square is an append to the log, a drum a sync, a big cross a crash, dots the time a node is down, a ring a recovery, an hourglass a timeout, a crown and the band below it a leadership. A shade between two columns is a cut between them, with dots when it loses one direction only. On client lanes a bar goes from the question to the answer; it is dashed with an open end while nobody knows the outcome, ends in a cross when it was refused, and is thick when no order of the operations explains what was read.</p>
<p>Keys: → or j one step on, ← or k one back, Page Down and Page Up ten, Home and End, b the next break, c the causes of the step: whatever could have influenced it through messages and through the order of steps at a node. The time at which clients ask is not such an order. A click on a row goes there. The address ends in #step-N, so a link to a step can be kept.</p>
</details></footer>"#
        ));
    }
}

/// How many paths the filter lists.
const PATHS_LISTED_MAX: usize = 50;

/// The nodes of a step, among them the sender of the message that arrives.
fn nodes_of(story: &Story, moment: &Moment) -> Vec<u8> {
    let mut nodes: Vec<u8> = moment.nodes.iter().map(|it| it.0).collect();
    for change in &moment.changes {
        if let Change::Arrived(at) | Change::Lost(at) = change {
            let flight = &story.flights[*at];
            nodes.extend([flight.from.0, flight.to.0]);
        }
        if let Change::Cut(_) | Change::Healed = change {
            nodes.extend(0..story.nodes);
        }
    }
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_of_a_page_names_the_script_that_is_in_it() {
        let digest = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
        assert_eq!(SCRIPT_SHA256, format!("sha256-{digest}"));
    }
}
