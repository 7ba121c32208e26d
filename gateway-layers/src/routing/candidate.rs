use std::{cmp::Reverse, sync::Arc, time::SystemTime};

use http::request::Parts;

use super::{
    condition::{Condition, Kind},
    methods::Methods,
    regex::Regex,
};

/// One alternative of one rule at its place: what is left to ask once host and path are known.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) entry: u32,
    pub(super) rank: Rank,
    pub(super) methods: Methods,
    pub(super) conditions: Box<[Condition]>,
    /// For the whole path, where the place only knows its beginning.
    pub(super) regex: Option<Box<Regex>>,
    /// The pattern of the path, if parts of it have names.
    pub(super) params: Option<Arc<str>>,
}

/// The precedence of candidates at one place, the smallest first; equal ones go in the order of the list. It is the
/// Gateway API's: a method, then the number of header matches, then of query matches; cookies and the others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    any_method: bool,
    counts: [Reverse<u8>; 4],
}

/// Why a candidate does not serve a request of which it serves the method.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failing<'a> {
    Path(&'a Regex),
    Condition(&'a Condition),
}

impl Rank {
    pub(super) fn of(methods: &Methods, conditions: &[Condition]) -> Self {
        let count = |kind| {
            let count = conditions.iter().filter(|condition| condition.kind() == kind).count();
            Reverse(u8::try_from(count).unwrap_or(u8::MAX))
        };
        Self {
            any_method: methods.is_any(),
            counts: [Kind::Header, Kind::Query, Kind::Cookie, Kind::Other].map(count),
        }
    }
}

impl Candidate {
    /// The first thing that a request does not meet.
    pub(super) fn failing(&self, head: &Parts, now: SystemTime) -> Option<Failing<'_>> {
        if let Some(regex) = self.failing_path(head) {
            return Some(Failing::Path(regex));
        }
        self.conditions.iter().find(|condition| !condition.holds(head, now)).map(Failing::Condition)
    }

    /// Whether the rule is there at all for whoever asks, at this path.
    pub(super) fn is_visible(&self, head: &Parts, now: SystemTime) -> bool {
        let is_hidden = |condition: &Condition| condition.hides() && !condition.holds(head, now);
        self.failing_path(head).is_none() && !self.conditions.iter().any(is_hidden)
    }

    fn failing_path(&self, head: &Parts) -> Option<&Regex> {
        self.regex.as_deref().filter(|regex| !regex.is_match(head.uri.path().as_bytes()))
    }

    /// Whether whatever meets its conditions meets those of `other` too, as far as that can be told.
    pub(super) fn implies(&self, other: &Self) -> bool {
        other.conditions.iter().all(|wanted| self.conditions.iter().any(|one| one.implies(wanted)))
    }
}
