//! Who is inside and who waits, decided purely: no clock, no request, no future.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

/// A counted entrance with a bounded queue in front of it: first come, first served.
///
/// Both numbers are one word. While nobody waits, entering is one exchange and leaving one subtraction; the lock is
/// for the queue alone, and the number of those who wait changes only under it.
#[derive(Debug, Default)]
pub struct Gate {
    word: AtomicU64,
    queue: Mutex<Queue>,
}

/// What a [`Gate`] allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many may be inside.
    pub concurrent: u32,
    /// How many may wait.
    pub queue: u32,
}

/// What a [`Gate`] says to one who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Go in, and [`leave`](Gate::leave) afterwards.
    Inside,
    /// Wait; this number says who you are.
    Waiting(u64),
    /// There is no room, inside or in the queue.
    Full,
}

/// Numbers rise, so the queue is sorted. Whoever is in it no longer, and did not quit, is inside.
#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, Option<Waker>)>,
}

impl Gate {
    /// Goes in, or to the end of the queue.
    pub fn enter(&self, bounds: Bounds) -> Entry {
        if self.go_in(bounds) {
            return Entry::Inside;
        }
        if bounds.queue == 0 {
            return Entry::Full;
        }
        let mut queue = self.queue();
        loop {
            // Somebody may have left since.
            if self.go_in(bounds) {
                return Entry::Inside;
            }
            let word = self.word.load(Ordering::Acquire);
            if waiting(word) >= bounds.queue {
                return Entry::Full;
            }
            if waiting(word) == 0 && inside(word) < bounds.concurrent || !self.swap(word, word + 1) {
                continue;
            }
            let number = queue.next;
            queue.next += 1;
            queue.waiting.push_back((number, None));
            return Entry::Waiting(number);
        }
    }

    /// Goes in whatever the bounds are. Says whether they allow it.
    pub fn enter_anyway(&self, bounds: Bounds) -> bool {
        let before = self.word.fetch_add(ONE_INSIDE, Ordering::AcqRel);
        inside(before) < bounds.concurrent.saturating_add(bounds.queue)
    }

    /// Whether the turn of one who waits has come; else the waker is told when it has.
    pub fn is_turn_of(&self, number: u64, waker: &Waker) -> bool {
        let mut queue = self.queue();
        let Some(place) = queue.place_of(number) else { return true };
        let told = &mut queue.waiting[place].1;
        if !told.as_ref().is_some_and(|told| told.will_wake(waker)) {
            *told = Some(waker.clone());
        }
        false
    }

    /// One who waits goes away. If its turn had come meanwhile, it leaves, and the next goes in.
    pub fn quit(&self, number: u64, bounds: Bounds) {
        let mut queue = self.queue();
        match queue.place_of(number) {
            Some(place) => {
                queue.waiting.remove(place);
                self.word.fetch_sub(1, Ordering::AcqRel);
            }
            None => {
                drop(queue);
                self.leave(bounds);
            }
        }
    }

    /// One who is inside leaves, and the first who waits goes in.
    pub fn leave(&self, bounds: Bounds) {
        let before = self.word.fetch_sub(ONE_INSIDE, Ordering::AcqRel);
        if waiting(before) == 0 {
            return;
        }
        while let Some(waker) = self.hand_over(bounds) {
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// How many are inside, and how many wait.
    pub fn count(&self) -> (u32, u32) {
        let word = self.word.load(Ordering::Acquire);
        (inside(word), waiting(word))
    }

    fn go_in(&self, bounds: Bounds) -> bool {
        let mut word = self.word.load(Ordering::Acquire);
        while waiting(word) == 0 && inside(word) < bounds.concurrent {
            let next = word + ONE_INSIDE;
            match self.word.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(changed) => word = changed,
            }
        }
        false
    }

    /// Moves the first of the queue inside, if there is room; its waker, if it has one already.
    fn hand_over(&self, bounds: Bounds) -> Option<Option<Waker>> {
        let mut queue = self.queue();
        loop {
            let word = self.word.load(Ordering::Acquire);
            if waiting(word) == 0 || inside(word) >= bounds.concurrent {
                return None;
            }
            if self.swap(word, word + ONE_INSIDE - 1) {
                return queue.waiting.pop_front().map(|(_, waker)| waker);
            }
        }
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn place_of(&self, number: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&number, |&(number, _)| number).ok()
    }
}

const fn inside(word: u64) -> u32 {
    (word >> 32) as u32
}

const fn waiting(word: u64) -> u32 {
    word as u32
}

const ONE_INSIDE: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use proptest::prelude::*;

    use super::*;

    /// The plain form of a gate.
    #[derive(Default)]
    struct Model {
        inside: Vec<u64>,
        waiting: VecDeque<u64>,
    }

    impl Model {
        fn enter(&mut self, who: u64, bounds: Bounds) -> Option<bool> {
            if self.waiting.is_empty() && self.inside.len() < bounds.concurrent as usize {
                self.inside.push(who);
                return Some(true);
            }
            if self.waiting.len() >= bounds.queue as usize {
                return None;
            }
            self.waiting.push_back(who);
            Some(false)
        }

        fn go(&mut self, who: u64, bounds: Bounds) {
            self.inside.retain(|&other| other != who);
            self.waiting.retain(|&other| other != who);
            while self.inside.len() < bounds.concurrent as usize
                && let Some(next) = self.waiting.pop_front()
            {
                self.inside.push(next);
            }
        }
    }

    proptest! {
        /// First come, first served, within both bounds, whoever leaves or gives up and when.
        #[test]
        fn does_what_a_plain_queue_does(
            concurrent in 1_u32..4,
            queue in 0_u32..4,
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200),
        ) {
            let bounds = Bounds { concurrent, queue };
            let (gate, mut model) = (Gate::default(), Model::default());
            // Who is there, in the order of coming, with the number that the gate gave to those who had to wait.
            let mut present: Vec<(u64, Option<u64>)> = Vec::new();
            for (who, (comes, index)) in (0..).zip(steps) {
                if comes || present.is_empty() {
                    let entry = gate.enter(bounds);
                    match model.enter(who, bounds) {
                        None => prop_assert_eq!(entry, Entry::Full),
                        Some(true) => {
                            prop_assert_eq!(entry, Entry::Inside);
                            present.push((who, None));
                        }
                        Some(false) => {
                            let Entry::Waiting(number) = entry else { panic!("expected to wait: {entry:?}") };
                            present.push((who, Some(number)));
                        }
                    }
                } else {
                    let (who, number) = present.remove(index.index(present.len()));
                    match number {
                        Some(number) => gate.quit(number, bounds),
                        None => gate.leave(bounds),
                    }
                    model.go(who, bounds);
                }
                prop_assert_eq!(gate.count(), (model.inside.len() as u32, model.waiting.len() as u32));
                for &(who, number) in &present {
                    let is_inside = number.is_none_or(|number| gate.is_turn_of(number, Waker::noop()));
                    prop_assert_eq!(is_inside, model.inside.contains(&who));
                }
            }
        }
    }

    #[test]
    fn threads_never_pass_the_bound_and_everybody_gets_out() {
        const BOUNDS: Bounds = Bounds { concurrent: 3, queue: 2 };
        let (gate, inside, most) = (Gate::default(), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (gate, inside, most) = (&gate, &inside, &most);
                scope.spawn(move || {
                    for round in 0..5_000 {
                        match gate.enter(BOUNDS) {
                            Entry::Full => continue,
                            Entry::Waiting(number) if (round + thread) % 3 == 0 => {
                                gate.quit(number, BOUNDS);
                                continue;
                            }
                            Entry::Waiting(number) => {
                                while !gate.is_turn_of(number, Waker::noop()) {
                                    std::thread::yield_now();
                                }
                            }
                            Entry::Inside => {}
                        }
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        gate.leave(BOUNDS);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(gate.count(), (0, 0));
    }

    #[test]
    fn whoever_only_counts_says_what_the_bounds_would_have_said() {
        let (gate, bounds) = (Gate::default(), Bounds { concurrent: 1, queue: 1 });
        assert_eq!([(); 3].map(|()| gate.enter_anyway(bounds)), [true, true, false]);
        assert_eq!(gate.count(), (3, 0));
        gate.leave(bounds);
        assert_eq!(gate.enter(bounds), Entry::Waiting(0), "bounds that became smaller hold from now on");
    }
}
