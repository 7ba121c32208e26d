//! What a layer would do with a request, said without doing it.
//!
//! Every deciding layer answers by the same pure function that serves, so an explanation cannot drift from
//! what happens.

use std::{borrow::Cow, fmt};

use http::request::Parts;

/// What a layer would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Pass,
    /// The request is answered here.
    Refuse,
    /// It would be refused, but the layer only audits.
    WouldRefuse,
    /// The layer has nothing to say about this request.
    Skip,
}

impl Verdict {
    /// The word in metrics, logs and explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refuse => "refuse",
            Self::WouldRefuse => "would_refuse",
            Self::Skip => "skip",
        }
    }
}

/// One layer's answer to "what would you do with this request, and why?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The concern, by its feature name.
    pub layer: &'static str,
    /// What it would do.
    pub verdict: Verdict,
    /// Why, in its own words; for people.
    pub why: Cow<'static, str>,
}

impl Explanation {
    /// An explanation in the words of `layer`.
    pub fn new(layer: &'static str, verdict: Verdict, why: impl Into<Cow<'static, str>>) -> Self {
        Self { layer, verdict, why: why.into() }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.layer, self.verdict.as_str(), self.why)
    }
}

/// A layer or a service that can say what it would do with a request head.
pub trait Explain {
    /// Adds what this part and the parts behind it would do, in the order in which a request meets them.
    /// Nothing is counted, charged or sent.
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>);
}
