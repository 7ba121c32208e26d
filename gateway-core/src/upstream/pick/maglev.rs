use super::{
    Affinity, Ask, Candidates, KeyHash, Pick, RoundRobin,
    hash::{fits, mix},
};

/// A key goes to a slot of a table, and each endpoint has slots by its weight, to within one ([Maglev], section 3.4).
///
/// With [65,537](Self::SLOTS) slots and up to 100 endpoints of about equal weight, shares are within 2 % of their
/// promise, and a lookup is one read. An endpoint that is not open leaves its keys evenly to the others, and no other
/// key moves. When the list itself changes the table is made anew: the keys of the one that goes move, and at most 5 % of
/// the others.
///
/// A table has 128 KiB and takes about a millisecond to make. Endpoints past the 65,535th get no key. A request without a
/// key is served in turn.
///
/// [Maglev]: https://research.google/pubs/maglev-a-fast-and-reliable-software-network-load-balancer/
#[derive(Debug)]
pub struct Maglev {
    slots: Box<[u16]>,
    affinity: Affinity,
    keyless: RoundRobin,
}

impl Maglev {
    /// A prime, so that every endpoint's steps reach all slots.
    pub const SLOTS: usize = 65_537;

    /// The table of these candidates. It is made of their names: another order is the same table.
    #[must_use]
    pub fn new(candidates: &Candidates, affinity: Affinity) -> Self {
        let slots = fill(candidates).into();
        Self { slots, affinity, keyless: RoundRobin::default() }
    }

    fn place(&self, hash: u64) -> Option<usize> {
        let slot = self.slots.get(((u128::from(hash) * self.slots.len() as u128) >> 64) as usize)?;
        Some(usize::from(*slot))
    }
}

impl Pick for Maglev {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        let Some(mut key) = ask.hash() else { return self.keyless.pick(ask) };
        let bound = self.affinity.bound(ask);
        let mut open = None;
        for _ in 0..REHASHES {
            if let Some(place) = self.place(key)
                && ask.is_open(place)
            {
                let candidate = ask.candidates().get(place)?;
                if fits(candidate, ask.weight(place), bound) {
                    return Some(place);
                }
                open = open.or(Some(place));
            }
            // The same for every request with this key.
            key = mix(key.wrapping_add(NEXT));
        }
        open.or_else(|| {
            ask.open_from(((u128::from(key) * ask.candidates().len() as u128) >> 64) as usize).next()
        })
    }
}

/// Each endpoint takes its next free slot in turn, the lighter ones not in every round.
fn fill(candidates: &Candidates) -> Vec<u16> {
    let mut takers: Vec<Taker<'_>> = (0..u16::MAX).zip(candidates.iter()).filter_map(Taker::of).collect();
    takers.sort_unstable_by_key(|taker| (taker.name, taker.place));
    let Some(greatest) = takers.iter().map(|taker| taker.weight).max() else { return Vec::new() };
    let mut slots = vec![FREE; Maglev::SLOTS];
    let mut free = Maglev::SLOTS;
    for round in 1_u64.. {
        for taker in &mut takers {
            // It takes `weight` slots in `greatest` rounds.
            if round * taker.weight < (taker.taken + 1) * greatest {
                continue;
            }
            let slot = taker.next_free(&slots);
            slots[slot] = taker.place;
            taker.taken += 1;
            free -= 1;
            if free == 0 {
                return slots;
            }
        }
    }
    slots
}

struct Taker<'a> {
    name: &'a str,
    place: u16,
    weight: u64,
    slot: usize,
    step: usize,
    taken: u64,
}

impl<'a> Taker<'a> {
    fn of((place, candidate): (u16, &'a super::Candidate)) -> Option<Self> {
        let hash = KeyHash::new(0).part(candidate.name().as_bytes()).finish();
        let (high, low) = (hash >> 32, hash & u64::from(u32::MAX));
        let slots = Maglev::SLOTS as u64;
        let weight = u64::from(candidate.its_weight());
        let (slot, step) = ((high % slots) as usize, (low % (slots - 1)) as usize + 1);
        (weight > 0).then_some(Self { name: candidate.name(), place, weight, slot, step, taken: 0 })
    }

    fn next_free(&mut self, slots: &[u16]) -> usize {
        loop {
            let slot = self.slot;
            self.slot = (slot + self.step) % slots.len();
            if slots[slot] == FREE {
                return slot;
            }
        }
    }
}

const FREE: u16 = u16::MAX;

/// So often a key is sent on from an endpoint that is not open before the list is searched.
const REHASHES: u32 = 32;
const NEXT: u64 = 0x9e37_79b9_7f4a_7c15;
