//! Asks the endpoints of an upstream whether they are well, again and again, beside the requests.

use std::{
    collections::HashMap,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Uri, header};
use tokio::{
    net::TcpStream,
    task::{Id, JoinSet},
};
use tower_service::Service;

use super::{Forward, line::Line};
use crate::{
    Body, Clock,
    forwarding::Pseudonym,
    random::Random,
    upstream::{
        Balance, HostPolicy, Member, Settings,
        health::{Checks, HttpProbe, Probe},
        set::Endpoints,
    },
};

/// The checks of one upstream. It knows the live set, not the forwarder: it ends with the forwarder.
#[derive(Clone)]
pub(super) struct Checker {
    pub(super) checks: Checks,
    pub(super) endpoints: Endpoints<Line>,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) random: Random,
}

/// When each endpoint is checked next; those that are being checked are not in it.
type Due = HashMap<Arc<str>, Instant>;

impl Checker {
    /// Goes on until it is dropped, with everything that is under way.
    pub(super) async fn run(self) {
        let (mut due, mut asked) = (Due::new(), HashMap::<Id, Arc<str>>::new());
        let mut running = JoinSet::new();
        loop {
            let now = self.clock.now();
            self.follow(&mut due, &asked, now);
            let ripe: Vec<_> =
                due.iter().filter(|&(_, &at)| at <= now).map(|(url, _)| Arc::clone(url)).collect();
            for url in ripe.into_iter().take(self.checks.at_once.max(1).saturating_sub(running.len())) {
                due.remove(&url);
                let (checker, checked) = (self.clone(), Arc::clone(&url));
                let id = running.spawn(async move { checker.check(&checked).await }).id();
                asked.insert(id, url);
            }
            // A new list is noticed by then.
            let next = due.values().min().map_or(now + LOOK, |&next| next.min(now + LOOK)).max(now + LEAST);
            if running.is_empty() {
                self.clock.sleep_until(next).await;
                continue;
            }
            let Some(Some(ended)) = self.clock.timeout(next, running.join_next_with_id()).await else {
                continue;
            };
            let (id, outcome) = match ended {
                Ok((id, outcome)) => (id, outcome),
                Err(error) => (error.id(), Err("the check panicked".to_owned())),
            };
            if let Some(url) = asked.remove(&id) {
                let pause = self.note(&url, outcome);
                due.insert(url, self.clock.now() + pause);
            }
        }
    }

    /// New endpoints are due at once, those that are gone never.
    fn follow(&self, due: &mut Due, asked: &HashMap<Id, Arc<str>>, now: Instant) {
        let list = self.endpoints.list();
        let live: HashMap<&Arc<str>, ()> = list.kept().iter().map(|kept| (kept.url(), ())).collect();
        due.retain(|url, _| live.contains_key(url));
        let is_asked: HashMap<&Arc<str>, ()> = asked.values().map(|url| (url, ())).collect();
        for url in live.into_keys().filter(|url| !is_asked.contains_key(url)) {
            due.entry(Arc::clone(url)).or_insert(now);
        }
    }

    /// Takes the outcome in, and says how long it is until the next check.
    fn note(&self, url: &str, outcome: Result<(), String>) -> Duration {
        self.endpoints.checked(url, outcome, &self.checks.rhythm);
        let list = self.endpoints.list();
        let kept = list.kept().iter().find(|kept| &**kept.url() == url);
        kept.map_or(LOOK, |kept| kept.health().pause(&self.checks.rhythm, self.random.next()))
    }

    async fn check(&self, url: &str) -> Result<(), String> {
        let until = self.clock.now() + self.checks.timeout;
        let asking = async {
            match &self.checks.probe {
                Probe::Http(probe) => self.get(url, probe).await,
                Probe::Tcp => self.connect(url).await,
            }
        };
        let late = || Err(format!("no answer within {:?}", self.checks.timeout));
        self.clock.timeout(until, asking).await.unwrap_or_else(late)
    }

    async fn get(&self, url: &str, probe: &HttpProbe) -> Result<(), String> {
        let mut request = Request::get(&probe.path).header(header::USER_AGENT, AGENT).body(Body::empty());
        let request = request.as_mut().map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        for (name, value) in &probe.headers {
            headers.append(name, value.clone());
        }
        if let Some(host) = &probe.host {
            headers.insert(header::HOST, host.clone());
        }
        let request = std::mem::replace(request, Request::new(Body::empty()));
        let host = if probe.host.is_some() { HostPolicy::Preserve } else { HostPolicy::Upstream };
        let answer = self.ask(url, request, host).await?;
        match answer.status().as_u16() {
            status if probe.expects(status) => Ok(()),
            status => Err(format!("status {status}")),
        }
    }

    /// Over a connection of its own.
    async fn ask(
        &self,
        url: &str,
        request: Request<Body>,
        host: HostPolicy,
    ) -> Result<http::Response<Body>, String> {
        let mut settings = Settings { host, max_idle: 0, meter: None, ..self.settings.clone() };
        (settings.connect_timeout, settings.response_timeout) = (self.checks.timeout, self.checks.timeout);
        if let Some(name) = Pseudonym::new("gateway-check") {
            // Under the gateway's own name, an endpoint behind the same gateway would be taken for a loop.
            settings.pseudonym = name;
        }
        let members = vec![Member::new(self.base(url)?)];
        let forward = Forward::new(members, Balance::default(), None, settings);
        let answer = forward.map_err(|error| error.to_string())?.call(request).await;
        answer.map_err(|error| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }

    async fn connect(&self, url: &str) -> Result<(), String> {
        let base: Uri = self.base(url)?.parse().map_err(|_| BAD_URL.to_owned())?;
        let host = base.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let connected = TcpStream::connect((host, base.port_u16().unwrap_or_default())).await;
        connected.map(drop).map_err(|error| error.to_string())
    }

    /// The endpoint's URL with the port of the checks and without its path.
    fn base(&self, url: &str) -> Result<String, String> {
        let url: Uri = url.parse().map_err(|_| BAD_URL.to_owned())?;
        let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else {
            return Err(BAD_URL.to_owned());
        };
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = self.checks.port.or(url.port_u16()).unwrap_or(usual);
        Ok(format!("{scheme}://{host}:{port}"))
    }
}

const AGENT: HeaderValue = HeaderValue::from_static("gateway-health-check");
const BAD_URL: &str = "the endpoint's URL cannot be read";

/// How often the list is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// No rhythm is quicker than this.
const LEAST: Duration = Duration::from_millis(1);
