use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    connect::{Connector, Opened},
    connection::Connection,
    counts::Counts,
    h1::Http1,
    h2::{Http2, NotOpened, Stream},
    idle::{Found, rest},
    places::{LineFull, Places, Slot},
    shard::{Limits, Shard, Worker, shards},
};
use crate::{
    Clock, UpstreamError,
    error::ErrorKind,
    meter::Meter,
    task::Task,
    upstream::{Endpoint, Protocol, Settings, UpstreamConfigError},
};

/// The connections to one endpoint.
///
/// Every worker has its own shard, so that workers do not wait for each other; one that finds nothing in its own looks
/// into the others. A connection stays on the runtime that it was opened on, because its task lives there. One task
/// closes what rested too long; it exists only while there is something to close, and ends with the pool.
pub(super) struct Pool {
    connector: Connector,
    shards: Box<[Mutex<Shard>]>,
    /// Unused HTTP/1.1 connections in all shards.
    idle: AtomicUsize,
    limits: Limits,
    places: Arc<Places>,
    /// Whether requests may share a connection: so it is, or it is not known yet.
    may_share: AtomicBool,
    sweeps: AtomicBool,
    sweep: Mutex<Option<Task>>,
    meter: Meter,
    clock: Clock,
}

/// What a request is given.
pub(super) enum Place {
    /// Something to send it over. Perhaps it is only coming about.
    Kept(Connection),
    /// The right to open a connection.
    Open(Slot),
}

/// Why there is no connection for a request alone.
pub(super) enum Alone {
    LineFull,
    Failed(UpstreamError),
}

impl Pool {
    pub(super) fn new(endpoint: Endpoint, settings: &Settings) -> Result<Arc<Self>, UpstreamConfigError> {
        let counts =
            settings.meter.as_ref().map(|(meter, upstream)| Counts::new(meter, upstream, endpoint.url()));
        let connector = Connector::new(endpoint, settings)?;
        Ok(Arc::new(Self {
            shards: (0..shards()).map(|_| Mutex::default()).collect(),
            idle: AtomicUsize::new(0),
            limits: Limits {
                idle_timeout: settings.idle_timeout,
                max_idle: settings.max_idle,
                max_age: settings.max_age,
                max_requests: settings.max_requests,
            },
            places: Places::new(settings.max_connections, settings.max_waiting, counts),
            may_share: AtomicBool::new(connector.protocol() != Protocol::Http1),
            connector,
            sweeps: AtomicBool::new(false),
            sweep: Mutex::default(),
            meter: settings.meter.as_ref().map(|(meter, _)| meter.clone()).unwrap_or_default(),
            clock: Clock::default(),
        }))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        self.connector.endpoint()
    }

    pub(super) fn counts(&self) -> Option<&Counts> {
        self.places.counts()
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn max_requests(&self) -> u64 {
        self.limits.max_requests
    }

    /// A request is done with a connection. A stream is free when it is dropped.
    pub(super) fn take_back(self: &Arc<Self>, connection: Connection) {
        if let Connection::Http1(connection) = connection {
            self.put(connection);
        }
    }

    /// Lets a shared connection go.
    pub(super) fn forget(&self, connection: &Arc<Http2>) {
        for shard in &self.shards {
            lock(shard).shared.retain(|kept| !Arc::ptr_eq(kept, connection));
        }
    }

    /// Something was let go that somebody may wait for.
    pub(super) fn freed(&self) {
        self.places.freed();
    }

    /// A place, if there is one and nobody stands in line for it. With `fresh` it is not a connection that rested.
    pub(super) fn try_place(self: &Arc<Self>, fresh: bool, now: Instant) -> Option<Place> {
        if self.places.is_awaited() { None } else { self.look(fresh, now) }
    }

    /// A place, after those who came first. Dropping the future leaves the line.
    pub(super) async fn wait(self: &Arc<Self>, fresh: bool) -> Result<Place, LineFull> {
        self.places.wait(|| self.look(fresh, self.now())).await
    }

    fn look(self: &Arc<Self>, fresh: bool, now: Instant) -> Option<Place> {
        let worker = Worker::current(self.shards.len())?;
        if self.may_share.load(Ordering::Relaxed)
            && let Some(stream) = self.stream(worker, now)
        {
            return Some(Place::Kept(Connection::Http2(stream)));
        }
        if !fresh && let Some(connection) = self.take(worker, now) {
            return Some(Place::Kept(Connection::Http1(connection)));
        }
        let slot = self.places.reserve();
        if slot.is_none() {
            // Somebody's unused connection makes room; its place is free as soon as it is closed.
            self.each_from(worker.shard).any(|(_, shard)| self.evict(shard));
        }
        let slot = slot?;
        if !self.may_share.load(Ordering::Relaxed) {
            return Some(Place::Open(slot));
        }
        self.plan(worker, slot, now).map(|stream| Place::Kept(Connection::Http2(stream)))
    }

    /// The shards, this one first.
    fn each_from(&self, first: usize) -> impl Iterator<Item = (usize, &Mutex<Shard>)> {
        let all = self.shards.len();
        (0..all).map(move |next| (first + next) % all).map(|index| (index, &self.shards[index]))
    }

    fn take(&self, worker: Worker, now: Instant) -> Option<Box<Http1>> {
        if self.idle.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let look = |connection: &Http1| match connection.is_ready() {
            _ if connection.runtime != worker.runtime => Found::Foreign,
            true => Found::Usable,
            false => Found::Closed,
        };
        let taken = self.each_from(worker.shard).find_map(|(_, shard)| {
            let mut shard = lock(shard);
            let before = shard.idle.len();
            let taken = shard.idle.take(now, |connection| look(connection));
            self.fewer_idle(before - shard.idle.len());
            taken
        });
        let mut connection = taken?;
        connection.shard = worker.shard;
        if let Some(counts) = self.counts() {
            counts.reused.increment();
        }
        Some(connection)
    }

    fn stream(self: &Arc<Self>, worker: Worker, now: Instant) -> Option<Stream> {
        let stream = self.each_from(worker.shard).find_map(|(_, shard)| {
            let shard = lock(shard);
            let mut usable = shard.shared.iter().filter(|connection| {
                connection.runtime == worker.runtime && now < connection.opened + self.limits.max_age
            });
            usable.find_map(|connection| connection.take(self, self.limits.max_requests))
        })?;
        if let Some(counts) = self.counts().filter(|_| stream.is_open()) {
            counts.reused.increment();
        }
        Some(stream)
    }

    /// Plans a connection that requests share. It is opened by a task of its own: the request that it was planned for
    /// may leave, while others wait for it too.
    fn plan(self: &Arc<Self>, worker: Worker, slot: Slot, now: Instant) -> Option<Stream> {
        let planned = Http2::planned(worker.runtime, now);
        let stream = planned.take(self, self.limits.max_requests)?;
        {
            let mut shard = lock(&self.shards[worker.shard]);
            shard.shared.retain(|connection| !connection.is_over());
            shard.shared.push(Arc::clone(&planned));
        }
        self.keep_sweeping();
        let (pool, plan) = (Arc::clone(self), Plan(planned));
        tokio::spawn(async move {
            let outcome = match pool.connector.open(slot).await {
                Ok(Opened::Http2(sender)) => {
                    pool.may_share.store(true, Ordering::Relaxed);
                    pool.count_opened();
                    Ok(sender)
                }
                Ok(Opened::Http1(sender)) => {
                    pool.may_share.store(false, Ordering::Relaxed);
                    pool.count_opened();
                    pool.put(Http1::new(sender, worker.runtime, worker.shard, pool.now()));
                    Err(NotOpened::SpeaksHttp1)
                }
                Err(error) => Err(NotOpened::Failed(why(&error).into())),
            };
            plan.0.settle(outcome);
            pool.freed();
        });
        Some(stream)
    }

    /// An HTTP/1.1 connection for one request alone, which is not used for another.
    pub(super) async fn alone(self: &Arc<Self>) -> Result<Box<Http1>, Alone> {
        let reserve = || {
            let slot = self.places.reserve();
            if slot.is_none() {
                self.shards.iter().any(|shard| self.evict(shard));
            }
            slot
        };
        let slot = if self.places.is_awaited() { None } else { reserve() };
        let slot = match slot {
            Some(slot) => slot,
            None => self.places.wait(reserve).await.map_err(|LineFull| Alone::LineFull)?,
        };
        let sender = self.connector.open_http1(slot).await.map_err(Alone::Failed)?;
        self.count_opened();
        let worker = Worker::current(self.shards.len());
        let worker = worker.ok_or_else(|| Alone::Failed(UpstreamError::new(ErrorKind::Connect)))?;
        let mut connection = Http1::new(sender, worker.runtime, worker.shard, self.now());
        connection.requests = u64::MAX - 1;
        Ok(connection)
    }

    /// Opens a connection for one request.
    pub(super) async fn open(self: &Arc<Self>, slot: Slot) -> Result<Connection, UpstreamError> {
        let opened = self.connector.open(slot).await?;
        self.count_opened();
        let now = self.now();
        let worker = Worker::current(self.shards.len());
        let worker = worker.ok_or_else(|| UpstreamError::new(ErrorKind::Connect))?;
        Ok(match opened {
            Opened::Http1(sender) => Connection::Http1(Http1::new(sender, worker.runtime, worker.shard, now)),
            // The endpoint offered less before.
            Opened::Http2(sender) => {
                self.may_share.store(true, Ordering::Relaxed);
                let connection = Http2::planned(worker.runtime, now);
                connection.settle(Ok(sender));
                let stream = connection.take(self, u64::MAX);
                lock(&self.shards[worker.shard]).shared.push(connection);
                self.keep_sweeping();
                let gone = || UpstreamError::new(ErrorKind::Connect);
                Connection::Http2(stream.ok_or_else(gone)?)
            }
        })
    }

    fn count_opened(&self) {
        if let Some(counts) = self.counts() {
            counts.opened.increment();
        }
    }

    /// Takes back a connection whose answer ended. One that still sends its request (the answer came early) gets a
    /// moment to finish it, else it is closed.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<Http1>) {
        if connection.is_ready() {
            return self.keep(connection);
        }
        if connection.is_closed() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pool = Arc::clone(self);
        runtime.spawn(async move {
            let until = pool.now() + EARLY_ANSWER_GRACE;
            if pool.clock.timeout(until, connection.ready()).await == Some(true) {
                pool.keep(connection);
            }
        });
    }

    fn keep(self: &Arc<Self>, connection: Box<Http1>) {
        let now = self.now();
        let limits = &self.limits;
        let age = now.saturating_duration_since(connection.opened);
        let rests = rest(limits.idle_timeout, connection.promised, age, limits.max_age);
        let Some(rests) = rests.filter(|_| connection.requests < limits.max_requests) else { return };
        if self.idle.fetch_add(1, Ordering::SeqCst) >= limits.max_idle {
            self.idle.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        if let Some(counts) = self.counts() {
            counts.idle.add(1);
        }
        lock(&self.shards[connection.shard]).idle.put(connection, now + rests);
        self.freed();
        self.keep_sweeping();
    }

    fn evict(&self, shard: &Mutex<Shard>) -> bool {
        let mut shard = lock(shard);
        let before = shard.idle.len();
        let is_evicted = shard.evict();
        self.fewer_idle(before - shard.idle.len());
        is_evicted
    }

    fn fewer_idle(&self, fewer: usize) {
        if fewer == 0 {
            return;
        }
        self.idle.fetch_sub(fewer, Ordering::SeqCst);
        if let Some(counts) = self.counts() {
            counts.idle.add(-i64::try_from(fewer).unwrap_or(i64::MAX));
        }
    }

    /// Closes what rested too long. Returns when there will be more of it.
    fn sweep(&self) -> Option<Instant> {
        let now = self.now();
        let sweep = |shard: &Mutex<Shard>| {
            let mut shard = lock(shard);
            let before = shard.idle.len();
            let next = shard.sweep(now, &self.limits);
            self.fewer_idle(before - shard.idle.len());
            next
        };
        let next = self.shards.iter().filter_map(sweep).min();
        self.freed();
        next.map(|next| next.max(now + SHORTEST_PAUSE))
    }

    /// Sees to it that a task sweeps. It ends when nothing is left, and starts anew on another runtime when its own has
    /// ended.
    fn keep_sweeping(self: &Arc<Self>) {
        if self.sweeps.load(Ordering::Relaxed) || self.sweeps.swap(true, Ordering::SeqCst) {
            return;
        }
        let (pool, clock) = (Arc::downgrade(self), self.clock.clone());
        let sweeper = Sweeper(Weak::clone(&pool));
        let mut sweeper = Some(sweeper);
        let task = Task::start("upstream_connections", &self.clock, &self.meter, move || {
            let sweeper = sweeper.take().unwrap_or_else(|| Sweeper(Weak::clone(&pool)));
            let clock = clock.clone();
            async move {
                while let Some(next) = sweeper.sweep() {
                    clock.sleep_until(next).await;
                }
            }
        });
        match task {
            Ok(task) => *self.sweep.lock().unwrap_or_else(PoisonError::into_inner) = Some(task),
            Err(_) => self.sweeps.store(false, Ordering::SeqCst),
        }
    }
}

/// Says that nobody sweeps any more, however its task ends.
struct Sweeper(Weak<Pool>);

impl Sweeper {
    fn sweep(&self) -> Option<Instant> {
        let pool = self.0.upgrade()?;
        pool.sweep().or_else(|| {
            // Something may have been put aside since; whoever put it there saw that somebody sweeps.
            pool.sweeps.store(false, Ordering::SeqCst);
            let next = pool.sweep()?;
            (!pool.sweeps.swap(true, Ordering::SeqCst)).then_some(next)
        })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.sweeps.store(false, Ordering::SeqCst);
        }
    }
}

/// A connection that is coming about; whoever waits for it is told if it never does.
struct Plan(Arc<Http2>);

impl Drop for Plan {
    fn drop(&mut self) {
        self.0.settle(Err(NotOpened::Failed("its runtime ended".into())));
    }
}

/// A failure for several requests: an error cannot be copied, its words can.
fn why(error: &UpstreamError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a connection may take to become free after its answer ended.
const EARLY_ANSWER_GRACE: Duration = Duration::from_millis(100);

/// The shortest time between two sweeps.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
