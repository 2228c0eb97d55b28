//! A story as SVG.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write};

use steadfast_protocol::NodeId;
use steadfast_trace::Cut;

use crate::layout::{LINE, Layout, first_line};
use crate::marks::{Glyph, Lane, Mark, Tone, marks};
use crate::markup::{escaped, list};
use crate::story::{Change, Fate, Flight, Moment, Operation, Outcome, SpanKind, Story};
use crate::words::clipped;

/// The colours and strokes, which a page and a picture share.
pub(crate) const STYLE: &str = include_str!("svg.css");
/// The height of the names of the lanes.
pub(crate) const HEADS: usize = 30;
/// The longest text beside a lane; the page has the rest.
const TEXT_MAX: usize = 34;

/// Draws a story as a picture that stands alone.
#[must_use]
pub fn svg(story: &Story) -> String {
    let layout = Layout::of(&[story]);
    let footer = footer(story);
    let (width, body) = (layout.width, layout.height);
    let height = HEADS + body + footer.len() * (LINE + 2) + 8;
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="steadfast-run" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{}">
<style>{STYLE}</style>
<rect class="ground" width="{width}" height="{height}"/>
{}<g transform="translate(0 {HEADS})">
{}</g>
"#,
        escaped(&description(story)),
        heads(story, &layout),
        body_of(story, &layout)
    );
    for (line, (tone, words)) in (1..).zip(footer) {
        let y = HEADS + body + line * (LINE + 2);
        let class = tone.class();
        put(
            &mut text,
            format_args!(r#"<text class="t{class}" x="8" y="{y}">{}</text>"#, escaped(&words)),
        );
    }
    text + "</svg>\n"
}

/// A picture in words, for readers who do not see it.
pub(crate) fn description(story: &Story) -> String {
    let broken: Vec<String> =
        story.breaks.iter().map(|it| format!("step {} breaks {}", it.step, it.id)).collect();
    let broken = if broken.is_empty() { "nothing breaks".to_owned() } else { broken.join(", ") };
    format!(
        "Space-time diagram of {}: {} nodes, steps {} to {}; {broken}",
        story.title,
        story.nodes,
        story.first + 1,
        story.last()
    )
}

fn footer(story: &Story) -> Vec<(Tone, String)> {
    let mut lines = Vec::new();
    if story.first > 0 {
        lines.push((Tone::Plain, format!("steps 1 to {} are left out", story.first)));
    }
    for it in &story.breaks {
        let (tone, how) = match it.is_promised {
            true => (Tone::Bad, "BREAKS"),
            false => (Tone::Warn, "does not keep (not promised here)"),
        };
        let words = format!("step {} {how} {} {}: {}", it.step, it.id, it.name, it.reason);
        lines.extend(wrapped(&words).into_iter().map(|it| (tone, it)));
    }
    lines.extend(under_way(story).into_iter().map(|it| (Tone::Plain, it)));
    lines.extend(story.ends_early.iter().flat_map(|it| wrapped(it)).map(|it| (Tone::Plain, it)));
    lines
}

/// The messages that have not ended their way, with their numbers in the picture.
pub(crate) fn under_way(story: &Story) -> Vec<String> {
    let some = story.flights.iter().filter(|it| it.fate == Fate::UnderWay);
    let words = some.map(|it| format!("under way from {} to {}: {}", it.from, it.to, it.label));
    (1..).zip(words).map(|(number, words)| format!("({number}) {words}")).collect()
}

fn under_way_number(story: &Story, at: usize) -> usize {
    story.flights[..=at].iter().filter(|it| it.fate == Fate::UnderWay).count()
}

/// Lines of about a hundred letters.
fn wrapped(words: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 100 => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(format!("  {word}")),
        }
    }
    lines
}

/// Writing into a `String` cannot fail.
fn put(text: &mut String, what: Arguments<'_>) {
    let _ = writeln!(text, "{what}");
}

/// The names of the lanes.
pub(crate) fn heads(story: &Story, layout: &Layout) -> String {
    let mut text = String::new();
    let mut head = |lane: Lane, class: &str, name: String| {
        let x = layout.x(lane);
        put(&mut text, format_args!(r#"<text class="head {class}" x="{x}" y="20">{name}</text>"#));
    };
    for node in NodeId::all(story.nodes) {
        head(Lane::Node(node), "", node.to_string());
    }
    for at in 0..story.client_lanes {
        let name = if at == 0 { "clients".to_owned() } else { format!("({})", at + 1) };
        head(Lane::Client(at), "tc", name);
    }
    text
}

/// Everything below the names of the lanes.
pub(crate) fn body_of(story: &Story, layout: &Layout) -> String {
    let paths = story.paths().into_iter().enumerate().map(|(at, it)| (it, at)).collect();
    let mut picture = Picture { story, layout, paths, text: String::new() };
    story.moments.iter().for_each(|it| picture.row(it));
    picture.spans();
    picture.lanes();
    story.operations.iter().filter(|it| !it.is_past).for_each(|it| picture.operation(it));
    let mut queues = BTreeMap::new();
    for (at, flight) in story.flights.iter().enumerate() {
        let queue = queues.entry((flight.from, flight.to)).or_insert(0);
        picture.flight(at, flight, *queue);
        *queue += usize::from(flight.fate == Fate::UnderWay);
    }
    story.moments.iter().for_each(|it| picture.moment(it));
    picture.text
}

struct Picture<'a> {
    story: &'a Story,
    layout: &'a Layout,
    paths: BTreeMap<&'a str, usize>,
    text: String,
}

impl Picture<'_> {
    fn put(&mut self, what: Arguments<'_>) {
        put(&mut self.text, what);
    }

    fn say(&mut self, x: usize, y: usize, tone: Tone, anchor: &str, words: &str) {
        let (class, words) = (tone.class(), escaped(&clipped(words, TEXT_MAX)));
        self.put(format_args!(r#"<text class="t{class}{anchor}" x="{x}" y="{y}">{words}</text>"#));
    }

    fn path_numbers<'b>(&self, paths: impl IntoIterator<Item = &'b String>) -> String {
        list(paths.into_iter().filter_map(|it| self.paths.get(it.as_str())))
    }

    /// Leaderships as bands, cuts as shades between the lanes that they separate.
    fn spans(&mut self) {
        for span in &self.story.spans {
            let (y, end) = (self.layout.y(span.begin), span.end.map(|it| self.layout.y(it)));
            let height = end.unwrap_or(self.layout.end()).saturating_sub(y).max(1);
            match &span.kind {
                SpanKind::Leads { node, epoch } => {
                    let x = self.layout.x(Lane::Node(*node)) - 7;
                    self.put(format_args!(
                        r#"<rect class="leads" x="{x}" y="{y}" width="14" height="{height}"><title>{node} leads {}</title></rect>"#,
                        escaped(epoch)
                    ));
                }
                SpanKind::Cut(cut) => {
                    let nodes = NodeId::all(self.story.nodes.saturating_sub(1));
                    let is_apart = |it: &NodeId| is_shaded(*cut, *it, self.story.nodes);
                    for node in nodes.filter(is_apart) {
                        let (x, width) = self.layout.gap(node);
                        let class = if cut.is_one_way() { "cut one-way" } else { "cut" };
                        self.put(format_args!(
                            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#
                        ));
                    }
                }
                SpanKind::Down { .. } => {}
            }
        }
    }

    /// A line per node, with a gap while the node is down, and a faint one per client lane.
    fn lanes(&mut self) {
        let (top, end) = (self.layout.top(self.story.first), self.layout.end());
        for node in NodeId::all(self.story.nodes) {
            let x = self.layout.x(Lane::Node(node));
            let mut from = top;
            let story = self.story;
            for span in &story.spans {
                if span.kind != (SpanKind::Down { node }) {
                    continue;
                }
                let (begin, back) =
                    (self.layout.y(span.begin), span.end.map(|it| self.layout.y(it)));
                self.put(format_args!(r#"<path class="lane" d="M{x} {from}V{begin}"/>"#));
                let until = back.unwrap_or(end);
                self.put(format_args!(r#"<path class="down" d="M{x} {begin}V{until}"/>"#));
                from = until;
            }
            self.put(format_args!(r#"<path class="lane" d="M{x} {from}V{end}"/>"#));
            let facts = self.story.start.get(node.index());
            if facts.is_some_and(|it| it.role == crate::Role::Leads) {
                self.crown(x, self.layout.y(self.story.first));
                let words = facts.map_or(String::new(), |it| format!("leads {}", it.epoch));
                self.say(x + 12, self.layout.y(self.story.first) + 4, Tone::Lead, "", &words);
            }
        }
        for at in 0..self.story.client_lanes {
            let x = self.layout.x(Lane::Client(at));
            self.put(format_args!(r#"<path class="client-lane" d="M{x} {top}V{end}"/>"#));
        }
    }

    fn crown(&mut self, x: usize, y: usize) {
        self.put(format_args!(
            r#"<path class="crown" d="M{x} {y}m-7 4l-2 -11l5 5l4 -8l4 8l5 -5l-2 11z"/>"#
        ));
    }

    /// An operation as an interval on its client lane.
    fn operation(&mut self, it: &Operation) {
        let x = self.layout.x(Lane::Client(it.lane));
        let (begin, end) = (self.layout.y(it.invoked), it.ended.map(|it| self.layout.y(it)));
        let stop = end.unwrap_or(self.layout.end());
        let state = match (it.contradicts, it.outcome) {
            (true, _) => "op contradicts",
            (_, Outcome::Done) => "op",
            (_, Outcome::Refused) => "op refused",
            (_, Outcome::Pending | Outcome::Unknown) => "op open",
        };
        let (first, last) = (it.invoked, it.ended.unwrap_or(0));
        let paths = self.path_numbers([&it.path]);
        self.put(format_args!(
            r#"<g class="{state}" data-s="{first}" data-e="{last}" data-n="{}" data-p="{paths}"><path d="M{x} {begin}V{stop}"/><path class="cap" d="M{x} {begin}m-6 0h12"/>"#,
            it.node.0
        ));
        match it.outcome {
            Outcome::Done => {
                self.put(format_args!(r#"<path class="cap" d="M{x} {stop}m-6 0h12"/>"#))
            }
            Outcome::Refused => {
                self.put(format_args!(
                    r#"<path class="cap" d="M{x} {stop}m-5 -5l10 10m0 -10l-10 10"/>"#
                ));
            }
            Outcome::Pending | Outcome::Unknown => {
                self.put(format_args!(r#"<path class="cap" d="M{x} {stop}m-5 -6l5 6l5 -6"/>"#));
            }
        }
        let verdict =
            if it.contradicts { ": no order of the operations explains this" } else { "" };
        let words =
            format!("request {}: {} at {}: {}{verdict}", it.number, it.asked, it.node, it.answer);
        self.put(format_args!("<title>{}</title></g>", escaped(&words)));
    }

    /// A message from when it was sent to when it arrived, or a part of that way. One that has not
    /// ended its way has a number that the list of those explains; `queued` of the same two nodes
    /// are before it.
    fn flight(&mut self, at: usize, it: &Flight, queued: usize) {
        let (from, to) = (self.layout.x(Lane::Node(it.from)), self.layout.x(Lane::Node(it.to)));
        let begin = self.layout.y(it.sent);
        // Three eighths of the way never lie on the lane of a node between.
        let early = (5 * from + 3 * to) / 8;
        let last = match it.fate {
            Fate::Arrived(step) | Fate::Lost(step) => step,
            Fate::UnderWay => 0,
        };
        let (class, end) = match it.fate {
            Fate::Arrived(step) => ("msg", (to, self.layout.y(step))),
            Fate::Lost(step) => ("msg lost", (early, self.layout.y(step))),
            Fate::UnderWay => ("msg way", (early, self.layout.end())),
        };
        let paths = self.path_numbers(&it.paths);
        self.put(format_args!(
            r#"<g class="{class}" data-s="{}" data-e="{last}" data-n="{} {}" data-p="{paths}">"#,
            it.sent, it.from.0, it.to.0
        ));
        for step in &it.doubled {
            let y = self.layout.y(*step);
            self.arrow((from, begin), (to, y));
            self.label(it, (to, y), &format!("TWICE {}", it.label));
        }
        match it.fate {
            Fate::Arrived(_) => {
                self.arrow((from, begin), end);
                self.label(it, end, &it.label);
            }
            Fate::Lost(_) => {
                let (x, y) = end;
                self.put(format_args!(r#"<path d="M{from} {begin}L{x} {y}"/><path class="cross" d="M{x} {y}m-5 -5l10 10m0 -10l-10 10"/>"#));
                self.say(x, y.saturating_sub(8), Tone::Bad, " mid", &format!("lost {}", it.label));
            }
            Fate::UnderWay => {
                let (x, y) = end;
                self.put(format_args!(r#"<path d="M{from} {begin}L{x} {y}"/>"#));
                let number = under_way_number(self.story, at);
                self.say(x + queued * 24, y + LINE, Tone::Plain, " mid", &format!("({number})"));
            }
        }
        self.put(format_args!("<title>{}</title></g>", escaped(&it.words)));
    }

    fn arrow(&mut self, from: (usize, usize), to: (usize, usize)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let (dx, dy) = (x2 as f64 - x1 as f64, y2 as f64 - y1 as f64);
        let length = dx.hypot(dy).max(1.0);
        let (ux, uy) = (dx / length * 9.0, dy / length * 9.0);
        let wing = |side: f64| {
            format!(
                "L{:.1} {:.1}",
                x2 as f64 - ux - uy * 0.45 * side,
                y2 as f64 - uy + ux * 0.45 * side
            )
        };
        let (one, other) = (wing(1.0), wing(-1.0));
        self.put(format_args!(
            r#"<path d="M{x1} {y1}L{x2} {y2}"/><path class="tip" d="M{x2} {y2}{one}{other}z"/>"#
        ));
    }

    /// The label of a message that arrives, on the side that it comes from.
    fn label(&mut self, it: &Flight, (x, y): (usize, usize), words: &str) {
        match it.from < it.to {
            true => self.say(x - 12, y - 5, Tone::Plain, " end", words),
            false => self.say(x + 12, y - 5, Tone::Plain, "", words),
        }
    }

    /// The ground of a row, below everything else.
    fn row(&mut self, moment: &Moment) {
        let (top, height, width) = (
            self.layout.top(moment.number),
            self.layout.row_height(moment.number),
            self.layout.width,
        );
        let is_broken = moment.changes.iter().any(|it| matches!(it, Change::Broke(_)));
        let class = if is_broken { "row broken" } else { "row" };
        let step = moment.number;
        self.put(format_args!(
            r#"<rect class="{class}" data-s="{step}" y="{top}" width="{width}" height="{height}"/>"#
        ));
    }

    fn moment(&mut self, moment: &Moment) {
        let (step, y) = (moment.number, self.layout.y(moment.number));
        self.put(format_args!(
            r#"<g class="step" data-s="{step}"><text class="number" x="34" y="{}">{step}</text>"#,
            y + 4
        ));
        let marks = marks(moment, self.story);
        let mut lines: BTreeMap<Lane, usize> = BTreeMap::new();
        for node in NodeId::all(self.story.nodes) {
            let lane = Lane::Node(node);
            lines.insert(lane, first_line(self.story, &moment.changes, lane));
        }
        for mark in marks.iter().filter(|it| it.lane != Lane::All) {
            let line = lines.entry(mark.lane).or_default();
            let at = *line;
            *line += 1;
            self.mark(mark, y, at);
        }
        let below = lines.values().max().copied().unwrap_or(0).max(1);
        let across = marks.iter().filter(|it| it.lane == Lane::All);
        for (at, mark) in across.enumerate() {
            self.band(
                mark,
                y,
                if below == 1 && at == 0 && marks.len() == 1 { 0 } else { below + at },
            );
        }
        self.put(format_args!("</g>"));
    }

    /// A sign with its words, on a line of its own below those before it.
    fn mark(&mut self, mark: &Mark, y: usize, line: usize) {
        let x = self.layout.x(mark.lane);
        let y = y + line * LINE;
        let class = mark.tone.class();
        let shape = |d: &str| format!(r#"<path class="f{class}" d="M{x} {y}{d}"/>"#);
        let shape = match mark.glyph {
            Glyph::None | Glyph::Cut | Glyph::Heal | Glyph::Broken => String::new(),
            Glyph::Append => format!(
                r#"<rect class="append" x="{}" y="{}" width="9" height="9"/>"#,
                x - 4,
                y - 4
            ),
            Glyph::Sync => format!(
                r#"<path class="disk" d="M{x} {y}m-6 -4v8a6 3 0 0 0 12 0v-8a6 3 0 0 0 -12 0a6 3 0 0 0 12 0"/>"#
            ),
            Glyph::Crash => {
                format!(r#"<path class="cross" d="M{x} {y}m-8 -8l16 16m0 -16l-16 16"/>"#)
            }
            Glyph::Recover => format!(r#"<circle class="ring" cx="{x}" cy="{y}" r="6"/>"#),
            Glyph::Timeout => shape("m-6 -7h12l-12 14h12z"),
            Glyph::Tick => shape("m0 -4l4 4l-4 4l-4 -4z"),
            Glyph::Link => shape("m-7 -3h14v2h-14zm0 4h14v2h-14z"),
            Glyph::Content => shape("m-5 -7h7l4 4v10h-11z"),
            Glyph::Crown => String::new(),
        };
        if mark.glyph == Glyph::Crown {
            self.crown(x, y);
        } else if !shape.is_empty() {
            self.put(format_args!("{shape}"));
        }
        self.say(x + 12, y + 4, mark.tone, "", &mark.text);
    }

    /// A line across all nodes with words on it.
    fn band(&mut self, mark: &Mark, y: usize, line: usize) {
        let (width, at) = (self.layout.width, y + line * LINE);
        let class = mark.tone.class();
        if mark.glyph != Glyph::Broken {
            self.put(format_args!(
                r#"<path class="band f{class}" d="M{} {y}H{width}"/>"#,
                self.layout.x(Lane::All)
            ));
        }
        let words = escaped(&clipped(&mark.text, 3 * TEXT_MAX));
        let big = if mark.glyph == Glyph::Broken { " big" } else { "" };
        let (x, y) =
            (self.layout.x(Lane::Node(NodeId(0))) + 12, at + if line == 0 { 12 } else { 4 });
        self.put(format_args!(r#"<text class="t{class}{big}" x="{x}" y="{y}">{words}</text>"#));
    }
}

/// Whether a cut is drawn between the lanes of a node and the next one: a split between neighbours on
/// different sides, lost links in every gap that they span.
fn is_shaded(cut: Cut, node: NodeId, nodes: u8) -> bool {
    match cut {
        Cut::Around { .. } => cut.separates(node, NodeId(node.0 + 1)),
        Cut::Links { .. } => {
            let mut above = NodeId::all(nodes).filter(|it| *it > node);
            above.any(|high| NodeId::all(node.0 + 1).any(|low| cut.separates(low, high)))
        }
    }
}
