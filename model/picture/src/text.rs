//! A story as text: a space-time diagram of 80 columns.

use std::collections::BTreeMap;

use steadfast_protocol::NodeId;
use steadfast_trace::Step;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::story::{Change, Fate, Moment, Outcome, Role, Story};
use crate::words;

/// The width of the text.
const WIDTH: usize = 80;
/// The column where the lanes begin: after the number of the step.
const LANES: usize = 5;
/// The largest number of lines of changes for a step.
const CHANGES_MAX: usize = 8;

/// Draws a story as text, of 80 columns at most.
#[must_use]
pub fn text(story: &Story) -> String {
    let mut drawing = Drawing::begin(story);
    for moment in &story.moments {
        drawing.moment(moment);
    }
    drawing.end();
    drawing.text
}

struct Drawing<'a> {
    story: &'a Story,
    /// The distance between lanes.
    gap: usize,
    roles: Vec<Role>,
    text: String,
}

impl<'a> Drawing<'a> {
    fn begin(story: &'a Story) -> Self {
        let lanes = usize::from(story.nodes) + story.client_lanes;
        let mut drawing = Drawing {
            story,
            gap: if lanes > 6 { 4 } else { 6 },
            roles: story.start.iter().map(|it| it.role).collect(),
            text: String::new(),
        };
        for (name, value) in &story.about {
            drawing.paragraph(&format!("{name:<9}"), 9, value);
        }
        if story.first > 0 {
            drawing.paragraph("", 0, &format!("steps 1 to {} are left out", story.first));
        }
        drawing.text.push('\n');
        let mut heads = vec![' '; drawing.words_from()];
        for node in NodeId::all(story.nodes) {
            put(&mut heads, drawing.column(node), &node.to_string());
        }
        for at in 0..story.client_lanes {
            put(&mut heads, drawing.client_column(at), if at == 0 { "c" } else { "(c)" });
        }
        drawing.line(&heads, "");
        let lanes = drawing.lanes(story.first, &BTreeMap::new());
        let leads = story.start.iter().zip(NodeId::all(story.nodes));
        let leads: Vec<String> = leads
            .filter(|(it, _)| it.role != Role::Follows)
            .map(|(it, node)| format!("{node} {}", words::role(it.role, &it.epoch)))
            .collect();
        drawing.line(&lanes, &leads.join(", "));
        drawing
    }

    fn column(&self, node: NodeId) -> usize {
        LANES + node.index() * self.gap
    }

    fn client_column(&self, at: usize) -> usize {
        LANES + (usize::from(self.story.nodes) + at) * self.gap
    }

    fn words_from(&self) -> usize {
        self.client_column(self.story.client_lanes)
    }

    /// The lanes in the row of a step, with these signs instead of a lane's own.
    fn lanes(&self, step: usize, signs: &BTreeMap<usize, char>) -> Vec<char> {
        let mut row = vec![' '; self.words_from()];
        for (node, role) in NodeId::all(self.story.nodes).zip(&self.roles) {
            row[self.column(node)] = match role {
                Role::Leads => '#',
                Role::Asks => '?',
                Role::Follows => '|',
                Role::Halted => '!',
                Role::Down => ' ',
            };
        }
        for it in self.story.operations.iter().filter(|it| !it.is_past) {
            let is_open = it.invoked < step && it.ended.is_none_or(|end| end > step);
            if is_open {
                row[self.client_column(it.lane)] = ':';
            }
        }
        for (column, sign) in signs {
            if let Some(place) = row.get_mut(*column) {
                *place = *sign;
            }
        }
        row
    }

    fn moment(&mut self, moment: &Moment) {
        let mut signs = BTreeMap::new();
        if let Some((node, sign)) = sign_of(&moment.step) {
            signs.insert(self.column(node), sign);
        }
        for change in &moment.changes {
            match change {
                Change::Became { node, role, .. } => {
                    if let Some(known) = self.roles.get_mut(node.index()) {
                        *known = *role;
                    }
                }
                Change::Appended { node, .. } => {
                    signs.entry(self.column(*node)).or_insert('o');
                }
                Change::Invoked(at) | Change::Retried(at) => {
                    signs.insert(self.client_column(self.story.operations[*at].lane), 'v');
                }
                Change::Answered { operation, .. } => {
                    let it = &self.story.operations[*operation];
                    let sign = match (it.contradicts, it.outcome) {
                        (true, _) => '!',
                        (_, Outcome::Done) => '^',
                        (_, Outcome::Refused) => 'x',
                        (_, Outcome::Pending | Outcome::Unknown) => '~',
                    };
                    signs.insert(self.client_column(it.lane), sign);
                }
                _ => {}
            }
        }
        let mut row = self.lanes(moment.number, &signs);
        if let Step::Deliver { .. } | Step::Duplicate { .. } | Step::Drop { .. } = moment.step {
            let handled = moment.changes.iter().find_map(|it| match it {
                Change::Arrived(at) | Change::Lost(at) => Some(*at),
                _ => None,
            });
            handled.into_iter().for_each(|at| self.arrow(&mut row, at));
        }
        if let Step::Cut(_) | Step::Heal = moment.step {
            let sign = if moment.step == Step::Heal { '=' } else { '%' };
            row[LANES..].iter_mut().filter(|it| **it == ' ').for_each(|it| *it = sign);
        }
        put(&mut row, 0, &format!("{:>4}", moment.number));
        let after = self.lanes(moment.number + 1, &BTreeMap::new());
        let mut lines = self.wrapped(&moment.words, 0);
        lines.extend(self.changes(moment));
        for (at, words) in lines.iter().enumerate() {
            self.line(if at == 0 { &row } else { &after }, words);
        }
    }

    /// The changes of a step, in lines beside the lanes.
    fn changes(&self, moment: &Moment) -> Vec<String> {
        let told = moment.changes.iter().filter(|it| match it {
            Change::Appended { .. }
            | Change::Synced { .. }
            | Change::Truncated { .. }
            | Change::Trimmed { .. }
            | Change::Became { .. }
            | Change::Shows { .. }
            | Change::Copy { .. }
            | Change::Answered { .. }
            | Change::Broke(_) => true,
            Change::Lost(_) => !matches!(moment.step, Step::Drop { .. }),
            Change::Link { .. }
            | Change::Sent(_)
            | Change::Arrived(_)
            | Change::Invoked(_)
            | Change::Retried(_)
            | Change::Cut(_)
            | Change::Healed => false,
        });
        let mut told: Vec<&Change> = told.collect();
        // A broken guarantee is never left out.
        told.sort_by_key(|it| !matches!(it, Change::Broke(_)));
        let mut lines = Vec::new();
        for change in told.iter().take(CHANGES_MAX) {
            let sign = if matches!(change, Change::Broke(_)) { ">>> " } else { "" };
            lines.extend(self.wrapped(&format!("{sign}{}", words::change(change, self.story)), 2));
        }
        if told.len() > CHANGES_MAX {
            lines.push(format!("  and {} more changes", told.len() - CHANGES_MAX));
        }
        lines
    }

    /// An arrow in the row in which a message ends its way.
    fn arrow(&self, row: &mut [char], at: usize) {
        let flight = &self.story.flights[at];
        let (from, to) = (self.column(flight.from), self.column(flight.to));
        let (low, high) = (from.min(to), from.max(to));
        for place in &mut row[low + 1..high] {
            *place = if *place == ' ' { '-' } else { '+' };
        }
        let before = if from < to { to - 1 } else { to + 1 };
        row[before] = if matches!(flight.fate, Fate::Lost(_)) {
            'x'
        } else if from < to {
            '>'
        } else {
            '<'
        };
    }

    fn end(&mut self) {
        let story = self.story;
        let under_way = story.flights.iter().filter(|it| it.fate == Fate::UnderWay);
        let under_way: Vec<String> =
            under_way.map(|it| format!("{} to {}: {}", it.from, it.to, it.label)).collect();
        self.text.push('\n');
        for it in under_way.iter().take(CHANGES_MAX) {
            self.paragraph("under way ", 10, it);
        }
        if under_way.len() > CHANGES_MAX {
            let more = under_way.len() - CHANGES_MAX;
            self.paragraph("", 0, &format!("and {more} more messages under way"));
        }
        for it in &story.breaks {
            let how = if it.is_promised { "BREAKS" } else { "does not keep (not promised here)" };
            let words =
                format!("{how} {} {}: {}. The rule: {}.", it.id, it.name, it.reason, it.promise);
            self.paragraph(&format!("step {} ", it.step), 2, &words);
        }
        if let Some(why) = &story.ends_early {
            self.paragraph("", 0, &words::clipped(why, 600));
        }
        self.paragraph(
            "",
            0,
            "# leads  ? asks to lead  | follows  o appends  = syncs  X crashes  R recovers  \
             T timeout  v asked  ^ answered  ~ unknown  x refused or lost  ! contradicts",
        );
    }

    fn paragraph(&mut self, head: &str, indent: usize, words: &str) {
        let mut lines = wrap(&format!("{head}{words}"), WIDTH, indent);
        // A head may end in spaces that wrapping would drop.
        if let Some(first) = lines.first_mut()
            && head.ends_with("  ")
        {
            let rest = wrap(words, WIDTH - head.len(), 0);
            *first = format!("{head}{}", rest.first().map_or("", String::as_str));
            lines.truncate(1);
            lines.extend(rest.into_iter().skip(1).map(|it| format!("{}{it}", " ".repeat(indent))));
        }
        lines.iter().for_each(|it| self.text += &format!("{}\n", it.trim_end()));
    }

    fn wrapped(&self, words: &str, indent: usize) -> Vec<String> {
        wrap(words, WIDTH - self.words_from(), indent)
    }

    fn line(&mut self, lanes: &[char], words: &str) {
        let line = format!("{}{words}", lanes.iter().collect::<String>());
        self.text += &format!("{}\n", line.trim_end());
    }
}

/// The sign of a step on the lane of its node.
fn sign_of(step: &Step) -> Option<(NodeId, char)> {
    match step {
        Step::Sync { node } => Some((*node, '=')),
        Step::Crash { node, .. } => Some((*node, 'X')),
        Step::Rollback { node, .. } => Some((*node, '<')),
        Step::Replace { node } => Some((*node, '#')),
        Step::Recover { node } => Some((*node, 'R')),
        Step::Timeout { node } => Some((*node, 'T')),
        Step::Tick { node }
        | Step::Store { node }
        | Step::Transfer { node, .. }
        | Step::LinkUp { node, .. }
        | Step::LinkDown { node, .. }
        | Step::Rot { node, .. }
        | Step::LoseContent { node, .. }
        | Step::Trim { node }
        | Step::Checkpoint { node }
        | Step::Scrub { node, .. } => Some((*node, '*')),
        Step::Deliver { .. }
        | Step::Write { .. }
        | Step::Retry { .. }
        | Step::Read { .. }
        | Step::StaleRead { .. }
        | Step::Cut(_)
        | Step::Heal
        | Step::Drop { .. }
        | Step::Duplicate { .. } => None,
    }
}

fn put(row: &mut Vec<char>, at: usize, text: &str) {
    for (place, letter) in (at..).zip(text.chars()) {
        if place >= row.len() {
            row.resize(place + 1, ' ');
        }
        row[place] = letter;
    }
}

/// Lines of at most `width` columns, all but the first indented. A word that is wider is broken.
fn wrap(words: &str, width: usize, indent: usize) -> Vec<String> {
    let pad = " ".repeat(indent);
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.last().map_or(0, |it| it.width());
        if line > indent && line + 1 + word.width() > width {
            lines.push(pad.clone());
        }
        let Some(line) = lines.last_mut() else {
            return lines;
        };
        if line.width() > 0 && *line != pad {
            line.push(' ');
        }
        for letter in word.chars() {
            let line = lines.last().map_or(0, |it| it.width());
            if line + letter.width().unwrap_or(0) > width {
                lines.push(pad.clone());
            }
            lines.last_mut().into_iter().for_each(|it| it.push(letter));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_width_whatever_is_written() {
        for words in ["a few short words", "wide: 漢字漢字漢字漢字漢字漢字", &"x".repeat(99), ""]
        {
            for line in wrap(words, 10, 2) {
                assert!(line.width() <= 10, "{line:?}");
            }
        }
        assert_eq!(wrap("one two three", 8, 2), ["one two", "  three"]);
    }
}
