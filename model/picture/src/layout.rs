//! The places of everything: a column per lane, a row per step.

use steadfast_protocol::NodeId;

use crate::marks::{Lane, Mark, marks};
use crate::story::{Change, Fate, Story};

const GUTTER: usize = 56;
const NODE_WIDTH: usize = 214;
const CLIENT_WIDTH: usize = 180;
const ROW_HEIGHT: usize = 28;
/// The height of a line of text.
pub(crate) const LINE: usize = 13;
const TOP: usize = 12;

/// The places of a story's rows and lanes, in pixels.
pub(crate) struct Layout {
    nodes: usize,
    first: usize,
    /// Where each row begins; row 0 is the start, and the last one ends the last step.
    rows: Vec<usize>,
    pub width: usize,
    pub height: usize,
}

impl Layout {
    /// The layout of stories that stand side by side: equal steps are at equal heights.
    pub(crate) fn of(stories: &[&Story]) -> Layout {
        let nodes = stories.iter().map(|it| usize::from(it.nodes)).max().unwrap_or(0);
        let clients = stories.iter().map(|it| it.client_lanes).max().unwrap_or(0);
        let steps = stories.iter().map(|it| it.moments.len()).max().unwrap_or(0);
        let mut rows = vec![TOP, TOP + ROW_HEIGHT];
        let mut y = TOP + ROW_HEIGHT;
        for at in 0..steps {
            let lines = stories.iter().map(|it| lines(it, at)).max().unwrap_or(1);
            y += ROW_HEIGHT.max(lines * LINE + 12);
            rows.push(y);
        }
        let under_way =
            stories.iter().any(|it| it.flights.iter().any(|it| it.fate == Fate::UnderWay));
        Layout {
            nodes,
            first: stories.first().map_or(0, |it| it.first),
            rows,
            width: GUTTER + nodes * NODE_WIDTH + clients * CLIENT_WIDTH,
            height: y + if under_way { 2 * ROW_HEIGHT } else { TOP },
        }
    }

    /// The middle of a lane.
    pub(crate) fn x(&self, lane: Lane) -> usize {
        match lane {
            Lane::Node(node) => GUTTER + node.index() * NODE_WIDTH + 30,
            Lane::Client(at) => GUTTER + self.nodes * NODE_WIDTH + at * CLIENT_WIDTH + 16,
            Lane::All => GUTTER,
        }
    }

    /// The gap between the lanes of a node and the next one: begin and width.
    pub(crate) fn gap(&self, node: NodeId) -> (usize, usize) {
        (self.x(Lane::Node(node)) + 8, NODE_WIDTH - 16)
    }

    /// The line at which a step happens.
    pub(crate) fn y(&self, step: usize) -> usize {
        self.top(step) + 14
    }

    /// Where the row of a step begins.
    pub(crate) fn top(&self, step: usize) -> usize {
        let last = self.rows.len() - 1;
        self.rows[step.saturating_sub(self.first).min(last)]
    }

    /// How high the row of a step is.
    pub(crate) fn row_height(&self, step: usize) -> usize {
        self.top(step + 1).saturating_sub(self.top(step)).max(1)
    }

    /// The end of spans and messages that the last step leaves open.
    pub(crate) fn end(&self) -> usize {
        self.rows.last().copied().unwrap_or(TOP)
    }
}

/// On which line below each other the marks of a row begin on a lane: messages that arrive there
/// take the first one.
pub(crate) fn first_line(story: &Story, changes: &[Change], lane: Lane) -> usize {
    let arrives = changes.iter().any(|it| match it {
        Change::Arrived(at) => {
            let flight = &story.flights[*at];
            Lane::Node(flight.to) == lane && flight.from > flight.to
        }
        _ => false,
    });
    usize::from(arrives)
}

/// How many lines of text stand below each other in a row.
fn lines(story: &Story, at: usize) -> usize {
    let Some(moment) = story.moments.get(at) else {
        return 1;
    };
    let marks: Vec<Mark> = marks(moment, story);
    let across = marks.iter().filter(|it| it.lane == Lane::All).count();
    let on_lane = |mark: &Mark| {
        let before = first_line(story, &moment.changes, mark.lane);
        marks.iter().filter(|it| it.lane == mark.lane).count() + before
    };
    let on_lanes = marks.iter().filter(|it| it.lane != Lane::All).map(on_lane).max();
    on_lanes.unwrap_or(1) + across
}
