use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, Semaphore};

use super::counts::Counts;

/// How many connections to an endpoint are open, how many may be, and who waits for one.
#[derive(Debug)]
pub(super) struct Places {
    open: AtomicUsize,
    max_open: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
    /// Held by whoever is first in line.
    first: Semaphore,
    /// Tells the first in line that something became free.
    freed: Notify,
    counts: Option<Counts>,
}

impl Places {
    pub(super) fn new(max_open: usize, max_waiting: usize, counts: Option<Counts>) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            max_open,
            waiting: AtomicUsize::new(0),
            max_waiting,
            first: Semaphore::new(1),
            freed: Notify::new(),
            counts,
        })
    }

    pub(super) fn counts(&self) -> Option<&Counts> {
        self.counts.as_ref()
    }

    /// Whether somebody stands in line: who comes now has to stand behind.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// The place of one more connection, if there is one.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<Slot> {
        let more = |open| (open < self.max_open).then_some(open + 1);
        self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        if let Some(counts) = &self.counts {
            counts.open.add(1);
        }
        Some(Slot(Arc::clone(self)))
    }

    /// Something became free. Costs one look when nobody waits.
    pub(super) fn freed(&self) {
        if self.is_awaited() {
            self.freed.notify_one();
        }
    }

    /// Stands in line, first come, first served, until `take` gives something. Dropping the future leaves the line.
    ///
    /// # Errors
    /// When the line is full.
    pub(super) async fn wait<T>(&self, mut take: impl FnMut() -> Option<T>) -> Result<T, LineFull> {
        let more = |waiting| (waiting < self.max_waiting).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).map_err(|_| LineFull)?;
        let _waiting = Waiting(self);
        let _first = self.first.acquire().await.map_err(|_| LineFull)?;
        loop {
            // What becomes free between the look and the wait is remembered by the notice.
            if let Some(taken) = take() {
                return Ok(taken);
            }
            self.freed.notified().await;
        }
    }
}

/// The line is as long as it may be.
#[derive(Debug)]
pub(super) struct LineFull;

struct Waiting<'a>(&'a Places);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The place of an open connection; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Places>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        if let Some(counts) = &self.0.counts {
            counts.open.add(-1);
        }
        self.0.freed();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first_and_who_left_is_not_served() {
        let places = Places::new(1, 3, None);
        let held = places.reserve().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for number in 0..3 {
            let (places, order) = (Arc::clone(&places), Arc::clone(&order));
            waiters.push(tokio::spawn(async move {
                let slot = places.wait(|| places.reserve()).await.unwrap();
                order.lock().unwrap().push(number);
                tokio::time::sleep(Duration::from_millis(1)).await;
                drop(slot);
            }));
            tokio::task::yield_now().await;
        }
        assert!(places.wait(|| places.reserve()).await.is_err(), "the line is full");
        waiters.remove(1).abort();
        tokio::task::yield_now().await;
        drop(held);
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 2]);
        assert!(!places.is_awaited());
        assert!(places.reserve().is_some());
    }
}
