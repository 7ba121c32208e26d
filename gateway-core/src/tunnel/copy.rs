//! [`Copy`]: both directions of a tunnel, and how it ends.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    frames::{GOING_AWAY, masked_going_away},
    way::Way,
};
use crate::{Clock, clock::Sleep, random::Random};

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed first; the upstream had its say and closed, too.
    Client,
    /// The other way round.
    Upstream,
    /// Nothing moved for too long.
    Idle,
    /// It was open for too long.
    TooLong,
    /// Both sides were told that the server stops.
    Drain,
    /// A connection broke.
    Failed,
    /// The server was at its end before the tunnel was.
    Cut,
    /// The client never had the answer.
    Unopened,
}

impl End {
    pub(super) const ALL: [Self; 8] = [
        Self::Client,
        Self::Upstream,
        Self::Idle,
        Self::TooLong,
        Self::Drain,
        Self::Failed,
        Self::Cut,
        Self::Unopened,
    ];

    /// The word in logs and metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Idle => "idle",
            Self::TooLong => "too_long",
            Self::Drain => "drain",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Unopened => "unopened",
        }
    }
}

/// How long a tunnel may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) idle: Duration,
    pub(super) longest: Option<Duration>,
}

/// Moves bytes between a client and an upstream until both directions ended, or one of its times did.
///
/// A side that closes its own direction may still listen: the other one goes on.
#[derive(Debug)]
pub(super) struct Copy<C, U> {
    client: C,
    upstream: U,
    up: Way,
    down: Way,
    idle: Duration,
    ends: Option<Instant>,
    moved: Instant,
    first_over: Option<End>,
    is_draining: bool,
    clock: Clock,
    timer: Pin<Box<Sleep>>,
}

impl<C, U> Copy<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(client: C, upstream: U, is_websocket: bool, times: Times, clock: &Clock) -> Self {
        let moved = clock.now();
        let ends = times.longest.map(|longest| moved + longest);
        let first = moved + times.idle;
        let timer = Box::pin(clock.sleep_until(ends.map_or(first, |ends| ends.min(first))));
        Self {
            client,
            upstream,
            up: Way::new(is_websocket),
            down: Way::new(is_websocket),
            idle: times.idle,
            ends,
            moved,
            first_over: None,
            is_draining: false,
            clock: clock.clone(),
            timer,
        }
    }

    /// The server begins to stop: a WebSocket is closed in order, anything else may go on until it is cut.
    pub(super) fn drain(&mut self, random: &Random) {
        self.is_draining = true;
        self.down.say_good_bye(&GOING_AWAY);
        self.up.say_good_bye(&masked_going_away(random));
    }

    /// Bytes up and down.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.up.bytes(), self.down.bytes())
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let before = self.bytes();
        let over = self.poll_ways(cx);
        if self.bytes() != before {
            self.moved = self.clock.now();
        }
        match over {
            Err(_) => Poll::Ready(End::Failed),
            Ok(true) if self.is_draining => Poll::Ready(End::Drain),
            Ok(true) => Poll::Ready(self.first_over.unwrap_or(End::Client)),
            Ok(false) => self.poll_time(cx),
        }
    }

    /// Whether both are over.
    fn poll_ways(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if !self.up.is_over()
            && self.up.poll(Pin::new(&mut self.client), Pin::new(&mut self.upstream), cx)?.is_ready()
        {
            self.first_over.get_or_insert(End::Client);
        }
        if !self.down.is_over()
            && self.down.poll(Pin::new(&mut self.upstream), Pin::new(&mut self.client), cx)?.is_ready()
        {
            self.first_over.get_or_insert(End::Upstream);
        }
        Ok(self.up.is_over() && self.down.is_over())
    }

    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = self.clock.now();
            if self.ends.is_some_and(|ends| ends <= now) {
                return Poll::Ready(End::TooLong);
            }
            let silent = self.moved + self.idle;
            if silent <= now {
                return Poll::Ready(End::Idle);
            }
            // Bytes do not touch the timer: it finds out when it rings.
            self.timer.as_mut().reset(self.ends.map_or(silent, |ends| ends.min(silent)));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
