//! Nodes that pass rumours on. A rumour that its receiver knows by now is ignored: its delivery is
//! dead, since nodes forget nothing.

use std::collections::BTreeSet;

use steadfast_search::{Look, Place, Property, Rule, Steps, System};

pub(crate) struct Gossip {
    pub(crate) nodes: u16,
    /// How many rumours there are. Each node begins with one, in turns.
    pub(crate) rumours: u16,
    /// A rumour that node 0 must not hear.
    pub(crate) keeps_secret: Option<u16>,
}

/// Nodes first, then the channels by receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The rumours that it knows, one bit each.
    Node(u32),
    /// Rumours on their way to a node, by sender.
    Inbox(BTreeSet<(u16, u16)>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Learn(u16),
    Send(u16, u16),
    Take(u16, u16),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Tell { from: u16, to: u16, rumour: u16 },
    Deliver { from: u16, to: u16, rumour: u16 },
}

impl Gossip {
    fn inbox(&self, of: u16) -> Place {
        Place(self.nodes + of)
    }

    /// Every node tells its successor and its predecessor.
    fn tells(&self, from: u16) -> [u16; 2] {
        [(from + 1) % self.nodes, (from + self.nodes - 1) % self.nodes]
    }
}

impl System for Gossip {
    type Component = Part;
    type Change = Change;
    type Step = Step;
    type Follow = ();

    fn name(&self) -> String {
        format!("gossip of {} among {}", self.rumours, self.nodes)
    }

    fn initial_states(&self) -> Vec<Vec<Part>> {
        let node = |it| Part::Node(1_u32 << (it % self.rumours));
        let inbox = |_| Part::Inbox(BTreeSet::new());
        vec![(0..self.nodes).map(node).chain((0..self.nodes).map(inbox)).collect()]
    }

    /// For each node to tell, and for each node to hear.
    fn rules(&self) -> u16 {
        2 * self.nodes
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, Part>, steps: &mut Steps<Self>) {
        let of = rule % self.nodes;
        let Part::Node(known) = state[Place(of)] else { unreachable!("nodes come first") };
        let knows = |rumour: u16| known & 1_u32 << rumour != 0;
        if rule < self.nodes {
            for rumour in (0..self.rumours).filter(|it| knows(*it)) {
                for to in self.tells(of) {
                    let Part::Inbox(inbox) = &state[self.inbox(to)] else {
                        unreachable!("an inbox")
                    };
                    if !inbox.contains(&(of, rumour)) {
                        let step = steps.step(Step::Tell { from: of, to, rumour });
                        step.change(self.inbox(to), Change::Send(of, rumour));
                    }
                }
            }
            return;
        }
        let Part::Inbox(inbox) = &state[self.inbox(of)] else { unreachable!("an inbox") };
        for (from, rumour) in inbox {
            let step = steps.step(Step::Deliver { from: *from, to: of, rumour: *rumour });
            step.change(self.inbox(of), Change::Take(*from, *rumour));
            match knows(*rumour) {
                true => step.dead(),
                false => step.change(Place(of), Change::Learn(*rumour)),
            };
        }
    }

    fn changed(&self, component: &Part, change: &Change) -> Part {
        match (component, change) {
            (Part::Node(known), Change::Learn(rumour)) => Part::Node(known | 1_u32 << rumour),
            (Part::Inbox(inbox), Change::Send(from, rumour)) => {
                Part::Inbox(inbox.iter().copied().chain([(*from, *rumour)]).collect())
            }
            (Part::Inbox(inbox), Change::Take(from, rumour)) => {
                Part::Inbox(inbox.iter().copied().filter(|it| *it != (*from, *rumour)).collect())
            }
            _ => unreachable!("no such change"),
        }
    }

    fn properties(&self) -> Vec<Property> {
        vec![
            Property::always("the secret is kept"),
            Property::sometimes("everybody knows everything"),
        ]
    }

    fn holds(&self, property: usize, state: &Look<'_, Part>) -> bool {
        let knows = |node, rumours| matches!(state[Place(node)], Part::Node(known) if known & rumours == rumours);
        match (property, self.keeps_secret) {
            (0, None) => true,
            (0, Some(secret)) => !knows(0, 1_u32 << secret),
            _ => (0..self.nodes).all(|it| knows(it, (1_u32 << self.rumours) - 1)),
        }
    }
}
