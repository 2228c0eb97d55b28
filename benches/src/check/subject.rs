//! A system that is searched.

use std::fmt;
use std::str::FromStr;

/// The verifier for Spin has no more.
pub(super) const RESOURCES_MAX: u16 = 10;

const COMMIT: &str = "two-phase-commit-";

/// A system that is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The cluster within a shipped scope.
    Scope(String),
    /// Two-phase commit with this number of resource managers.
    TwoPhaseCommit(u16),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Scope(name) => f.write_str(name),
            Subject::TwoPhaseCommit(resources) => write!(f, "{COMMIT}{resources}"),
        }
    }
}

impl FromStr for Subject {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let resources = text.strip_prefix(COMMIT).and_then(|it| it.parse().ok());
        Ok(resources.map_or_else(|| Subject::Scope(text.to_owned()), Subject::TwoPhaseCommit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for subject in [Subject::Scope("two-reads".to_owned()), Subject::TwoPhaseCommit(8)] {
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
    }
}
