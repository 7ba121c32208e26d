//! [`Buffers`]: how much memory bodies may take, per request and for the whole process.
//!
//! A layer that keeps a piece of a body (a retry that may have to send it again, a cache that stores it, a fan-out
//! that merges answers) takes a [`Lease`] and grows it by what it keeps. Where the budget is used up, the layer does
//! what its documents say it does without a buffer; nothing waits for memory.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    Facts,
    meter::{Counter, Gauge, Meter},
};

/// The memory for buffered bodies. Cloning it shares it.
#[derive(Clone)]
pub struct Buffers(Arc<Inner>);

struct Inner {
    total: usize,
    per_request: usize,
    used: AtomicUsize,
    bytes: Gauge,
    refused: Counter,
}

impl Buffers {
    /// 256 MiB: what a gateway on a small machine can spare.
    pub const TOTAL: usize = 256 << 20;
    /// 16 MiB: enough for every buffering layer of one request at its default.
    pub const PER_REQUEST: usize = 16 << 20;

    /// So many bytes for all requests, and at most so many for each.
    #[must_use]
    pub fn new(total: usize, per_request: usize) -> Self {
        let (bytes, refused) = (Gauge::default(), Counter::default());
        Self(Arc::new(Inner { total, per_request, used: AtomicUsize::new(0), bytes, refused }))
    }

    /// Counts in this meter as `gateway_buffered_bytes` and `gateway_buffers_refused_total`. For a budget that is not
    /// in use yet.
    #[must_use]
    pub fn meter(self, meter: &Meter) -> Self {
        let bytes = meter.gauge("gateway_buffered_bytes", "Bytes of bodies that layers hold.", &[]);
        let help = "Times that a layer could not buffer because the budget was used up.";
        let refused = meter.counter("gateway_buffers_refused_total", help, &[]);
        let Inner { total, per_request, .. } = *self.0;
        Self(Arc::new(Inner { total, per_request, used: AtomicUsize::new(0), bytes, refused }))
    }

    /// Bytes in use now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// An empty lease for the request with these facts; without facts only the total counts. Allocates nothing.
    #[must_use]
    pub fn lease(&self, facts: Option<&Facts>) -> Lease {
        Lease { buffers: self.clone(), facts: facts.cloned(), held: 0 }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new(Self::TOTAL, Self::PER_REQUEST)
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers")
            .field("total", &self.0.total)
            .field("per_request", &self.0.per_request)
            .field("used", &self.used())
            .finish()
    }
}

/// What one layer holds for one request; given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    buffers: Buffers,
    facts: Option<Facts>,
    held: usize,
}

impl Lease {
    /// Takes so many bytes more, or none of them.
    ///
    /// # Errors
    /// [`Full`] where the request or the process has no room for them.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let Inner { total, per_request, used, bytes: gauge, refused } = &*self.buffers.0;
        let of_request = self.facts.as_ref().map(Facts::buffered);
        let taken = of_request.is_none_or(|count| take(count, bytes, *per_request));
        if taken && take(used, bytes, *total) {
            self.held += bytes;
            gauge.add(bytes as i64);
            return Ok(());
        }
        if let (true, Some(count)) = (taken, of_request) {
            count.fetch_sub(bytes, Ordering::Relaxed);
        }
        refused.increment();
        Err(Full)
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        let bytes = std::mem::take(&mut self.held);
        self.buffers.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.buffers.0.bytes.add(-(bytes as i64));
        if let Some(facts) = &self.facts {
            facts.buffered().fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

/// The memory for buffered bodies is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the memory for buffered bodies is used up")
    }
}

impl std::error::Error for Full {}

fn take(count: &AtomicUsize, bytes: usize, max: usize) -> bool {
    let room = |now: usize| now.checked_add(bytes).filter(|&after| after <= max);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn a_request_and_the_process_each_have_their_bound_and_get_everything_back() {
        let buffers = Buffers::new(100, 60);
        let facts = || Facts::arrived_at(Clock::default().now());
        let first = facts();
        let (mut one, mut two) = (buffers.lease(Some(&first)), buffers.lease(Some(&first.branch())));
        assert_eq!(one.grow(40), Ok(()));
        assert_eq!(two.grow(30), Err(Full), "the branch belongs to the same request");
        assert_eq!(two.grow(20), Ok(()));
        let mut other = buffers.lease(Some(&facts()));
        assert_eq!(other.grow(50), Err(Full), "the process holds 60 of 100");
        assert_eq!(other.grow(40), Ok(()));
        drop((one, two));
        assert_eq!((buffers.used(), first.buffered().load(Ordering::Relaxed)), (40, 0));
        assert_eq!(buffers.lease(None).grow(usize::MAX), Err(Full));
    }
}
