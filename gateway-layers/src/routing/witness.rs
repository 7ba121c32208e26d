use std::{
    fmt,
    fmt::Write as _,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use gateway_core::{Clock, Facts, facts::TlsSession};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{CONTENT_TYPE, COOKIE, HOST},
    request::Parts,
};

use super::condition::Condition;

/// A request that shows a conflict of two rules: both match it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    method: Method,
    host: Option<String>,
    target: String,
    headers: HeaderMap,
    client: Option<IpAddr>,
    server_name: Option<String>,
    time: SystemTime,
}

impl Witness {
    /// A request that meets these conditions, if one can be thought of.
    pub(super) fn of(
        method: Method,
        host: Option<String>,
        path: &str,
        conditions: &[Condition],
    ) -> Option<Self> {
        let mut found = Self {
            method,
            host,
            target: path.to_owned(),
            headers: HeaderMap::new(),
            client: None,
            server_name: None,
            time: SystemTime::UNIX_EPOCH,
        };
        let mut cookies = String::new();
        for condition in conditions {
            match condition {
                Condition::Header(name, text) => {
                    found.headers.insert(name.clone(), HeaderValue::from_bytes(&text.example()?).ok()?);
                }
                Condition::Query(name, text) => {
                    found.target.push(if found.target.contains('?') { '&' } else { '?' });
                    escape(name.as_bytes(), &mut found.target);
                    found.target.push('=');
                    escape(&text.example()?, &mut found.target);
                }
                Condition::Cookie(name, text) => {
                    let between = if cookies.is_empty() { "" } else { "; " };
                    write!(cookies, "{between}{name}={}", String::from_utf8(text.example()?).ok()?).ok()?;
                }
                Condition::From(networks) => found.client = Some(networks.first()?.address()),
                Condition::ServerName(name) => found.server_name = Some(name.example()?),
                Condition::Media(media) => {
                    found.headers.insert(CONTENT_TYPE, media.example().parse().ok()?);
                }
                Condition::Window { after: Some(after), .. } => found.time = *after,
                Condition::Window { after: None, before } => {
                    found.time = (*before)?.checked_sub(Duration::from_secs(1))?;
                }
                // Only its author knows.
                Condition::Own(..) => return None,
            }
        }
        if !cookies.is_empty() {
            found.headers.insert(COOKIE, cookies.parse().ok()?);
        }
        Some(found)
    }

    /// It, as a canonical head.
    ///
    /// # Panics
    /// Never: what a witness is made of is valid.
    #[must_use]
    pub fn head(&self) -> Parts {
        let request = Request::builder().method(&self.method).uri(&self.target).body(());
        let (mut head, ()) = request.unwrap_or_default().into_parts();
        head.headers = self.headers.clone();
        if let Some(host) = self.host.as_deref().and_then(|host| host.parse().ok()) {
            head.headers.insert(HOST, host);
        }
        if let Some(client) = self.client {
            Facts::of(&mut head.extensions, &Clock::default()).set_client_addr(client);
        }
        if self.server_name.is_some() {
            let session = TlsSession::new("TLSv1.3", self.server_name.clone(), None, None);
            Facts::of(&mut head.extensions, &Clock::default()).set_tls(&session);
        }
        head
    }

    /// The wall time at which it is asked.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.time
    }
}

/// `GET shop.test/a?x=1`, then whatever else matters.
impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.host.as_deref().unwrap_or_default(), self.target)?;
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.as_bytes().escape_ascii())
        };
        let mut with: Vec<String> = self.headers.iter().map(line).collect();
        with.extend(self.client.map(|client| format!("from {client}")));
        with.extend(self.server_name.as_ref().map(|name| format!("server name {name}")));
        let since = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        with.extend((!since.is_zero()).then(|| format!("at second {}", since.as_secs())));
        if with.is_empty() { Ok(()) } else { write!(f, " with {}", with.join(", ")) }
    }
}

fn escape(bytes: &[u8], to: &mut String) {
    for &byte in bytes {
        match byte.is_ascii_alphanumeric() {
            true => to.push(char::from(byte)),
            false => write!(to, "%{byte:02X}").expect("a string takes every text"),
        }
    }
}
