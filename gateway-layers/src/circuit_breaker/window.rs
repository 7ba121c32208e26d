use std::sync::atomic::{AtomicU64, Ordering};

/// What happened lately, counted without a lock: a ring of [`BUCKETS`] spans of time, each with three counters.
///
/// A counter is one word that holds its count and the stamp of the span and of the circuit's generation for which it
/// counts. Whoever finds an old stamp starts the counter anew with one exchange, so nothing is ever reset, no count
/// is lost between two threads, and a sum simply leaves out what is old.
#[derive(Debug, Default)]
pub(super) struct Window {
    calls: Ring,
    failures: Ring,
    slow: Ring,
}

type Ring = [AtomicU64; BUCKETS as usize];

/// What the window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that ended.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that took too long, whether or not they failed too.
    pub slow: u64,
}

/// One bucket of time in one generation of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Since the clock's zero, in tenths of the window.
    number: u64,
    generation: u16,
}

impl Span {
    /// The span of this length that holds `now`.
    pub(super) fn at(now: u64, length: u64, generation: u16) -> Self {
        Self { number: now / length, generation }
    }

    /// Number and generation, shortened: what they could be mistaken for is 2^24 spans or 4,096 generations away.
    fn stamp(self) -> u64 {
        (self.number & NUMBER_MASK) << GENERATION_BITS | u64::from(self.generation) & GENERATION_MASK
    }

    fn slot(self) -> usize {
        (self.number % BUCKETS) as usize
    }
}

impl Window {
    /// Counts a call that ended well and in time.
    pub(super) fn add_success(&self, span: Span) {
        count(&self.calls, span);
    }

    /// Counts a call that ended.
    pub(super) fn add(&self, span: Span, failed: bool, slow: bool) {
        count(&self.calls, span);
        if failed {
            count(&self.failures, span);
        }
        if slow {
            count(&self.slow, span);
        }
    }

    /// Counts a call as failed that was counted as a success before.
    pub(super) fn spoil(&self, span: Span) {
        count(&self.failures, span);
    }

    /// What was counted in this span and the nine before it, in the same generation.
    pub(super) fn totals(&self, span: Span) -> Totals {
        let calls = sum(&self.calls, span);
        // A call may be spoilt when its success has left the window already.
        Totals { calls, failures: sum(&self.failures, span).min(calls), slow: sum(&self.slow, span) }
    }
}

#[inline]
fn count(ring: &Ring, span: Span) {
    let (cell, stamp) = (&ring[span.slot()], span.stamp());
    let mut seen = cell.load(Ordering::Relaxed);
    // The count cannot reach the stamp: a span lasts a minute at most, and 2^28 calls in it are 4 million a second.
    while seen >> COUNT_BITS != stamp {
        let fresh = stamp << COUNT_BITS | 1;
        match cell.compare_exchange_weak(seen, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(changed) => seen = changed,
        }
    }
    cell.fetch_add(1, Ordering::Relaxed);
}

fn sum(ring: &Ring, span: Span) -> u64 {
    let counted = |cell: &AtomicU64| {
        let word = cell.load(Ordering::Relaxed);
        let stamp = word >> COUNT_BITS;
        let age = span.number.wrapping_sub(stamp >> GENERATION_BITS) & NUMBER_MASK;
        let counts = stamp & GENERATION_MASK == u64::from(span.generation) & GENERATION_MASK && age < BUCKETS;
        if counts { word & COUNT_MASK } else { 0 }
    };
    ring.iter().map(counted).sum()
}

/// The window moves in tenths of its length: fine enough for rates, and ten words a counter.
pub(super) const BUCKETS: u64 = 10;

const COUNT_BITS: u32 = 28;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const GENERATION_BITS: u32 = 12;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const NUMBER_MASK: u64 = (1 << (64 - COUNT_BITS - GENERATION_BITS)) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 100;

    #[test]
    fn forgets_by_tenths_and_with_every_generation() {
        let window = Window::default();
        let at = |now, generation| Span::at(now, LENGTH, generation);
        window.add(at(0, 7), true, false);
        window.add(at(950, 7), false, true);
        assert_eq!(window.totals(at(999, 7)), Totals { calls: 2, failures: 1, slow: 1 });
        assert_eq!(window.totals(at(1_000, 7)), Totals { calls: 1, failures: 0, slow: 1 });
        assert_eq!(window.totals(at(999, 8)), Totals::default());
        window.add(at(1_010, 7), false, false);
        assert_eq!(window.totals(at(1_010, 7)).calls, 2, "the first tenth is written over");
        assert_eq!(window.totals(at(9_000, 7)), Totals::default());
    }

    #[test]
    fn no_count_is_lost_between_threads_that_start_the_same_span() {
        let window = Window::default();
        for round in 0..200 {
            let span = Span::at(round * 100, LENGTH, 0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..25).for_each(|_| window.add(span, true, false)));
                }
            });
            let expected = 100 * (round + 1).min(BUCKETS);
            assert_eq!(window.totals(span), Totals { calls: expected, failures: expected, slow: 0 });
        }
    }
}
