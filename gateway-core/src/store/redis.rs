//! [`Redis`]: one connection to one server, and what happens when there is none.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, ErrorKind, ServerErrorKind, aio::MultiplexedConnection};

use super::{
    StoreError,
    health::{Advice, Health},
};
use crate::{
    Clock,
    meter::{Counter, Gauge, Meter},
};

/// A Redis server. Cloning it shares the connection, over which any number of commands run at once.
///
/// It connects when it is first asked, not before. Every command has until [`timeout`](Self::timeout), and not longer
/// than its own deadline. After three failures in a row the server rests: commands fail at once, without waiting, and
/// once a second a task of its own connects anew and sends a `PING`; the first answer ends the rest.
///
/// TLS is not supported. A URL with a password is shown by nothing here.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    timeout: Duration,
    clock: Clock,
    health: Mutex<Health>,
    /// Held while somebody connects, so that one does and the others wait.
    connection: tokio::sync::Mutex<Option<MultiplexedConnection>>,
    counts: Counts,
}

impl Redis {
    /// The server at a URL such as `redis://user:password@redis.internal:6379/0`. Nothing is sent yet.
    ///
    /// # Errors
    /// If it is no such URL.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        let client = Client::open(url).map_err(|_| BadUrl(()))?;
        Ok(Self(Arc::new(Inner {
            client,
            timeout: Self::TIMEOUT,
            clock: Clock::default(),
            health: Mutex::default(),
            connection: tokio::sync::Mutex::default(),
            counts: Counts::default(),
        })))
    }

    /// How long a command may take if nothing else is said: much longer than a healthy server needs, and short
    /// enough that a request can bear it.
    pub const TIMEOUT: Duration = Duration::from_millis(50);

    /// How long a command may take, connecting included.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|inner| inner.timeout = timeout)
    }

    /// Another clock.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.with(|inner| inner.clock = clock)
    }

    /// Counts commands in this meter as `gateway_store_commands_total{store="redis", place, outcome}` (`ok`,
    /// `timed_out`, `failed`, or `resting` for those that were not sent), and shows in
    /// `gateway_store_up{store="redis", place}` whether the server is in use.
    #[must_use]
    pub fn meter(self, meter: &Meter, place: &str) -> Self {
        self.with(|inner| inner.counts = Counts::new(meter, place))
    }

    /// Runs a script, which happens at one moment for the server. Its answer is a list of whole numbers.
    ///
    /// # Errors
    /// If there is no answer in time, or one that is an error.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[i64],
        deadline: Option<Instant>,
    ) -> Result<Vec<i64>, StoreError> {
        let command = |verb: &str, script: &str| {
            let mut command = redis::cmd(verb);
            command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        self.ask(deadline, async |connection| {
            match command("EVALSHA", script.0.get_hash()).query_async(connection).await {
                // The server was started anew, or its scripts were flushed.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    command("EVAL", &script.1).query_async(connection).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Whether the server rests, so that a command would fail at once. Starts a probe when one is due.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        let advice = self.0.health().advice(self.0.clock.now());
        if advice == Advice::RestAndProbe {
            self.probe();
        }
        advice != Advice::Ask
    }

    async fn ask<T>(
        &self,
        deadline: Option<Instant>,
        question: impl AsyncFnOnce(&mut MultiplexedConnection) -> redis::RedisResult<T>,
    ) -> Result<T, StoreError> {
        if self.is_resting() {
            self.0.counts.resting.increment();
            return Err(StoreError::Resting);
        }
        let latest = self.0.clock.now() + self.0.timeout;
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        let answer = self.0.clock.timeout(until, async {
            let mut connection = self.connection().await?;
            question(&mut connection).await.map_err(|error| failed(&error))
        });
        let answer = answer.await.unwrap_or(Err(StoreError::TimedOut));
        // A request that had no time left says nothing about the server.
        let counts = until == latest || !matches!(answer, Err(StoreError::TimedOut));
        self.0.learn(&answer, counts).await;
        answer
    }

    /// The connection; where there is none, one is made by a task of its own, which goes on if the request that wanted
    /// it does not.
    async fn connection(&self) -> Result<MultiplexedConnection, StoreError> {
        if let Some(connection) = &*self.0.connection.lock().await {
            return Ok(connection.clone());
        }
        let this = self.clone();
        let connecting = tokio::spawn(async move {
            let mut slot = this.0.connection.lock().await;
            if let Some(connection) = &*slot {
                return Ok(connection.clone());
            }
            if this.0.health().is_resting() {
                return Err(StoreError::Resting);
            }
            let connection = this.0.connect().await?;
            Ok(slot.insert(connection).clone())
        });
        connecting.await.unwrap_or(Err(StoreError::TimedOut))
    }

    fn probe(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            let until = this.0.clock.now() + CONNECT_TIMEOUT;
            let probe = this.0.clock.timeout(until, async {
                let mut connection = this.0.connect().await?;
                let pong: redis::RedisResult<()> = redis::cmd("PING").query_async(&mut connection).await;
                pong.map_err(|error| failed(&error)).map(|()| connection)
            });
            match probe.await {
                Some(Ok(connection)) => {
                    *this.0.connection.lock().await = Some(connection);
                    this.0.learn::<()>(&Ok(()), true).await;
                }
                Some(Err(error)) => tracing::debug!(%error, "redis is still away"),
                None => tracing::debug!("redis is still away"),
            }
        });
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(inner) => change(inner),
            None => {
                // Somebody shares it already: this becomes another one, with a connection of its own.
                let Inner { client, timeout, clock, counts, .. } = &*self.0;
                let mut inner = Inner {
                    client: client.clone(),
                    timeout: *timeout,
                    clock: clock.clone(),
                    health: Mutex::default(),
                    connection: tokio::sync::Mutex::default(),
                    counts: counts.clone(),
                };
                change(&mut inner);
                self.0 = Arc::new(inner);
            }
        }
        self
    }
}

impl Inner {
    async fn connect(&self) -> Result<MultiplexedConnection, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(CONNECT_TIMEOUT));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config);
        connection.await.map_err(|error| failed(&error))
    }

    /// What a command's outcome says about the server.
    async fn learn<T>(&self, answer: &Result<T, StoreError>, counts: bool) {
        let Err(error) = answer else {
            self.counts.ok.increment();
            let mut health = self.health();
            if health.is_resting() {
                tracing::info!("redis is back");
            }
            health.succeeded();
            self.counts.up.set(1);
            return;
        };
        self.counts.of(error).increment();
        if !counts || *error == StoreError::Resting {
            return;
        }
        let now = self.clock.now();
        let (rested, rests) = {
            let mut health = self.health();
            (health.is_resting(), health.failed(now))
        };
        if rests && !rested {
            tracing::warn!(%error, "redis fails; it is left alone until it answers a PING");
            self.counts.up.set(0);
        }
        // A connection that broke never mends, and one that stays silent may be cut off without knowing it. Whoever
        // holds the lock is making a new one.
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows neither URL nor password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("timeout", &self.0.timeout)
            .field("resting", &self.0.health().is_resting())
            .finish_non_exhaustive()
    }
}

/// A Lua script with its name on the server, which is its SHA-1.
pub struct Script(redis::Script, String);

impl Script {
    /// A script of this source.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self(redis::Script::new(source), source.to_owned())
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.0.get_hash()).finish()
    }
}

/// A text that is no URL of a Redis server. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUrl(());

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no URL of a Redis server, such as redis://user:password@host:6379/0 (without TLS)")
    }
}

impl Error for BadUrl {}

#[derive(Clone, Default)]
struct Counts {
    ok: Counter,
    resting: Counter,
    timed_out: Counter,
    failed: Counter,
    up: Gauge,
}

impl Counts {
    fn new(meter: &Meter, place: &str) -> Self {
        let counter = |outcome| {
            let labels = [("store", "redis"), ("place", place), ("outcome", outcome)];
            meter.counter("gateway_store_commands_total", "Commands to stores, by their outcome.", &labels)
        };
        let labels = [("store", "redis"), ("place", place)];
        let up = meter.gauge("gateway_store_up", "Whether a store is in use.", &labels);
        up.set(1);
        Self {
            ok: counter("ok"),
            resting: counter("resting"),
            timed_out: counter("timed_out"),
            failed: counter("failed"),
            up,
        }
    }

    fn of(&self, error: &StoreError) -> &Counter {
        match error {
            StoreError::Resting => &self.resting,
            StoreError::TimedOut => &self.timed_out,
            StoreError::Failed(_) => &self.failed,
        }
    }
}

fn failed(error: &redis::RedisError) -> StoreError {
    match error.is_timeout() {
        true => StoreError::TimedOut,
        false => StoreError::Failed(error.to_string().into()),
    }
}

/// To connect, which no request waits for longer than its own command may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let redis = Redis::new("redis://:hunter2@127.0.0.1:1/0").unwrap();
        assert!(!format!("{redis:?}").contains("hunter2"));
        let error = Redis::new("http://:hunter2@127.0.0.1").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_asked_three_times_and_then_left_alone() {
        let meter = Meter::default();
        // A port that nobody listens on: bound, then closed.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let redis = Redis::new(&format!("redis://127.0.0.1:{port}")).unwrap().meter(&meter, "here");
        let redis = redis.timeout(Duration::from_secs(5));
        let script = Script::new("return {1}");
        for _ in 0..Health::ENOUGH {
            let answer = redis.run(&script, &[], &[], None).await;
            assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
        }
        assert_eq!(redis.run(&script, &[], &[], None).await, Err(StoreError::Resting));
        let text = meter.render();
        assert!(text.contains("outcome=\"failed\"} 3"), "{text}");
        assert!(text.contains("gateway_store_up{store=\"redis\",place=\"here\"} 0"), "{text}");
    }

    #[tokio::test]
    async fn a_silent_server_costs_the_timeout_and_then_nothing() {
        let (clock, hands) = Clock::manual();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let redis = Redis::new(&url).unwrap().clock(clock);
        for _ in 0..Health::ENOUGH {
            let asking = redis.clone();
            let answer =
                tokio::spawn(async move { asking.run(&Script::new("return {1}"), &[], &[], None).await });
            while !answer.is_finished() {
                tokio::task::yield_now().await;
                hands.advance(Duration::from_millis(10));
            }
            assert_eq!(answer.await.unwrap(), Err(StoreError::TimedOut));
        }
        assert_eq!(redis.run(&Script::new("return {1}"), &[], &[], None).await, Err(StoreError::Resting));
    }
}
