use std::time::Duration;

use super::{HostPolicy, Protocol, UpstreamConfigError};
use crate::{forwarding::Pseudonym, meter::Meter, tunnel::Upgrades};

/// How to talk to an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) body_idle_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_idle: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_waiting: usize,
    pub(crate) max_age: Duration,
    pub(crate) max_requests: u64,
    pub(crate) host: HostPolicy,
    pub(crate) protocol: Protocol,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::ClientTls>,
    pub(crate) pseudonym: Pseudonym,
    pub(crate) upgrades: Upgrades,
    /// And the label of the upstream.
    pub(crate) meter: Option<(Meter, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(30),
            body_idle_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30),
            max_idle: 64,
            max_connections: 1_024,
            max_waiting: 1_024,
            max_age: Duration::from_secs(600),
            max_requests: u64::MAX,
            host: HostPolicy::Preserve,
            protocol: Protocol::Http1,
            #[cfg(feature = "tls")]
            tls: None,
            pseudonym: Pseudonym::default(),
            upgrades: Upgrades::default(),
            meter: None,
        }
    }
}

impl Settings {
    /// Times without which nothing could succeed, or that could not be added to a moment.
    pub(super) fn check(&self) -> Result<(), UpstreamConfigError> {
        self.upgrades.check()?;
        let times = [
            ("connect_timeout", self.connect_timeout, Duration::from_nanos(1)),
            ("response_timeout", self.response_timeout, Duration::from_nanos(1)),
            ("body_idle_timeout", self.body_idle_timeout, Duration::from_nanos(1)),
            ("idle_timeout", self.idle_timeout, Duration::ZERO),
            ("max_age", self.max_age, Duration::from_nanos(1)),
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
        if self.max_connections == 0 {
            return Err(UpstreamConfigError("max_connections `0`: no request could be sent".to_owned()));
        }
        if self.max_requests == 0 {
            return Err(UpstreamConfigError("max_requests `0`: no request could be sent".to_owned()));
        }
        Ok(())
    }
}

/// The longest time that a setting may say.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
