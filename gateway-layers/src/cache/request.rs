//! [`Wish`]: what a request asks of a cache (RFC 9111, 4 and 5.2.1).

use std::time::Duration;

use gateway_core::tunnel::Wanted;
use http::{
    HeaderMap, Method,
    header::{CACHE_CONTROL, IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, PRAGMA, RANGE},
    request::Parts,
};

use super::{
    directives::{Directives, Scope},
    status::Forwarded,
};

/// What a request asks of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing: it goes by.
    Pass(Forwarded),
    /// An answer from the store, on these terms.
    Look(Terms),
    /// Something from the store that the store never has.
    Unsatisfiable,
}

/// On which terms a request takes a stored answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) head_only: bool,
    pub(super) no_cache: bool,
    pub(super) only_if_cached: bool,
    pub(super) max_age: Option<Duration>,
    pub(super) min_fresh: Option<Duration>,
    pub(super) max_stale: Option<Duration>,
}

impl Wish {
    /// What this head asks for; `has_body` for a request that brings content.
    pub(super) fn of(head: &Parts, has_body: bool) -> Self {
        if head.method != Method::GET && head.method != Method::HEAD {
            return Self::Pass(Forwarded::Method);
        }
        let headers = &head.headers;
        // Content of a GET is no part of the key. Ranges and preconditions on the origin's state are its business.
        if has_body
            // What answers a handshake is a tunnel, or the upstream's own word that there is none.
            || head.extensions.get::<Wanted>().is_some()
            || [RANGE, IF_RANGE, IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| headers.contains_key(name))
        {
            return match asked(headers).only_if_cached {
                true => Self::Unsatisfiable,
                false => Self::Pass(Forwarded::Bypass),
            };
        }
        let directives = asked(headers);
        if directives.no_store && !directives.only_if_cached {
            return Self::Pass(Forwarded::Request);
        }
        Self::Look(Terms {
            head_only: head.method == Method::HEAD,
            no_cache: directives.no_cache != Scope::Nothing,
            only_if_cached: directives.only_if_cached,
            max_age: directives.max_age.map(Duration::from_secs),
            min_fresh: directives.min_fresh.map(Duration::from_secs),
            max_stale: directives.max_stale.map(Duration::from_secs),
        })
    }
}

/// `Cache-Control`, or `Pragma: no-cache` of clients that know no better (RFC 9111, 5.4).
fn asked(headers: &HeaderMap) -> Directives {
    if headers.contains_key(CACHE_CONTROL) {
        return Directives::parse(headers.get_all(CACHE_CONTROL));
    }
    let mut directives = Directives::default();
    if headers.contains_key(PRAGMA) && Directives::parse(headers.get_all(PRAGMA)).no_cache != Scope::Nothing {
        directives.no_cache = Scope::Everything;
    }
    directives
}

/// Whether a request may change something: everything but the methods that are known to be safe (RFC 9110, 9.2.1).
pub(super) fn is_unsafe(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
        && !matches!(method.as_str(), "QUERY" | "PROPFIND" | "REPORT" | "SEARCH")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn wish(method: &str, headers: &[(&str, &str)], has_body: bool) -> Wish {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Wish::of(&request.body(()).unwrap().into_parts().0, has_body)
    }

    #[test]
    fn what_a_cache_cannot_answer_goes_by() {
        for (method, headers, has_body, why) in [
            ("POST", &[][..], false, Forwarded::Method),
            ("OPTIONS", &[], false, Forwarded::Method),
            ("GET", &[], true, Forwarded::Bypass),
            ("GET", &[("range", "bytes=0-1")], false, Forwarded::Bypass),
            ("GET", &[("if-match", "\"a\"")], false, Forwarded::Bypass),
            ("GET", &[("cache-control", "no-store")], false, Forwarded::Request),
        ] {
            assert_eq!(wish(method, headers, has_body), Wish::Pass(why), "{method} {headers:?}");
        }
    }

    #[test]
    fn a_handshake_goes_by() {
        let request = Request::get("/").header("connection", "upgrade").header("upgrade", "websocket");
        let mut head = request.body(()).unwrap().into_parts().0;
        let wanted = Wanted::of(&head).unwrap();
        head.extensions.insert(wanted);
        assert_eq!(Wish::of(&head, false), Wish::Pass(Forwarded::Bypass));
    }

    #[test]
    fn pragma_counts_where_nothing_else_is_said() {
        let no_cache = |headers: &[(&str, &str)]| match wish("GET", headers, false) {
            Wish::Look(terms) => terms.no_cache,
            other => panic!("it looks: {other:?}"),
        };
        assert!(no_cache(&[("pragma", "no-cache")]));
        assert!(!no_cache(&[("pragma", "no-cache"), ("cache-control", "max-age=5")]));
        assert!(no_cache(&[("cache-control", "no-cache")]));
        assert!(!no_cache(&[("pragma", "x")]));
    }

    #[test]
    fn a_method_that_nobody_knows_may_change_something() {
        for (method, changes) in
            [("GET", false), ("TRACE", false), ("QUERY", false), ("PUT", true), ("FROB", true)]
        {
            assert_eq!(is_unsafe(&method.parse().unwrap()), changes, "{method}");
        }
    }
}
