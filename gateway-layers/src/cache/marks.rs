//! [`Marks`]: what turned out not to be cacheable, remembered for a moment.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::key::Name;

/// A fixed table of names whose answers were not shared lately: their requests do not wait for each other.
///
/// A name that falls on the place of another takes it. Forgetting costs one wait, and a false memory (one in 2^32)
/// one fetch too many.
pub(super) struct Marks {
    epoch: Instant,
    /// 32 bits of the name and the second until which it counts.
    marks: Box<[AtomicU64]>,
}

impl Marks {
    pub(super) fn new(epoch: Instant) -> Self {
        Self { epoch, marks: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn set(&self, name: Name, now: Instant) {
        let until = self.second(now) + MEMORY.as_secs();
        self.place(name).store(tag(name) | until, Ordering::Relaxed);
    }

    pub(super) fn clear(&self, name: Name) {
        let place = self.place(name);
        let mark = place.load(Ordering::Relaxed);
        if mark & TAG == tag(name) {
            // If another took the place meanwhile, it keeps it.
            let _ = place.compare_exchange(mark, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(super) fn is_set(&self, name: Name, now: Instant) -> bool {
        let mark = self.place(name).load(Ordering::Relaxed);
        mark & TAG == tag(name) && self.second(now) < mark & !TAG
    }

    /// Seconds since the start, counted from 1, so that an empty place is none.
    fn second(&self, now: Instant) -> u64 {
        (now.saturating_duration_since(self.epoch).as_secs() + 1).min(u64::from(u32::MAX) - MEMORY.as_secs())
    }

    fn place(&self, name: Name) -> &AtomicU64 {
        let bits = name as usize;
        &self.marks[bits % PLACES]
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").finish_non_exhaustive()
    }
}

fn tag(name: Name) -> u64 {
    (name >> 64) as u64 & TAG
}

const TAG: u64 = 0xFFFF_FFFF_0000_0000;

/// 32 KiB of memory.
const PLACES: usize = 4096;

/// Long enough that a busy target is asked about seldom, short enough that one that becomes cacheable is noticed.
const MEMORY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use gateway_core::Clock;

    use super::*;

    #[test]
    fn remembers_for_a_moment() {
        let start = Clock::default().now();
        let marks = Marks::new(start);
        let (name, other) = (7 << 96 | 1, 8 << 96 | 1);
        assert!(!marks.is_set(name, start));
        marks.set(name, start);
        assert!(marks.is_set(name, start) && !marks.is_set(other, start));
        assert!(marks.is_set(name, start + Duration::from_secs(9)));
        assert!(!marks.is_set(name, start + MEMORY));
        marks.set(name, start);
        marks.clear(other);
        assert!(marks.is_set(name, start));
        marks.clear(name);
        assert!(!marks.is_set(name, start));
        marks.set(other, start);
        marks.set(name, start);
        assert!(!marks.is_set(other, start), "the place was taken");
        assert!(marks.is_set(name, start.checked_sub(Duration::from_secs(9)).unwrap_or(start)));
    }
}
