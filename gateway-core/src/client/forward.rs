use std::{
    fmt,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header, request::Parts};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tower_service::Service;

use super::{
    attempt::{Attempt, Patience},
    body::ResponseBody,
    checker::Checker,
    connection::{Connection, Unanswered},
    head,
    line::Line,
    pool::Pool,
    progress::Progress,
    upgrade::{Judged, Switch},
};
use crate::{
    Body, BoxError, Clock, Facts, Refusal, UpstreamError,
    error::ErrorKind,
    forwarding,
    random::Random,
    refusal::Asked,
    task::Task,
    upstream::{
        Balance, Endpoint, Guards, HostPolicy, Member, Settings, UpstreamConfigError,
        set::{Counts, Course, Endpoints, Visit},
    },
};

/// Forwards requests to the endpoints of an [`Upstream`](crate::upstream::Upstream), as its
/// [`Balance`](crate::upstream::Balance) says. Clones share the connections. One boxed future per request; a body that no layer changed is not boxed.
///
/// **Reads** the facts peer, trust, client address, request id and deadline; **writes** the endpoint. **Answers** 508
/// to a request that came back to this gateway, 400 to one that names two hosts, 405 to `CONNECT`, 503 `circuit_open`
/// when the guards of all endpoints say no; every other trouble is an [`UpstreamError`].
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
            Ok(Line::new(endpoint, guard, &self.0.settings))
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
        let (head, body) = request.into_parts();
        let body = Body::new(body);
        Box::pin(async move { shared.forward(head, body).await })
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

    async fn forward(&self, mut parts: Parts, body: Body) -> Result<Response<Body>, UpstreamError> {
        let facts = Facts::get(&parts.extensions).cloned();
        let switch = Switch::take(&mut parts, !body.is_end_stream(), &self.settings.upgrades, &self.random);
        let prepared = switch.and_then(|switch| {
            head::prepare(&mut parts, facts.as_ref(), &self.settings.pseudonym)?;
            Ok(switch)
        });
        match prepared {
            Ok(None) => {}
            Ok(Some(switch)) => switch.put(&mut parts),
            Err(refusal) => return Ok(refusal.into_response(&Asked::of(&parts))),
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
        let key = self.endpoints.balance().policy.key_of(&parts);
        let request = Request::from_parts(parts, body);
        let mut exchange = pin!(self.exchange(request, key, facts.as_ref(), &patience));
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

    /// Tries one endpoint after the other until one takes the request. Those whose guard says no are passed over.
    async fn exchange(
        &self,
        mut request: Request<Body>,
        key: Option<u64>,
        facts: Option<&Facts>,
        patience: &Patience,
    ) -> Result<Response<Body>, UpstreamError> {
        let deadline = patience.end();
        let asked = request.uri().clone();
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
        if let Some(switch) = Switch::of(&request).cloned() {
            return self.try_switch(line, request, switch, deadline, attempt).await;
        }
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

    /// A connection of its own, which ends with the answer unless it becomes a tunnel.
    async fn try_switch(
        &self,
        line: &Line,
        request: Request<Body>,
        switch: Switch,
        deadline: Instant,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let mut connection = match self.connect(line, deadline).await {
            Ok(connection) => connection,
            Err(error) if error.kind() == ErrorKind::Timeout => return Err(Unanswered::Failed(error)),
            Err(error) => return Err(Unanswered::Unsent(Box::new(request), error)),
        };
        let response = connection.send(request).await?;
        let judged = switch.judge(response, &self.settings.upgrades, &self.clock, &self.random);
        match judged.map_err(Unanswered::Failed)? {
            Judged::Switched(response) => {
                let (head, body) = response.into_parts();
                // A tunnel that breaks says nothing of its endpoint: clients close as they like.
                drop(attempt.answered(&head));
                Ok(Response::from_parts(head, body))
            }
            Judged::Ordinary(response) => {
                let once = Arc::new(Pool::new(0, Duration::ZERO));
                self.answer(response, connection, &once, attempt)
            }
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
        self.answer(response, connection, &line.pool, attempt)
    }

    /// An upstream's answer as it is passed on; `pool` gets the connection back.
    fn answer(
        &self,
        response: Response<Incoming>,
        connection: Connection,
        pool: &Arc<Pool>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response<Body>, Unanswered> {
        let (mut head, body) = response.into_parts();
        if let Err(wrong) = forwarding::check_answer_framing(&mut head.headers) {
            return Err(Unanswered::Failed(UpstreamError::because(ErrorKind::Protocol, wrong)));
        }
        forwarding::remove_hop_by_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        // What hyper left here belongs to the connection behind us.
        head.extensions = http::Extensions::new();
        let idle_timeout = self.settings.body_idle_timeout;
        let body = ResponseBody::new(body, connection, pool, idle_timeout, self.clock.clone());
        let (admitted, visit) = attempt.answered(&head);
        let body = body.watched_by(admitted, visit);
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
