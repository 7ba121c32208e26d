//! [`Store`]: all that a cache remembers.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    time::Instant,
};

use gateway_core::{Clock, store::memory::MemoryStore};
use http::request::Parts;

use super::{
    Partition,
    entry::Entry,
    flight::Flights,
    key::{Identity, Name, mixed},
    marks::Marks,
    reuse::Found,
    targets::Targets,
};

/// Stored answers, bounded by the bytes that they take with heads and keys, and what is known about requests that are
/// under way. Past the bound the answers that are asked for least go first.
pub struct Store {
    pub(super) targets: Targets,
    pub(super) flights: Arc<Flights>,
    pub(super) marks: Marks,
    answers: MemoryStore<Name, Arc<Slot>, BuildHasherDefault<HashedAlready>>,
    max_bytes: u64,
}

/// All that is stored under one name: answers to requests that differ in what `Vary` names.
struct Slot {
    identity: Identity,
    /// The last one is the youngest.
    variants: Vec<Arc<Entry>>,
}

impl Store {
    /// An empty store for at most so many bytes.
    #[must_use]
    pub fn new(max_bytes: u64, clock: &Clock) -> Self {
        Self {
            targets: Targets::default(),
            flights: Arc::default(),
            marks: Marks::new(clock.now()),
            answers: MemoryStore::new(max_bytes, BuildHasherDefault::default(), |_, slot: &Arc<Slot>| {
                slot.bytes()
            }),
            max_bytes,
        }
    }

    /// The most bytes that it holds.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.answers.bytes()
    }

    /// What is stored for this request, and the name under which requests like it are fetched: of one target, those
    /// that its `Vary` tells apart are different.
    pub(super) fn find(&self, name: Name, head: &Parts, partition: Partition) -> (Found, Name) {
        let Some(slot) = self.answers.get(&name).filter(|slot| slot.identity.is_of(head, partition)) else {
            return (Found::Nothing, name);
        };
        let mut flight = name;
        let mut found = Found::Nothing;
        for entry in slot.variants.iter().rev().filter(|entry| entry.about.is_valid()) {
            if entry.about.vary.matches(&head.headers) {
                return (Found::Stored(Arc::clone(entry)), self.flight(name, entry, head));
            }
            if matches!(found, Found::Nothing) {
                (found, flight) = (Found::OtherVariants, self.flight(name, entry, head));
            }
        }
        (found, flight)
    }

    fn flight(&self, name: Name, entry: &Entry, head: &Parts) -> Name {
        let vary = &entry.about.vary;
        if vary.is_empty() { name } else { mixed(name, |part| vary.parts(&head.headers, part)) }
    }

    /// Keeps an answer in place of those that it makes superfluous. Whether it is kept: not if its target was changed
    /// since it was asked for.
    pub(super) fn keep(
        &self,
        name: Name,
        identity: &Identity,
        entry: Arc<Entry>,
        is_replaced: impl Fn(&Entry) -> bool,
    ) -> bool {
        if !entry.about.is_valid() {
            return false;
        }
        self.answers.update(name, |slot| {
            let same = slot.filter(|slot| slot.identity == *identity);
            let mut variants: Vec<_> = same.map(|slot| slot.variants.clone()).unwrap_or_default();
            let younger = |kept: &Entry| {
                kept.about.received() > entry.about.received() && kept.about.vary == entry.about.vary
            };
            if variants.iter().any(|kept| younger(kept) && kept.about.is_valid()) {
                // Two were under way; the older answer came last.
                return Some(Arc::new(Slot { identity: identity.clone(), variants }));
            }
            variants.retain(|kept| {
                kept.about.is_valid() && kept.about.vary != entry.about.vary && !is_replaced(kept)
            });
            if variants.len() >= MOST_VARIANTS {
                variants.remove(0);
            }
            variants.push(entry);
            Some(Arc::new(Slot { identity: identity.clone(), variants }))
        });
        true
    }

    /// Forgets this one answer.
    pub(super) fn forget(&self, name: Name, entry: &Arc<Entry>) {
        self.answers.update(name, |slot| {
            let slot = slot?;
            let others = slot.variants.iter().filter(|kept| !Arc::ptr_eq(kept, entry));
            let variants: Vec<_> = others.cloned().collect();
            (!variants.is_empty()).then(|| Arc::new(Slot { identity: slot.identity.clone(), variants }))
        });
    }

    /// Nothing that was asked for before now is used for this target any more, for nobody (RFC 9111, 4.4). The memory
    /// of what `answer` names is free at once; others' when they are next looked for or pushed out.
    pub(super) fn invalidate(&self, target: Name, answer: Option<Name>) {
        if self.targets.invalidate(target)
            && let Some(answer) = answer
        {
            self.answers.remove(&answer);
        }
    }

    pub(super) fn is_marked(&self, name: Name, now: Instant) -> bool {
        self.marks.is_set(name, now)
    }
}

impl Slot {
    fn bytes(&self) -> u64 {
        let variants: usize = self.variants.iter().map(|entry| entry.bytes()).sum();
        (SLOT + self.identity.len() + variants) as u64
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("max_bytes", &self.max_bytes)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// Takes the bits of a [`Name`] as they are: it is a keyed hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HashedAlready(u64);

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

/// What a slot takes beside what it holds: the map's own entry, the counters of its use, the list.
const SLOT: usize = 256;

/// Answers that are told apart for one target. A client chooses what it says in the fields that `Vary` names, so there
/// has to be an end; real ones differ in a few encodings or languages.
const MOST_VARIANTS: usize = 32;
