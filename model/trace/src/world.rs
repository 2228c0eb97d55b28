//! The surroundings of the nodes: connections, cuts and the rest of the bounds.

use serde::{Deserialize, Serialize};
use steadfast_protocol::{NodeId, NodeSet, SessionId};

use crate::{Bounds, Cut, WriteKind};

/// A connection between two nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The newest session.
    pub session: SessionId,
    /// Whether that session goes on.
    pub alive: bool,
}

/// The surroundings of the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct World {
    /// Per pair of nodes, in the order (0,1), (0,2), (1,2), (0,3), ...
    links: Vec<Link>,
    /// The cut that lasts, if there is one.
    #[serde(with = "tagged_cut")]
    pub cut: Option<Cut>,
    /// The rest of the bounds.
    pub left: Bounds,
    /// How many requests clients have made.
    requests: u64,
}

fn pair(one: NodeId, other: NodeId) -> usize {
    let (low, high) = (one.min(other).index(), one.max(other).index());
    high * high.saturating_sub(1) / 2 + low
}

impl World {
    /// A world without connections.
    #[must_use]
    pub fn new(nodes: u8, bounds: Bounds) -> Self {
        let pairs = usize::from(nodes) * usize::from(nodes.saturating_sub(1)) / 2;
        World { links: vec![Link::default(); pairs], cut: None, left: bounds, requests: 0 }
    }

    /// The same connections and cut, with nothing left of the bounds.
    #[must_use]
    pub fn links_only(&self) -> World {
        World { left: Bounds::default(), requests: 0, ..self.clone() }
    }

    /// The same bounds and requests, without nodes.
    #[must_use]
    pub fn bounds_only(&self) -> World {
        World { links: Vec::new(), cut: None, ..*self }
    }

    /// The number of the next request, from 0.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.requests
    }

    /// Counts a request that a client makes, and says its number.
    pub fn count_request(&mut self) -> u64 {
        let number = self.next_number();
        self.requests += 1;
        number
    }

    /// Uses up one of the events that a bound allows; `None` when none is left.
    pub fn spend(&mut self, bound: impl Fn(&mut Bounds) -> &mut u32) -> Option<()> {
        let left = bound(&mut self.left);
        *left = left.checked_sub(1)?;
        Some(())
    }

    /// Uses up one write of a kind; `None` when none is left.
    pub fn spend_write(&mut self, kind: WriteKind) -> Option<()> {
        self.spend(|left| &mut left.writes)?;
        match kind {
            WriteKind::Put => Some(()),
            WriteKind::Delete => self.spend(|left| &mut left.deletes),
            WriteKind::Resolve | WriteKind::Restore(_) => self.spend(|left| &mut left.resolves),
        }
    }

    /// The connection between two nodes.
    #[must_use]
    pub fn link(&self, one: NodeId, other: NodeId) -> Link {
        self.links[pair(one, other)]
    }

    /// The session between two nodes that goes on.
    #[must_use]
    pub fn session(&self, one: NodeId, other: NodeId) -> Option<SessionId> {
        let link = self.link(one, other);
        link.alive.then_some(link.session)
    }

    /// Whether the connection between two nodes is the same in another world: in both the same
    /// session goes on, or none does.
    #[must_use]
    pub fn has_link_of(&self, other: &World, one: NodeId, two: NodeId) -> bool {
        self.link(one, two) == other.link(one, two)
    }

    /// Whether messages get from one node to another.
    #[must_use]
    pub fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        !self.cut.is_some_and(|cut| cut.loses(from, to))
    }

    /// Begins a session between every two nodes that are up and reach each other, and ends those
    /// of all others.
    pub fn refresh_links(&mut self, up: NodeSet) {
        for high in up.iter().chain((0..8).map(NodeId).filter(|it| !up.contains(*it))) {
            for low in (0..high.0).map(NodeId) {
                let Some(at) = Some(pair(low, high)).filter(|at| *at < self.links.len()) else {
                    continue;
                };
                let connected = up.contains(low)
                    && up.contains(high)
                    && self.reaches(low, high)
                    && self.reaches(high, low);
                let link = &mut self.links[at];
                if connected && !link.alive {
                    link.session = link.session.next();
                }
                link.alive = connected;
            }
        }
    }
}

/// A cut for formats that do not say which fields follow: with the number of its form, which the form
/// of traces does without.
mod tagged_cut {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use steadfast_protocol::NodeSet;

    use crate::{Cut, Directions};

    #[derive(Serialize, Deserialize)]
    enum Tagged {
        Around { side: NodeSet, one_way: bool },
        Links { lost: Directions },
    }

    #[expect(clippy::ref_option, reason = "serde passes the field")]
    pub(super) fn serialize<S: Serializer>(cut: &Option<Cut>, to: S) -> Result<S::Ok, S::Error> {
        let tagged = cut.map(|it| match it {
            Cut::Around { side, one_way } => Tagged::Around { side, one_way },
            Cut::Links { lost } => Tagged::Links { lost },
        });
        tagged.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cut>, D::Error> {
        let tagged = Option::<Tagged>::deserialize(from)?;
        Ok(tagged.map(|it| match it {
            Tagged::Around { side, one_way } => Cut::Around { side, one_way },
            Tagged::Links { lost } => Cut::Links { lost },
        }))
    }
}
