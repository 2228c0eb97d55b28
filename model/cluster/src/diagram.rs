//! A run as a picture.

use std::fmt::Write;

use steadfast_guarantees::Status;
use steadfast_node::Node;
use steadfast_protocol::{Message, NodeId, Packet};
use steadfast_trace::Step;

use crate::{Action, ClusterModel, ClusterState, text};

const LEFT: usize = 70;
const TOP: usize = 50;
const COLUMN: usize = 250;
const ROW: usize = 44;
const LINE: usize = 13;

const GREEN: &str = "#2a8a3a";
const RED: &str = "#c62828";
const BLUE: &str = "#1f5fbf";
const ORANGE: &str = "#c46a00";
const GREY: &str = "#888888";
const BLACK: &str = "#222222";

/// Draws a run as a sequence diagram.
pub(crate) fn svg(model: &ClusterModel, steps: &[(ClusterState, Option<Action>)]) -> String {
    let Some((first, _)) = steps.first() else {
        return String::new();
    };
    let width = LEFT + first.nodes().count() * COLUMN;
    let mut picture = Picture { width, ..Picture::default() };
    let mut flights = Flights::begin(first);
    picture.lifelines(steps);
    for (at, pair) in steps.windows(2).enumerate() {
        let [(before, Some(action)), (after, _)] = pair else {
            continue;
        };
        let row = at + 1;
        picture.row = row;
        picture.lines = [0; 8];
        picture.say(8, y(row) + 4, GREY, "start", &row.to_string());
        picture.happening(&action.step, before, after);
        flights.follow(row, action, after, &mut picture);
        picture.consequences(model, before, after);
    }
    flights.end(steps.len(), &mut picture);
    picture.finish(y(steps.len()) + 2 * LINE)
}

fn x(node: NodeId) -> usize {
    LEFT + node.index() * COLUMN
}

fn y(row: usize) -> usize {
    TOP + row * ROW
}

/// What text means to XML is taken from it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            it if it.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            it => escaped.push(it),
        }
    }
    escaped
}

/// The kind of a message and what matters most in it.
fn label(message: &Message) -> String {
    let dots: Vec<String> = message.entries().iter().map(|it| it.dot.to_string()).collect();
    let head = match message {
        Message::Append(it) => format!("Append {} t{}", it.epoch, it.tag),
        Message::Ack(it) => format!("Ack {} t{} {}", it.epoch, it.tag, it.vv),
        Message::Vote(it) => format!("Vote {}", it.epoch),
        Message::VoteRequest(it) => format!("VoteRequest {}", it.epoch),
        Message::Reject(_) | Message::Need(_) | Message::Content(_) => message.to_string(),
    };
    if dots.is_empty() { head } else { format!("{head} +{}", dots.join(",")) }
}

/// What is drawn so far.
#[derive(Default)]
struct Picture {
    shapes: String,
    /// Drawn after the shapes, so that no line crosses a word.
    words: String,
    width: usize,
    row: usize,
    /// Per node how many lines of text stand beside it in this row.
    lines: [usize; 8],
    /// What is said below the picture, where nothing else stands.
    footer: Vec<(&'static str, String)>,
}

impl Picture {
    /// Writing into a `String` cannot fail.
    fn draw(&mut self, shape: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.shapes, "{shape}");
    }

    fn say(&mut self, x: usize, y: usize, color: &str, anchor: &str, words: &str) {
        let _ = writeln!(
            self.words,
            r#"<text x="{x}" y="{y}" fill="{color}" text-anchor="{anchor}">{}</text>"#,
            escaped(words)
        );
    }

    /// Text right of a lifeline, below what stands there in this row.
    fn note(&mut self, node: NodeId, color: &str, words: &str) {
        let line = self.lines.get(node.index()).copied().unwrap_or_default();
        self.say(x(node) + 12, y(self.row) + 4 + line * LINE, color, "start", words);
        if let Some(lines) = self.lines.get_mut(node.index()) {
            *lines += 1;
        }
    }

    fn line(&mut self, from: (usize, usize), to: (usize, usize), color: &str, style: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.draw(format_args!(
            r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}" {style}/>"#
        ));
    }

    fn cross(&mut self, (x, y): (usize, usize), size: usize) {
        let style = r#"stroke-width="2.5""#;
        self.line((x - size, y - size), (x + size, y + size), RED, style);
        self.line((x - size, y + size), (x + size, y - size), RED, style);
    }

    fn circle(&mut self, node: NodeId, color: &str) {
        let (x, y) = (x(node), y(self.row));
        self.draw(format_args!(r#"<circle cx="{x}" cy="{y}" r="6" fill="{color}"/>"#));
    }

    /// A polygon on a lifeline; the points are moved there.
    fn polygon(&mut self, node: NodeId, at: usize, color: &str, points: &str) {
        let x = x(node);
        self.draw(format_args!(
            r#"<polygon transform="translate({x} {at})" points="{points}" fill="{color}"/>"#
        ));
    }

    /// A disk, as in pictures of databases.
    fn disk(&mut self, node: NodeId) {
        let (x, y) = (x(node), y(self.row));
        self.draw(format_args!(
            r##"<path transform="translate({x} {y})" d="M-6-4v8a6 3 0 0 0 12 0v-8" fill="#555555"/>"##
        ));
        let y = y - 4;
        self.draw(format_args!(
            r##"<ellipse cx="{x}" cy="{y}" rx="6" ry="3" fill="#999999" stroke="#555555"/>"##
        ));
    }

    /// One vertical line per node, dashed and red while it is down.
    fn lifelines(&mut self, steps: &[(ClusterState, Option<Action>)]) {
        let nodes: Vec<NodeId> = steps[0].0.nodes().map(Node::id).collect();
        for node in nodes {
            self.say(x(node), TOP - 24, BLACK, "middle", &node.to_string());
            for (row, (state, _)) in steps.iter().enumerate() {
                let (color, style) = match state.replica(node) {
                    Some(_) => (GREY, r#"stroke-width="1.5""#),
                    None => (RED, r#"stroke-width="1.5" stroke-dasharray="3 4""#),
                };
                self.line((x(node), y(row)), (x(node), y(row + 1)), color, style);
            }
            if steps[0].0.replica(node).is_some_and(|it| it.leads()) {
                self.crown(node, TOP);
            }
        }
    }

    fn crown(&mut self, node: NodeId, at: usize) {
        self.polygon(node, at, "#d4a000", "-8,-4 -10,-16 -4,-10 0,-18 4,-10 10,-16 8,-4");
    }

    /// What happens by itself, besides messages.
    fn happening(&mut self, step: &Step, before: &ClusterState, after: &ClusterState) {
        match *step {
            Step::Sync { node } => {
                self.disk(node);
                self.note(node, GREY, "sync");
            }
            Step::Crash { node, kept, torn } => {
                self.cross((x(node), y(self.row)), 8);
                let tail = before.node(node).storage().tail();
                let torn = if torn { ", next torn" } else { "" };
                self.note(node, RED, &format!("CRASH, kept {kept}/{tail} unsynced{torn}"));
            }
            Step::Rollback { node, kept } => {
                self.note(node, RED, &format!("LOG ROLLED BACK to {kept} records"));
            }
            Step::Recover { node } => {
                self.circle(node, GREEN);
                self.note(node, GREEN, "recovers");
            }
            Step::Cut { .. } => self.band(step, RED),
            Step::Heal => self.band(step, GREEN),
            Step::Write { node, .. } | Step::Read { node, .. } => {
                let asked = after.history().operations().last();
                self.client(node, &asked.map(text::request).unwrap_or_default());
            }
            Step::Retry { node, request } => {
                let asked = after.history().numbered(request);
                self.client(
                    node,
                    &format!("again {}", asked.map(text::request).unwrap_or_default()),
                );
            }
            _ => self.mishap_or_time(step),
        }
    }

    fn mishap_or_time(&mut self, step: &Step) {
        let (node, color, words) = match step {
            Step::Store { node } => (*node, GREY, "stores a content".to_owned()),
            Step::LinkUp { node, peer } => (*node, GREEN, format!("link to {peer} up")),
            Step::LinkDown { node, peer } => (*node, RED, format!("link to {peer} down")),
            Step::Timeout { node } => (*node, ORANGE, "timeout".to_owned()),
            Step::Tick { node } => (*node, GREY, "tick".to_owned()),
            Step::Rot { node, content } => (*node, RED, format!("content {content} ROTS")),
            Step::Scrub { node, content } => (*node, ORANGE, format!("finds {content} bad")),
            _ => return,
        };
        self.polygon(node, y(self.row), color, "0,-6 6,0 0,6 -6,0");
        self.note(node, color, &words);
    }

    fn client(&mut self, node: NodeId, words: &str) {
        self.polygon(node, y(self.row), BLUE, "-14,-6 -2,0 -14,6");
        self.note(node, BLUE, words);
    }

    /// A line across all nodes.
    fn band(&mut self, step: &Step, color: &str) {
        let y = y(self.row);
        let style = r#"stroke-width="2" stroke-dasharray="8 5""#;
        self.line((30, y), (self.width, y), color, style);
        self.say(LEFT + 20, y - 5, color, "start", &step.to_string());
    }

    /// What clients hear, who begins to lead, and which guarantees break.
    fn consequences(&mut self, model: &ClusterModel, before: &ClusterState, after: &ClusterState) {
        for it in after.history().operations() {
            let old = before.history().operation(it.request).map(|it| it.status);
            if it.status != Status::Pending && old != Some(it.status) {
                self.note(it.node, BLUE, &format!("{}: {}", text::request(it), text::answer(it)));
            }
        }
        for replica in after.replicas().filter(|it| it.leads()) {
            let (node, epoch) = (replica.id(), replica.promise());
            let led = before.replica(node).is_some_and(|it| it.leads() && it.promise() == epoch);
            if !led {
                self.crown(node, y(self.row));
                self.note(node, "#a67c00", &format!("leads {epoch}"));
            }
        }
        for guarantee in text::newly_broken(model, before, after) {
            let row = self.row;
            self.say(8, y(row) + 4 + LINE, RED, "start", "BREAKS");
            self.footer.push((RED, format!("step {row} BREAKS {guarantee}")));
        }
    }

    /// A message that has not arrived, with a number that the footer explains. `queued` messages
    /// of the same channel are before it.
    fn under_way(&mut self, flight: &Flight, number: usize, queued: usize) {
        let (from, target) = (x(flight.from), x(flight.to));
        let (begin, end) = ((from, y(flight.sent)), ((5 * from + 3 * target) / 8, y(self.row)));
        self.line(begin, end, GREY, r#"stroke-dasharray="2 3""#);
        let at = (end.0 + queued * 24, end.1 + LINE);
        self.say(at.0, at.1, GREY, "middle", &format!("({number})"));
        let (from, to, message) = (flight.from, flight.to, label(&flight.packet.message));
        self.footer.push((GREY, format!("({number}) under way from {from} to {to}: {message}")));
    }

    /// A message from when it was sent to when it arrived, or a part of that way.
    fn arrow(&mut self, flight: &Flight, row: usize, fate: Fate) {
        let (from, target) = ((x(flight.from), y(flight.sent)), (x(flight.to), y(row)));
        // Three eighths of the way never lie on the lifeline of a node between.
        let early = ((5 * from.0 + 3 * target.0) / 8, target.1);
        let words = label(&flight.packet.message);
        let (to, color, style, words) = match fate {
            Fate::Arrives => (target, BLACK, r#"marker-end="url(#steadfast-tip)""#, words),
            Fate::ArrivesAndStays => {
                (target, ORANGE, r#"marker-end="url(#steadfast-tip)""#, format!("TWICE {words}"))
            }
            Fate::Lost => (early, RED, r#"stroke-dasharray="5 3""#, format!("lost {words}")),
        };
        self.line(from, to, color, style);
        match fate {
            Fate::Lost => self.cross(to, 5),
            Fate::Arrives | Fate::ArrivesAndStays => self.lines[flight.to.index()] = 1,
        }
        let (anchor, at) = match (fate, flight.from < flight.to) {
            (Fate::Lost, _) => ("middle", (to.0, to.1.saturating_sub(8))),
            (_, true) => ("end", (to.0 - 14, to.1 - 6)),
            (_, false) => ("start", (to.0 + 14, to.1 - 6)),
        };
        self.say(at.0, at.1, color, anchor, &words);
    }

    fn finish(mut self, end: usize) -> String {
        let footer = std::mem::take(&mut self.footer);
        let height = end + (footer.len() + 1) * LINE;
        for (line, (color, words)) in (1..).zip(footer) {
            self.say(8, end + line * LINE, color, "start", &words);
        }
        let Picture { shapes, words, width, .. } = self;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" class="steadfast-run" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>.steadfast-run text {{ font: 11px sans-serif; paint-order: stroke; stroke: #ffffff; stroke-width: 6px; stroke-linejoin: round; }}</style>
<defs><marker id="steadfast-tip" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L10 5L0 10z" fill="#222222"/></marker></defs>
<rect width="{width}" height="{height}" fill="#ffffff"/>
{shapes}{words}</svg>
"##
        )
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    ArrivesAndStays,
    Lost,
}

/// A message under way, and the row in which it was sent.
struct Flight {
    from: NodeId,
    to: NodeId,
    packet: Packet,
    sent: usize,
}

/// The messages under way, oldest first.
struct Flights(Vec<Flight>);

fn under_way(state: &ClusterState, sent: usize) -> Vec<Flight> {
    let channels = state.channels().flat_map(|((from, to), packets)| {
        packets.map(move |packet| Flight { from, to, packet: packet.clone(), sent })
    });
    channels.collect()
}

impl Flights {
    fn begin(state: &ClusterState) -> Flights {
        Flights(under_way(state, 0))
    }

    /// Takes out what arrives or is lost in a step, draws it, and adds what is sent. Of equal
    /// messages the oldest goes first.
    fn follow(&mut self, row: usize, action: &Action, after: &ClusterState, to: &mut Picture) {
        self.handle(row, action, to);
        let mut now = under_way(after, row);
        for old in self.0.drain(..) {
            let same = |it: &&mut Flight| {
                it.sent == row && (it.from, it.to, &it.packet) == (old.from, old.to, &old.packet)
            };
            match now.iter_mut().find(same) {
                Some(it) => it.sent = old.sent,
                None => to.arrow(&old, row, Fate::Lost),
            }
        }
        self.0 = now;
    }

    fn handle(&mut self, row: usize, action: &Action, picture: &mut Picture) {
        let (from, to, fate) = match action.step {
            Step::Deliver { from, to, .. } => (from, to, Fate::Arrives),
            Step::Duplicate { from, to, .. } => (from, to, Fate::ArrivesAndStays),
            Step::Drop { from, to, .. } => (from, to, Fate::Lost),
            _ => return,
        };
        let is_it = |it: &Flight| {
            (it.from, it.to) == (from, to) && Some(&it.packet) == action.packet.as_ref()
        };
        if let Some(at) = self.0.iter().position(is_it) {
            picture.arrow(&self.0[at], row, fate);
            if fate != Fate::ArrivesAndStays {
                self.0.remove(at);
            }
        }
    }

    fn end(&self, row: usize, picture: &mut Picture) {
        picture.row = row;
        for (at, it) in self.0.iter().enumerate() {
            let earlier = self.0[..at].iter();
            let queued = earlier.filter(|other| (other.from, other.to) == (it.from, it.to)).count();
            picture.under_way(it, at + 1, queued);
        }
    }
}

#[cfg(test)]
mod tests {
    use stateright::Model;

    use super::*;
    use crate::{replay, script};

    fn drawn(steps: usize) -> String {
        let trace = script("ack-without-epoch").expect("a shipped script");
        let twin = steadfast_guarantees::twins::twin("ack-without-epoch");
        let mut run = replay(&trace, twin);
        let mut states = vec![run.model.init_states().swap_remove(0)];
        let mut actions = Vec::new();
        for step in trace.steps.iter().take(steps) {
            actions.push(Some(run.take(&step.step).expect("a possible step").0));
            states.push(run.state.clone());
        }
        actions.push(None);
        let steps: Vec<_> = states.into_iter().zip(actions).collect();
        svg(&run.model, &steps)
    }

    #[test]
    fn what_a_run_breaks_and_what_is_under_way_stands_below_the_picture() {
        let all = drawn(usize::MAX);
        assert!(all.contains("step 34 BREAKS G5 linearizable"), "{all}");
        assert!(!drawn(33).contains("BREAKS"));
        assert!(drawn(1).contains("(1) under way from n0 to n1: Append e1.n0 t1"));
        assert!(drawn(1).contains("(2) under way from n0 to n2: Append e1.n0 t1"));
    }

    #[test]
    fn an_arrow_is_drawn_for_each_message_that_arrives() {
        let deliveries = |steps: usize| {
            let trace = script("ack-without-epoch").expect("a shipped script");
            let is_delivery = |step: &Step| matches!(step, Step::Deliver { .. });
            trace.steps.iter().take(steps).filter(|it| is_delivery(&it.step)).count()
        };
        for steps in [1, 2, 10, 34] {
            let arrows = drawn(steps).matches("marker-end").count();
            assert_eq!(arrows, deliveries(steps), "after {steps} steps");
        }
    }

    #[test]
    fn a_file_name_cannot_break_the_picture() {
        assert_eq!(escaped("<a&\"b'\u{7}>"), "&lt;a&amp;&quot;b&apos;\u{fffd}&gt;");
    }
}
