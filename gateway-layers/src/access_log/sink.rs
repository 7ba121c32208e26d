use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use gateway_core::meter::{Counter, Meter};

use super::writer;

/// Where lines go. Cloning it shares it.
///
/// Requests append whole lines to a bounded buffer and never wait; one thread writes them out, many at a time. Past
/// the bound, because the sink is slow, full or stuck, lines are dropped and counted. The thread ends when the last
/// clone is gone and the buffer is written.
#[derive(Clone)]
pub struct Sink(Arc<Handle>);

/// Ends the thread when the last clone is dropped.
struct Handle(Arc<Shared>);

pub(super) struct Shared {
    state: Mutex<State>,
    /// Tells the writer that there is something to do, and who flushes that it is done.
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) lines: Vec<u8>,
    pub(super) is_writing: bool,
    pub(super) is_closed: bool,
    pub(super) wants_flush: bool,
    pub(super) counts: Counts,
}

#[derive(Clone, Default)]
pub(super) struct Counts {
    pub(super) dropped: Counter,
    pub(super) write_errors: Counter,
}

impl Sink {
    /// How many bytes of lines wait at most: some thousands of lines, for sinks that pause for a moment.
    pub const CAPACITY: usize = 1 << 20;

    /// The standard output of the process.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(|| Ok(Box::new(io::stdout())))
    }

    /// The standard error of the process.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(|| Ok(Box::new(io::stderr())))
    }

    /// A file; lines are appended. It is opened when the first line comes, and again after an error.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new(move || Ok(Box::new(OpenOptions::new().append(true).create(true).open(&path)?)))
    }

    /// Any writer.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        let mut writer: Option<Box<dyn Write + Send>> = Some(Box::new(writer));
        Self::new(move || writer.take().ok_or_else(|| io::Error::other("the writer failed before")))
    }

    /// The memory, for tests: the second value shows the lines.
    #[must_use]
    pub fn memory() -> (Self, Lines) {
        let lines = Lines::default();
        (Self::writer(lines.clone()), lines)
    }

    fn new(open: impl FnMut() -> io::Result<Box<dyn Write + Send>> + Send + 'static) -> Self {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), capacity: Self::CAPACITY });
        let writing = Arc::clone(&shared);
        let started =
            thread::Builder::new().name("access-log".to_owned()).spawn(move || writer::run(&writing, open));
        if let Err(error) = started {
            tracing::error!(target: "gateway", %error, "the access log has no thread; its lines are dropped");
            shared.state().is_closed = true;
        }
        Self(Arc::new(Handle(shared)))
    }

    /// Counts what is lost in this meter: `gateway_access_log_dropped_total` lines that found the buffer full, and
    /// `gateway_access_log_write_errors_total` writes that failed.
    #[must_use]
    pub fn meter(self, meter: &Meter) -> Self {
        let dropped = "Access log lines that were dropped because the sink is too slow or broken.";
        let errors = "Writes of the access log that failed.";
        self.0.0.state().counts = Counts {
            dropped: meter.counter("gateway_access_log_dropped_total", dropped, &[]),
            write_errors: meter.counter("gateway_access_log_write_errors_total", errors, &[]),
        };
        self
    }

    /// Waits until everything so far is written, at most for this time; a stuck sink must not hold up the end of a
    /// process. Returns whether all was written.
    pub fn flush(&self, at_most: Duration) -> bool {
        let shared = &self.0.0;
        let mut state = shared.state();
        state.wants_flush = true;
        shared.changed.notify_all();
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        let waited = shared.changed.wait_timeout_while(state, at_most, is_busy);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !timeout.timed_out()
    }

    /// Takes a whole line, or drops it. Never waits for the sink.
    pub(super) fn append(&self, line: &[u8]) {
        let shared = &self.0.0;
        let mut state = shared.state();
        if state.is_closed || state.lines.len() + line.len() > shared.capacity {
            state.counts.dropped.increment();
            return;
        }
        let was_empty = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        // The writer sleeps only while there is nothing; then it gathers for a moment, so it is woken rarely.
        if was_empty {
            shared.changed.notify_all();
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) -> &Condvar {
        &self.changed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("waiting_bytes", &self.0.0.state().lines.len()).finish_non_exhaustive()
    }
}

/// The lines of [`Sink::memory`].
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// All lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Blocks until the test lets go.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_sink_holds_up_nobody_and_what_is_lost_is_counted() {
        let meter = Meter::default();
        let (release, stuck) = mpsc::channel();
        let sink = Sink::writer(Stuck(stuck)).meter(&meter);
        let line = [b'x'; 1000];
        for _ in 0..5_000 {
            sink.append(&line);
        }
        assert!(!sink.flush(Duration::from_millis(10)), "the flush gives up");
        let lost = meter.counter("gateway_access_log_dropped_total", "", &[]).value();
        assert!((2_000..5_000).contains(&lost), "{lost}");
        drop(release);
        assert!(sink.flush(Duration::from_secs(10)));
    }

    #[test]
    fn a_broken_sink_is_counted_and_tried_again() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let meter = Meter::default();
        let sink = Sink::new(|| Ok(Box::new(Full))).meter(&meter);
        for round in 1..=2 {
            sink.append(b"line\n");
            assert!(sink.flush(Duration::from_secs(10)));
            assert_eq!(meter.counter("gateway_access_log_write_errors_total", "", &[]).value(), round);
        }
    }
}
