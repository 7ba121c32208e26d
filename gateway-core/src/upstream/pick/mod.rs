//! [`Pick`]: which endpoint gets the next request.
//!
//! A picker is a plain value over a plain list. It needs no upstream, no runtime and no clock of its own, so it can be
//! used for anything that is chosen again and again:
//!
//! ```
//! use gateway_core::upstream::pick::{Ask, Candidate, Candidates, Pick, RoundRobin};
//!
//! let candidates = Candidates::new([Candidate::new("a").weight(2), Candidate::new("b")]);
//! let turns = RoundRobin::default();
//! let picked: Vec<_> = (0..6).filter_map(|_| turns.pick(&Ask::of(&candidates))).collect();
//! assert_eq!(picked, [0, 1, 0, 0, 1, 0]);
//! ```
//!
//! | picker | the next one is | promise |
//! | --- | --- | --- |
//! | [`RoundRobin`] | in turn, by weight | exact over a cycle |
//! | [`Draw`] | drawn, by weight | within 2 % over 10^5 picks |
//! | [`LeastRequests`] | the one with the fewest requests under way for its weight | looks at all of them |
//! | [`PowerOfTwo`] | the less busy of two drawn ones | looks at two, however many there are |
//! | [`PeakEwma`] | the one of two that probably answers sooner | a slow one gets nearly nothing |
//! | [`RingHash`] | always the same for a key | a share is within 40 % of its promise; of a hundred endpoints, one that goes moves its own keys only |
//! | [`Maglev`] | always the same for a key | a share is within 2 % of its promise; one that goes moves its own keys and at most 5 % of the others |
//!
//! No picker locks, waits or allocates. [`Policy`] names them all and makes the one for a list.

mod candidate;
mod draw;
mod hash;
mod least_requests;
mod load;
mod maglev;
mod peak_ewma;
mod policy;
mod power_of_two;
mod ring;
mod round_robin;
#[cfg(test)]
mod tests;

use std::fmt;

pub use candidate::{Candidate, Candidates, Tried, Usable};
pub use draw::Draw;
pub use hash::{Affinity, KeyHash};
pub use least_requests::LeastRequests;
pub use load::{Load, UnderWay};
pub use maglev::Maglev;
pub use peak_ewma::PeakEwma;
pub use policy::{HashPolicy, Policy};
pub use power_of_two::PowerOfTwo;
pub use ring::RingHash;
pub use round_robin::RoundRobin;

/// Picks one of several candidates, again and again.
pub trait Pick: Send + Sync + fmt::Debug {
    /// The place of the next one in the list that was asked about, among those that are [open](Ask::is_open); `None`
    /// if none is.
    fn pick(&self, ask: &Ask<'_>) -> Option<usize>;
}

/// A question to a picker.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    candidates: &'a Candidates,
    usable: Option<&'a Usable>,
    tried: Option<&'a Tried>,
    key: Option<u64>,
    now: u64,
}

impl<'a> Ask<'a> {
    /// Which of these is next? All of them are open.
    #[must_use]
    pub fn of(candidates: &'a Candidates) -> Self {
        Self { candidates, usable: None, tried: None, key: None, now: 0 }
    }

    /// Only these are open.
    #[must_use]
    pub fn usable(mut self, usable: &'a Usable) -> Self {
        self.usable = Some(usable);
        self
    }

    /// These were asked already.
    #[must_use]
    pub fn except(mut self, tried: &'a Tried) -> Self {
        self.tried = Some(tried);
        self
    }

    /// The [hash](KeyHash) by which the same candidate is picked again.
    #[must_use]
    pub fn key(mut self, key: Option<u64>) -> Self {
        self.key = key;
        self
    }

    /// The time, in nanoseconds of the clock that the candidates' [`Load`] knows.
    #[must_use]
    pub fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    /// The list.
    #[must_use]
    pub fn candidates(&self) -> &'a Candidates {
        self.candidates
    }

    /// The hash of the request's key, if there is one.
    #[must_use]
    pub fn hash(&self) -> Option<u64> {
        self.key
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Whether the candidate at this place may be picked.
    #[must_use]
    pub fn is_open(&self, place: usize) -> bool {
        self.usable.is_none_or(|usable| usable.has(place))
            && self.tried.is_none_or(|tried| !tried.has(place))
            && self.candidates.get(place).is_some_and(|candidate| candidate.its_weight() > 0)
    }

    /// The weight of the candidate at this place, now; see [`Candidate::weight_at`].
    pub(crate) fn weight(&self, place: usize) -> u64 {
        self.candidates.get(place).map_or(0, |candidate| candidate.weight_at(self.now))
    }

    /// The greatest weight that one of them can have.
    pub(crate) fn heaviest(&self) -> u64 {
        self.usable.map_or_else(|| self.candidates.heaviest(), |usable| usable.heaviest(self.candidates))
    }

    /// The places that are open, the first of them at or after `from`.
    pub(crate) fn open_from(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let all = self.candidates.len();
        (0..all).map(move |turn| (from + turn) % all.max(1)).filter(|&place| self.is_open(place))
    }
}
