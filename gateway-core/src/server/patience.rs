//! How long a client may keep a connection waiting, whatever it is waited for.
//!
//! hyper has one timeout, for the silence before a head and the head together, and sets a new timer for every
//! request. Here the two are apart, a client that takes no bytes is noticed too, and a busy connection does not
//! touch its timer: it is moved only to an earlier end, and set anew when it rings too early.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use super::{settings::Settings, sniff::Protocol};
use crate::{Clock, clock::Sleep};

/// What a client kept us waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The end of the handshake.
    #[cfg(feature = "tls")]
    Handshake,
    /// The bytes that tell the protocol.
    Protocol,
    /// The rest of a head.
    Head,
    /// A request.
    Request,
    /// That it takes what is written.
    Write,
}

/// What the ends of a connection tell about it: its bytes and its requests. Cloning shares it.
///
/// Requests begin and bytes move in the task of the connection only, so it sees these at once; an HTTP/2 exchange
/// ends in its own task, which nobody needs to see at once.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<State>);

#[derive(Debug)]
struct State {
    protocol: Protocol,
    exchanges: AtomicUsize,
    head_begun: AtomicBool,
    write_blocked: AtomicBool,
    is_tunnel: AtomicBool,
    /// Grows with everything that makes a wait a new one.
    steps: AtomicUsize,
}

impl Activity {
    /// A connection whose first bytes told its protocol, and so began a head of HTTP/1.1.
    pub(super) fn new(protocol: Protocol) -> Self {
        Self(Arc::new(State {
            protocol,
            exchanges: AtomicUsize::new(0),
            head_begun: AtomicBool::new(protocol == Protocol::Http1),
            write_blocked: AtomicBool::new(false),
            is_tunnel: AtomicBool::new(false),
            steps: AtomicUsize::new(0),
        }))
    }

    /// A head is complete: its request is in flight until the returned value is dropped.
    pub(super) fn exchange(&self) -> Exchange {
        self.0.head_begun.store(false, Ordering::Relaxed);
        self.0.exchanges.fetch_add(1, Ordering::Relaxed);
        self.0.steps.fetch_add(1, Ordering::Relaxed);
        Exchange(self.clone())
    }

    /// Bytes came. Between the requests of HTTP/1.1 they are those of a head; HTTP/2 has much else to say.
    pub(super) fn read(&self) {
        if self.0.protocol == Protocol::Http1 && self.0.exchanges.load(Ordering::Relaxed) == 0 {
            self.0.head_begun.store(true, Ordering::Relaxed);
        }
    }

    /// The client took bytes, or did not.
    pub(super) fn wrote(&self, some: bool) {
        if self.0.write_blocked.swap(!some, Ordering::Relaxed) && some {
            self.0.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What follows on this connection of HTTP/1.1 are the bytes of a tunnel.
    pub(super) fn becomes_tunnel(&self) {
        self.0.is_tunnel.store(self.0.protocol == Protocol::Http1, Ordering::Relaxed);
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.0.is_tunnel.load(Ordering::Relaxed)
    }

    fn seen(&self) -> Seen {
        let wait = if self.0.write_blocked.load(Ordering::Relaxed) {
            Some(Wait::Write)
        } else if self.0.exchanges.load(Ordering::Relaxed) > 0 {
            None
        } else if self.0.head_begun.load(Ordering::Relaxed) {
            Some(Wait::Head)
        } else {
            Some(Wait::Request)
        };
        Seen { wait, steps: self.0.steps.load(Ordering::Relaxed) }
    }
}

/// What is waited for, if it is the client that is waited for, and since which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    wait: Option<Wait>,
    steps: usize,
}

/// One request, until the body of its answer ended.
#[derive(Debug)]
pub(super) struct Exchange(Activity);

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.0.exchanges.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The timeouts of one connection.
#[derive(Debug)]
pub(super) struct Patience {
    activity: Activity,
    limits: Limits,
    clock: Clock,
    seen: Seen,
    since: Instant,
    rings: Instant,
    timer: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    head: Duration,
    request: Duration,
    write: Duration,
}

impl Patience {
    pub(super) fn new(activity: Activity, settings: &Settings) -> Self {
        let limits = Limits {
            head: settings.header_timeout,
            request: settings.keep_alive_timeout,
            write: settings.write_timeout,
        };
        let clock = settings.clock.clone();
        let seen = activity.seen();
        let since = clock.now();
        let rings = since + limits.of(seen.wait);
        let timer = Box::pin(clock.sleep_until(rings));
        Self { activity, limits, clock, seen, since, rings, timer }
    }

    /// What the client kept us waiting for too long. Asked again, it grants the same time once more.
    ///
    /// It must be polled after the connection in every poll of the task that they share.
    pub(super) async fn over(&mut self) -> Wait {
        std::future::poll_fn(|cx| self.poll_over(cx)).await
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        let seen = self.activity.seen();
        if seen != self.seen {
            self.seen = seen;
            self.since = self.clock.now();
        }
        loop {
            let until = self.since + self.limits.of(seen.wait);
            if until < self.rings {
                self.set_timer(until);
            }
            ready!(self.timer.as_mut().poll(cx));
            if until > self.rings {
                self.set_timer(until);
                continue;
            }
            self.since = self.clock.now();
            self.set_timer(self.since + self.limits.of(seen.wait));
            if let Some(wait) = seen.wait {
                return Poll::Ready(wait);
            }
        }
    }

    fn set_timer(&mut self, rings: Instant) {
        self.rings = rings;
        self.timer.as_mut().reset(rings);
    }
}

impl Limits {
    /// While a request is answered nobody waits for the client, but its end may come unseen: the timer looks for it.
    fn of(&self, wait: Option<Wait>) -> Duration {
        match wait {
            Some(Wait::Head) => self.head,
            Some(Wait::Write) => self.write,
            // The others are over before a connection has patience.
            Some(_) | None => self.request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    struct Connection {
        activity: Activity,
        patience: Patience,
        hands: ManualClock,
    }

    impl Connection {
        /// 15 s for a head, 60 s for a request, 90 s for a write.
        fn new(protocol: Protocol) -> Self {
            let (clock, hands) = Clock::manual();
            let activity = Activity::new(protocol);
            let write_timeout = Duration::from_secs(90);
            let settings = Settings { clock, write_timeout, ..Settings::default() };
            let patience = Patience::new(activity.clone(), &settings);
            Self { activity, patience, hands }
        }

        /// What it says so many seconds later.
        fn after(&mut self, seconds: u64) -> Option<Wait> {
            // The task of a connection is polled before time passes and after it.
            assert!(self.poll().is_none());
            self.hands.advance(Duration::from_secs(seconds));
            self.poll()
        }

        fn poll(&mut self) -> Option<Wait> {
            match self.patience.poll_over(&mut Context::from_waker(std::task::Waker::noop())) {
                Poll::Ready(wait) => Some(wait),
                Poll::Pending => None,
            }
        }
    }

    #[test]
    fn a_head_that_comes_in_drops_is_given_up() {
        let mut connection = Connection::new(Protocol::Http1);
        for _ in 0..14 {
            connection.activity.read();
            assert_eq!(connection.after(1), None);
        }
        assert_eq!(connection.after(1), Some(Wait::Head));
    }

    #[test]
    fn the_time_without_a_request_begins_anew_with_each() {
        let mut connection = Connection::new(Protocol::Http1);
        for _ in 0..3 {
            drop(connection.activity.exchange());
            assert_eq!(connection.after(59), None);
            connection.activity.read();
        }
        drop(connection.activity.exchange());
        assert_eq!(connection.after(60), Some(Wait::Request));
        assert_eq!(connection.after(59), None);
        assert_eq!(connection.after(1), Some(Wait::Request), "it asks again");
    }

    #[test]
    fn the_first_byte_of_a_head_shortens_the_wait() {
        let mut connection = Connection::new(Protocol::Http1);
        drop(connection.activity.exchange());
        assert_eq!(connection.after(50), None);
        connection.activity.read();
        assert_eq!(connection.after(14), None);
        assert_eq!(connection.after(1), Some(Wait::Head));
    }

    #[test]
    fn a_request_in_flight_may_take_its_time_and_its_body_is_no_head() {
        let mut connection = Connection::new(Protocol::Http1);
        let exchange = connection.activity.exchange();
        for _ in 0..10 {
            connection.activity.read();
            connection.activity.wrote(true);
            assert_eq!(connection.after(100), None);
        }
        drop(exchange);
        assert_eq!(connection.after(59), None);
        assert_eq!(connection.after(1), Some(Wait::Request));
    }

    #[test]
    fn a_client_that_takes_no_bytes_is_given_up_also_in_mid_answer() {
        let mut connection = Connection::new(Protocol::Http1);
        let _exchange = connection.activity.exchange();
        for _ in 0..3 {
            connection.activity.wrote(true);
            connection.activity.wrote(false);
            assert_eq!(connection.after(89), None);
        }
        assert_eq!(connection.after(1), Some(Wait::Write));
    }

    #[test]
    fn over_http2_bytes_alone_keep_nothing_open() {
        let mut connection = Connection::new(Protocol::Http2);
        for _ in 0..59 {
            connection.activity.read();
            connection.activity.wrote(true);
            assert_eq!(connection.after(1), None);
        }
        assert_eq!(connection.after(1), Some(Wait::Request));
    }

    #[test]
    fn the_end_of_an_exchange_is_found_though_nobody_tells() {
        let mut connection = Connection::new(Protocol::Http2);
        let exchange = connection.activity.exchange();
        assert_eq!(connection.after(30), None);
        drop(exchange);
        connection.hands.advance(Duration::from_secs(30));
        assert_eq!(connection.poll(), None, "the timer looked");
        assert_eq!(connection.after(60), Some(Wait::Request));
    }
}
