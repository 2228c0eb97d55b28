//! Systems that cannot be searched as they are.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::tables::Full;

/// Why a search was given up: the system is not a function of the components that it looks at, or
/// it fails. The findings of such a search are unreliable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A method of the system panicked.
    #[error("{during} panicked: {message}")]
    Panicked {
        /// Which, with its argument.
        during: String,
        /// The message of the panic.
        message: String,
    },
    /// A method looked at the same components twice and did not do the same.
    #[error(
        "{during} does not depend on the state alone: on the same components it gave two different \
         answers; look for a clock, randomness, the order of a hash set, or state of its own"
    )]
    NotDeterministic {
        /// Which, with its argument.
        during: String,
    },
    /// Two components are equal and hash differently.
    #[error("`Eq` and `Hash` disagree: {one} and {other} are equal and hash differently")]
    HashDisagrees {
        /// One component.
        one: String,
        /// The other.
        other: String,
    },
    /// For a state of the sample, the full computation differs from the remembered answers.
    #[error("{during}, computed in full, differs from the remembered answers: {detail}")]
    Differs {
        /// What was computed.
        during: String,
        /// The difference.
        detail: String,
    },
    /// A step changes a place that no state has, or states differ in their number of places.
    #[error("{during} names place {place}, and states have {places} places")]
    NoSuchPlace {
        /// Which method, with its argument.
        during: String,
        /// The place.
        place: usize,
        /// The number of places of the first initial state.
        places: usize,
    },
    /// More follows from a step than [`FOLLOWS_MAX`] allows.
    #[error("{during} does not end: more than {FOLLOWS_MAX} things follow from one step")]
    Endless {
        /// The step.
        during: String,
    },
    /// A step that is claimed to be dead makes a difference. The search is sound without the
    /// reduction, see [`DeadSteps`](crate::DeadSteps).
    #[error("the step {step} is claimed to be dead and makes a difference: {detail}")]
    DeadStepMatters {
        /// The step.
        step: String,
        /// The difference.
        detail: String,
    },
    /// The run that led to a state could not be repeated from the initial states.
    #[error("the run that led to a state cannot be repeated: the system is not deterministic")]
    NotRepeatable,
}

/// The largest number of effects that may follow from one step.
pub const FOLLOWS_MAX: usize = 10_000;

/// Why a lookup or a computation failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A table is full: grow it and try again.
    Full,
    /// The system cannot be searched.
    Flaw(Box<Flaw>),
}

impl From<Full> for Fault {
    fn from(Full: Full) -> Fault {
        Fault::Full
    }
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Fault {
        Fault::Flaw(Box::new(flaw))
    }
}

/// Calls into the system. What it is given is dropped or left as it was when it panics.
pub(crate) fn caught<T>(
    during: impl Fn() -> String,
    call: impl FnOnce() -> T,
) -> Result<T, Box<Flaw>> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| Box::new(Flaw::Panicked { during: during(), message: message(&*panic) }))
}

impl From<Box<Flaw>> for Fault {
    fn from(flaw: Box<Flaw>) -> Fault {
        Fault::Flaw(flaw)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
