//! [`RemoteKeys`]: a key set that is kept somewhere else, and kept fresh here.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use gateway_core::{
    Clock,
    meter::{Counter, Gauge, Meter},
    single_flight::{Follower, Role, SingleFlight},
    task::Task,
};

use super::{Algorithm, KeyDocument, KeySource, algorithm::Algorithms, key_set::KeySet};

/// A key set that is fetched with the first request, again before it is old, and again when a token names a key that
/// it does not have. The last good set is kept when its source fails.
pub struct RemoteKeys {
    source: Arc<dyn KeySource>,
    algorithms: Algorithms,
    refresh: Duration,
    refetch: Duration,
    patience: Duration,
    max_stale: Duration,
    clock: Clock,
    meter: Meter,
    counts: Counts,
    held: RwLock<Option<Held>>,
    /// Grows with each set that is not the same as the one before.
    generation: AtomicU64,
    last: Mutex<Last>,
    flights: SingleFlight<(), bool>,
    fetching: Mutex<Option<Task>>,
    refreshing: OnceLock<Task>,
}

/// The last good set.
struct Held {
    keys: Arc<KeySet>,
    body: Bytes,
    since: Instant,
    good_for: Duration,
}

/// The last attempt to fetch.
#[derive(Default)]
struct Last {
    at: Option<Instant>,
    failures: u32,
}

#[derive(Default)]
struct Counts {
    fetched: Counter,
    failed: Counter,
    keys: Gauge,
}

impl RemoteKeys {
    /// Keys from this source, for these algorithms and no others. Shared secrets never come from a source, so HS256,
    /// HS384 and HS512 are ignored.
    #[must_use]
    pub fn new(source: impl KeySource + 'static, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms = algorithms.into_iter().filter(|algorithm| !algorithm.is_shared_secret()).collect();
        Self {
            source: Arc::new(source),
            algorithms,
            refresh: Self::REFRESH,
            refetch: Self::REFETCH,
            patience: Self::PATIENCE,
            max_stale: Self::MAX_STALE,
            clock: Clock::default(),
            meter: Meter::default(),
            counts: Counts::default(),
            held: RwLock::default(),
            generation: AtomicU64::new(0),
            last: Mutex::default(),
            flights: SingleFlight::default(),
            fetching: Mutex::default(),
            refreshing: OnceLock::new(),
        }
    }

    /// Keys from a URL; see [`Fetch`](gateway_core::fetch::Fetch).
    ///
    /// # Errors
    /// When it is no URL that can be asked; `https` needs the feature `tls`.
    #[cfg(feature = "client")]
    pub fn from_url(
        url: &str,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, gateway_core::upstream::UpstreamConfigError> {
        Ok(Self::new(gateway_core::fetch::Fetch::new(url)?, algorithms))
    }

    /// 10 min: how long a set is good if its source does not say. Issuers announce a new key for longer than that
    /// before they use it.
    pub const REFRESH: Duration = Duration::from_secs(600);
    /// 10 s: between two fetches that unknown keys cause.
    pub const REFETCH: Duration = Duration::from_secs(10);
    /// 5 s: how long a request waits for keys.
    pub const PATIENCE: Duration = Duration::from_secs(5);
    /// One day: how long the last good set is used while its source fails. Long enough for an outage that somebody
    /// has to be woken up for; not for ever, because whoever can block the source could keep a withdrawn key alive.
    pub const MAX_STALE: Duration = Duration::from_secs(86_400);

    /// How long a set is good if its source does not say; what the source says is kept between 1 min and 1 h.
    #[must_use]
    pub fn refresh(mut self, every: Duration) -> Self {
        self.refresh = every.max(SHORTEST);
        self
    }

    /// The time between two fetches that unknown keys cause, however many requests name some.
    #[must_use]
    pub fn refetch(mut self, every: Duration) -> Self {
        self.refetch = every;
        self
    }

    /// How long a request waits for keys at most; its own deadline counts as well.
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// How long the last good set is used while its source fails.
    #[must_use]
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.max_stale = time;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts `gateway_jwks_fetches_total{source, outcome}` and `gateway_jwks_keys{source}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter) -> Self {
        let (source, help) = (self.source.name(), "Fetches of key sets, by their outcome.");
        let fetches = |outcome| {
            meter.counter("gateway_jwks_fetches_total", help, &[("source", &source), ("outcome", outcome)])
        };
        let keys =
            meter.gauge("gateway_jwks_keys", "Usable keys of the last good set.", &[("source", &source)]);
        self.counts = Counts { fetched: fetches("ok"), failed: fetches("failed"), keys };
        self.meter = meter.clone();
        self
    }

    /// The set to use, and its generation.
    pub(super) fn current(&self) -> Option<(Arc<KeySet>, u64)> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref()?;
        let age = self.clock.now().saturating_duration_since(held.since);
        let is_usable = age <= held.good_for + self.max_stale;
        is_usable.then(|| (Arc::clone(&held.keys), self.generation.load(Ordering::Acquire)))
    }

    /// Starts to keep the set fresh, on the runtime of the first request.
    pub(super) fn start(self: &Arc<Self>) {
        if self.refreshing.get().is_none() {
            let weak = Arc::downgrade(self);
            let clock = self.clock.clone();
            let task = Task::start("jwks_refresh", &self.clock, &self.meter, move || {
                keep_fresh(weak.clone(), clock.clone())
            });
            if let Ok(task) = task {
                // Another request may have been faster; then this one is dropped, which ends it.
                drop(self.refreshing.set(task));
            }
        }
    }

    /// Asks for a newer set: joins the fetch under way, or starts one if the last is long enough ago.
    pub(super) fn renew(self: &Arc<Self>) -> Renewal {
        let pause = if self.current().is_some() { self.refetch } else { self.refetch.min(FIRST_PAUSE) };
        self.renew_after(pause)
    }

    fn renew_after(self: &Arc<Self>, pause: Duration) -> Renewal {
        let now = self.clock.now();
        // Held while joining, so that nobody leads between the look at the clock and the start.
        let mut last = self.last();
        let leader = match self.flights.join(&()) {
            Role::Follow(follower) => return Renewal::Under(follower),
            Role::Lead(leader) => leader,
        };
        if let Some(again) = last.at.map(|at| at + pause).filter(|&again| again > now) {
            return Renewal::Later { after: again - now, failing: last.failures > 0 };
        }
        last.at = Some(now);
        let follower = match self.flights.join(&()) {
            Role::Follow(follower) => follower,
            Role::Lead(_) => return Renewal::Later { after: pause, failing: last.failures > 0 },
        };
        drop(last);
        // On a task of its own: the fetch does not end with the request that caused it.
        let (weak, mut leader) = (Arc::downgrade(self), Some(leader));
        let task = Task::start("jwks_fetch", &self.clock, &self.meter, move || {
            let (keys, leader) = (weak.upgrade(), leader.take());
            async move {
                if let (Some(keys), Some(leader)) = (keys, leader) {
                    leader.finish(keys.fetch().await);
                }
            }
        });
        *self.fetching.lock().unwrap_or_else(PoisonError::into_inner) = task.ok();
        Renewal::Under(follower)
    }

    /// Waits for a fetch, at most as long as requests wait and no longer than until `deadline`. Whether there is a
    /// new good set.
    pub(super) async fn wait(&self, fetch: Follower<bool>, deadline: Option<Instant>) -> bool {
        let patience = self.clock.now() + self.patience;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        self.clock.timeout(until, fetch.wait()).await.flatten().unwrap_or(false)
    }

    async fn fetch(&self) -> bool {
        let outcome = self.source.fetch().await.and_then(|document| self.take_over(document));
        let mut last = self.last();
        match outcome {
            Ok(()) => {
                last.failures = 0;
                self.counts.fetched.increment();
            }
            Err(why) => {
                last.failures = last.failures.saturating_add(1);
                self.counts.failed.increment();
                tracing::warn!(target: "gateway", source = self.source.name(), why, "a key set could not be fetched; the last good one stays");
                return false;
            }
        }
        true
    }

    /// Nobody waits for the reading: there is one fetch at a time, so nobody else writes meanwhile.
    fn take_over(&self, document: KeyDocument) -> Result<(), String> {
        let KeyDocument { body, max_age } = document;
        let since = self.clock.now();
        let good_for = max_age.map_or(self.refresh, |age| age.clamp(SHORTEST, LONGEST));
        if let Some(held) = self.held_mut().as_mut().filter(|held| held.body == body) {
            (held.since, held.good_for) = (since, good_for);
            return Ok(());
        }
        let skipped = |index, error| {
            tracing::warn!(target: "gateway", source = self.source.name(), index, %error, "a key of a set is skipped");
        };
        let keys = KeySet::parse(&body, self.algorithms, skipped).map_err(|error| error.to_string())?;
        self.counts.keys.set(i64::try_from(keys.len()).unwrap_or(i64::MAX));
        let mut held = self.held_mut();
        *held = Some(Held { keys: Arc::new(keys), body, since, good_for });
        // Under the lock, so that nobody sees one without the other.
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Option<Held>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the set should be fetched without being asked for.
    fn due(&self) -> Instant {
        let last = self.last();
        let Some(at) = last.at else { return self.clock.now() };
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        match held.as_ref() {
            // What fails is tried soon, then less and less often, and at least as often as usual.
            _ if last.failures > 0 => {
                let pause = FIRST_PAUSE.saturating_mul(1 << (last.failures - 1).min(16));
                at + pause.min(SHORTEST)
            }
            Some(held) => (held.since + held.good_for).max(at + FIRST_PAUSE),
            None => at + FIRST_PAUSE,
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds the keys only while it does something with them, so that they can go.
async fn keep_fresh(keys: Weak<RemoteKeys>, clock: Clock) {
    loop {
        let Some(due) = keys.upgrade().map(|keys| keys.due()) else { return };
        if due > clock.now() {
            // Requests may cause a fetch meanwhile; then it is due later.
            clock.sleep_until(due).await;
            continue;
        }
        let Some(renewal) = keys.upgrade().map(|keys| keys.renew_after(Duration::ZERO)) else { return };
        if let Renewal::Under(fetch) = renewal {
            fetch.wait().await;
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("source", &self.source.name())
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// What becomes of the wish for a newer set.
#[derive(Debug)]
pub(super) enum Renewal {
    /// It is being fetched.
    Under(Follower<bool>),
    /// It was fetched, or failed to be, a moment ago.
    Later { after: Duration, failing: bool },
}

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// After a failure, and while there is no set at all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
