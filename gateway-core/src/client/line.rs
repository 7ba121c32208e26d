use std::sync::Arc;

use http::{HeaderName, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::{
    address::Asked,
    attempt::{Attempt, Patience},
    body::ResponseBody,
    connection::{Connection, Unanswered},
    h2::NotOpened,
    idle::promised,
    pool::{Alone, Place, Pool},
    upgrade::{Judged, Switch},
};
use crate::{
    Body, Clock, Guarded, UpstreamError,
    error::ErrorKind,
    forwarding,
    guard::Held,
    random::Random,
    upstream::{Endpoint, EndpointGuard, Settings, UpstreamConfigError},
};

/// An endpoint and its connections.
pub(super) struct Line {
    pub(super) pool: Arc<Pool>,
    pub(super) guard: Option<Arc<dyn EndpointGuard>>,
}

/// What is the same for every line that a request is tried on.
pub(super) struct Call<'a> {
    pub(super) settings: &'a Settings,
    pub(super) patience: &'a Patience,
    pub(super) clock: &'a Clock,
    pub(super) random: &'a Random,
}

impl Line {
    pub(super) fn new(
        endpoint: Endpoint,
        guard: Option<Arc<dyn EndpointGuard>>,
        settings: &Settings,
    ) -> Result<Self, UpstreamConfigError> {
        Ok(Self { pool: Pool::new(endpoint, settings)?, guard })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        self.pool.endpoint()
    }

    /// Sends the request, and once more over a connection of its own if the first was closed meanwhile.
    pub(super) async fn exchange(
        &self,
        request: &mut Request<Body>,
        asked: &mut Asked,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        if let Some(switch) = Switch::of(request).cloned() {
            return Box::pin(self.switch(request, switch, asked, call, attempt)).await;
        }
        let mut fresh = false;
        loop {
            let (connection, is_kept) = match self.connection(fresh, call).await {
                Ok(Some(connection)) => connection,
                // What was planned to be shared cannot be.
                Ok(None) => continue,
                Err(NoConnection::LineFull) => return Err(Unanswered::Busy),
                // Nobody waits for another endpoint any more.
                Err(NoConnection::Failed(error)) if error.kind() == ErrorKind::Timeout => {
                    return Err(Unanswered::Failed(error));
                }
                Err(NoConnection::Failed(error)) => return Err(Unanswered::Unsent(error)),
            };
            match self.send(connection, request, asked, call, attempt).await {
                Err(Unanswered::Unsent(_)) if is_kept && !fresh => {
                    fresh = true;
                    if let Some(counts) = self.pool.counts() {
                        counts.resent.increment();
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Something to send over, and whether it was there already. Looks before it waits. What waits is boxed: it is
    /// large, and every request would move the room for it.
    async fn connection(
        &self,
        fresh: bool,
        call: &Call<'_>,
    ) -> Result<Option<(Connection, bool)>, NoConnection> {
        let deadline = call.patience.end();
        let place = match self.pool.try_place(fresh, call.patience.start) {
            Some(place) => place,
            None => match Box::pin(call.clock.timeout(deadline, self.pool.wait(fresh))).await {
                Some(place) => place.map_err(|_| NoConnection::LineFull)?,
                None => return Err(late("no connection became free")),
            },
        };
        match place {
            Place::Kept(Connection::Http2(stream)) if !stream.is_open() => {
                match Box::pin(call.clock.timeout(deadline, stream.opened())).await {
                    None => Err(late("still connecting")),
                    Some(Ok(())) => Ok(Some((Connection::Http2(stream), true))),
                    Some(Err(NotOpened::SpeaksHttp1)) => Ok(None),
                    Some(Err(NotOpened::Failed(why))) => {
                        Err(NoConnection::Failed(UpstreamError::because(ErrorKind::Connect, &*why)))
                    }
                }
            }
            Place::Kept(connection) => Ok(Some((connection, true))),
            Place::Open(slot) => match Box::pin(call.clock.timeout(deadline, self.pool.open(slot))).await {
                None => Err(late("still connecting")),
                Some(opened) => Ok(Some((opened.map_err(NoConnection::Failed)?, false))),
            },
        }
    }

    async fn send(
        &self,
        mut connection: Connection,
        request: &mut Request<Body>,
        asked: &mut Asked,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let addressed = match &connection {
            Connection::Http1(_) => asked.over_http1(request, self.endpoint(), call.settings.host),
            Connection::Http2(_) => asked.over_http2(request, self.endpoint(), call.settings.host),
        };
        addressed.map_err(Unanswered::Failed)?;
        let response = connection.send(request, call.patience, call.clock).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let unasked = "the upstream switched protocols without being asked";
            return Err(Unanswered::Failed(UpstreamError::because(ErrorKind::Protocol, unasked)));
        }
        self.answer(response, connection, call, attempt)
    }

    /// A connection of its own, which ends with the answer unless it becomes a tunnel.
    async fn switch(
        &self,
        request: &mut Request<Body>,
        switch: Switch,
        asked: &mut Asked,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let mut connection = match call.clock.timeout(call.patience.end(), self.pool.alone()).await {
            Some(Ok(connection)) => connection,
            Some(Err(Alone::LineFull)) => return Err(Unanswered::Busy),
            Some(Err(Alone::Failed(error))) => return Err(Unanswered::Unsent(error)),
            None => {
                let late = UpstreamError::because(ErrorKind::Timeout, "still connecting").unsent();
                return Err(Unanswered::Failed(late));
            }
        };
        asked.over_http1(request, self.endpoint(), call.settings.host).map_err(Unanswered::Failed)?;
        let response = connection.send(request, false, call.patience, call.clock).await?;
        let judged = switch.judge(response, &call.settings.upgrades, call.clock, call.random);
        match judged.map_err(Unanswered::Failed)? {
            Judged::Switched(response) => {
                let (head, body) = response.into_parts();
                // A tunnel that breaks says nothing of its endpoint: clients close as they like. But it is under way.
                let (_, visit) = attempt.answered(&head);
                Ok(Response::from_parts(head, Body::new(Guarded::new(body, Held(visit)))))
            }
            Judged::Ordinary(response) => self.answer(response, Connection::Http1(connection), call, attempt),
        }
    }

    /// An upstream's answer as it is passed on; the pool gets the connection back.
    fn answer(
        &self,
        response: Response<Incoming>,
        mut connection: Connection,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let (mut head, body) = response.into_parts();
        if let Err(wrong) = forwarding::check_answer_framing(&mut head.headers) {
            return Err(Unanswered::Failed(UpstreamError::because(ErrorKind::Protocol, wrong)));
        }
        if let Connection::Http1(connection) = &mut connection {
            let said = head.headers.get(HeaderName::from_static("keep-alive"));
            connection.promised = said.and_then(|said| promised(said.as_bytes()));
        }
        forwarding::remove_hop_by_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        // What hyper left here belongs to the connection behind us.
        head.extensions = http::Extensions::new();
        let idle_timeout = call.settings.body_idle_timeout;
        let watched_by = attempt.answered(&head);
        let body =
            ResponseBody::leased(body, connection, &self.pool, watched_by, idle_timeout, call.clock.clone());
        Ok(Response::from_parts(head, body))
    }
}

/// Why there is no connection.
enum NoConnection {
    LineFull,
    Failed(UpstreamError),
}

fn late(what: &'static str) -> NoConnection {
    NoConnection::Failed(UpstreamError::because(ErrorKind::Timeout, what).unsent())
}
