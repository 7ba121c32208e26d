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
//! assert_eq!(error.to_string(), "endpoint `http//10.0.0.1`: expected http://HOST[:PORT][/PATH]");
//! ```

pub mod discover;
mod endpoint;
mod guard;
pub mod health;
pub mod pick;
mod preference;
pub mod set;

use std::{fmt, sync::Arc, time::Duration};

use crate::{client::Forward, forwarding::Pseudonym, meter::Meter, tunnel::Upgrades};

pub use discover::{Discover, Member};
pub use endpoint::Endpoint;
pub(crate) use guard::Admitted;
pub use guard::{EndpointGuard, Ticket, TryEnd};
pub use preference::{Panic, Preference, Settled};
pub use set::Balance;

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

/// How to talk to an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) body_idle_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_idle: usize,
    pub(crate) host: HostPolicy,
    pub(crate) pseudonym: Pseudonym,
    /// And the label of the upstream.
    pub(crate) meter: Option<(Meter, String)>,
    pub(crate) upgrades: Upgrades,
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
            settings: Settings {
                connect_timeout: Duration::from_secs(1),
                response_timeout: Duration::from_secs(30),
                body_idle_timeout: Duration::from_secs(60),
                idle_timeout: Duration::from_secs(30),
                max_idle: 64,
                host: HostPolicy::Preserve,
                pseudonym: Pseudonym::default(),
                meter: None,
                upgrades: Upgrades::default(),
            },
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

    /// Counts what becomes of its endpoints, under this label; see [`Counts`](set::Counts).
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
    /// zero (but for `idle_timeout`, where it means that no connection is kept) or of more than ten years.
    pub fn build(self) -> Result<Forward, UpstreamConfigError> {
        if self.members.is_empty() {
            return Err(UpstreamConfigError("an upstream needs at least one endpoint".to_owned()));
        }
        self.settings.check()?;
        Forward::new(self.members, self.balance, self.guards, self.settings)
    }
}

impl Settings {
    /// Times without which nothing could succeed, or that could not be added to a moment.
    fn check(&self) -> Result<(), UpstreamConfigError> {
        self.upgrades.check()?;
        let times = [
            ("connect_timeout", self.connect_timeout, Duration::from_nanos(1)),
            ("response_timeout", self.response_timeout, Duration::from_nanos(1)),
            ("body_idle_timeout", self.body_idle_timeout, Duration::from_nanos(1)),
            ("idle_timeout", self.idle_timeout, Duration::ZERO),
        ];
        let tunnel = self.upgrades.times().map(|(name, time)| (name, time, Duration::from_nanos(1)));
        for (name, time, at_least) in times.into_iter().chain(tunnel) {
            if time < at_least {
                return Err(UpstreamConfigError(format!("{name} `{time:?}`: it must be more than zero")));
            }
            if time > LONGEST {
                return Err(UpstreamConfigError(format!("{name} `{time:?}`: it is longer than ten years")));
            }
        }
        Ok(())
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

const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

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
