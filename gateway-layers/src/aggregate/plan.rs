use std::{fmt, time::Duration};

use super::Branch;

/// What an aggregated answer is made of. It is checked by [`AggregateLayer::new`](super::AggregateLayer::new).
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) path: Option<String>,
    pub(super) branches: Vec<Branch>,
    pub(super) timeout: Duration,
    pub(super) max_answer: usize,
    pub(super) errors: Option<String>,
}

impl Plan {
    /// 16 branches: what a page is made of, and few enough that one request is not a flood.
    pub const MAX_BRANCHES: usize = 16;
    /// 30 s: as long as a plain upstream may take.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// 4 MiB.
    pub const MAX_ANSWER: usize = 4 << 20;

    /// Answers requests for paths of this pattern, such as `/profile/{id}`; others pass. See
    /// [`Rule::path`](crate::routing::Rule::path).
    pub fn at(pattern: impl Into<String>) -> Self {
        Self { path: Some(pattern.into()), ..Self::everywhere() }
    }

    /// Answers every request.
    #[must_use]
    pub fn everywhere() -> Self {
        Self {
            path: None,
            branches: Vec::new(),
            timeout: Self::TIMEOUT,
            max_answer: Self::MAX_ANSWER,
            errors: Some("_errors".to_owned()),
        }
    }

    /// Adds a branch. Branches are asked all at once, but for those that need a value of another.
    #[must_use]
    pub fn branch(mut self, branch: Branch) -> Self {
        self.branches.push(branch);
        self
    }

    /// How long everything may take, and never longer than the request's own deadline. Branches that are not there by
    /// then have failed. [30 s](Self::TIMEOUT).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest answer, in bytes; past it the client gets 502 `aggregate_too_large`. [4 MiB](Self::MAX_ANSWER).
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// The member of the answer that lists failed branches, if there are any: `_errors`. It is the gateway's alone.
    #[must_use]
    pub fn errors(mut self, member: impl Into<String>) -> Self {
        self.errors = Some(member.into());
        self
    }

    /// Says nothing of failed branches but `x-aggregate: partial`.
    #[must_use]
    pub fn without_errors(mut self) -> Self {
        self.errors = None;
        self
    }
}

/// A plan that cannot be carried out: every mistake in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(pub(super) Vec<String>);

impl PlanError {
    /// Every mistake, each in one sentence that names the branch.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for PlanError {}
