//! Verdicts on guarantees.

use std::fmt;

use serde::Serialize;
use steadfast_guarantees::GuaranteeId;
use steadfast_protocol::{NodeId, Settings};

/// A place in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The node.
    #[serde(serialize_with = "as_text")]
    pub node: NodeId,
    /// The number of the start of its process, from 1.
    pub start: u64,
    /// The number of the input within the start, from 1; 0 for the start itself.
    pub input: u64,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { node, start, input } = self;
        match input {
            0 => write!(f, "{node}, start {start}"),
            _ => write!(f, "{node}, start {start}, input {input}"),
        }
    }
}

fn as_text<S: serde::Serializer>(node: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(node)
}

/// The verdict on one guarantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// It holds wherever it was judged.
    Kept,
    /// It does not hold.
    Broken,
    /// It is not promised with the settings of the cluster.
    Unpromised,
    /// The recordings do not suffice to judge it.
    Unjudged,
}

/// A guarantee, and how it was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The short id, such as G1.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
    /// The verdict.
    pub finding: Finding,
    /// How often it was judged.
    pub times: u64,
    /// The basis of the verdict, in words.
    pub basis: String,
    /// Of a broken guarantee, the first place where it was found broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finding = match self.finding {
            Finding::Kept => "kept",
            Finding::Broken => "BROKEN",
            Finding::Unpromised => "-",
            Finding::Unjudged => "not judged",
        };
        let basis = match self.finding {
            Finding::Kept => format!("judged {}", self.basis),
            _ => self.basis.clone(),
        };
        write!(f, "{:<4} {:<32} {finding:<11} {basis}", self.id, self.name)?;
        match &self.at {
            Some(at) => writeln!(f, "; found at {at}"),
            None => writeln!(f),
        }
    }
}

/// How much was judged.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Inputs that changed a node or answered a client.
    pub steps: u64,
    pub states: u64,
    pub answers: u64,
    /// States at rest with a leader.
    pub rests: u64,
    pub operations: u64,
    pub has_one_clock: bool,
    /// Whether some log was older than its recording.
    pub has_older_entries: bool,
}

impl Judged {
    pub(super) fn of(
        id: GuaranteeId,
        settings: Settings,
        broken: Option<&Moment>,
        tally: &Tally,
    ) -> Judged {
        use GuaranteeId as G;
        let Tally { steps, states, answers, rests, operations, .. } = tally;
        let (times, basis) = match id {
            G::AckedWritesSurvive => {
                (answers + states, format!("{answers} answers, {states} states"))
            }
            G::ReplicasConverge | G::Settles => {
                (*rests, format!("{rests} states at rest with a leader"))
            }
            G::Linearizable => (*operations, format!("the order of {operations} operations")),
            G::ContentIsExact => (*states, format!("{states} states")),
            id if id.guarantee().is_own() => (*states, format!("{states} states")),
            _ => (*steps, format!("{steps} steps")),
        };
        let unjudged = match id {
            G::ReplicasConverge | G::Settles if *rests == 0 => {
                Some("the recordings never show the cluster at rest with a leader")
            }
            G::Linearizable if !tally.has_one_clock => {
                Some("the nodes ran on several machines, whose clocks do not order operations")
            }
            _ => None,
        };
        let finding = match (broken, unjudged) {
            _ if !id.guarantee().is_promised(settings) => Finding::Unpromised,
            (Some(_), _) => Finding::Broken,
            (None, Some(_)) => Finding::Unjudged,
            (None, None) => Finding::Kept,
        };
        let mut basis = unjudged.map_or(basis, str::to_owned);
        if finding == Finding::Unpromised {
            basis = "not promised with these settings".to_owned();
        }
        if tally.has_older_entries && finding == Finding::Kept {
            basis += "; entries older than the recordings count as asked for";
        }
        let at = broken.copied();
        Judged { id: id.short(), name: id.name(), finding, times, basis, at }
    }
}
