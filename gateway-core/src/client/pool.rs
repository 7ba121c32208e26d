use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::connection::Connection;
use crate::Clock;

/// The idle connections to one endpoint, last in, first out, so that spare ones age and go.
///
/// Connections that are too old leave whenever one is taken or put back; there is no timer for each.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    max_idle: usize,
    idle_timeout: Duration,
    clock: Clock,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(max_idle: usize, idle_timeout: Duration) -> Self {
        Self { idle: Mutex::default(), max_idle, idle_timeout, clock: Clock::default() }
    }

    /// The connection that was used last, if one is still open.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = self.clock.now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(last) = idle.pop_back() {
            if now.saturating_duration_since(last.since) >= self.idle_timeout {
                // The ones below are older still.
                idle.clear();
                return None;
            }
            if last.connection.is_ready() {
                return Some(last.connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer ended. One that still sends its request (the answer came early) gets a
    /// moment to finish it, else it is closed.
    pub(super) fn put(self: &Arc<Self>, mut connection: Connection) {
        if connection.is_ready() {
            return self.keep(connection);
        }
        if connection.is_closed() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pool = Arc::clone(self);
        runtime.spawn(async move {
            let until = pool.clock.now() + EARLY_ANSWER_GRACE;
            if pool.clock.timeout(until, connection.ready()).await == Some(true) {
                pool.keep(connection);
            }
        });
    }

    fn keep(&self, connection: Connection) {
        let now = self.clock.now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |idle: &Idle| now.saturating_duration_since(idle.since) >= self.idle_timeout;
        while idle.front().is_some_and(is_old) {
            idle.pop_front();
        }
        if idle.len() < self.max_idle {
            idle.push_back(Idle { connection, since: now });
        }
    }
}

/// How long a connection may take to become free after its answer ended.
const EARLY_ANSWER_GRACE: Duration = Duration::from_millis(100);
