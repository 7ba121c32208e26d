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
//! | [`request_id`](Facts::request_id) | `request_id` | log, refusals, forwarding |
//! | [`peer_trusted`](Facts::peer_trusted) | `client_addr` | `request_id`, forwarding |
//! | [`client_addr`](Facts::client_addr) | `client_addr` | keys, log, forwarding |
//! | [`route`](Facts::route) | `routing` | keys, log, metrics |
//! | [`deadline`](Facts::deadline) | `timeout`; only ever moves closer | everything that waits |
//! | [`target`](Facts::target) | `canonical`, if it changed it | log |
//! | [`doomed`](Facts::doomed) | `canonical`, in a gateway | routing, which answers with it |
//! | [`endpoint`](Facts::endpoint) | the forwarder, once per try | log |

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Extensions, HeaderValue, Uri};

use crate::{Clock, Refusal};

/// What is known about one request. Cloning it shares it.
#[derive(Clone)]
pub struct Facts(Arc<Inner>);

struct Inner {
    arrived: Instant,
    peer: OnceLock<SocketAddr>,
    peer_trusted: AtomicBool,
    request_id: OnceLock<RequestId>,
    client_addr: OnceLock<IpAddr>,
    route: OnceLock<Route>,
    /// Nanoseconds after `arrived`; `NEVER` while nobody set one.
    deadline: AtomicU64,
    target: OnceLock<Uri>,
    doomed: OnceLock<Refusal>,
    endpoint: Mutex<Option<Arc<str>>>,
}

impl Facts {
    /// Facts of a request that arrived at this moment.
    #[must_use]
    pub fn arrived_at(arrived: Instant) -> Self {
        Self(Arc::new(Inner {
            arrived,
            peer: OnceLock::new(),
            peer_trusted: AtomicBool::new(false),
            request_id: OnceLock::new(),
            client_addr: OnceLock::new(),
            route: OnceLock::new(),
            deadline: AtomicU64::new(NEVER),
            target: OnceLock::new(),
            doomed: OnceLock::new(),
            endpoint: Mutex::new(None),
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

    /// The moment after which nobody waits for this request's answer any more.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.0.deadline.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => Some(self.0.arrived + Duration::from_nanos(nanos)),
        }
    }

    /// Moves the deadline to `deadline` if that is closer than what holds so far, and returns what holds now.
    pub fn tighten_deadline(&self, deadline: Instant) -> Instant {
        let nanos = deadline.saturating_duration_since(self.0.arrived).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(NEVER - 1).min(NEVER - 1);
        let before = self.0.deadline.fetch_min(nanos, Ordering::Relaxed);
        self.0.arrived + Duration::from_nanos(nanos.min(before))
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
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("peer", &self.peer())
            .field("request_id", &self.request_id())
            .field("client_addr", &self.client_addr())
            .field("route", &self.route())
            .field("deadline", &self.deadline())
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

/// A request id: 1 to 128 characters of `A-Z a-z 0-9 - _ . ~ : / + = @`, safe in a header, a log line and a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The longest id that is accepted, in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// The id in this header value, if it is one.
    #[must_use]
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let fits =
            (1..=Self::MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(|&byte| is_id_byte(byte));
        fits.then(|| Self(value.clone()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header value; cloning it is cheap.
    #[must_use]
    pub fn as_header(&self) -> &HeaderValue {
        &self.0
    }
}

/// The name and the pattern of the rule that serves a request. Cloning it is cheap, and all clones share
/// [`Route::address`].
#[derive(Clone)]
pub struct Route(Arc<(String, String)>);

impl Route {
    /// A route with a name for people and the pattern that it matches, such as `/orders/{id}`.
    pub fn new(name: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self(Arc::new((name.into(), pattern.into())))
    }

    /// The name, unique in one route table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.0
    }

    /// The pattern; never a raw path, so it is safe as a metric label.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.0.1
    }

    /// A number that all clones of this route share and no other living route has; a cheap key for caches that
    /// hold a clone of the route.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.pattern())
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~:/+=@".contains(&byte)
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
    fn a_deadline_only_moves_closer() {
        let facts = Facts::arrived_at(Clock::default().now());
        let after = |seconds| facts.arrived() + Duration::from_secs(seconds);
        assert_eq!(facts.deadline(), None);
        assert_eq!(facts.tighten_deadline(after(5)), after(5));
        assert_eq!(facts.tighten_deadline(after(9)), after(5));
        assert_eq!(facts.tighten_deadline(after(2)), after(2));
        assert_eq!(facts.deadline(), Some(after(2)));
    }

    #[test]
    fn an_id_that_could_forge_a_log_line_is_no_id() {
        for bad in ["", "a b", "a\"b", "a\u{e4}", &"x".repeat(129)] {
            let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            assert_eq!(RequestId::parse(&value), None, "{bad}");
        }
        let good = HeaderValue::from_static("01-ab/C:d+e=");
        assert_eq!(RequestId::parse(&good).unwrap().as_str(), "01-ab/C:d+e=");
    }
}
