//! [`Upgrades`]: what an upstream may be switched to, described.

use std::time::Duration;

use super::{counts::Counts, wanted::is_http};
use crate::{meter::Meter, upstream::UpstreamConfigError};

/// The protocols that an upstream may be switched to, and how long such a tunnel lasts. None, unless somebody says so.
#[derive(Clone, Debug)]
pub struct Upgrades {
    pub(super) protocols: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) idle_timeout: Duration,
    pub(super) max_duration: Option<Duration>,
    pub(super) counts: Counts,
}

impl Upgrades {
    /// These protocols, such as `websocket`; case does not matter.
    ///
    /// A WebSocket handshake is checked (RFC 6455 section 4.2.1), and so is its answer; of any other protocol only
    /// the name is known. `h2c` cannot be allowed: what is in it could not be routed, limited or logged.
    pub fn new(protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            protocols: protocols.into_iter().map(Into::into).collect(),
            origins: Vec::new(),
            idle_timeout: Duration::from_secs(5 * 60),
            max_duration: None,
            counts: Counts::default(),
        }
    }

    /// The sites whose pages may open a WebSocket, such as `https://shop.example`. Any may, unless this is said.
    ///
    /// Browsers send cookies along with a handshake from any site and do not apply CORS to it, so a site that knows
    /// its callers by cookie needs this list. Another `Origin` is answered 403 `origin_not_allowed`. A handshake
    /// without one passes: it does not come from a page.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// How long both sides may be silent before a tunnel is closed. 5 min: the pings of WebSocket libraries come
    /// every 20 to 60 s and count, so only a tunnel whose ends are gone is that quiet.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long a tunnel may be open at all. No bound by default: a good one depends on how long a credential holds,
    /// which is checked at the handshake only.
    #[must_use]
    pub fn max_duration(mut self, duration: Duration) -> Self {
        self.max_duration = Some(duration);
        self
    }

    /// Counts tunnels in this meter: `gateway_tunnels` (open now), `gateway_tunnels_total{end}` and
    /// `gateway_tunnel_bytes_total{direction}` (`up`, from the client, or `down`).
    ///
    /// Ends are `client` and `upstream` (who closed first), `idle`, `too_long`, `drain` (both were told that the
    /// server stops), `cut` (the server ended before the tunnel did), `failed` (a connection broke) and `unopened`
    /// (the client was gone before it had the answer).
    #[must_use]
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.counts = Counts::new(meter);
        self
    }

    pub(crate) fn check(&self) -> Result<(), UpstreamConfigError> {
        let wrong = |text: String| Err(UpstreamConfigError(text));
        for protocol in &self.protocols {
            if is_http(protocol) {
                return wrong(format!("upgrades `{protocol}`: requests inside a tunnel would pass unseen"));
            }
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte);
            if protocol.is_empty() || !protocol.bytes().all(is_token) {
                return wrong(format!("upgrades `{protocol}`: expected the name of a protocol"));
            }
        }
        for origin in &self.origins {
            let rest = origin.split_once("://").map(|(_, rest)| rest);
            if rest.is_none_or(|host| host.is_empty() || host.contains(['/', '*', '@', ' '])) {
                return wrong(format!("origins `{origin}`: expected SCHEME://HOST[:PORT]"));
            }
        }
        Ok(())
    }

    /// The times of a tunnel, under the names that they have in messages.
    pub(crate) fn times(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let max_duration = self.max_duration.map(|time| ("upgrades.max_duration", time));
        std::iter::once(("upgrades.idle_timeout", self.idle_timeout)).chain(max_duration)
    }
}

impl Default for Upgrades {
    /// Nothing is allowed.
    fn default() -> Self {
        Self::new([] as [&str; 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_with_its_value() {
        for (upgrades, error) in [
            (Upgrades::new(["h2c"]), "upgrades `h2c`: requests inside a tunnel would pass unseen"),
            (Upgrades::new(["HTTP/2.0"]), "upgrades `HTTP/2.0`: requests inside a tunnel would pass unseen"),
            (Upgrades::new(["web socket"]), "upgrades `web socket`: expected the name of a protocol"),
            (Upgrades::new([""]), "upgrades ``: expected the name of a protocol"),
            (Upgrades::new(["websocket"]).origins(["*"]), "origins `*`: expected SCHEME://HOST[:PORT]"),
            (
                Upgrades::new(["websocket"]).origins(["https://a/b"]),
                "origins `https://a/b`: expected SCHEME://HOST[:PORT]",
            ),
        ] {
            assert_eq!(upgrades.check().unwrap_err().to_string(), error);
        }
        let usual = Upgrades::new(["websocket", "acme/2"]).origins(["https://shop.example:8443"]);
        assert_eq!(usual.check(), Ok(()));
    }
}
