//! [`Change`]: a request that may change what is stored (RFC 9111, 4.4).

use std::sync::Arc;

use gateway_core::canonical::canonical_path;
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::{CONTENT_LOCATION, HOST, LOCATION},
    request::Parts,
};

use super::{
    Store,
    key::{Name, Naming},
    layer::Shared,
};

/// What a request of an unsafe method invalidates when it succeeds.
#[derive(Debug)]
pub(super) struct Change {
    store: Arc<Shared>,
    site: Naming,
    /// The name under which the requester's own answer is stored.
    answer: Name,
    target: Uri,
    host: Option<HeaderValue>,
}

impl Change {
    /// What this request may change. Allocates nothing.
    pub(super) fn of(shared: &Arc<Shared>, head: &Parts) -> Option<Self> {
        let site = Naming::site(head)?;
        let target = site.clone().target(head.uri.path(), head.uri.query());
        let answer = target.answer(head, shared.partition).name();
        let (target, host) = (head.uri.clone(), head.headers.get(HOST).cloned());
        Some(Self { store: Arc::clone(shared), site, answer, target, host })
    }

    /// Invalidates the target, and what the answer names at the same host, if the answer is no error.
    pub(super) fn apply(&self, status: StatusCode, headers: &HeaderMap) {
        if !(status.is_success() || status.is_redirection()) {
            return;
        }
        let store: &Store = &self.store.store;
        let target = self.site.clone().target(self.target.path(), self.target.query());
        store.invalidate(target.name(), Some(self.answer));
        for value in [LOCATION, CONTENT_LOCATION].iter().filter_map(|name| headers.get(name)) {
            if let Some((path, query)) = value.to_str().ok().and_then(|text| self.resolve(text)) {
                store.invalidate(self.site.clone().target(&path, query).name(), None);
            }
        }
        self.store.counts.bytes.set(i64::try_from(store.bytes()).unwrap_or(i64::MAX));
    }

    /// The path and query of a reference to the same origin (RFC 3986, 5.2).
    fn resolve<'a>(&'a self, reference: &'a str) -> Option<(String, Option<&'a str>)> {
        let reference = reference.split('#').next()?;
        let scheme = self.target.scheme_str().unwrap_or("http");
        let after_scheme = match reference.split_once("://") {
            Some((named, rest)) if is_scheme(named) => {
                named.eq_ignore_ascii_case(scheme).then_some(())?;
                Some(rest)
            }
            _ => reference.strip_prefix("//"),
        };
        let rest = match after_scheme {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                self.is_our_host(&rest[..end]).then(|| &rest[end..])?
            }
            None => reference,
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let base = self.target.path();
        let path = match (path, after_scheme) {
            ("", Some(_)) => "/".to_owned(),
            ("", None) => base.to_owned(),
            (path, _) if path.starts_with('/') => path.to_owned(),
            // `mailto:x` is no path.
            (path, _) if path.split('/').next().is_some_and(|first| first.contains(':')) => return None,
            (path, _) => format!("{}{path}", &base[..base.rfind('/').map_or(0, |slash| slash + 1)]),
        };
        Some((canonical_path(&path).ok()?.unwrap_or(path), query))
    }

    fn is_our_host(&self, named: &str) -> bool {
        let ours = match (self.target.authority(), &self.host) {
            (Some(authority), _) => authority.as_str().as_bytes(),
            (None, Some(host)) => host.as_bytes(),
            (None, None) => return false,
        };
        named.as_bytes().eq_ignore_ascii_case(ours)
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use gateway_core::Clock;
    use http::Request;

    use super::*;
    use crate::cache::CacheLayer;

    #[test]
    fn only_references_to_the_same_origin_name_something_stored_here() {
        let head = Request::post("/a/b?x=1").header("host", "A.test:80").body(()).unwrap().into_parts().0;
        let store = Arc::new(Store::new(1 << 20, &Clock::default()));
        let shared = CacheLayer::new(store).shared().unwrap();
        let change = Change::of(&shared, &head).unwrap();
        for (reference, expected) in [
            ("/c", Some("/c")),
            ("/c?y=2#z", Some("/c?y=2")),
            ("c", Some("/a/c")),
            ("../c", Some("/c")),
            ("?y=2", Some("/a/b?y=2")),
            ("", Some("/a/b")),
            ("http://a.test:80/c", Some("/c")),
            ("HTTP://a.test:80", Some("/")),
            ("//a.test:80/c", Some("/c")),
            ("https://a.test:80/c", None),
            ("http://b.test/c", None),
            ("//b.test/c", None),
            ("http://a.test:81/c", None),
            ("mailto:c", None),
            ("/%zz", None),
            ("/c?u=http://b.test/", Some("/c?u=http://b.test/")),
        ] {
            let resolved = change.resolve(reference).map(|(path, query)| match query {
                Some(query) => format!("{path}?{query}"),
                None => path,
            });
            assert_eq!(resolved.as_deref(), expected, "{reference}");
        }
    }
}
