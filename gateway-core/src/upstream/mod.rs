//! [`Upstream`]: where requests are forwarded to, described.
//!
//! A description is plain data; [`Upstream::build`] checks it and makes the [`Forward`] service of it.
//!
//! ```
//! use gateway_core::upstream::Upstream;
//!
//! let orders = Upstream::new(["http://10.0.0.1:8080", "http://10.0.0.2:8080/v2"]).build();
//! assert!(orders.is_ok());
//! let error = Upstream::new(["http//10.0.0.1"]).build().unwrap_err();
//! assert_eq!(error.to_string(), "endpoint `http//10.0.0.1`: expected http(s)://HOST[:PORT][/PATH]");
//! ```

pub mod discover;
mod endpoint;
mod guard;
pub mod health;
pub mod pick;
mod preference;
mod protocol;
pub mod set;
mod settings;

use std::{fmt, sync::Arc, time::Duration};

use crate::{client::Forward, forwarding::Pseudonym, meter::Meter, tunnel::Upgrades};

pub use discover::{Discover, Member};
pub use endpoint::Endpoint;
pub(crate) use guard::Admitted;
pub use guard::{EndpointGuard, Ticket, TryEnd};
pub use preference::{Panic, Preference, Settled};
pub use protocol::Protocol;
pub use set::Balance;
pub(crate) use settings::Settings;

/// A set of equal endpoints and how to talk to them.
#[derive(Clone, Debug)]
pub struct Upstream {
    members: Vec<Member>,
    balance: Balance,
    settings: Settings,
    guards: Option<Guards>,
}

/// Makes the guard of an endpoint.
#[derive(Clone)]
pub(crate) struct Guards(Arc<dyn Fn(&Endpoint) -> Arc<dyn EndpointGuard> + Send + Sync>);

impl Guards {
    pub(crate) fn make(&self, endpoint: &Endpoint) -> Arc<dyn EndpointGuard> {
        (self.0)(endpoint)
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guards").finish_non_exhaustive()
    }
}

/// Which `Host` an upstream sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// The one the client asked for. The default: applications make links of it.
    #[default]
    Preserve,
    /// The endpoint's own host and port.
    Upstream,
}

impl Upstream {
    /// Endpoints such as `http://10.0.0.1:8080` or `http://service/base`; the path of a request is put behind the
    /// endpoint's own.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(endpoints.into_iter().map(|url| Member::new(url.into())))
    }

    /// Endpoints with weights, groups and zones.
    pub fn of(members: impl IntoIterator<Item = Member>) -> Self {
        Self {
            members: members.into_iter().collect(),
            balance: Balance::default(),
            settings: Settings::default(),
            guards: None,
        }
    }

    /// A service without any endpoint, for routes that answer without one: every request fails with
    /// [`NoEndpoint`](crate::error::ErrorKind::NoEndpoint).
    #[must_use]
    pub fn nowhere() -> Forward {
        let Self { balance, settings, .. } = Self::of([]);
        Forward::new(Vec::new(), balance, None, settings)
            .expect("without an endpoint there is nothing to be wrong")
    }

    /// How long one connection may take to come about, name look-up included. 1 s: within one network that is
    /// ample, and another endpoint can still be tried.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long the upstream may take until its response head is there, counted from the last piece of the request's
    /// body that it took; the deadline of the request counts too. 30 s.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.settings.response_timeout = timeout;
        self
    }

    /// How long a response body may be silent before the transfer is broken off. 60 s: longer than the usual
    /// heartbeat of an event stream.
    #[must_use]
    pub fn body_idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.body_idle_timeout = timeout;
        self
    }

    /// How long an unused connection is kept for the next request. 30 s: shorter than the 60 s and more after
    /// which common servers close, so that we rarely meet a closing connection.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// How many unused connections are kept for one endpoint. 64: the concurrency of a busy instance, at about
    /// 10 KiB each.
    #[must_use]
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.settings.max_idle = connections;
        self
    }

    /// How many connections to one endpoint may be open at once, used and unused ones. 1,024: what a usual server
    /// takes; past it requests wait in line. Over HTTP/2 a connection carries as many requests at once as the endpoint
    /// allows, at most 100.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How many requests may wait for a connection to one endpoint, first come, first served, within their deadline.
    /// 1,024: a burst as large as what is under way. Past it another endpoint is tried, and the answer is 503
    /// `upstream_busy` with `Retry-After` if there is none.
    #[must_use]
    pub fn max_waiting(mut self, requests: usize) -> Self {
        self.settings.max_waiting = requests;
        self
    }

    /// How old a connection may get before it takes no more requests. 10 minutes: a name that leads elsewhere now
    /// is noticed by then.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.settings.max_age = age;
        self
    }

    /// How many requests a connection may take. As many as there are by default.
    #[must_use]
    pub fn max_requests(mut self, requests: u64) -> Self {
        self.settings.max_requests = requests;
        self
    }

    /// Which HTTP the endpoints speak.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.settings.protocol = protocol;
        self
    }

    /// How `https` endpoints are recognised, and how they recognise us. By default the system's authorities decide,
    /// and we show no certificate.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::ClientTls) -> Self {
        self.settings.tls = Some(tls);
        self
    }

    /// Counts what becomes of its endpoints, under this label; see [`Counts`](set::Counts). And the connections:
    /// `gateway_upstream_connections{upstream,endpoint,state}` (`open` counts all, `idle` those kept unused over
    /// HTTP/1.1), `gateway_upstream_connections_opened_total`, `gateway_upstream_connections_reused_total` and
    /// `gateway_upstream_resent_total`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, upstream: impl Into<String>) -> Self {
        self.settings.meter = Some((meter.clone(), upstream.into()));
        self
    }

    /// Which `Host` the upstream sees.
    #[must_use]
    pub fn host(mut self, policy: HostPolicy) -> Self {
        self.settings.host = policy;
        self
    }

    /// The name of this gateway in `Via`.
    #[must_use]
    pub fn pseudonym(mut self, pseudonym: Pseudonym) -> Self {
        self.settings.pseudonym = pseudonym;
        self
    }

    /// Which protocols a client may switch to, such as `websocket`; see [`tunnel`](crate::tunnel). None by default.
    #[must_use]
    pub fn upgrades(mut self, upgrades: Upgrades) -> Self {
        self.settings.upgrades = upgrades;
        self
    }

    /// Puts a guard in front of every endpoint, made by this function; one that is not admitted is passed over. When
    /// all are, the answer is 503 `circuit_open` with `Retry-After`.
    #[must_use]
    pub fn guard(
        mut self,
        guards: impl Fn(&Endpoint) -> Arc<dyn EndpointGuard> + Send + Sync + 'static,
    ) -> Self {
        self.guards = Some(Guards(Arc::new(guards)));
        self
    }

    /// How the endpoints are balanced: who is next, which of them are used, and when one is left alone. In turn, all
    /// of them, never.
    #[must_use]
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// The endpoints as they were given.
    #[must_use]
    pub fn endpoints(&self) -> Vec<&str> {
        self.members.iter().map(|member| &*member.url).collect()
    }

    /// Checks the description and makes a service of it. Connects to nothing yet.
    ///
    /// # Errors
    /// Names the setting and the value that cannot be used: no endpoint, an endpoint that is no such URL, a time of
    /// zero (but for `idle_timeout`, where it means that no connection is kept) or of more than ten years, a
    /// certificate or key that cannot be read.
    pub fn build(self) -> Result<Forward, UpstreamConfigError> {
        if self.members.is_empty() {
            return Err(UpstreamConfigError("an upstream needs at least one endpoint".to_owned()));
        }
        self.settings.check()?;
        Forward::new(self.members, self.balance, self.guards, self.settings)
    }
}

/// A setting of an [`Upstream`] that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamConfigError(pub(crate) String);

impl fmt::Display for UpstreamConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UpstreamConfigError {}

#[cfg(test)]
mod tests {
    use super::{settings::LONGEST, *};

    #[test]
    fn a_mistake_is_named_with_its_value() {
        let upstream = || Upstream::new(["http://a"]);
        for (description, error) in [
            (Upstream::new([] as [&str; 0]), "an upstream needs at least one endpoint"),
            (upstream().connect_timeout(Duration::ZERO), "connect_timeout `0ns`: it must be more than zero"),
            (
                upstream().response_timeout(Duration::ZERO),
                "response_timeout `0ns`: it must be more than zero",
            ),
            (
                upstream().body_idle_timeout(2 * LONGEST),
                "body_idle_timeout `630720000s`: it is longer than ten years",
            ),
        ] {
            assert_eq!(description.build().unwrap_err().to_string(), error);
        }
        assert!(upstream().idle_timeout(Duration::ZERO).max_idle(0).build().is_ok());
    }
}
