//! [`Endpoints`]: the endpoints of an upstream, while it lives.
//!
//! A list is swapped as a whole; what is known of an endpoint (its connections, its health, its load) goes on in
//! the next list that names it. An endpoint that is not named any more gets no new request. What is under way there
//! ends as it would have; with the last of it go its connections.

mod counts;
mod course;
#[cfg(test)]
mod tests;
mod visit;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Member, Preference, Settled,
    health::{Checks, Ejection, Health, Rhythm, Standing, outliers},
    pick::{Candidate, Candidates, Load, Pick, Policy, Usable},
};
use crate::Clock;

pub use counts::Counts;
pub use course::Course;
pub use visit::Visit;

/// How an upstream's endpoints are balanced.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    /// How the next one is picked. In turn.
    pub policy: Policy,
    /// Groups, zones, and what happens when almost all are out.
    pub preference: Preference,
    /// How endpoints are asked whether they are well. Not at all.
    pub checks: Option<Checks>,
    /// When requests that fail eject an endpoint. Never.
    pub ejection: Option<Ejection>,
    /// Over which time a new endpoint, or one that is back, comes to its whole weight; from a tenth. None. The
    /// endpoints of the first list have their whole weight at once.
    pub slow_start: Duration,
}

/// The live endpoints of an upstream; `T` is what somebody keeps for each, such as its connections. Clones share them.
///
/// Reading the list takes a shared lock for as long as it takes to clone an `Arc`. Whoever changes something does so
/// one at a time, beside the readers.
pub struct Endpoints<T>(Arc<Shared<T>>);

struct Shared<T> {
    balance: Balance,
    counts: Counts,
    clock: Clock,
    epoch: Instant,
    list: RwLock<Arc<List<T>>>,
    /// Held by whoever changes the list or what is usable of it.
    changing: Mutex<()>,
    /// When success rates are compared next.
    next_sweep: AtomicU64,
}

/// One list of endpoints.
pub struct List<T> {
    candidates: Candidates,
    kept: Vec<Arc<Kept<T>>>,
    picker: Box<dyn Pick>,
    usable: Usable,
    /// When something changes by itself: an ejection is over.
    due: AtomicU64,
}

/// What is known of one endpoint from list to list.
#[derive(Debug)]
pub struct Kept<T> {
    url: Arc<str>,
    load: Arc<Load>,
    health: Health,
    item: T,
}

impl<T> Endpoints<T> {
    /// No endpoint yet.
    #[must_use]
    pub fn new(balance: Balance, clock: Clock, counts: Counts) -> Self {
        let epoch = clock.now();
        let first_sweep = balance.ejection.as_ref().and_then(|ejection| ejection.success_rate.as_ref());
        let next_sweep = AtomicU64::new(first_sweep.map_or(u64::MAX, |rule| nanos(rule.interval)));
        let list = RwLock::new(Arc::new(List::new(&balance, Candidates::default(), Vec::new())));
        let changing = Mutex::new(());
        Self(Arc::new(Shared { balance, counts, clock, epoch, list, changing, next_sweep }))
    }

    /// How they are balanced.
    #[must_use]
    pub fn balance(&self) -> &Balance {
        &self.0.balance
    }

    /// The list now. It stays as it is for whoever holds it.
    #[must_use]
    pub fn list(&self) -> Arc<List<T>> {
        Arc::clone(&self.0.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The nanoseconds by which this moment is after the set was made: the time of everything here.
    #[must_use]
    pub fn time_of(&self, moment: Instant) -> u64 {
        nanos(moment.saturating_duration_since(self.0.epoch))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.time_of(self.0.clock.now())
    }

    /// From now on these are the endpoints. What is known of those that stay is kept; `make` is asked for the others.
    ///
    /// # Errors
    /// That of `make`; then nothing changes.
    pub fn replace<E>(
        &self,
        members: &[Member],
        mut make: impl FnMut(&Member) -> Result<T, E>,
    ) -> Result<(), E> {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, now) = (self.list(), self.now());
        let mut known: HashMap<&Arc<str>, &Arc<Kept<T>>> =
            before.kept.iter().map(|kept| (&kept.url, kept)).collect();
        let mut kept = Vec::with_capacity(members.len());
        for member in members {
            kept.push(match known.remove(&member.url) {
                Some(kept) => Arc::clone(kept),
                None => {
                    let load = Arc::new(Load::default());
                    if !before.kept.is_empty() && !self.0.balance.slow_start.is_zero() {
                        load.warm_up(now, self.0.balance.slow_start);
                    }
                    let url = Arc::clone(&member.url);
                    Arc::new(Kept { url, load, health: Health::default(), item: make(member)? })
                }
            });
        }
        let candidates = Candidates::new(members.iter().zip(&kept).map(|(member, kept)| {
            let candidate = Candidate::new(Arc::clone(&member.url)).weight(member.weight);
            candidate.priority(member.priority).zone(member.zone.clone()).known(&kept.load)
        }));
        let list = Arc::new(List::new(&self.0.balance, candidates, kept));
        self.settle_list(&list, now);
        *self.0.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(())
    }

    /// A check of the endpoint with this URL ended like this. Says what it is now, if that changed.
    pub fn checked(&self, url: &str, outcome: Result<(), String>, rhythm: &Rhythm) -> Option<Standing> {
        self.0.counts.checked(outcome.is_ok());
        let list = self.list();
        let kept = list.kept.iter().find(|kept| &*kept.url == url)?;
        let was = kept.health.standing();
        let changed = kept.health.checked(outcome, rhythm)?;
        if was == Standing::Unhealthy {
            self.warm_up(kept);
        }
        tracing::info!(target: "gateway", endpoint = url, standing = changed.as_str(), "health checks changed their mind");
        self.settle();
        Some(changed)
    }

    /// Says anew what is usable.
    pub fn settle(&self) {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.settle_list(&self.list(), self.now());
    }

    /// What is due by itself: ejections that are over, rates to be compared. Two atomic loads if nothing is.
    pub(crate) fn look_after(&self, list: &Arc<List<T>>, now: u64) {
        if now >= list.due.load(Ordering::Relaxed) {
            let Ok(_changing) = self.0.changing.try_lock() else { return };
            for kept in list.kept.iter().filter(|kept| kept.health.passive().is_back(now)) {
                self.warm_up(kept);
                tracing::info!(target: "gateway", endpoint = &*kept.url, "an ejected endpoint is asked again");
            }
            self.settle_list(&self.list(), now);
        }
        if now >= self.0.next_sweep.load(Ordering::Relaxed) {
            self.compare(now);
        }
    }

    fn compare(&self, now: u64) {
        let Some(rule) = self.0.balance.ejection.as_ref().and_then(|one| one.success_rate.as_ref()) else {
            return;
        };
        let due = self.0.next_sweep.load(Ordering::Relaxed);
        let next = now.saturating_add(nanos(rule.interval));
        let order = Ordering::Relaxed;
        if now < due || self.0.next_sweep.compare_exchange(due, next, order, order).is_err() {
            return;
        }
        let list = self.list();
        let rates = list.kept.iter().enumerate();
        let rates =
            rates.filter_map(|(place, kept)| Some((place, kept.health.passive().take_rate(rule.requests)?)));
        for place in outliers(&rates.collect::<Vec<_>>(), rule) {
            self.eject(&list.kept[place], now, "success_rate");
        }
    }

    fn eject(&self, kept: &Kept<T>, now: u64, reason: &'static str) {
        let Some(ejection) = &self.0.balance.ejection else { return };
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let list = self.list();
        let ejected = list.kept.iter().filter(|kept| kept.health.passive().is_ejected(now)).count();
        if kept.health.passive().is_ejected(now) || !ejection.has_room(ejected, list.kept.len()) {
            return;
        }
        let time = kept.health.passive().eject(now, ejection);
        self.0.counts.ejected(reason);
        tracing::warn!(target: "gateway", endpoint = &*kept.url, reason, ?time, "an endpoint is ejected");
        self.settle_list(&list, now);
    }

    fn warm_up(&self, kept: &Kept<T>) {
        if !self.0.balance.slow_start.is_zero() {
            kept.load.warm_up(self.now(), self.0.balance.slow_start);
        }
    }

    /// Only for who holds `changing`.
    fn settle_list(&self, list: &List<T>, now: u64) {
        let health = |place: usize| &list.kept[place].health;
        let settled = list.settle(&self.0.balance.preference, now);
        let due = list.kept.iter().filter_map(|kept| kept.health.passive().until(now)).min();
        list.due.store(due.unwrap_or(u64::MAX), Ordering::Relaxed);
        let ejected = (0..list.kept.len()).filter(|&place| health(place).passive().is_ejected(now)).count();
        let unhealthy = (0..list.kept.len()).filter(|&place| health(place).is_unhealthy()).count();
        self.0.counts.show(&settled, ejected, unhealthy);
    }
}

impl<T> List<T> {
    fn new(balance: &Balance, candidates: Candidates, kept: Vec<Arc<Kept<T>>>) -> Self {
        let usable = Usable::none_of(candidates.len());
        let picker = balance.policy.picker(&candidates);
        Self { candidates, kept, picker, usable, due: AtomicU64::new(u64::MAX) }
    }

    fn settle(&self, preference: &Preference, now: u64) -> Settled {
        preference.settle(&self.candidates, |place| self.kept[place].health.is_available(now), &self.usable)
    }

    /// The endpoints, in the order of the list.
    #[must_use]
    pub fn kept(&self) -> &[Arc<Kept<T>>] {
        &self.kept
    }

    /// As pickers see them.
    #[must_use]
    pub fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// Which of them are used.
    #[must_use]
    pub fn usable(&self) -> &Usable {
        &self.usable
    }
}

impl<T> Kept<T> {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &Arc<str> {
        &self.url
    }

    /// What it has to do.
    #[must_use]
    pub fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What is kept for it.
    #[must_use]
    pub fn item(&self) -> &T {
        &self.item
    }
}

impl<T> Clone for Endpoints<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Endpoints<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.list(), f)
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kept.iter().map(|kept| &kept.url)).finish()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
