use http::request::Parts;

use super::{Ask, Candidate};
use crate::Key;

/// A hash that is the same in every process and on every machine, so that all gateways send a key to the same endpoint.
///
/// Who chooses the key therefore also chooses the endpoint; another seed only hides which one. Where strangers choose
/// it, bound what one endpoint may get with [`Affinity::at_most`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash(u64);

impl KeyHash {
    /// The hash of nothing, with a seed that all gateways share.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(OFFSET ^ seed))
    }

    /// Another part. Parts do not run together.
    #[must_use]
    pub fn part(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        // FNV-1a, and the length to end the part.
        Self((bytes.iter().fold(self.0, step) ^ bytes.len() as u64).wrapping_mul(PRIME))
    }

    /// Spread over all 64 bits.
    #[must_use]
    pub const fn finish(self) -> u64 {
        mix(self.0)
    }

    /// The hash of a request's key; `None` where the request has none.
    #[must_use]
    pub fn of(seed: u64, key: &Key, head: &Parts) -> Option<u64> {
        let mut hash = Self::new(seed);
        key.write(head, |part| hash = hash.part(part))?;
        Some(hash.finish())
    }
}

/// How strictly a key stays at its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Affinity(Option<f64>);

impl Affinity {
    /// As long as the endpoint is open, whatever it has to do. The default.
    pub const STRICT: Self = Self(None);

    /// An endpoint that has more than so many times its fair share of all requests under way passes new ones on to
    /// the next (consistent hashing with bounded loads). At least 1; 1.25 is usual. It costs a look at all endpoints.
    #[must_use]
    pub fn at_most(times_fair_share: f64) -> Self {
        Self(Some(times_fair_share.max(1.0)))
    }

    /// How many requests may be under way for one unit of weight, if that is bounded.
    pub(super) fn bound(self, ask: &Ask<'_>) -> Option<f64> {
        let (mut under_way, mut weight) = (1.0, 0.0);
        let times = self.0?;
        for place in ask.open_from(0) {
            under_way += ask.candidates().get(place).map_or(0.0, |one| f64::from(one.load().under_way()));
            weight += ask.weight(place) as f64;
        }
        (weight > 0.0).then(|| times * under_way / weight)
    }
}

/// Whether one more request fits.
pub(super) fn fits(candidate: &Candidate, weight: u64, bound: Option<f64>) -> bool {
    bound.is_none_or(|bound| f64::from(candidate.load().under_way()) < (bound * weight as f64).ceil())
}

/// The end of `SplitMix64`: every bit of the input decides about every bit of what comes out.
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
