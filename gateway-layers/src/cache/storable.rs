//! Which answers may be stored (RFC 9111, 3).

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, SET_COOKIE, TRAILER},
};

use super::{
    directives::{Directives, Scope},
    freshness,
    vary::Vary,
};

/// What is known of the request when its answer comes, and what the cache was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) headers: &'a HeaderMap,
    /// Whether somebody was known to ask (RFC 9111, 3.5).
    pub(super) identified: bool,
    pub(super) set_cookie: bool,
}

/// On which terms an answer may be stored.
#[derive(Clone, Debug)]
pub(super) struct Storable {
    pub(super) lifetime: Duration,
    pub(super) vary: Vary,
    /// Must be validated before each use.
    pub(super) no_cache: bool,
    /// Must never be used stale.
    pub(super) strict: bool,
    /// Fields that are not stored with it.
    pub(super) without: Vec<HeaderName>,
}

/// Why an answer is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotStorable {
    Status,
    NoStore,
    Private,
    Authorization,
    SetCookie,
    Vary,
    /// Nobody said how long it may be kept.
    NoLifetime,
    /// It could never be used: stale when it came, and nothing to validate it with.
    Useless,
    Partial,
    EventStream,
    Trailers,
}

/// Whether an answer to a `GET` may be stored.
pub(super) fn check(
    asked: Asked<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    received: SystemTime,
) -> Result<Storable, NotStorable> {
    if !is_understood(status) {
        return Err(NotStorable::Status);
    }
    if headers.contains_key(CONTENT_RANGE) {
        return Err(NotStorable::Partial);
    }
    let directives = Directives::parse(headers.get_all(CACHE_CONTROL));
    if directives.no_store && !directives.must_understand {
        return Err(NotStorable::NoStore);
    }
    if directives.private == Scope::Everything {
        return Err(NotStorable::Private);
    }
    let may_be_shared = directives.public || directives.s_maxage.is_some() || directives.must_revalidate;
    if asked.identified && !may_be_shared {
        return Err(NotStorable::Authorization);
    }
    let without: Vec<_> = [&directives.private, &directives.no_cache].map(Scope::fields).concat();
    if headers.contains_key(SET_COOKIE) && !asked.set_cookie && !without.contains(&SET_COOKIE) {
        return Err(NotStorable::SetCookie);
    }
    if headers.contains_key(TRAILER) {
        return Err(NotStorable::Trailers);
    }
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return Err(NotStorable::EventStream);
    }
    let vary = Vary::of(headers, asked.headers).ok_or(NotStorable::Vary)?;
    let no_cache = directives.no_cache == Scope::Everything;
    let lifetime = match freshness::lifetime(headers, &directives, received) {
        Some(lifetime) => lifetime,
        None if no_cache => Duration::ZERO,
        None => return Err(NotStorable::NoLifetime),
    };
    let can_be_validated = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    if (no_cache || lifetime.is_zero()) && !can_be_validated {
        return Err(NotStorable::Useless);
    }
    let strict = directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.is_some();
    Ok(Storable { lifetime, vary, no_cache, strict, without })
}

/// The final status codes whose meaning for caches is known here (RFC 9111, 3: "understood"). 206 is not: parts are
/// not put together.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, identified: bool, lines: &[(&'static str, &'static str)]) -> Option<NotStorable> {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        let none = HeaderMap::new();
        let asked = Asked { headers: &none, identified, set_cookie: false };
        let status = StatusCode::from_u16(status).unwrap();
        check(asked, status, &headers, SystemTime::UNIX_EPOCH).err()
    }

    #[test]
    fn stores_what_says_so_and_nothing_else() {
        use NotStorable as No;
        let control = |text| ("cache-control", text);
        let tag = ("etag", "\"a\"");
        let cookie = ("set-cookie", "a=b");
        for (status, identified, lines, expected) in [
            (200, false, &[control("max-age=5")][..], None),
            (200, false, &[], Some(No::NoLifetime)),
            (200, false, &[control("public")], Some(No::NoLifetime)),
            (200, false, &[tag], Some(No::NoLifetime)),
            (200, false, &[control("no-cache"), tag], None),
            (200, false, &[control("no-cache")], Some(No::Useless)),
            (200, false, &[control("max-age=0")], Some(No::Useless)),
            (200, false, &[control("max-age=0"), tag], None),
            (200, false, &[control("max-age=5, no-store")], Some(No::NoStore)),
            (200, false, &[control("max-age=5, no-store, must-understand")], None),
            (206, false, &[control("max-age=5")], Some(No::Status)),
            (200, false, &[control("max-age=5"), ("content-range", "bytes 0-1/2")], Some(No::Partial)),
            (418, false, &[control("max-age=5, must-understand")], Some(No::Status)),
            (500, false, &[control("max-age=5")], Some(No::Status)),
            (404, false, &[control("max-age=5")], None),
            (200, false, &[control("max-age=5, private")], Some(No::Private)),
            (200, false, &[control("max-age=5, private=\"x-a\"")], None),
            (200, true, &[control("max-age=5")], Some(No::Authorization)),
            (200, true, &[control("max-age=5, public")], None),
            (200, true, &[control("s-maxage=5")], None),
            (200, true, &[control("max-age=5, must-revalidate")], None),
            (200, true, &[control("max-age=5, proxy-revalidate")], Some(No::Authorization)),
            (200, false, &[control("max-age=5"), cookie], Some(No::SetCookie)),
            (200, false, &[control("max-age=5, private=\"set-cookie\""), cookie], None),
            (200, false, &[control("max-age=5"), ("vary", "*")], Some(No::Vary)),
            (200, false, &[control("max-age=5"), ("trailer", "x-a")], Some(No::Trailers)),
            (
                200,
                false,
                &[control("max-age=5"), ("content-type", "text/event-stream;x=y")],
                Some(No::EventStream),
            ),
        ] {
            assert_eq!(verdict(status, identified, lines), expected, "{status} {identified} {lines:?}");
        }
    }
}
