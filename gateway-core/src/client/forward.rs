use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    address::Asked,
    attempt::{Attempt, Patience},
    checker::Checker,
    connection::Unanswered,
    head,
    line::{Call, Line},
    progress::Progress,
    upgrade::Switch,
};
use crate::{
    Body, BoxError, Clock, Facts, Refusal, UpstreamError,
    error::ErrorKind,
    random::Random,
    refusal::Asked as Client,
    task::Task,
    upstream::{
        Balance, Endpoint, Guards, Member, Protocol, Settings, UpstreamConfigError,
        set::{Counts, Course, Endpoints, Visit},
    },
};

/// Forwards requests to the endpoints of an [`Upstream`](crate::upstream::Upstream), as its
/// [`Balance`](crate::upstream::Balance) says. Clones share the connections. One boxed future per request; a body that no layer changed is not boxed.
///
/// **Reads** the facts peer, trust, client address, request id and deadline; **writes** the endpoint. **Answers** 508
/// to a request that came back to this gateway, 400 to one that names two hosts, 405 to `CONNECT`, 503 `circuit_open`
/// when the guards of all endpoints say no, 503 `upstream_busy` when all connections and all places in line for one are
/// taken, and what [`tunnel`](crate::tunnel) says to a handshake (400, 403, 426, 501); every other trouble is an
/// [`UpstreamError`].
#[derive(Clone)]
pub struct Forward(Arc<Shared>);

struct Shared {
    endpoints: Endpoints<Line>,
    settings: Settings,
    guards: Option<Guards>,
    /// The checks of endpoints, once they run.
    checking: OnceLock<Task>,
    clock: Clock,
    random: Random,
}

/// The future of [`Forward`].
pub type ForwardFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, UpstreamError>> + Send>>;

impl Forward {
    pub(crate) fn new(
        members: Vec<Member>,
        balance: Balance,
        guards: Option<Guards>,
        settings: Settings,
    ) -> Result<Self, UpstreamConfigError> {
        let clock = Clock::default();
        let counts = settings.meter.as_ref().map(|(meter, upstream)| Counts::new(meter, upstream));
        let endpoints = Endpoints::new(balance, clock.clone(), counts.unwrap_or_default());
        let (checking, random) = (OnceLock::new(), Random::default());
        let forward = Self(Arc::new(Shared { endpoints, settings, guards, checking, clock, random }));
        forward.replace(members)?;
        forward.0.check_health();
        Ok(forward)
    }

    /// From now on these are the endpoints. Those that stay keep their connections, their circuits and what is known of
    /// their health; those that vanished finish what is under way, and then close their connections.
    ///
    /// # Errors
    /// Names the first endpoint that cannot be used. Then everything stays as it is.
    pub fn replace(&self, members: impl IntoIterator<Item = Member>) -> Result<(), UpstreamConfigError> {
        let members = members.into_iter().map(Member::checked).collect::<Result<Vec<_>, _>>()?;
        let line = |member: &Member| {
            let endpoint = Endpoint::parse(&member.url)?;
            let guard = self.0.guards.as_ref().map(|guards| guards.make(&endpoint));
            Line::new(endpoint, guard, &self.0.settings)
        };
        self.0.endpoints.replace(&members, line)
    }

    /// The endpoints and what is known of them.
    pub(super) fn live(&self) -> &Endpoints<Line> {
        &self.0.endpoints
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
        shared.check_health();
        let mut request = request.map(Body::new);
        Box::pin(async move { shared.forward(&mut request).await })
    }
}

impl Shared {
    /// Lets checks run from now on: from the start where there is a runtime already, else from the first request.
    fn check_health(&self) {
        let Some(checks) = &self.endpoints.balance().checks else { return };
        if self.checking.get().is_some() {
            return;
        }
        let checker = Checker {
            checks: checks.clone(),
            endpoints: self.endpoints.clone(),
            settings: self.settings.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        let meter = self.settings.meter.as_ref().map(|(meter, _)| meter.clone()).unwrap_or_default();
        if let Ok(task) = Task::start("health_check", &self.clock, &meter, move || checker.clone().run()) {
            // Two first requests may both start it; the second task ends here.
            let _ = self.checking.set(task);
        }
    }

    /// The request stays in one place until it is sent, because it is large to move.
    async fn forward(&self, request: &mut Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let (mut parts, body) = std::mem::take(request).into_parts();
        let facts = Facts::get(&parts.extensions).cloned();
        let takes_trailers =
            self.settings.protocol != Protocol::Http1 && crate::forwarding::takes_trailers(&parts.headers);
        let switch = Switch::take(&mut parts, !body.is_end_stream(), &self.settings.upgrades, &self.random);
        let prepared = switch.and_then(|switch| {
            head::prepare(&mut parts, facts.as_ref(), &self.settings.pseudonym)?;
            Ok(switch)
        });
        match prepared {
            Ok(None) => {}
            Ok(Some(switch)) => switch.put(&mut parts),
            Err(refusal) => return Ok(refusal.into_response(&Client::of(&parts))),
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
        let key = self.endpoints.balance().policy.key_of(&parts);
        let mut asked = Asked::new(parts.uri.clone(), takes_trailers);
        *request = Request::from_parts(parts, body);
        self.exchange(request, &mut asked, key, facts.as_ref(), &patience).await
    }

    /// Tries one endpoint after the other until one takes the request. Those whose guard says no are passed over.
    async fn exchange(
        &self,
        request: &mut Request<Body>,
        asked: &mut Asked,
        key: Option<u64>,
        facts: Option<&Facts>,
        patience: &Patience,
    ) -> Result<Response<Body>, UpstreamError> {
        let call = Call { settings: &self.settings, patience, clock: &self.clock, random: &self.random };
        let mut is_busy = false;
        let mut failure = None;
        let mut retry_after: Option<Duration> = None;
        // Whoever holds the list keeps the connections of endpoints that vanish meanwhile.
        let (list, now) = (self.endpoints.list(), self.endpoints.time_of(patience.start));
        self.endpoints.look_after(&list, now);
        let before = facts.filter(|facts| facts.attempt() > 1).and_then(Facts::endpoint);
        for place in Course::new(&list, key, before.as_deref(), now) {
            let kept = &list.kept()[place];
            let line = kept.item();
            let visit = || Visit::begin(&self.endpoints, kept, now);
            let mut attempt = match Attempt::of(line.guard.as_ref(), visit, patience, &self.clock) {
                Ok(attempt) => attempt,
                Err(after) => {
                    retry_after = Some(retry_after.map_or(after, |nearest| nearest.min(after)));
                    continue;
                }
            };
            if let Some(facts) = facts {
                facts.set_endpoint(line.endpoint().url());
            }
            match line.exchange(request, asked, &call, &mut attempt).await {
                Ok(response) => return Ok(response),
                Err(Unanswered::Unsent(error)) => {
                    attempt.failed(&error);
                    failure = Some(error);
                }
                Err(Unanswered::Failed(error)) => {
                    attempt.failed(&error);
                    return Err(error);
                }
                Err(Unanswered::Busy) => is_busy = true,
            }
        }
        match (failure, retry_after) {
            _ if is_busy => Ok(busy().into_response(&Client::of_request(request))),
            (Some(error), _) => Err(error),
            (None, Some(after)) => Ok(all_open(after).into_response(&Client::of_request(request))),
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
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<str>> {
        self.0.endpoints.list().kept().iter().map(|kept| Arc::clone(kept.url())).collect()
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints()).finish()
    }
}
