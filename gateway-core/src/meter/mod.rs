//! What is counted: counters, gauges and histograms behind a small facade.
//!
//! A concern asks its [`Meter`] for handles when it is built and adds to them while it serves; adding is one
//! atomic operation, without a lock, a label or an allocation. [`Meter::render`] writes everything as Prometheus
//! text. A handle that no meter knows (`Counter::default()`) works and is simply never shown, so a layer needs
//! no meter to run.

mod render;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// All metrics of one gateway. Cloning it shares it.
#[derive(Clone, Default)]
pub struct Meter(Arc<Mutex<BTreeMap<&'static str, Family>>>);

/// Label names with their values; the names are fixed in the source, the values bounded by [`Meter::MAX_SERIES`].
pub type Labels<'a> = &'a [(&'static str, &'a str)];

impl Meter {
    /// The most series that one metric may have. Past it, every new combination of labels is counted in one
    /// series whose label values are all `overflow`, so that no client can fill the memory.
    pub const MAX_SERIES: usize = 2_000;

    /// The counter of this name and these labels; the same name and labels give the same counter.
    ///
    /// Names follow Prometheus: base units, counters end in `_total`.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str, labels: Labels<'_>) -> Counter {
        match self.series(name, help, labels, || Series::Counter(Counter::default())) {
            Series::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge of this name and these labels.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: Labels<'_>) -> Gauge {
        match self.series(name, help, labels, || Series::Gauge(Gauge::default())) {
            Series::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram of durations of this name and these labels.
    #[must_use]
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: Labels<'_>) -> Histogram {
        match self.series(name, help, labels, || Series::Histogram(Histogram::default())) {
            Series::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// Everything, as Prometheus text (version 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        render::text(&self.families())
    }

    fn series(
        &self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        make: impl FnOnce() -> Series,
    ) -> Series {
        let mut families = self.families();
        let family = families.entry(name).or_insert_with(|| Family { help, series: BTreeMap::new() });
        let mut key: LabelSet = labels.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        if family.series.len() >= Self::MAX_SERIES && !family.series.contains_key(&key) {
            key.iter_mut().for_each(|(_, value)| "overflow".clone_into(value));
        }
        family.series.entry(key).or_insert_with(make).clone()
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<&'static str, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.families().keys()).finish()
    }
}

type LabelSet = Vec<(&'static str, String)>;

struct Family {
    help: &'static str,
    series: BTreeMap<LabelSet, Series>,
}

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets the number.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// So many more, or fewer.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// Adds one until the returned guard is dropped.
    #[must_use]
    pub fn hold(&self) -> Holding {
        self.0.fetch_add(1, Ordering::Relaxed);
        Holding(self.clone())
    }

    /// The number now.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One that is counted by a [`Gauge`] until it is dropped.
#[derive(Debug)]
pub struct Holding(Gauge);

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Durations, counted in the buckets [`Histogram::BOUNDS`].
#[derive(Clone, Default)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Default)]
struct HistogramCells {
    /// One cell per bound and one for everything above the last.
    buckets: [AtomicU64; Histogram::BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    /// The upper bounds of the buckets, in seconds: those that OpenTelemetry advises for HTTP durations.
    pub const BOUNDS: [f64; 14] =
        [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = Self::BOUNDS.iter().position(|&bound| seconds <= bound).unwrap_or(Self::BOUNDS.len());
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// What a deciding layer counts, by the same name and labels in every concern:
/// `gateway_decisions_total{layer, place, verdict}`.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    pass: Counter,
    refuse: Counter,
    would_refuse: Counter,
    skip: Counter,
}

impl Decisions {
    /// The counters of `layer` at `place` (a route's name, or `gateway`).
    #[must_use]
    pub fn new(meter: &Meter, layer: &str, place: &str) -> Self {
        let counter = |verdict: &str| {
            meter.counter(
                "gateway_decisions_total",
                "What deciding layers did with requests.",
                &[("layer", layer), ("place", place), ("verdict", verdict)],
            )
        };
        Self {
            pass: counter("pass"),
            refuse: counter("refuse"),
            would_refuse: counter("would_refuse"),
            skip: counter("skip"),
        }
    }

    /// Counts one decision.
    pub fn count(&self, verdict: crate::Verdict) {
        match verdict {
            crate::Verdict::Pass => &self.pass,
            crate::Verdict::Refuse => &self.refuse,
            crate::Verdict::WouldRefuse => &self.would_refuse,
            crate::Verdict::Skip => &self.skip,
        }
        .increment();
    }

    /// How many decisions of this kind were counted.
    #[must_use]
    pub fn value(&self, verdict: crate::Verdict) -> u64 {
        match verdict {
            crate::Verdict::Pass => &self.pass,
            crate::Verdict::Refuse => &self.refuse,
            crate::Verdict::WouldRefuse => &self.would_refuse,
            crate::Verdict::Skip => &self.skip,
        }
        .value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_and_labels_are_the_same_counter() {
        let meter = Meter::default();
        meter.counter("a_total", "help", &[("x", "1")]).increment();
        meter.counter("a_total", "help", &[("x", "1")]).add(2);
        assert_eq!(meter.counter("a_total", "help", &[("x", "1")]).value(), 3);
        assert_eq!(meter.counter("a_total", "help", &[("x", "2")]).value(), 0);
    }

    #[test]
    fn labels_cannot_fill_the_memory() {
        let meter = Meter::default();
        for series in 0..Meter::MAX_SERIES + 50 {
            meter.counter("a_total", "help", &[("x", &series.to_string())]).increment();
        }
        assert_eq!(meter.counter("a_total", "help", &[("x", "overflow")]).value(), 50);
    }
}
