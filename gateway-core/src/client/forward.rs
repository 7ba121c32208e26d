use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    address::{Asked, takes_trailers},
    attempt::{Attempt, Patience},
    connection::Unanswered,
    head,
    line::{Call, Line},
    pool::Pool,
    progress::Progress,
    turns::Turns,
};
use crate::{
    Body, BoxError, Clock, Explanation, Facts, Refusal, UpstreamError, Verdict,
    error::ErrorKind,
    explain::Explain,
    refusal::Asked as Client,
    upstream::{Endpoint, EndpointGuard, Protocol, Settings, UpstreamConfigError},
};

/// Forwards requests to the endpoints of an [`Upstream`](crate::upstream::Upstream), in turn. Clones share the
/// connections. One boxed future per request; a body that no layer changed is not boxed.
///
/// **Reads** the facts peer, trust, client address, request id and deadline; **writes** the endpoint. **Answers** 508
/// to a request that came back to this gateway, 400 to one that names two hosts, 405 to `CONNECT`, 503 `circuit_open`
/// when the guards of all endpoints say no, 503 `upstream_busy` when all connections and all places in line for one are
/// taken; every other trouble is an [`UpstreamError`].
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
    ) -> Result<Self, UpstreamConfigError> {
        let line = |(endpoint, guard)| Ok(Line { pool: Pool::new(endpoint, &settings)?, guard });
        let lines = endpoints.map(line).collect::<Result<_, _>>()?;
        Ok(Self::of(lines, settings))
    }

    pub(crate) fn nowhere() -> Self {
        Self::of(Vec::new(), Settings::default())
    }

    fn of(lines: Vec<Line>, settings: Settings) -> Self {
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
        let urls: Vec<&str> = lines.iter().map(|line| &**line.endpoint().url()).collect();
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
        let takes_trailers = self.settings.protocol != Protocol::Http1 && takes_trailers(&parts.headers);
        if let Err(refusal) = head::prepare(&mut parts, facts.as_ref(), &self.settings.pseudonym) {
            return Ok(refusal.into_response(&Client::of(&parts)));
        }
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
        self.exchange(Request::from_parts(parts, body), takes_trailers, facts.as_ref(), &patience).await
    }

    /// Tries the endpoints in turn until one takes the request. Those whose guard says no are passed over.
    async fn exchange(
        &self,
        mut request: Request<Body>,
        takes_trailers: bool,
        facts: Option<&Facts>,
        patience: &Patience,
    ) -> Result<Response<Body>, UpstreamError> {
        let call = Call { settings: &self.settings, patience, clock: &self.clock };
        let mut asked = Asked::new(request.uri().clone(), takes_trailers);
        let mut is_busy = false;
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
                facts.set_endpoint(line.endpoint().url());
            }
            match line.exchange(request, &mut asked, &call, &mut attempt).await {
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
                Err(Unanswered::Busy(unsent)) => {
                    request = *unsent;
                    is_busy = true;
                }
            }
        }
        match (failure, retry_after) {
            _ if is_busy => Ok(busy().into_response(&Client::of_request(&request))),
            (Some(error), _) => Err(error),
            (None, Some(after)) => Ok(all_open(after).into_response(&Client::of_request(&request))),
            (None, None) => Err(UpstreamError::new(ErrorKind::NoEndpoint)),
        }
    }
}

/// Every connection to every endpoint is taken, and so is every place in line.
fn busy() -> Refusal {
    let detail = "the upstream has as many requests as it may have";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "upstream_busy", detail).retry_after(BUSY)
}

/// When to come back to a busy upstream: most answers take less.
const BUSY: Duration = Duration::from_secs(1);

/// No endpoint may be asked at the moment.
fn all_open(after: Duration) -> Refusal {
    let detail = "the upstream fails too often and is left alone for a while";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "circuit_open", detail).retry_after(after)
}

impl Forward {
    /// The URLs of the endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.0.lines.iter().map(|line| &**line.endpoint().url())
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.0.lines.iter().map(|line| line.endpoint().url());
        f.debug_list().entries(urls).finish()
    }
}
