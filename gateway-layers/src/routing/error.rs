use std::fmt;

use super::Witness;

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub(super) index: usize,
    pub(super) rule: String,
    pub(super) part: Part,
    pub(super) message: String,
    pub(super) conflict: Option<Box<Conflict>>,
}

/// The other rule of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) other: String,
    pub(super) witness: Option<Witness>,
}

/// The part of a rule that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Name,
    Host,
    Path,
    Condition,
}

impl RuleError {
    /// Which rule, counted from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The rule's name.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The name of the rule that goes before it, if the two are in conflict.
    #[must_use]
    pub fn other(&self) -> Option<&str> {
        self.conflict.as_ref().map(|conflict| conflict.other.as_str())
    }

    /// A request that shows a conflict: the rule matches it, and the other one serves it. There is none where nobody
    /// could think of one, such as for a test of your own.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        self.conflict.as_ref()?.witness.as_ref()
    }

    #[cfg(feature = "config")]
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// What is wrong with it, without its name.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}`: {}", self.rule, self.message)
    }
}

impl std::error::Error for RuleError {}
