use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use gateway_core::meter::{Counter, Gauge};

use super::{Context, Declared, Live, Problems, Source, load};

/// Reads one document after the other, and keeps serving the last good one.
///
/// A new graph is built beside the one that serves, and takes its place at once and as a whole. What layers remember
/// (buckets, breakers, keys, stored answers) goes on wherever the layer did not change what it is about. A document with
/// a mistake changes nothing; [`Status`] says so, and the metrics `gateway_config_generation`,
/// `gateway_config_last_reload_failed` and `gateway_config_reloads_total{outcome}` (`swapped`, `unchanged`, `refused`).
///
/// ```
/// use gateway_layers::config::{Context, Reloaded, Reloader, Source};
///
/// let document = |upstream: &str| format!("routes:\n  - {{prefix: /, upstream: '{upstream}'}}\n");
/// let (first, second) = (document("http://127.0.0.1:9001"), document("http://127.0.0.1:9002"));
/// let read = |text| Source { name: "gateway.yaml", text };
/// let mut reloader = Reloader::start(read(&first), |_| None, Context::default()).unwrap();
/// let service = reloader.live();   // for the servers
///
/// assert!(matches!(reloader.reload(read(&second), |_| None), Ok(Reloaded::Swapped { .. })));
/// assert!(matches!(reloader.reload(read(&second), |_| None), Ok(Reloaded::Unchanged)));
/// assert!(reloader.reload(read("routes: 7"), |_| None).is_err());
/// assert_eq!(reloader.status().generation(), 2);
/// assert!(reloader.status().trouble().unwrap().contains("expected a list of maps"));
/// # drop(service);
/// ```
#[derive(Debug)]
pub struct Reloader {
    context: Context,
    live: Live,
    declared: Declared,
    /// What the document said, variables filled in: a file that was only touched changes nothing.
    said: u128,
    /// The files that the last document names, in force or not, and those of the one in force.
    named: Vec<PathBuf>,
    status: Status,
    counts: Counts,
}

/// What became of a document that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reloaded {
    /// It says what the document in force says.
    Unchanged,
    /// It is in force.
    Swapped {
        /// The keys at the top that say something else than at the start, which needs a restart; they are as they
        /// were. Other certificates for the same listeners are shown from now on.
        needs_restart: Vec<&'static str>,
    },
}

impl Reloader {
    /// Reads the first document.
    ///
    /// # Errors
    /// Every mistake in it; there is nothing to fall back to yet.
    pub fn start(
        source: Source<'_>,
        environment: impl Fn(&str) -> Option<String>,
        context: Context,
    ) -> Result<Self, Problems> {
        let declared = load(source, environment, &context)?;
        let live = Live::new(declared.service());
        let counts = Counts::new(&context);
        counts.generation.set(1);
        let status = Status::new(context.clock.wall());
        let named = declared.files().to_vec();
        Ok(Self { context, live, said: declared.said(), declared, named, status, counts })
    }

    /// The service, for all servers of this gateway.
    #[must_use]
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// What is in force.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// The files that the document in force names, and those of the last one that was refused: one of them may be what
    /// is wrong with it.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.named
    }

    /// How it is going, for whoever wants to know. It stays up to date.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Reads another document and puts it in force.
    ///
    /// # Errors
    /// Every mistake in it. What served before goes on.
    pub fn reload(
        &mut self,
        source: Source<'_>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Reloaded, Problems> {
        let now = self.context.clock.wall();
        let context = Context { shelf: Arc::new(self.context.shelf.next()), ..self.context.clone() };
        let mut declared = match load(source, environment, &context) {
            Ok(declared) => declared,
            Err(problems) => {
                // It may not have come to all of them; what serves still depends on its own.
                self.named = problems.files().to_vec();
                self.named.extend_from_slice(self.declared.files());
                self.named.sort_unstable();
                self.named.dedup();
                self.refused(problems.to_string(), now);
                return Err(problems);
            }
        };
        self.counts.failed.set(0);
        self.named = declared.files().to_vec();
        if declared.said() == self.said {
            self.counts.unchanged.increment();
            self.status.fine();
            return Ok(Reloaded::Unchanged);
        }
        let needs_restart = declared.take_over(&self.declared);
        self.live.swap(declared.service());
        self.said = declared.said();
        self.declared = declared;
        self.context = context;
        self.counts.generation.set(self.status.swapped(now));
        self.counts.swapped.increment();
        Ok(Reloaded::Swapped { needs_restart })
    }

    /// Says that a document could not even be read, such as a file that is gone.
    pub fn unreadable(&mut self, why: impl fmt::Display) {
        self.refused(why.to_string(), self.context.clock.wall());
    }

    /// Counted last, so that whoever sees the count sees the rest.
    fn refused(&self, why: String, now: SystemTime) {
        self.status.refused(why, now);
        self.counts.failed.set(1);
        self.counts.refused.increment();
    }
}

/// Which document is in force, and what was wrong with the last one that was not. Clones show the same.
#[derive(Clone, Debug)]
pub struct Status(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    generation: i64,
    since: SystemTime,
    trouble: Option<(String, SystemTime)>,
}

impl Status {
    fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(State { generation: 1, since: now, trouble: None })))
    }

    /// How many documents were in force, this one included.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.state().generation
    }

    /// Since when this document is in force.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.state().since
    }

    /// What is wrong with the last document, if it was refused. No value from the environment is in it.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.as_ref().map(|(why, _)| why.clone())
    }

    /// When the last document was refused, if it was.
    #[must_use]
    pub fn trouble_since(&self) -> Option<SystemTime> {
        self.state().trouble.as_ref().map(|&(_, since)| since)
    }

    fn refused(&self, why: String, now: SystemTime) {
        self.state().trouble = Some((why, now));
    }

    fn fine(&self) {
        self.state().trouble = None;
    }

    fn swapped(&self, now: SystemTime) -> i64 {
        let mut state = self.state();
        *state = State { generation: state.generation.saturating_add(1), since: now, trouble: None };
        state.generation
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Counts {
    generation: Gauge,
    failed: Gauge,
    swapped: Counter,
    unchanged: Counter,
    refused: Counter,
}

impl Counts {
    fn new(context: &Context) -> Self {
        let meter = &context.meter;
        let reloads = |outcome: &str| {
            let help = "Documents that were read again, by what became of them.";
            meter.counter("gateway_config_reloads_total", help, &[("outcome", outcome)])
        };
        let generation = "How many documents were in force, the current one included.";
        let failed = "1 if the last document was refused and an older one serves.";
        Self {
            generation: meter.gauge("gateway_config_generation", generation, &[]),
            failed: meter.gauge("gateway_config_last_reload_failed", failed, &[]),
            swapped: reloads("swapped"),
            unchanged: reloads("unchanged"),
            refused: reloads("refused"),
        }
    }
}
