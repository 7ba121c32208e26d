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
        mut request: Request<Body>,
        asked: &mut Asked,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        if let Some(switch) = Switch::of(&request).cloned() {
            return self.switch(request, switch, asked, call, attempt).await;
        }
        let mut fresh = false;
        loop {
            let (connection, is_kept) = match self.connection(fresh, call).await {
                Ok(Some(connection)) => connection,
                // What was planned to be shared cannot be.
                Ok(None) => continue,
                Err(NoConnection::LineFull) => return Err(Unanswered::Busy(Box::new(request))),
                // Nobody waits for another endpoint any more.
                Err(NoConnection::Failed(error)) if error.kind() == ErrorKind::Timeout => {
                    return Err(Unanswered::Failed(error));
                }
                Err(NoConnection::Failed(error)) => return Err(Unanswered::Unsent(Box::new(request), error)),
            };
            match self.send(connection, request, asked, call, attempt).await {
                Err(Unanswered::Unsent(unsent, _)) if is_kept && !fresh => {
                    request = *unsent;
                    fresh = true;
                    if let Some(counts) = self.pool.counts() {
                        counts.resent.increment();
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Something to send over, and whether it was there already. Looks before it waits.
    async fn connection(
        &self,
        fresh: bool,
        call: &Call<'_>,
    ) -> Result<Option<(Connection, bool)>, NoConnection> {
        let deadline = call.patience.end();
        let place = match self.pool.try_place(fresh, call.patience.start) {
            Some(place) => place,
            None => match call.clock.timeout(deadline, self.pool.wait(fresh)).await {
                Some(place) => place.map_err(|_| NoConnection::LineFull)?,
                None => return Err(late("no connection became free")),
            },
        };
        match place {
            Place::Kept(Connection::Http2(stream)) if !stream.is_open() => {
                match call.clock.timeout(deadline, stream.opened()).await {
                    None => Err(late("still connecting")),
                    Some(Ok(())) => Ok(Some((Connection::Http2(stream), true))),
                    Some(Err(NotOpened::SpeaksHttp1)) => Ok(None),
                    Some(Err(NotOpened::Failed(why))) => {
                        Err(NoConnection::Failed(UpstreamError::because(ErrorKind::Connect, &*why)))
                    }
                }
            }
            Place::Kept(connection) => Ok(Some((connection, true))),
            Place::Open(slot) => match call.clock.timeout(deadline, self.pool.open(slot)).await {
                None => Err(late("still connecting")),
                Some(opened) => Ok(Some((opened.map_err(NoConnection::Failed)?, false))),
            },
        }
    }

    async fn send(
        &self,
        mut connection: Connection,
        mut request: Request<Body>,
        asked: &mut Asked,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let addressed = match &connection {
            Connection::Http1(_) => asked.over_http1(&mut request, self.endpoint(), call.settings.host),
            Connection::Http2(_) => asked.over_http2(&mut request, self.endpoint(), call.settings.host),
        };
        addressed.map_err(Unanswered::Failed)?;
        let copy = connection.wants_copy(&request).then(|| copy_of(&request));
        let response = match connection.send(request, call.patience, call.clock).await {
            Ok(response) => response,
            Err(Unanswered::Failed(error)) => return Err(unsent_after_all(error, copy, &connection)),
            Err(unanswered) => return Err(unanswered),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let unasked = "the upstream switched protocols without being asked";
            return Err(Unanswered::Failed(UpstreamError::because(ErrorKind::Protocol, unasked)));
        }
        self.answer(response, connection, call, attempt)
    }

    /// A connection of its own, which ends with the answer unless it becomes a tunnel.
    async fn switch(
        &self,
        mut request: Request<Body>,
        switch: Switch,
        asked: &mut Asked,
        call: &Call<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let mut connection = match call.clock.timeout(call.patience.end(), self.pool.alone()).await {
            Some(Ok(connection)) => connection,
            Some(Err(Alone::LineFull)) => return Err(Unanswered::Busy(Box::new(request))),
            Some(Err(Alone::Failed(error))) => return Err(Unanswered::Unsent(Box::new(request), error)),
            None => {
                let late = UpstreamError::because(ErrorKind::Timeout, "still connecting").unsent();
                return Err(Unanswered::Failed(late));
            }
        };
        asked.over_http1(&mut request, self.endpoint(), call.settings.host).map_err(Unanswered::Failed)?;
        let response = connection.send(request, call.patience, call.clock).await?;
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
        let body = ResponseBody::new(body, connection, &self.pool, idle_timeout, call.clock.clone());
        let (admitted, visit) = attempt.answered(&head);
        let body = body.watched_by(admitted, visit);
        Ok(Response::from_parts(head, Body::new(body)))
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

/// A request without a body, once more.
fn copy_of(request: &Request<Body>) -> Box<Request<Body>> {
    let mut copy = Request::new(Body::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Box::new(copy)
}

/// A failed request that may be sent again: the endpoint refused it or did not get to it, or a connection that was
/// used before was closed under one that changes nothing (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
fn unsent_after_all(
    error: UpstreamError,
    copy: Option<Box<Request<Body>>>,
    connection: &Connection,
) -> Unanswered {
    let was_closed = matches!(connection, Connection::Http1(_)) && error.kind() == ErrorKind::Reset;
    match copy {
        Some(copy) if error.is_unsent() || was_closed => Unanswered::Unsent(copy, error),
        _ => Unanswered::Failed(error),
    }
}
