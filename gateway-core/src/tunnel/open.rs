//! [`Opening`]: a tunnel from the moment at which both sides agreed.

use std::{
    future::{pending, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{
    Handshake, Hold, Upgrades,
    copy::{Copy, End, Times},
    counts::Counts,
};
use crate::{Body, BoxError, Clock, Facts, meter::Holding, random::Random};

/// Both sides agreed; the client will have the bytes once it has the answer.
pub(crate) struct Opening {
    pub(crate) client: OnUpgrade,
    pub(crate) upstream: OnUpgrade,
    pub(crate) hold: Option<Hold>,
    pub(crate) facts: Option<Facts>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Opening {
    /// The body of the answer, which drives the tunnel, or an empty one where nobody would poll it.
    pub(crate) fn body(self, handshake: &Handshake, upgrades: &Upgrades) -> Body {
        let is_held = self.hold.is_some();
        let times = Times { idle: upgrades.idle_timeout, longest: upgrades.max_duration };
        let record = Record::new(&self, handshake, upgrades);
        let running = self.run(record, times, handshake.is_websocket());
        if is_held {
            return Body::new(TunnelBody(Box::pin(running)));
        }
        tokio::spawn(running);
        Body::empty()
    }

    async fn run(self, mut record: Record, times: Times, is_websocket: bool) {
        // Whoever does not take the answer is given up by the server that writes it.
        let (Ok(client), Ok(upstream)) = (self.client.await, self.upstream.await) else {
            return record.end = End::Unopened;
        };
        let mut copy =
            Copy::new(TokioIo::new(client), TokioIo::new(upstream), is_websocket, times, &self.clock);
        let mut stopped = pin!(async {
            match self.hold {
                Some(hold) => hold.stopped().await,
                None => pending().await,
            }
        });
        let mut is_told = false;
        record.end = poll_fn(|cx| {
            if !is_told && stopped.as_mut().poll(cx).is_ready() {
                is_told = true;
                copy.drain(&self.random);
            }
            let end = copy.poll(cx);
            record.count(copy.bytes());
            end
        })
        .await;
    }
}

/// What is known of a tunnel at its end, however that comes about.
struct Record {
    end: End,
    up: u64,
    down: u64,
    since: Instant,
    protocol: http::HeaderValue,
    facts: Option<Facts>,
    clock: Clock,
    counts: Counts,
    _open: Holding,
}

impl Record {
    fn new(opening: &Opening, handshake: &Handshake, upgrades: &Upgrades) -> Self {
        let counts = upgrades.counts.clone();
        Self {
            // Unless the tunnel itself says how.
            end: End::Cut,
            up: 0,
            down: 0,
            since: opening.clock.now(),
            protocol: handshake.protocol().clone(),
            facts: opening.facts.clone(),
            clock: opening.clock.clone(),
            _open: counts.open.hold(),
            counts,
        }
    }

    fn count(&mut self, (up, down): (u64, u64)) {
        self.counts.up.add(up - self.up);
        self.counts.down.add(down - self.down);
        (self.up, self.down) = (up, down);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.counts.ended(self.end);
        let open = self.clock.now().saturating_duration_since(self.since);
        let facts = self.facts.as_ref();
        tracing::info!(
            target: "gateway",
            request_id = facts.and_then(Facts::request_id).map_or("", |id| id.as_str()),
            endpoint = facts.and_then(Facts::endpoint).as_deref().unwrap_or_default(),
            protocol = ?self.protocol,
            end = self.end.as_str(),
            bytes_up = self.up,
            bytes_down = self.down,
            seconds = open.as_secs_f64(),
            "a tunnel was closed"
        );
    }
}

/// The body of an answer that opened a tunnel: it has no bytes, and ends when the tunnel does.
struct TunnelBody(Pin<Box<dyn Future<Output = ()> + Send>>);

impl HttpBody for TunnelBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll(cx).map(|()| None)
    }
}
