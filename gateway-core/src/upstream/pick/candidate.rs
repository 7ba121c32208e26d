use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Load;

/// One of those that a picker chooses from.
#[derive(Clone)]
pub struct Candidate {
    name: Arc<str>,
    weight: u32,
    priority: u8,
    zone: Option<Arc<str>>,
    load: Arc<Load>,
}

impl Candidate {
    /// Full weight, in the units of [`weight_at`](Self::weight_at).
    pub const FULL: u64 = 1_000;

    /// A candidate of weight 1 in the first group. The name tells it from others, also in the next list; hashes are
    /// made of it.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), weight: 1, priority: 0, zone: None, load: Arc::default() }
    }

    /// Its share, relative to the others. 0: none.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Its group: 0 comes first, the others are for when too few of it are left.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Where it stands.
    #[must_use]
    pub fn zone(mut self, zone: Option<Arc<str>>) -> Self {
        self.zone = zone;
        self
    }

    /// What is known of it, if that is known already.
    #[must_use]
    pub fn known(mut self, load: &Arc<Load>) -> Self {
        self.load = Arc::clone(load);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its weight when it is warm.
    #[must_use]
    pub fn its_weight(&self) -> u32 {
        self.weight
    }

    /// Its group.
    #[must_use]
    pub fn its_priority(&self) -> u8 {
        self.priority
    }

    /// Its zone.
    #[must_use]
    pub fn its_zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// What it has to do.
    #[must_use]
    pub fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// Its weight at this time in thousandths, slow start included.
    #[must_use]
    pub fn weight_at(&self, now: u64) -> u64 {
        u64::from(self.weight) * self.load.warmth(now)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.name, self.weight)
    }
}

/// A list of candidates that does not change; their loads do.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    list: Vec<Candidate>,
    heaviest: u32,
}

impl Candidates {
    /// A list in this order.
    pub fn new(list: impl IntoIterator<Item = Candidate>) -> Self {
        let list: Vec<_> = list.into_iter().collect();
        let heaviest = list.iter().map(Candidate::its_weight).max().unwrap_or_default();
        Self { list, heaviest }
    }

    pub(super) fn heaviest(&self) -> u64 {
        u64::from(self.heaviest) * Candidate::FULL
    }
}

impl Deref for Candidates {
    type Target = [Candidate];

    fn deref(&self) -> &[Candidate] {
        &self.list
    }
}

/// Which places of a list may be picked. It changes while it is read: one atomic word for each 64 places.
#[derive(Debug, Default)]
pub struct Usable {
    words: Box<[AtomicU64]>,
    heaviest: AtomicU64,
}

impl Usable {
    /// None of so many.
    #[must_use]
    pub fn none_of(places: usize) -> Self {
        Self {
            words: (0..places.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            heaviest: AtomicU64::new(0),
        }
    }

    /// All of these.
    #[must_use]
    pub fn all_of(candidates: &Candidates) -> Self {
        let usable = Self::none_of(candidates.len());
        usable.set(candidates, |_| true);
        usable
    }

    /// Whether this place may be picked.
    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        self.words.get(place / 64).is_some_and(|word| word.load(Ordering::Relaxed) >> (place % 64) & 1 == 1)
    }

    /// Says anew for every place whether it may be picked.
    pub fn set(&self, candidates: &Candidates, may: impl Fn(usize) -> bool) {
        let mut heaviest = 0;
        for (index, word) in self.words.iter().enumerate() {
            let mut bits = 0;
            for bit in 0..64 {
                let place = index * 64 + bit;
                if let Some(candidate) = candidates.get(place)
                    && may(place)
                {
                    bits |= 1 << bit;
                    heaviest = heaviest.max(u64::from(candidate.its_weight()));
                }
            }
            word.store(bits, Ordering::Relaxed);
        }
        self.heaviest.store(heaviest, Ordering::Relaxed);
    }

    /// How many may be picked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// While another thread says anew what is usable, the greatest weight may be that of before; then of the list.
    pub(super) fn heaviest(&self, candidates: &Candidates) -> u64 {
        match self.heaviest.load(Ordering::Relaxed) {
            0 => candidates.heaviest(),
            heaviest => heaviest * Candidate::FULL,
        }
    }
}

/// The places that one request has asked already; a few in place, without an allocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    places: [u32; Self::MOST],
    count: usize,
}

impl Tried {
    /// How many it can hold.
    pub const MOST: usize = 8;

    /// Remembers another one. False if it can hold no more.
    pub fn add(&mut self, place: usize) -> bool {
        let (Some(free), Ok(place)) = (self.places.get_mut(self.count), u32::try_from(place)) else {
            return false;
        };
        *free = place;
        self.count += 1;
        true
    }

    /// Whether this place was asked.
    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        self.places[..self.count].iter().any(|&tried| tried as usize == place)
    }

    /// How many were asked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}
