//! Two-phase commit as stateright's own example has it, without symmetry (stateright 0.31,
//! `examples/2pc.rs`, MIT).

use std::collections::BTreeSet;

use stateright::{Model, Property};

#[derive(Clone)]
pub(crate) struct TwoPhaseSys(pub(crate) usize);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct State {
    resources: Vec<Resource>,
    manager: Manager,
    prepared: Vec<bool>,
    messages: BTreeSet<Message>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Message {
    Prepared(usize),
    Commit,
    Abort,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Resource {
    Working,
    Prepared,
    Committed,
    Aborted,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Manager {
    Init,
    Committed,
    Aborted,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    HearPrepared(usize),
    Commit,
    Abort,
    Prepare(usize),
    ChooseAbort(usize),
    HearCommit(usize),
    HearAbort(usize),
}

impl Model for TwoPhaseSys {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            resources: vec![Resource::Working; self.0],
            manager: Manager::Init,
            prepared: vec![false; self.0],
            messages: BTreeSet::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_open = state.manager == Manager::Init;
        if is_open && state.prepared.iter().all(|it| *it) {
            actions.push(Action::Commit);
        }
        if is_open {
            actions.push(Action::Abort);
        }
        for it in 0..self.0 {
            if is_open && state.messages.contains(&Message::Prepared(it)) {
                actions.push(Action::HearPrepared(it));
            }
            if state.resources[it] == Resource::Working {
                actions.push(Action::Prepare(it));
                actions.push(Action::ChooseAbort(it));
            }
            if state.messages.contains(&Message::Commit) {
                actions.push(Action::HearCommit(it));
            }
            if state.messages.contains(&Message::Abort) {
                actions.push(Action::HearAbort(it));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::HearPrepared(it) => state.prepared[it] = true,
            Action::Commit => {
                state.manager = Manager::Committed;
                state.messages.insert(Message::Commit);
            }
            Action::Abort => {
                state.manager = Manager::Aborted;
                state.messages.insert(Message::Abort);
            }
            Action::Prepare(it) => {
                state.resources[it] = Resource::Prepared;
                state.messages.insert(Message::Prepared(it));
            }
            Action::HearCommit(it) => state.resources[it] = Resource::Committed,
            Action::ChooseAbort(it) | Action::HearAbort(it) => {
                state.resources[it] = Resource::Aborted;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::sometimes("all abort", |_, state: &State| {
                state.resources.iter().all(|it| *it == Resource::Aborted)
            }),
            Property::sometimes("all commit", |_, state: &State| {
                state.resources.iter().all(|it| *it == Resource::Committed)
            }),
            Property::always("nobody commits what another one aborts", |_, state: &State| {
                let has = |wanted| state.resources.contains(&wanted);
                !(has(Resource::Aborted) && has(Resource::Committed))
            }),
        ]
    }
}
