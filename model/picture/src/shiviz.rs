//! A story as a log for ShiViz.
//!
//! ShiViz (Beschastnikh, Wang, Brun, Ernst, "Debugging Distributed Systems", CACM 59(8), 2016) reads
//! two lines an event, the host with its vector clock and the event, as its default
//! parser expects: `(?<host>\S*) (?<clock>{.*})\n(?<event>.*)`. Hosts are the nodes and the client
//! lanes.

use std::collections::BTreeMap;

use crate::story::{Change, Moment, Story};
use crate::words;

type Clock = BTreeMap<String, u64>;

/// A story as a log for ShiViz, which its default parser reads.
#[must_use]
pub fn shiviz(story: &Story) -> String {
    let mut log = Log::default();
    story.moments.iter().for_each(|it| log.moment(story, it));
    log.text
}

#[derive(Default)]
struct Log {
    text: String,
    /// The clock of each host after its last event.
    clocks: BTreeMap<String, Clock>,
    /// The clock of each event, by step and host.
    events: BTreeMap<(usize, String), Clock>,
}

impl Log {
    /// Writes an event that follows its host's last one and all of `causes`.
    fn event(&mut self, step: usize, host: &str, causes: &[(usize, String)], words: &str) {
        let mut clock = self.clocks.get(host).cloned().unwrap_or_default();
        for cause in causes.iter().filter_map(|it| self.events.get(it)) {
            for (host, count) in cause {
                let known = clock.entry(host.clone()).or_default();
                *known = (*known).max(*count);
            }
        }
        *clock.entry(host.to_owned()).or_default() += 1;
        let json = serde_json::to_string(&clock)
            .unwrap_or_else(|error| unreachable!("a map of numbers is JSON: {error}"));
        self.text += &format!("{host} {json}\n{step}. {}\n", words::clipped(words, 300));
        self.clocks.insert(host.to_owned(), clock.clone());
        self.events.insert((step, host.to_owned()), clock);
    }

    fn moment(&mut self, story: &Story, moment: &Moment) {
        let step = moment.number;
        let mut causes = Vec::new();
        for change in &moment.changes {
            match change {
                Change::Invoked(at) | Change::Retried(at) => {
                    let client = client(story, *at);
                    self.event(step, &client, &[], &words::change(change, story));
                    causes.push((step, client));
                }
                Change::Arrived(at) => {
                    let flight = &story.flights[*at];
                    causes.push((flight.sent, flight.from.to_string()));
                }
                _ => {}
            }
        }
        for node in &moment.nodes {
            self.event(step, &node.to_string(), &causes, &moment.words);
        }
        for change in &moment.changes {
            if let Change::Answered { operation, .. } = change {
                let node = story.operations[*operation].node.to_string();
                let client = client(story, *operation);
                self.event(step, &client, &[(step, node)], &words::change(change, story));
            }
        }
    }
}

fn client(story: &Story, operation: usize) -> String {
    format!("client-{}", story.operations[operation].lane + 1)
}
