use std::{fmt, ops::RangeInclusive, time::Duration};

use http::{HeaderMap, HeaderValue};

use super::Rhythm;
use crate::upstream::pick::KeyHash;

/// How endpoints are asked whether they are well, beside the requests.
///
/// Every check has a connection of its own: it shows that the endpoint still takes new ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Checks {
    /// What is asked.
    pub probe: Probe,
    /// How often, and how many answers of one kind are believed.
    pub rhythm: Rhythm,
    /// How long a check may take from the first look-up of the name to the answer. 2 s.
    pub timeout: Duration,
    /// Another port than that of the endpoint. None.
    pub port: Option<u16>,
    /// How many checks of an upstream may be under way at once. 16.
    pub at_once: usize,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// A `GET`, over the protocol of the upstream.
    Http(HttpProbe),
    /// Whether a connection comes about.
    Tcp,
}

/// A `GET` that a healthy endpoint answers as expected.
#[derive(Clone, PartialEq)]
pub struct HttpProbe {
    /// The path, whatever the path in the endpoint's URL is. `/`.
    pub path: String,
    /// The `Host`, instead of the endpoint's own.
    pub host: Option<HeaderValue>,
    /// More headers.
    pub headers: HeaderMap,
    /// The statuses that are good. 200 to 299.
    pub expect: Vec<RangeInclusive<u16>>,
}

impl Checks {
    /// Checks of this kind, with the defaults.
    #[must_use]
    pub fn new(probe: Probe) -> Self {
        Self { probe, rhythm: Rhythm::default(), timeout: Duration::from_secs(2), port: None, at_once: 16 }
    }

    /// `GET` of this path, with the defaults.
    pub fn http(path: impl Into<String>) -> Self {
        Self::new(Probe::Http(HttpProbe { path: path.into(), ..HttpProbe::default() }))
    }
}

impl HttpProbe {
    /// Whether an answer with this status is good.
    #[must_use]
    pub fn expects(&self, status: u16) -> bool {
        self.expect.iter().any(|range| range.contains(&status))
    }
}

impl Default for HttpProbe {
    fn default() -> Self {
        Self { path: "/".to_owned(), host: None, headers: HeaderMap::new(), expect: vec![200..=299] }
    }
}

/// Values of headers may be secrets: they are told apart by a hash.
impl fmt::Debug for HttpProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hash = KeyHash::new(0);
        for (name, value) in &self.headers {
            hash = hash.part(name.as_str().as_bytes()).part(value.as_bytes());
        }
        f.debug_struct("HttpProbe")
            .field("path", &self.path)
            .field("host", &self.host)
            .field("headers", &format_args!("{} ({:x})", self.headers.len(), hash.finish()))
            .field("expect", &self.expect)
            .finish()
    }
}
