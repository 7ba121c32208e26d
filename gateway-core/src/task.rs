//! [`Task`]: background work that is never silently dead.
//!
//! Refreshing keys, sweeping a table, watching a file: such work belongs to no request. It runs on the runtime of
//! whoever starts it, ends when its [`Task`] is dropped (with the layer that owns it, so with its graph), and starts
//! again after a panic, later each time, counted and logged.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    Clock,
    meter::{Counter, Meter},
};

/// A running background task; dropping it ends the work at its next await.
pub struct Task {
    name: &'static str,
    running: JoinHandle<()>,
}

impl Task {
    /// Starts the work that `make` makes, on the current tokio runtime. When it panics, `make` is asked again after
    /// [`FIRST_PAUSE`](Self::FIRST_PAUSE), twice as long each time, up to [`LONGEST_PAUSE`](Self::LONGEST_PAUSE); work
    /// that ends by itself is done. Counts `gateway_task_panics_total{task}`.
    ///
    /// # Errors
    /// [`NoRuntime`] outside a tokio runtime: start it with the first request instead of at construction.
    pub fn start<F>(
        name: &'static str,
        clock: &Clock,
        meter: &Meter,
        mut make: impl FnMut() -> F + Send + 'static,
    ) -> Result<Self, NoRuntime>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Handle::try_current().map_err(|_| NoRuntime)?;
        let help = "Panics of background tasks; each started again after a pause.";
        let panics = meter.counter("gateway_task_panics_total", help, &[("task", name)]);
        let clock = clock.clone();
        let running = runtime.spawn(async move {
            let mut pause = Self::FIRST_PAUSE;
            while !finishes(name, &panics, &mut make).await {
                clock.sleep_until(clock.now() + pause).await;
                pause = (pause * 2).min(Self::LONGEST_PAUSE);
            }
        });
        Ok(Self { name, running })
    }

    /// The pause after the first panic.
    pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
    /// The longest pause after a panic: what fails again and again must not fill the log.
    pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
}

/// Whether the work came to its end; it did not if it panicked.
async fn finishes<F: Future<Output = ()>>(
    name: &'static str,
    panics: &Counter,
    make: &mut impl FnMut() -> F,
) -> bool {
    let guarded = async {
        let mut work = pin!(make());
        std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(true),
            Err(_) => Poll::Ready(false),
        })
        .await
    };
    let finished = guarded.await;
    if !finished {
        panics.increment();
        tracing::error!(target: "gateway", task = name, "a background task panicked; it starts again");
    }
    finished
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Nothing can be started here: this is no tokio runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRuntime;

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a background task needs a tokio runtime")
    }
}

impl std::error::Error for NoRuntime {}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn starts_again_after_a_panic_later_each_time_and_ends_with_its_handle() {
        let (meter, starts) = (Meter::default(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&starts);
        let task = Task::start("sweep", &Clock::default(), &meter, move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(start >= 3, "boom");
                std::future::pending().await
            }
        })
        .unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2, "100 ms, then 200 ms");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 4, "it runs now");
        assert!(meter.render().contains("gateway_task_panics_total{task=\"sweep\"} 3"));
        drop(task);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&starts), 1, "the work is gone");
    }

    #[test]
    fn outside_a_runtime_it_says_so() {
        let started = Task::start("x", &Clock::default(), &Meter::default(), || async {});
        assert_eq!(started.unwrap_err(), NoRuntime);
    }
}
