use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use gateway_core::key::BucketKey;

use super::{
    rate::{Cell, Left, Rate},
    ticks::Ticks,
};

/// What is counted for all keys: bounded, and nobody can use the bound to get a fresh bucket.
///
/// A bucket is forgotten only when it is full again, which changes nothing for its key. When a shard holds
/// `max_keys / 64` buckets and none is full, new keys share that shard's spare bucket of their limit until some are:
/// a flood of invented keys limits itself, and no key that is over its limit is ever reset.
pub struct Table {
    /// The zero of the buckets' clock.
    epoch: Instant,
    max_keys_per_shard: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    cells: HashMap<BucketKey, Cell, BuildHasherDefault<HashedAlready>>,
    /// No sweep before this moment, so that a full shard costs one sweep a second and not one a request.
    next_sweep: u64,
}

/// One limit's question about one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) key: BucketKey,
    pub(super) rate: Rate,
    /// The name of the limit's spare buckets.
    pub(super) spare: BucketKey,
}

/// The answer to all limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether all have room; only then all were charged, else none was.
    pub(super) passes: bool,
    /// The limit that leaves least, or that is the last to have room again.
    pub(super) tightest: usize,
    /// What the tightest limit leaves: nothing, and the time until a retry, if the request does not pass.
    pub(super) left: Left,
}

/// What to do with a request's charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Charge them.
    Charge,
    /// Charge nothing, and say what would be decided.
    Look,
}

impl Table {
    /// An empty table for at most about `max_keys` buckets.
    #[must_use]
    pub fn new(max_keys: usize, epoch: Instant) -> Self {
        Self {
            epoch,
            max_keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Charges one limit, or says how long until there is room: [`ask`](Self::ask) for the usual case, in which nobody
    /// wants to know what is left.
    #[inline]
    pub(super) fn charge(&self, ask: &Ask, now: Instant) -> Result<(), u64> {
        let now = self.ticks(now);
        let mut shard = self.lock(shard_of(ask.key));
        if let Some(cell) = shard.cells.get_mut(&ask.key) {
            *cell = ask.rate.take(*cell, now)?;
            return Ok(());
        }
        let (slot, cell) = shard.find(*ask, self.max_keys_per_shard, now);
        let after = ask.rate.take(cell, now)?;
        shard.cells.insert(slot, after);
        Ok(())
    }

    /// Asks all limits at once; `None` stands for a limit that does not count this request.
    ///
    /// Every shard that takes part is locked, in the order of the shards, before anything is decided: so either all
    /// limits are charged or none, at one moment, and two requests never wait for each other in a circle. Up to
    /// eight limits allocate nothing.
    pub(super) fn ask(&self, asks: &[Option<Ask>], now: Instant, purpose: Purpose) -> Option<Answer> {
        let now = self.ticks(now);
        match asks {
            [] => None,
            [one] => {
                let ask = (*one)?;
                Some(self.one(ask, self.lock(shard_of(ask.key)), now, purpose))
            }
            few if few.len() <= FEW => self.all(few, &mut [const { Held::new() }; FEW], now, purpose),
            many => self.all(many, &mut many.iter().map(|_| Held::new()).collect::<Vec<_>>(), now, purpose),
        }
    }

    /// How many buckets are held.
    #[must_use]
    pub fn len(&self) -> usize {
        (0..SHARDS).map(|shard| self.lock(shard).cells.len()).sum()
    }

    /// Whether no bucket is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ticks(&self, now: Instant) -> u64 {
        Ticks::NANOS.of(now.saturating_duration_since(self.epoch))
    }

    fn one(&self, ask: Ask, mut shard: MutexGuard<'_, Shard>, now: u64, purpose: Purpose) -> Answer {
        let (slot, cell) = shard.find(ask, self.max_keys_per_shard, now);
        match ask.rate.take(cell, now) {
            Ok(after) => {
                if purpose == Purpose::Charge {
                    shard.cells.insert(slot, after);
                }
                Answer { passes: true, tightest: 0, left: ask.rate.left(after, now) }
            }
            Err(wait) => Answer { passes: false, tightest: 0, left: Left { requests: 0, more_in: wait } },
        }
    }

    fn all<'a>(
        &'a self,
        asks: &[Option<Ask>],
        held: &mut [Held<'a>],
        now: u64,
        purpose: Purpose,
    ) -> Option<Answer> {
        let held = &mut held[..asks.len()];
        for (held, ask) in held.iter_mut().zip(asks) {
            held.shard = ask.map(|ask| shard_of(ask.key));
        }
        self.lock_in_order(held);
        let mut answer: Option<Answer> = None;
        for (index, ask) in asks.iter().enumerate() {
            let Some(ask) = *ask else { continue };
            let owner = owner(held, index);
            let shard = held[owner].guard.as_mut().expect("every shard that takes part is locked");
            let (slot, cell) = shard.find(ask, self.max_keys_per_shard, now);
            let (passes, left) = match ask.rate.take(cell, now) {
                Ok(after) => {
                    held[index].after = Some((slot, after));
                    (true, ask.rate.left(after, now))
                }
                Err(wait) => (false, Left { requests: 0, more_in: wait }),
            };
            let this = Answer { passes, tightest: index, left };
            answer = Some(answer.map_or(this, |answer| answer.tighter(this)));
        }
        if answer.is_some_and(|answer| answer.passes) && purpose == Purpose::Charge {
            for index in 0..held.len() {
                let owner = owner(held, index);
                if let (Some((slot, after)), Some(shard)) = (held[index].after, &mut held[owner].guard) {
                    shard.cells.insert(slot, after);
                }
            }
        }
        answer
    }

    /// Locks each shard once, the one with the lowest number first.
    fn lock_in_order<'a>(&'a self, held: &mut [Held<'a>]) {
        let mut next = held.iter().filter_map(|held| held.shard).min();
        while let Some(shard) = next {
            let first = held.iter_mut().find(|held| held.shard == Some(shard));
            first.expect("the shard is one of theirs").guard = Some(self.lock(shard));
            next = held.iter().filter_map(|held| held.shard).filter(|&other| other > shard).min();
        }
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A limit's part in a request while its shard is locked.
struct Held<'a> {
    shard: Option<usize>,
    /// The shard's lock; the first limit of each shard holds it.
    guard: Option<MutexGuard<'a, Shard>>,
    after: Option<(BucketKey, Cell)>,
}

impl Held<'_> {
    const fn new() -> Self {
        Self { shard: None, guard: None, after: None }
    }
}

/// Who holds the lock for this one.
fn owner(held: &[Held<'_>], index: usize) -> usize {
    held.iter().position(|other| other.shard == held[index].shard).unwrap_or(index)
}

impl Answer {
    /// The tighter one of two limits' answers; a refusal is tighter than any pass.
    pub(super) fn tighter(self, other: Self) -> Self {
        let is_tighter = match (self.passes, other.passes) {
            (true, true) => {
                (other.left.requests, self.left.more_in) < (self.left.requests, other.left.more_in)
            }
            (false, false) => other.left.more_in > self.left.more_in,
            (passes, _) => passes,
        };
        if is_tighter { other } else { self }
    }
}

impl Shard {
    /// What is kept for this key, and under which name: its own, or that of the spare if there is no room.
    fn find(&mut self, ask: Ask, max_keys: usize, now: u64) -> (BucketKey, Cell) {
        if let Some(&cell) = self.cells.get(&ask.key) {
            return (ask.key, cell);
        }
        let slot = if self.has_room(max_keys, now) { ask.key } else { ask.spare };
        (slot, self.cells.get(&slot).copied().unwrap_or_default())
    }

    fn has_room(&mut self, max_keys: usize, now: u64) -> bool {
        if self.cells.len() >= max_keys && now >= self.next_sweep {
            self.cells.retain(|_, cell| !cell.is_new(now));
            self.next_sweep = now.saturating_add(SWEEP_PAUSE);
        }
        self.cells.len() < max_keys
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The high bits choose the shard, the low bits the slot inside it.
fn shard_of(key: BucketKey) -> usize {
    (key.bits() >> SHARD_SHIFT) as usize
}

/// Takes the bits of a [`BucketKey`] as they are.
#[derive(Default)]
struct HashedAlready(u64);

impl Hasher for HashedAlready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u128(&mut self, bits: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is as well mixed as the whole")]
        let low = bits as u64;
        self.0 = low;
    }
}

pub(super) const SHARDS: usize = 64;
const SHARD_SHIFT: u32 = 128 - SHARDS.ilog2();

/// So many limits at once allocate nothing.
pub(super) const FEW: usize = 8;

/// Nanoseconds between two sweeps of one full shard.
const SWEEP_PAUSE: u64 = 1_000_000_000;
