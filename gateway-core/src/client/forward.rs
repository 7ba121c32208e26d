use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    attempt::{Attempt, Patience},
    body::ResponseBody,
    connection::{Connection, Unanswered},
    head,
    line::Line,
    pool::Pool,
    progress::Progress,
    turns::Turns,
};
use crate::{
    Body, BoxError, Clock, Explanation, Facts, Refusal, UpstreamError, Verdict,
    error::ErrorKind,
    explain::Explain,
    forwarding,
    refusal::Asked,
    upstream::{Endpoint, EndpointGuard, HostPolicy, Settings},
};

/// Forwards requests to the endpoints of an [`Upstream`](crate::upstream::Upstream), in turn. Clones share the
/// connections. One boxed future per request; a body that no layer changed is not boxed.
///
/// **Reads** the facts peer, trust, client address, request id and deadline; **writes** the endpoint. **Answers** 508
/// to a request that came back to this gateway, 400 to one that names two hosts, 405 to `CONNECT`, 503 `circuit_open`
/// when the guards of all endpoints say no; every other trouble is an [`UpstreamError`].
#[derive(Clone)]
pub struct Forward(Arc<Shared>);

struct Shared {
    lines: Vec<Line>,
    settings: Settings,
    turns: Turns,
    clock: Clock,
}

/// The future of [`Forward`].
pub type ForwardFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, UpstreamError>> + Send>>;

impl Forward {
    pub(crate) fn new(
        endpoints: impl Iterator<Item = (Endpoint, Option<Arc<dyn EndpointGuard>>)>,
        settings: Settings,
    ) -> Self {
        let line = |(endpoint, guard)| {
            let pool = Arc::new(Pool::new(settings.max_idle, settings.idle_timeout));
            Line { endpoint, pool, guard }
        };
        let lines = endpoints.map(line).collect();
        Self(Arc::new(Shared { lines, settings, turns: Turns::default(), clock: Clock::default() }))
    }
}

impl<B> Service<Request<B>> for Forward
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = ForwardFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ForwardFuture {
        let shared = Arc::clone(&self.0);
        let (head, body) = request.into_parts();
        let body = Body::new(body);
        Box::pin(async move { shared.forward(head, body).await })
    }
}

impl Explain for Forward {
    fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
        let lines = &self.0.lines;
        let urls: Vec<&str> = lines.iter().map(|line| &**line.endpoint.url()).collect();
        let guards: Vec<_> =
            lines.iter().filter_map(|line| line.guard.as_ref()).map(|guard| guard.explain()).collect();
        let skipped = guards.iter().filter(|guard| guard.verdict == Verdict::Skip).count();
        say.extend(guards);
        say.push(match lines.len() {
            0 => Explanation::new("forward", Verdict::Refuse, "there is no endpoint"),
            all if all == skipped => {
                Explanation::new("forward", Verdict::Refuse, "every endpoint is passed over")
            }
            _ => Explanation::new("forward", Verdict::Pass, format!("to {} in turn", urls.join(", "))),
        });
    }
}

impl Shared {
    async fn forward(&self, mut parts: Parts, body: Body) -> Result<Response<Body>, UpstreamError> {
        let facts = Facts::get(&parts.extensions).cloned();
        if let Err(refusal) = head::prepare(&mut parts, facts.as_ref(), &self.settings.pseudonym) {
            return Ok(refusal.into_response(&Asked::of(&parts)));
        }
        head::frame_explicitly(&mut parts, &body);
        let start = self.clock.now();
        let progress = (!body.is_end_stream()).then(|| Arc::new(Progress::new(&self.clock)));
        let body = match &progress {
            Some(progress) => body.reporting_to(Arc::clone(progress)),
            None => body,
        };
        let own = facts.as_ref().and_then(Facts::deadline);
        let try_end = facts.as_ref().and_then(Facts::try_end);
        let patience =
            Patience { start, progress, own, try_end, response_timeout: self.settings.response_timeout };
        let mut until = patience.end();
        let mut exchange = pin!(self.exchange(Request::from_parts(parts, body), facts.as_ref(), &patience));
        loop {
            if let Some(outcome) = self.clock.timeout(until, exchange.as_mut()).await {
                return outcome;
            }
            match patience.end() {
                later if later > until => until = later,
                _ => return Err(UpstreamError::new(ErrorKind::Timeout)),
            }
        }
    }

    /// Tries the endpoints in turn until one takes the request. Those whose guard says no are passed over.
    async fn exchange(
        &self,
        mut request: Request<Body>,
        facts: Option<&Facts>,
        patience: &Patience,
    ) -> Result<Response<Body>, UpstreamError> {
        let deadline = patience.end();
        let asked = request.uri().clone();
        let mut failure = None;
        let mut retry_after: Option<Duration> = None;
        for line in self.turns.order(&self.lines, facts) {
            let mut attempt = match Attempt::of(line.guard.as_ref(), patience, &self.clock) {
                Ok(attempt) => attempt,
                Err(after) => {
                    retry_after = Some(retry_after.map_or(after, |nearest| nearest.min(after)));
                    continue;
                }
            };
            if let Some(facts) = facts {
                facts.set_endpoint(line.endpoint.url());
            }
            self.address(&mut request, &asked, &line.endpoint)?;
            match self.try_line(line, request, deadline, &mut attempt).await {
                Ok(response) => return Ok(response),
                Err(Unanswered::Unsent(unsent, error)) => {
                    attempt.failed(&error);
                    request = *unsent;
                    failure = Some(error);
                }
                Err(Unanswered::Failed(error)) => {
                    attempt.failed(&error);
                    return Err(error);
                }
            }
        }
        match (failure, retry_after) {
            (Some(error), _) => Err(error),
            (None, Some(after)) => Ok(all_open(after).into_response(&Asked::of_request(&request))),
            (None, None) => Err(UpstreamError::new(ErrorKind::NoEndpoint)),
        }
    }

    fn address(
        &self,
        request: &mut Request<Body>,
        asked: &http::Uri,
        endpoint: &Endpoint,
    ) -> Result<(), UpstreamError> {
        let target = endpoint.target(asked);
        *request.uri_mut() = target.ok_or_else(|| {
            UpstreamError::because(ErrorKind::Protocol, "the target is too long to be forwarded")
        })?;
        let headers = request.headers_mut();
        if self.settings.host == HostPolicy::Upstream || !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, endpoint.host_header().clone());
        }
        Ok(())
    }

    /// Kept connections first: any of them may turn out to be closed, and gives the request back unsent then.
    async fn try_line(
        &self,
        line: &Line,
        mut request: Request<Body>,
        deadline: Instant,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        while let Some(connection) = line.pool.take() {
            match self.send(line, connection, request, attempt).await {
                Err(Unanswered::Unsent(unsent, _)) => request = *unsent,
                answered => return answered,
            }
        }
        match self.connect(line, deadline).await {
            Ok(connection) => self.send(line, connection, request, attempt).await,
            // Nobody waits for another endpoint any more.
            Err(error) if error.kind() == ErrorKind::Timeout => Err(Unanswered::Failed(error)),
            Err(error) => Err(Unanswered::Unsent(Box::new(request), error)),
        }
    }

    async fn connect(&self, line: &Line, deadline: Instant) -> Result<Connection, UpstreamError> {
        let until = deadline.min(self.clock.now() + self.settings.connect_timeout);
        match self.clock.timeout(until, Connection::open(&line.endpoint)).await {
            Some(outcome) => outcome,
            None if until == deadline => {
                Err(UpstreamError::because(ErrorKind::Timeout, "still connecting").unsent())
            }
            None => {
                let silent = format!("no connection within {:?}", self.settings.connect_timeout);
                Err(UpstreamError::because(ErrorKind::Connect, silent))
            }
        }
    }

    async fn send(
        &self,
        line: &Line,
        mut connection: Connection,
        request: Request<Body>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let response = connection.send(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let unasked = "the upstream switched protocols without being asked";
            return Err(Unanswered::Failed(UpstreamError::because(ErrorKind::Protocol, unasked)));
        }
        let (mut head, body) = response.into_parts();
        if let Err(wrong) = forwarding::check_answer_framing(&mut head.headers) {
            return Err(Unanswered::Failed(UpstreamError::because(ErrorKind::Protocol, wrong)));
        }
        forwarding::remove_hop_by_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        // What hyper left here belongs to the connection behind us.
        head.extensions = http::Extensions::new();
        let idle_timeout = self.settings.body_idle_timeout;
        let body = ResponseBody::new(body, connection, &line.pool, idle_timeout, self.clock.clone());
        let body = body.watched_by(attempt.answered(&head));
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

/// No endpoint may be asked at the moment.
fn all_open(after: Duration) -> Refusal {
    let detail = "the upstream fails too often and is left alone for a while";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "circuit_open", detail).retry_after(after)
}

impl Forward {
    /// The URLs of the endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.0.lines.iter().map(|line| &**line.endpoint.url())
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.0.lines.iter().map(|line| line.endpoint.url());
        f.debug_list().entries(urls).finish()
    }
}
