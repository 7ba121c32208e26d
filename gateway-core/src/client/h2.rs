use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{runtime, sync::Notify};

use super::{
    attempt::Patience,
    connection::{MAX_HEAD, Unanswered, taken_from},
    pool::Pool,
    socket::Socket,
    timer::Timer,
};
use crate::{Body, Clock, UpstreamError, error::ErrorKind};

/// An HTTP/2 connection that came about.
pub(super) struct Sender {
    pub(super) sender: SendRequest<Body>,
    /// How many streams the peer allows, as it last said.
    pub(super) allowed: Arc<AtomicUsize>,
}

/// Starts the connection's task, which also tells how many streams the peer allows.
pub(super) async fn start(io: TokioIo<Socket>) -> hyper::Result<Sender> {
    let (sender, driver) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW * MAX_STREAMS as u32)
        .initial_max_send_streams(MAX_STREAMS)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_header_list_size(MAX_HEAD as u32)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(false)
        .handshake(io)
        .await?;
    let allowed = Arc::new(AtomicUsize::new(MAX_STREAMS));
    let told = Arc::clone(&allowed);
    tokio::spawn(async move {
        let mut driver = pin!(driver);
        std::future::poll_fn(|cx| {
            let ended = driver.as_mut().poll(cx);
            told.store(driver.current_max_send_streams(), Ordering::Relaxed);
            ended.map(drop)
        })
        .await;
    });
    Ok(Sender { sender, allowed })
}

/// An HTTP/2 connection that several requests share, from the moment it is planned.
pub(super) struct Http2 {
    /// What came of the plan.
    outcome: OnceLock<Result<Sender, NotOpened>>,
    known: Notify,
    /// How many streams are taken.
    streams: AtomicUsize,
    requests: AtomicU64,
    retired: AtomicBool,
    /// The runtime that its task lives on.
    pub(super) runtime: runtime::Id,
    pub(super) opened: Instant,
    /// How long after `opened` the last stream ended, in nanoseconds.
    rests_since: AtomicU64,
}

/// Why there is no HTTP/2 connection.
#[derive(Clone, Debug)]
pub(super) enum NotOpened {
    Failed(Arc<str>),
    /// There is one, but it speaks HTTP/1.1, and waits in the pool.
    SpeaksHttp1,
}

impl Http2 {
    pub(super) fn planned(runtime: runtime::Id, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            outcome: OnceLock::new(),
            known: Notify::new(),
            streams: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            runtime,
            opened: now,
            rests_since: AtomicU64::new(0),
        })
    }

    /// Says once what came of the plan, to everybody who waits for it.
    pub(super) fn settle(&self, outcome: Result<Sender, NotOpened>) {
        if self.outcome.set(outcome).is_ok() {
            self.known.notify_waiters();
        }
    }

    /// Takes a stream if there is one. Only called under the lock of the shard that holds the connection.
    pub(super) fn take(self: &Arc<Self>, pool: &Arc<Pool>, max_requests: u64) -> Option<Stream> {
        let allowed = match self.outcome.get() {
            None => MAX_STREAMS,
            Some(Ok(opened)) => opened.allowed.load(Ordering::Relaxed).min(MAX_STREAMS),
            Some(Err(_)) => return None,
        };
        let is_free = self.streams.load(Ordering::SeqCst) < allowed;
        if !is_free || self.is_over() || self.requests.load(Ordering::Relaxed) >= max_requests {
            return None;
        }
        self.streams.fetch_add(1, Ordering::SeqCst);
        self.requests.fetch_add(1, Ordering::Relaxed);
        Some(Stream { connection: Arc::clone(self), pool: Arc::clone(pool) })
    }

    /// Whether it takes no more requests.
    pub(super) fn is_over(&self) -> bool {
        let is_closed = match self.outcome.get() {
            None => false,
            Some(Ok(opened)) => opened.sender.is_closed(),
            Some(Err(_)) => true,
        };
        is_closed || self.retired.load(Ordering::Relaxed)
    }

    /// Takes no more requests; those under way go on.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_served(&self, requests: u64) -> bool {
        self.requests.load(Ordering::Relaxed) >= requests
    }

    pub(super) fn is_unused(&self) -> bool {
        self.streams.load(Ordering::SeqCst) == 0 && self.outcome.get().is_some()
    }

    /// When it will have rested for so long; `None` while it is used.
    pub(super) fn rested(&self, idle_timeout: Duration) -> Option<Instant> {
        let since = self.opened + Duration::from_nanos(self.rests_since.load(Ordering::SeqCst));
        self.is_unused().then(|| since + idle_timeout)
    }

    /// The sender, as soon as it is there.
    async fn sender(&self) -> Result<SendRequest<Body>, NotOpened> {
        loop {
            let mut known = pin!(self.known.notified());
            known.as_mut().enable();
            match self.outcome.get() {
                Some(Ok(opened)) => return Ok(opened.sender.clone()),
                Some(Err(why)) => return Err(why.clone()),
                None => known.await,
            }
        }
    }
}

/// One stream of a connection; it is free again when this is dropped, and the peer is told if it was not over.
pub(super) struct Stream {
    connection: Arc<Http2>,
    pool: Arc<Pool>,
}

impl Stream {
    /// Waits until the connection came about.
    pub(super) async fn opened(&self) -> Result<(), NotOpened> {
        self.connection.sender().await.map(drop)
    }

    /// Whether it is there already.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.connection.outcome.get(), Some(Ok(_)))
    }

    /// Sends a request, or a copy of one that it `keeps`. One that provably was never sent comes back.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<Body>,
        keeps: bool,
        patience: &Patience,
        clock: &Clock,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut sender = match self.connection.sender().await {
            Ok(sender) => sender,
            Err(_) => return Err(Unanswered::Unsent(UpstreamError::new(ErrorKind::Connect))),
        };
        let answer = sender.try_send_request(taken_from(request, keeps));
        let answer = patience.wait(answer, &mut Timer::default(), clock).await?;
        answer.map_err(|error| Unanswered::of(error, request, keeps))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let lived = self.pool.now().saturating_duration_since(self.connection.opened).as_nanos();
        self.connection.rests_since.store(u64::try_from(lived).unwrap_or(u64::MAX), Ordering::SeqCst);
        let left = self.connection.streams.fetch_sub(1, Ordering::SeqCst);
        if left == 1 && self.connection.has_served(self.pool.max_requests()) {
            self.pool.forget(&self.connection);
        }
        self.pool.freed();
    }
}

/// How many streams of one connection are used, and how many are taken to be allowed until the peer has said so:
/// RFC 9113 section 6.5.2 advises peers to allow no fewer.
pub(super) const MAX_STREAMS: usize = 100;

/// How many bytes of an answer may wait for a slow client. At most [`MAX_STREAMS`] times as many, 25 MiB, wait on one
/// connection, and the window of the connection allows that: an answer that nobody reads never stops the others.
const STREAM_WINDOW: u32 = 256 * 1024;

/// A connection with requests under way that says nothing is asked whether it still lives, and given up if it does not
/// answer in time.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
