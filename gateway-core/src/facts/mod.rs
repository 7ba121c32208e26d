//! [`Facts`]: what is known about a request.
//!
//! One handle travels in the request's extensions; whoever watches the request until its end (access log,
//! metrics) keeps a clone. Facts flow downward and are written once, by the layer named below; a fact that
//! nobody wrote is `None`, never a panic.
//!
//! | fact | who writes it | who reads it |
//! | --- | --- | --- |
//! | [`arrived`](Facts::arrived) | whoever asks for the facts first: our server, or the outermost layer | log, metrics, limits |
//! | [`peer`](Facts::peer) | the server | `client_addr` |
//! | [`relay`](Facts::relay) | the server, where a load balancer speaks the PROXY protocol | log |
//! | [`tls`](Facts::tls) | the server | forwarding, whoever asks which client it is |
//! | [`request_id`](Facts::request_id) | `request_id` | log, refusals, forwarding |
//! | [`peer_trusted`](Facts::peer_trusted) | `client_addr` | `request_id`, forwarding |
//! | [`client_addr`](Facts::client_addr) | `client_addr` | keys, log, forwarding |
//! | [`route`](Facts::route) | `routing` | keys, log, metrics |
//! | [`path_params`](Facts::path_params) | `routing`, if the route's path has names | `headers`, services |
//! | [`principal`](Facts::principal) | whoever authenticates: `jwt`, `api_key` | `authorize`, keys, cache, headers, log |
//! | [`deadline`](Facts::deadline) | `timeout`; only ever moves closer | everything that waits |
//! | [`target`](Facts::target) | `canonical`, if it changed it | log |
//! | [`doomed`](Facts::doomed) | `canonical`, in a gateway | routing, which answers with it |
//! | [`endpoint`](Facts::endpoint) | the forwarder, once per try | log |
//! | [`attempt`](Facts::attempt) | `retry` | log |
//! | [`try_end`](Facts::try_end) | `timeout`, around one try | the forwarder, to tell a try that ran out of time from one that nobody wants |
//!
//! A layer that makes several requests of one gives each [facts of its own](Facts::branch).

mod path_params;
mod principal;
mod request_id;
mod route;
mod tls;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Extensions, Uri};

use crate::{Clock, Refusal};

pub use path_params::PathParams;
pub use principal::Principal;
pub use request_id::RequestId;
pub use route::Route;
pub use tls::{ClientCertificate, TlsSession};

/// What is known about one request. Cloning it shares it.
#[derive(Clone)]
pub struct Facts(Arc<Inner>);

struct Inner {
    arrived: Instant,
    peer: OnceLock<SocketAddr>,
    relay: OnceLock<SocketAddr>,
    tls: OnceLock<TlsSession>,
    peer_trusted: AtomicBool,
    request_id: OnceLock<RequestId>,
    client_addr: OnceLock<IpAddr>,
    route: OnceLock<Route>,
    path_params: OnceLock<PathParams>,
    principal: OnceLock<Principal>,
    /// Nanoseconds after `arrived`; `NEVER` while nobody set one.
    deadline: AtomicU64,
    /// The same for the present try.
    try_end: AtomicU64,
    target: OnceLock<Uri>,
    doomed: OnceLock<Refusal>,
    endpoint: Mutex<Option<Arc<str>>>,
    attempt: AtomicU32,
    /// Bytes of bodies that layers hold for this request; those of a branch count with the request.
    buffered: AtomicUsize,
    trunk: Option<Facts>,
}

impl Facts {
    /// Facts of a request that arrived at this moment.
    #[must_use]
    pub fn arrived_at(arrived: Instant) -> Self {
        Self(Arc::new(Inner {
            arrived,
            peer: OnceLock::new(),
            relay: OnceLock::new(),
            tls: OnceLock::new(),
            peer_trusted: AtomicBool::new(false),
            request_id: OnceLock::new(),
            client_addr: OnceLock::new(),
            route: OnceLock::new(),
            path_params: OnceLock::new(),
            principal: OnceLock::new(),
            deadline: AtomicU64::new(NEVER),
            try_end: AtomicU64::new(NEVER),
            target: OnceLock::new(),
            doomed: OnceLock::new(),
            endpoint: Mutex::new(None),
            attempt: AtomicU32::new(1),
            buffered: AtomicUsize::new(0),
            trunk: None,
        }))
    }

    /// Facts of one of several requests that are made of this one: what is known so far is the same, and what is
    /// found out from here on (a closer deadline, the endpoint, the attempt) is the branch's own. One allocation.
    #[must_use]
    pub fn branch(&self) -> Self {
        let trunk = &*self.0;
        Self(Arc::new(Inner {
            arrived: trunk.arrived,
            peer: trunk.peer.clone(),
            relay: trunk.relay.clone(),
            tls: trunk.tls.clone(),
            peer_trusted: AtomicBool::new(self.peer_trusted()),
            request_id: trunk.request_id.clone(),
            client_addr: trunk.client_addr.clone(),
            route: trunk.route.clone(),
            path_params: trunk.path_params.clone(),
            principal: trunk.principal.clone(),
            deadline: AtomicU64::new(trunk.deadline.load(Ordering::Relaxed)),
            try_end: AtomicU64::new(NEVER),
            target: trunk.target.clone(),
            doomed: OnceLock::new(),
            endpoint: Mutex::new(None),
            attempt: AtomicU32::new(1),
            buffered: AtomicUsize::new(0),
            trunk: Some(self.clone()),
        }))
    }

    /// The facts in these extensions, if there are any.
    #[must_use]
    pub fn get(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The facts in these extensions; where there are none, the watch starts now.
    ///
    /// Making them costs four allocations, once per request; finding them costs none.
    pub fn of<'a>(extensions: &'a mut Extensions, clock: &Clock) -> &'a Self {
        extensions.get_or_insert_with(|| Self::arrived_at(clock.now()))
    }

    /// When the request's head had arrived.
    #[must_use]
    pub fn arrived(&self) -> Instant {
        self.0.arrived
    }

    /// The other end of the connection: a client, or a proxy in front of us.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer.get().copied()
    }

    /// Written by the server. A second call changes nothing.
    pub fn set_peer(&self, peer: SocketAddr) {
        self.0.peer.get_or_init(|| peer);
    }

    /// The load balancer that passed the connection on and said by the PROXY protocol who the peer is.
    #[must_use]
    pub fn relay(&self) -> Option<SocketAddr> {
        self.0.relay.get().copied()
    }

    /// Written by the server. A second call changes nothing.
    pub fn set_relay(&self, relay: SocketAddr) {
        self.0.relay.get_or_init(|| relay);
    }

    /// What the handshake found out; `None` if the connection is in plain text.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsSession> {
        self.0.tls.get()
    }

    /// Written by the server. A second call changes nothing.
    pub fn set_tls(&self, session: &TlsSession) {
        self.0.tls.get_or_init(|| session.clone());
    }

    /// Whether the connection of the peer is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls().is_some()
    }

    /// Whether the peer is a proxy whose word about its clients counts. Nobody is, unless `client_addr` says so.
    #[must_use]
    pub fn peer_trusted(&self) -> bool {
        self.0.peer_trusted.load(Ordering::Relaxed)
    }

    /// Written by `client_addr`.
    pub fn set_peer_trusted(&self, trusted: bool) {
        self.0.peer_trusted.store(trusted, Ordering::Relaxed);
    }

    /// The id under which this request is found in logs, answers and upstreams.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.get()
    }

    /// Written by `request_id`. A second call changes nothing.
    pub fn set_request_id(&self, id: RequestId) {
        self.0.request_id.get_or_init(|| id);
    }

    /// The client behind all trusted proxies.
    #[must_use]
    pub fn client_addr(&self) -> Option<IpAddr> {
        self.0.client_addr.get().copied()
    }

    /// Written by `client_addr`. A second call changes nothing.
    pub fn set_client_addr(&self, address: IpAddr) {
        self.0.client_addr.get_or_init(|| address);
    }

    /// The rule that serves this request.
    #[must_use]
    pub fn route(&self) -> Option<&Route> {
        self.0.route.get()
    }

    /// Written by `routing`. A second call changes nothing.
    pub fn set_route(&self, route: &Route) {
        self.0.route.get_or_init(|| route.clone());
    }

    /// The parts of the path that the route's pattern has names for.
    #[must_use]
    pub fn path_params(&self) -> Option<&PathParams> {
        self.0.path_params.get()
    }

    /// Written by `routing`. A second call changes nothing.
    pub fn set_path_params(&self, params: &PathParams) {
        self.0.path_params.get_or_init(|| params.clone());
    }

    /// Who is calling, as an authentication layer proved it.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.get()
    }

    /// Written by whoever authenticates. A second call changes nothing.
    pub fn set_principal(&self, principal: &Principal) {
        self.0.principal.get_or_init(|| principal.clone());
    }

    /// The moment after which nobody waits for this request's answer any more.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.moment(&self.0.deadline)
    }

    /// Moves the deadline to `deadline` if that is closer than what holds so far, and returns what holds now.
    pub fn tighten_deadline(&self, deadline: Instant) -> Instant {
        let nanos = self.nanos(deadline);
        let before = self.0.deadline.fetch_min(nanos, Ordering::Relaxed);
        self.0.arrived + Duration::from_nanos(nanos.min(before))
    }

    /// The moment at which the present try is given up.
    #[must_use]
    pub fn try_end(&self) -> Option<Instant> {
        self.moment(&self.0.try_end)
    }

    /// Written by whoever bounds a try, at its start and at its end.
    pub fn set_try_end(&self, end: Option<Instant>) {
        self.0.try_end.store(end.map_or(NEVER, |end| self.nanos(end)), Ordering::Relaxed);
    }

    fn moment(&self, nanos: &AtomicU64) -> Option<Instant> {
        match nanos.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => Some(self.0.arrived + Duration::from_nanos(nanos)),
        }
    }

    fn nanos(&self, moment: Instant) -> u64 {
        let nanos = moment.saturating_duration_since(self.0.arrived).as_nanos();
        u64::try_from(nanos).unwrap_or(NEVER - 1).min(NEVER - 1)
    }

    /// The canonical target, where it differs from the one that arrived.
    #[must_use]
    pub fn target(&self) -> Option<&Uri> {
        self.0.target.get()
    }

    /// Written by `canonical`. A second call changes nothing.
    pub fn set_target(&self, target: &Uri) {
        self.0.target.get_or_init(|| target.clone());
    }

    /// The refusal that this request gets, whatever the layers in between think of it. So a request that is refused
    /// at the edge still meets the log and the metrics.
    #[must_use]
    pub fn doomed(&self) -> Option<&Refusal> {
        self.0.doomed.get()
    }

    /// Written by `canonical`. A second call changes nothing.
    pub fn doom(&self, refusal: Refusal) {
        self.0.doomed.get_or_init(|| refusal);
    }

    /// The endpoint of the last try.
    #[must_use]
    pub fn endpoint(&self) -> Option<Arc<str>> {
        self.0.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Written by the forwarder at the start of every try.
    pub fn set_endpoint(&self, endpoint: &Arc<str>) {
        *self.0.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(endpoint));
    }

    /// Which try this is: 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt.load(Ordering::Relaxed)
    }

    /// Written by `retry` at the start of every further try.
    pub fn set_attempt(&self, attempt: u32) {
        self.0.attempt.store(attempt, Ordering::Relaxed);
    }

    /// The count of bytes that layers hold for this request, its branches included.
    pub(crate) fn buffered(&self) -> &AtomicUsize {
        match &self.0.trunk {
            Some(trunk) => trunk.buffered(),
            None => &self.0.buffered,
        }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("peer", &self.peer())
            .field("request_id", &self.request_id())
            .field("client_addr", &self.client_addr())
            .field("route", &self.route())
            .field("principal", &self.principal())
            .field("deadline", &self.deadline())
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

/// No deadline.
const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_written_once_and_seen_by_every_clone() {
        let facts = Facts::arrived_at(Clock::default().now());
        let watcher = facts.clone();
        facts.set_client_addr(IpAddr::from([10, 0, 0, 1]));
        facts.set_client_addr(IpAddr::from([10, 0, 0, 2]));
        assert_eq!(watcher.client_addr(), Some(IpAddr::from([10, 0, 0, 1])));
    }

    #[test]
    fn a_branch_knows_what_the_trunk_knows_and_keeps_what_it_learns() {
        let trunk = Facts::arrived_at(Clock::default().now());
        trunk.set_principal(&Principal::new("shop", "ada"));
        let after = |seconds| trunk.arrived() + Duration::from_secs(seconds);
        trunk.tighten_deadline(after(9));
        let branch = trunk.branch().branch();
        branch.tighten_deadline(after(2));
        branch.set_attempt(3);
        branch.set_endpoint(&"http://a".into());
        branch.buffered().store(7, Ordering::Relaxed);
        assert_eq!(branch.principal().map(Principal::id), Some("ada"));
        assert_eq!((trunk.deadline(), branch.deadline()), (Some(after(9)), Some(after(2))));
        assert_eq!((trunk.attempt(), trunk.endpoint()), (1, None));
        assert_eq!(trunk.buffered().load(Ordering::Relaxed), 7, "what branches hold counts for the request");
    }

    #[test]
    fn a_deadline_only_moves_closer() {
        let facts = Facts::arrived_at(Clock::default().now());
        let after = |seconds| facts.arrived() + Duration::from_secs(seconds);
        assert_eq!(facts.deadline(), None);
        assert_eq!(facts.tighten_deadline(after(5)), after(5));
        assert_eq!(facts.tighten_deadline(after(9)), after(5));
        assert_eq!(facts.tighten_deadline(after(2)), after(2));
        assert_eq!(facts.deadline(), Some(after(2)));
    }
}
