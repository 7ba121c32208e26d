use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::runtime;

use super::{
    attempt::Patience,
    connection::{MAX_HEAD, Unanswered, taken_from},
    socket::Socket,
    timer::Timer,
};
use crate::{Body, Clock};

/// An HTTP/1.1 connection. Dropping it closes it once what it does is done.
pub(super) struct Http1 {
    sender: http1::SendRequest<Body>,
    /// The runtime that its task lives on.
    pub(super) runtime: runtime::Id,
    /// Where it goes when it is free.
    pub(super) shard: usize,
    pub(super) opened: Instant,
    pub(super) requests: u64,
    /// How long the upstream said that it keeps it.
    pub(super) promised: Option<Duration>,
    pub(super) timer: Timer,
}

/// Starts the connection's task.
pub(super) async fn start(io: TokioIo<Socket>) -> hyper::Result<http1::SendRequest<Body>> {
    let (sender, driver) = http1::Builder::new().max_header_size(MAX_HEAD).handshake(io).await?;
    // Its errors reach the exchange that they belong to; between exchanges nobody needs them.
    tokio::spawn(async move { drop(driver.with_upgrades().await) });
    Ok(sender)
}

impl Http1 {
    pub(super) fn new(
        sender: http1::SendRequest<Body>,
        runtime: runtime::Id,
        shard: usize,
        opened: Instant,
    ) -> Box<Self> {
        Box::new(Self {
            sender,
            runtime,
            shard,
            opened,
            requests: 0,
            promised: None,
            timer: Timer::default(),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether it became free for another request.
    pub(super) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request, or a copy of one that it `keeps`. One that provably was never sent comes back.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<Body>,
        keeps: bool,
        patience: &Patience,
        clock: &Clock,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.requests += 1;
        let answer = self.sender.try_send_request(taken_from(request, keeps));
        let answer = patience.wait(answer, &mut self.timer, clock).await?;
        answer.map_err(|error| Unanswered::of(error, request, keeps))
    }
}
