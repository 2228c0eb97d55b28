//! The client operations of a story.

use steadfast_guarantees::{Operation as Told, OperationKind, Status};
use steadfast_protocol::{Content, Intent};

use super::Teller;
use crate::story::{Change, Operation, Outcome};
use crate::{Scene, words};

/// The largest number of client lanes. More concurrent operations share the last one.
const LANES_MAX: usize = 4;

fn outcome(status: Status) -> Outcome {
    match status {
        Status::Pending => Outcome::Pending,
        Status::Done => Outcome::Done,
        Status::Refused => Outcome::Refused,
        Status::Unknown => Outcome::Unknown,
    }
}

impl Teller {
    pub(super) fn begin_operations(&mut self, scene: &dyn Scene) {
        let first = self.story.first;
        for told in scene.cluster().history().operations() {
            self.invoke(first, told);
            if told.status != Status::Pending
                && let Some(operation) = self.story.operations.last_mut()
            {
                operation.is_past = true;
                operation.ended = Some(first);
                operation.outcome = outcome(told.status);
                operation.answer = words::answer(told);
            }
        }
    }

    fn invoke(&mut self, number: usize, told: &Told) {
        if let OperationKind::Write { intent: Intent::Put(Content::Named(content)), .. } =
            &told.kind
        {
            self.contents.insert(*content);
        }
        let lane = self.free_lane();
        self.story.client_lanes = self.story.client_lanes.max(lane + 1);
        self.story.operations.push(Operation {
            number: self.story.operations.len(),
            lane,
            node: told.node,
            path: words::path(&told.path),
            asked: words::asked(told),
            invoked: number,
            retried: Vec::new(),
            ended: None,
            outcome: Outcome::Pending,
            answer: String::new(),
            contradicts: false,
            is_past: false,
        });
    }

    /// The first lane whose operations have all ended.
    fn free_lane(&self) -> usize {
        let open = self.story.operations.iter().filter(|it| it.ended.is_none());
        let taken: Vec<usize> = open.map(|it| it.lane).collect();
        (0..LANES_MAX - 1).find(|it| !taken.contains(it)).unwrap_or(LANES_MAX - 1)
    }

    /// Adds the requests and the answers of a step.
    pub(super) fn follow_operations(
        &mut self,
        number: usize,
        after: &dyn Scene,
        changes: &mut Vec<Change>,
    ) {
        let history = after.cluster().history();
        for (at, told) in history.operations().iter().enumerate() {
            let is_new = at >= self.story.operations.len();
            if is_new {
                self.invoke(number, told);
                changes.push(Change::Invoked(at));
            }
            let status = outcome(told.status);
            let operation = &mut self.story.operations[at];
            let is_retried = operation.outcome != Outcome::Pending && status == Outcome::Pending
                || operation.node != told.node;
            if is_retried {
                operation.retried.push(number);
                operation.node = told.node;
                operation.ended = None;
                operation.is_past = false;
                changes.push(Change::Retried(at));
            }
            if operation.outcome != status || (is_retried && status != Outcome::Pending) {
                operation.outcome = status;
                operation.answer = words::answer(told);
                if status != Outcome::Pending {
                    operation.ended = Some(number);
                    let answer = operation.answer.clone();
                    changes.push(Change::Answered { operation: at, answer });
                }
            }
        }
    }
}
