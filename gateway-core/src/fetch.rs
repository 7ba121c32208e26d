//! [`Fetch`]: a document that a layer needs from elsewhere, such as a key set.
//!
//! Control-plane calls go over the same client as proxied requests, with limits of their own: they have a deadline and
//! a largest size, follow no redirects, and send nothing of the request that caused them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gateway_core::fetch::Fetch;
//!
//! let keys = Fetch::new("http://127.0.0.1:9000/.well-known/jwks.json")?;
//! let fetched = keys.get().await?;
//! assert!(fetched.body.starts_with(b"{"));
//! # Ok(())
//! # }
//! ```

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use tower_service::Service;

use crate::{
    Body, Clock,
    body::CollectError,
    client::Forward,
    forwarding::Pseudonym,
    upstream::{HostPolicy, Upstream, UpstreamConfigError},
};

/// Asks one URL. Clones share the connection.
#[derive(Clone)]
pub struct Fetch {
    url: Uri,
    forward: Forward,
    timeout: Duration,
    max_body: usize,
    clock: Clock,
}

impl Fetch {
    /// 5 s: what is fetched is fetched beside the requests, and a slow source should still be heard.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    /// 1 MiB: a hundred times what a usual key set takes.
    pub const MAX_BODY: usize = 1 << 20;

    /// Will ask `url`, such as `https://login.example/keys?v=1`; over `https` (feature `tls`) the system's authorities
    /// decide whether it is the right server.
    ///
    /// # Errors
    /// When it is not such a URL.
    pub fn new(url: &str) -> Result<Self, UpstreamConfigError> {
        let wrong = || UpstreamConfigError("expected a URL such as http(s)://HOST[:PORT][/PATH]".to_owned());
        let parsed: Uri = url.parse().map_err(|_| wrong())?;
        if parsed.scheme().is_none() || parsed.authority().is_none() {
            return Err(wrong());
        }
        let forward = upstream(&parsed).build()?;
        let (timeout, max_body) = (Self::TIMEOUT, Self::MAX_BODY);
        Ok(Self { url: parsed, forward, timeout, max_body, clock: Clock::default() })
    }

    /// Another way to recognise the server, and to be recognised.
    ///
    /// # Errors
    /// When a certificate or key cannot be read.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::ClientTls) -> Result<Self, UpstreamConfigError> {
        self.forward = upstream(&self.url).tls(tls).build()?;
        Ok(self)
    }

    /// How long the whole answer may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long the answer's body may be, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The URL, for messages.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Sends a `GET` and reads the whole answer. Every status is an answer; what it means is the caller's business.
    ///
    /// # Errors
    /// Why there is no whole answer.
    pub async fn get(&self) -> Result<Fetched, FetchError> {
        let until = self.clock.now() + self.timeout;
        self.clock.timeout(until, self.ask()).await.unwrap_or_else(|| {
            Err(FetchError(format!("no whole answer from {} within {:?}", self.url, self.timeout)))
        })
    }

    async fn ask(&self) -> Result<Fetched, FetchError> {
        let failed = |why: String| FetchError(format!("{}: {why}", self.url));
        let target = self.url.path_and_query().map_or("/", |target| target.as_str());
        let request = Request::get(target).header(header::ACCEPT, "application/json").body(Body::empty());
        let request = request.map_err(|error| failed(error.to_string()))?;
        let answer = self.forward.clone().call(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
            failed(format!("{error}{}", cause.unwrap_or_default()))
        })?;
        let (head, body) = answer.into_parts();
        let body = Body::collect_limited(body, self.max_body).await.map_err(|error| match error {
            CollectError::TooLarge { max } => failed(format!("the answer is longer than {max} bytes")),
            CollectError::Failed(cause) => failed(cause.to_string()),
        })?;
        Ok(Fetched { status: head.status, headers: head.headers, body })
    }
}

fn upstream(url: &Uri) -> Upstream {
    let (scheme, authority) = (url.scheme_str().unwrap_or_default(), url.authority());
    let authority = authority.map_or("", |authority| authority.as_str());
    let upstream = Upstream::new([format!("{scheme}://{authority}")]).host(HostPolicy::Upstream);
    match Pseudonym::new("gateway-fetch") {
        // Under the gateway's own name, a source behind the same gateway would be taken for a loop.
        Some(name) => upstream.pseudonym(name),
        None => upstream,
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetch").field(&self.url).finish()
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no whole answer, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError(String);

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FetchError {}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use super::*;
    use crate::testing::{ScriptedUpstream, Step};

    async fn fetched(steps: Vec<Step>) -> Result<Fetched, FetchError> {
        let source = ScriptedUpstream::start([steps]).await.unwrap();
        let fetch = Fetch::new(&format!("{}/keys?v=1", source.url())).unwrap();
        let fetched = fetch.timeout(Duration::from_millis(200)).max_body(5).get().await;
        assert!(source.heads()[0].starts_with("GET /keys?v=1 HTTP/1.1\r\n"), "{:?}", source.heads());
        fetched
    }

    #[tokio::test]
    async fn reads_a_whole_answer_or_says_why_there_is_none() {
        let ok = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone";
        let answer = fetched(vec![Step::Send(ok)]).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (404, &b"none"[..]));
        for (steps, why) in [
            (vec![Step::Stall], "no whole answer"),
            (vec![Step::Reset], "closed the connection"),
            (vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")], "longer than 5 bytes"),
            (vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nx"), Step::Close], "broke off"),
        ] {
            let error = fetched(steps).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let nowhere = Fetch::new("http://127.0.0.1:1/").unwrap().get().await.unwrap_err().to_string();
        assert!(nowhere.contains("could not be reached"), "{nowhere}");
    }

    #[test]
    fn a_url_that_cannot_be_asked_is_refused() {
        for (url, why) in [("keys", "expected a URL"), ("ftp://a/keys", "expected http(s)://HOST")] {
            let error = Fetch::new(url).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
