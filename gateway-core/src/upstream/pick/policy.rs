use std::{fmt, sync::Arc, time::Duration};

use http::request::Parts;

use super::{
    Affinity, Candidates, Draw, KeyHash, LeastRequests, Maglev, PeakEwma, Pick, PowerOfTwo, RingHash,
    RoundRobin,
};
use crate::{Key, random::Random};

/// How an upstream picks. Plain data; [`picker`](Self::picker) makes the picker for a list of candidates.
#[derive(Clone)]
pub struct Policy(Kind);

#[derive(Clone)]
enum Kind {
    RoundRobin(RoundRobin),
    Random(Draw),
    LeastRequests(LeastRequests),
    PowerOfTwo(PowerOfTwo),
    PeakEwma(PeakEwma, Duration),
    Hash { by: HashPolicy, table: Table },
    Custom(Arc<dyn Fn(&Candidates) -> Box<dyn Pick> + Send + Sync>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Ring,
    Maglev,
}

/// By which key, and how strictly.
#[derive(Clone, Debug)]
pub struct HashPolicy {
    key: Key,
    seed: u64,
    affinity: Affinity,
}

impl HashPolicy {
    /// By this key, strictly. A request without it is served in turn.
    #[must_use]
    pub fn by(key: Key) -> Self {
        Self { key, seed: 0, affinity: Affinity::STRICT }
    }

    /// Another seed, the same on all gateways that should agree. 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How strictly a key stays at its endpoint.
    #[must_use]
    pub fn affinity(mut self, affinity: Affinity) -> Self {
        self.affinity = affinity;
        self
    }
}

impl Policy {
    /// In turn, by weight. The default.
    #[must_use]
    pub fn round_robin() -> Self {
        Self(Kind::RoundRobin(RoundRobin::default()))
    }

    /// Drawn, by weight.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(Kind::Random(Draw::new(random)))
    }

    /// The least busy of all.
    #[must_use]
    pub fn least_requests() -> Self {
        Self(Kind::LeastRequests(LeastRequests::default()))
    }

    /// The less busy of two.
    #[must_use]
    pub fn power_of_two(random: &Random) -> Self {
        Self(Kind::PowerOfTwo(PowerOfTwo::new(random)))
    }

    /// The one of two that probably answers sooner; latencies fade within about `decay`.
    #[must_use]
    pub fn peak_ewma(random: &Random, decay: Duration) -> Self {
        Self(Kind::PeakEwma(PeakEwma::new(random, decay), decay))
    }

    /// By key, on a ring.
    #[must_use]
    pub fn ring_hash(by: HashPolicy) -> Self {
        Self(Kind::Hash { by, table: Table::Ring })
    }

    /// By key, in a Maglev table.
    #[must_use]
    pub fn maglev(by: HashPolicy) -> Self {
        Self(Kind::Hash { by, table: Table::Maglev })
    }

    /// Your own, made anew for each list.
    pub fn custom(make: impl Fn(&Candidates) -> Box<dyn Pick> + Send + Sync + 'static) -> Self {
        Self(Kind::Custom(Arc::new(make)))
    }

    /// The picker for this list. What has a state of its own (whose turn it is) goes on where it was.
    #[must_use]
    pub fn picker(&self, candidates: &Candidates) -> Box<dyn Pick> {
        match &self.0 {
            Kind::RoundRobin(turns) => Box::new(turns.clone()),
            Kind::Random(draw) => Box::new(draw.clone()),
            Kind::LeastRequests(least) => Box::new(least.clone()),
            Kind::PowerOfTwo(two) => Box::new(two.clone()),
            Kind::PeakEwma(peak, _) => Box::new(peak.clone()),
            Kind::Hash { by, table: Table::Ring } => Box::new(RingHash::new(candidates, by.affinity)),
            Kind::Hash { by, table: Table::Maglev } => Box::new(Maglev::new(candidates, by.affinity)),
            Kind::Custom(make) => make(candidates),
        }
    }

    /// The hash by which this request is placed, if requests are placed by one.
    #[must_use]
    pub fn key_of(&self, head: &Parts) -> Option<u64> {
        match &self.0 {
            Kind::Hash { by, .. } => KeyHash::of(by.seed, &by.key, head),
            _ => None,
        }
    }

    /// The key, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match &self.0 {
            Kind::Hash { by, .. } => Some(&by.key),
            _ => None,
        }
    }

    /// Within which time latencies fade, for policies that want them.
    #[must_use]
    pub fn wants_latency(&self) -> Option<Duration> {
        match &self.0 {
            Kind::PeakEwma(_, decay) => Some(*decay),
            Kind::Custom(_) => Some(PeakEwma::DECAY),
            _ => None,
        }
    }

    /// Whether it looks at what is under way.
    #[must_use]
    pub fn wants_under_way(&self) -> bool {
        match &self.0 {
            Kind::RoundRobin(_) | Kind::Random(_) => false,
            Kind::LeastRequests(_) | Kind::PowerOfTwo(_) | Kind::PeakEwma(..) | Kind::Custom(_) => true,
            Kind::Hash { by, .. } => by.affinity != Affinity::STRICT,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::round_robin()
    }
}

/// In words, to stand after "to a, b and c".
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::RoundRobin(_) => f.write_str("in turn"),
            Kind::Random(_) => f.write_str("drawn"),
            Kind::LeastRequests(_) => f.write_str("the least busy"),
            Kind::PowerOfTwo(_) => f.write_str("the less busy of two"),
            Kind::PeakEwma(..) => f.write_str("the one of two that answers sooner"),
            Kind::Hash { by, table: Table::Ring } => write!(f, "by {} on a ring", by.key),
            Kind::Hash { by, table: Table::Maglev } => write!(f, "by {} in a table", by.key),
            Kind::Custom(_) => f.write_str("as the application picks"),
        }
    }
}

/// With everything that makes it another policy.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({self}")?;
        match &self.0 {
            Kind::PeakEwma(_, decay) => write!(f, ", {decay:?}")?,
            Kind::Hash { by, .. } => write!(f, ", {:?}, seed {}", by.affinity, by.seed)?,
            _ => {}
        }
        f.write_str(")")
    }
}
