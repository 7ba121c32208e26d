//! A limit's algorithm with its numbers, and what a table keeps for one key.

use super::{Algorithm, Bucket, Quota, Window, bucket::Refill, ticks::Ticks, window::Span};

/// How one limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Bucket(Refill),
    Window(Span),
}

/// What is kept for one key, whatever the algorithm: 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// From this moment on it is as new, so that forgetting it changes nothing.
    new_at: u64,
    previous: u32,
    current: u32,
}

/// What is left for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many more requests would pass right now.
    pub requests: u32,
    /// In how many ticks there will be more than that; 0 if there is nothing that could come back.
    pub more_in: u64,
}

impl Rate {
    pub(super) fn new(algorithm: Algorithm, quota: Quota, ticks: Ticks) -> Self {
        match algorithm {
            Algorithm::TokenBucket => Self::Bucket(Refill::new(quota, ticks)),
            Algorithm::SlidingWindow => Self::Window(Span::new(quota, ticks)),
        }
    }

    /// Counts one request, or says how long until one passes.
    #[inline]
    pub(super) fn take(self, cell: Cell, now: u64) -> Result<Cell, u64> {
        match self {
            Self::Bucket(refill) => cell.bucket().take(refill, now).map(Cell::from),
            Self::Window(span) => cell.window().take(span, now).map(Cell::from),
        }
    }

    pub(super) fn left(self, cell: Cell, now: u64) -> Left {
        match self {
            Self::Bucket(refill) => cell.bucket().left(refill, now),
            Self::Window(span) => cell.window().left(span, now),
        }
    }
}

impl Cell {
    pub(super) const fn is_new(self, now: u64) -> bool {
        self.new_at <= now
    }

    const fn bucket(self) -> Bucket {
        Bucket { full_at: self.new_at }
    }

    const fn window(self) -> Window {
        Window { over_at: self.new_at, previous: self.previous, current: self.current }
    }
}

impl From<Bucket> for Cell {
    fn from(bucket: Bucket) -> Self {
        Self { new_at: bucket.full_at, ..Self::default() }
    }
}

impl From<Window> for Cell {
    fn from(window: Window) -> Self {
        Self { new_at: window.over_at, previous: window.previous, current: window.current }
    }
}
