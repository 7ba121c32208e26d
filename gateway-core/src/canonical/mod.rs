//! [`canonicalize`]: the one form of a request that everybody sees.
//!
//! Routing, limits, logs and the upstream must agree on what was asked for. So the head is brought into one form
//! once, at the edge, and the head itself is that form: an origin-form target with a normal path, and one `Host`
//! in lower case. Whatever could be read in two ways is refused with 400. (RFC 9110 section 7.2, RFC 9112
//! sections 3.2 and 6.3, RFC 3986 section 6.)

mod demands;
mod framing;
mod host;
mod names;
mod path;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header, request::Parts, uri::Scheme};

use crate::{
    Admit, Admitted, Clock, Explanation, Facts, Refusal, Stamp, Verdict,
    forwarding::{self, OwnedHeaders},
    tunnel::{Extended, Wanted},
};

pub use names::OddNames;
pub use path::{PathError, canonical_path};

/// Brings a head into its canonical form, or refuses it. Canonical heads stay untouched, and idempotently so.
///
/// # Errors
/// 400 `bad_target`, `bad_path`, `bad_host`, `bad_framing` or `bad_connection`; 501 `transfer_coding`; 417
/// `expectation`; 405 for `TRACE` and for `CONNECT`, but for the extended one of HTTP/2 (RFC 8441), which becomes a
/// `GET`. After a 400 or a 501 nobody knows where the next request of an HTTP/1.1 connection begins, so it is closed.
/// `OPTIONS *` is about this hop, and gets its 204 here.
pub fn canonicalize(head: &mut Parts) -> Result<(), Refusal> {
    check(head).map_err(|refusal| {
        let in_doubt = matches!(refusal.status(), StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED);
        match in_doubt && head.version <= Version::HTTP_11 {
            true => refusal.header(header::CONNECTION, HeaderValue::from_static("close")),
            false => refusal,
        }
    })
}

fn check(head: &mut Parts) -> Result<(), Refusal> {
    framing::check(&head.headers)?;
    demands::check(head)?;
    if head.method == Method::CONNECT && head.extensions.get::<Extended>().is_some() {
        // A handshake over HTTP/2 (RFC 8441); over HTTP/1.1 it is a GET, and to everybody here, too.
        head.method = Method::GET;
    }
    if head.method == Method::CONNECT {
        let refusal =
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "connect", "this gateway opens no tunnels");
        return Err(refusal.header(header::ALLOW, HeaderValue::from_static("")));
    }
    if head.method == Method::TRACE {
        return Err(forwarding::trace_refused());
    }
    host::canonicalize(head)?;
    canonicalize_target(head)
}

/// The host that was asked for: lower case, without port; `None` for HTTP/1.0 requests that name none.
///
/// Reads the canonical `Host` header, so it holds below [`CanonicalLayer`].
#[must_use]
pub fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    Some(host::without_port(host))
}

/// A layer of [`canonicalize`], which also removes what belongs to one hop, what only the gateway may say and
/// [odd names](OddNames), and makes one `Cookie` line of several. Which protocol a request [wants](Wanted) to switch
/// to is noted before. The builder puts it below rescue, above everything else.
#[derive(Clone, Debug, Default)]
pub struct CanonicalLayer(Canonical);

impl CanonicalLayer {
    /// A layer that does not refuse by itself: it [dooms](Facts::doom) the request and passes it on, so that log and
    /// metrics see it. Only for stacks that end in `routing`, which answers such requests.
    #[must_use]
    pub fn deferred() -> Self {
        Self(Canonical { deferred: true, ..Canonical::default() })
    }

    /// Removes these headers from every request: layers further in write them, and no client may.
    #[must_use]
    pub fn owned(mut self, headers: OwnedHeaders) -> Self {
        self.0.owned = headers;
        self
    }

    /// What becomes of fields with names such as `x_user`. They are dropped by default.
    #[must_use]
    pub fn odd_names(mut self, policy: OddNames) -> Self {
        self.0.odd_names = policy;
        self
    }
}

impl<S> tower_layer::Layer<S> for CanonicalLayer {
    type Service = Admitted<Canonical, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admitted::new(std::sync::Arc::new(self.0.clone()), inner)
    }
}

/// The rule of [`CanonicalLayer`].
#[derive(Clone, Debug, Default)]
pub struct Canonical {
    deferred: bool,
    owned: OwnedHeaders,
    odd_names: OddNames,
    clock: Clock,
}

impl Admit for Canonical {
    fn admit(&self, head: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
        let outcome = canonicalize(head).and_then(|()| self.odd_names.apply(&mut head.headers));
        let Err(refusal) = outcome else {
            if let Some(wanted) = Wanted::of(head) {
                head.extensions.insert(wanted);
            }
            // Here, before any layer adds a header of its own: naming it in `Connection` must not take it away again
            // at the forwarder (RFC 9110 section 7.6.1).
            let takes_trailers = forwarding::takes_trailers(&head.headers);
            forwarding::remove_hop_by_hop(&mut head.headers);
            // The one thing of `TE` that the forwarder asks for, and that gRPC cannot do without.
            if takes_trailers {
                head.headers.insert(http::header::TE, http::HeaderValue::from_static("trailers"));
            }
            self.owned.remove_from(&mut head.headers);
            self.owned.remove_from_trailer_list(&mut head.headers);
            forwarding::join_cookies(&mut head.headers);
            return Ok(());
        };
        if !self.deferred {
            return Err(refusal);
        }
        Facts::of(&mut head.extensions, &self.clock).doom(refusal);
        Ok(())
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let mut head = head.clone();
        let outcome = canonicalize(&mut head).and_then(|()| self.odd_names.apply(&mut head.headers));
        say.push(match outcome {
            Ok(()) => Explanation::new("canonical", Verdict::Pass, "the request can be read in one way only"),
            Err(refusal) => Explanation::new("canonical", Verdict::Refuse, refusal.to_string()),
        });
    }
}

fn canonicalize_target(head: &mut Parts) -> Result<(), Refusal> {
    let target = &head.uri;
    if target.path() == "*" {
        return match head.method {
            Method::OPTIONS => Err(forwarding::options_answered()),
            _ => Err(bad("bad_target", "the target `*` is for OPTIONS alone")),
        };
    }
    match (target.scheme(), target.authority()) {
        (None, Some(_)) => return Err(bad("bad_target", "a target of host and port alone is for CONNECT")),
        (Some(scheme), _) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => {
            return Err(bad("bad_target", "the target's scheme is not http"));
        }
        _ => {}
    }
    // HTTP/2 has no absolute targets; `http` reads a path that begins with the query as one without its slash.
    let begins = target.path_and_query().map_or("/", |target| target.as_str());
    if head.version >= Version::HTTP_2 && !begins.starts_with('/') {
        return Err(bad("bad_target", "the request target is not valid"));
    }
    let path = canonical_path(target.path()).map_err(|error| bad("bad_path", error.as_str()))?;
    if path.is_none() && target.authority().is_none() && target.scheme().is_none() {
        return Ok(());
    }
    let path = path.as_deref().unwrap_or(target.path());
    let path = if path.is_empty() { "/" } else { path };
    let target = match target.query() {
        Some(query) => format!("{path}?{query}").parse::<Uri>(),
        None => path.parse(),
    };
    head.uri = target.map_err(|_| bad("bad_target", "the request target is not valid"))?;
    if let Some(facts) = Facts::get(&head.extensions) {
        facts.set_target(&head.uri);
    }
    Ok(())
}

fn bad(code: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, detail)
}

/// HTTP/1.1 demands a host; HTTP/1.0 does not.
fn needs_host(version: Version) -> bool {
    version >= Version::HTTP_11
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn canonical(head: http::request::Builder) -> Result<Parts, Refusal> {
        let mut head = head.body(()).unwrap().into_parts().0;
        canonicalize(&mut head).map(|()| head)
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target).header("host", "Example.COM.:8080")
    }

    #[test]
    fn an_absolute_target_and_an_odd_host_become_one_form() {
        let head = canonical(get("http://API.example:80/%7Ea//b/./c/../d?x=%zz&&y")).unwrap();
        assert_eq!(head.uri, "/~a/b/d?x=%zz&&y");
        assert_eq!(head.headers["host"], "api.example");
        let head = canonical(get("/")).unwrap();
        assert_eq!(head.headers["host"], "example.com:8080");
        assert_eq!(host(&head.headers), Some("example.com"));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (builder, code) in [
            (get("/").header("host", "other"), "bad_host"),
            (Request::get("/"), "bad_host"),
            (Request::get("/").header("host", "a@b"), "bad_host"),
            (get("/a%2fb"), "bad_path"),
            (get("/a/..;/b"), "bad_path"),
            (get("/../a"), "bad_path"),
            (get("/%zz"), "bad_path"),
            (get("/").header("transfer-encoding", "gzip, chunked"), "transfer_coding"),
            (get("/").header("transfer-encoding", "chunked").header("content-length", "5"), "bad_framing"),
            (get("/").header("content-length", "5").header("content-length", "6"), "bad_framing"),
            (get("/").header("content-length", "+5"), "bad_framing"),
            (get("/").header("connection", "close, Cookie"), "bad_connection"),
            (get("/").header("connection", "").header("connection", "\thost "), "bad_connection"),
            (get("/").header("expect", "200-ok"), "expectation"),
            (get("/").header("expect", "100-continue").header("expect", "x"), "expectation"),
            (get("ftp://example.com/"), "bad_target"),
            (get("example.com:80"), "bad_target"),
            (get("*"), "bad_target"),
            (get("*").method("OPTIONS"), "options"),
            (get("/").method("TRACE"), "trace"),
        ] {
            assert_eq!(canonical(builder).map_err(|refusal| refusal.code()).err(), Some(code));
        }
    }
}
