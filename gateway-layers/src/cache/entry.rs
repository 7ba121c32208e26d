//! [`Entry`]: a stored answer, read once when it was stored.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use gateway_core::{Body, forwarding};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG,
        EXPIRES, LAST_MODIFIED, VARY,
    },
};

use super::{
    freshness::{Exchange, Freshness, format_date},
    said::Said,
    status::{self, CACHE_STATUS},
    storable::Storable,
    targets::Target,
    vary::Vary,
};

/// An answer as it is stored: complete, and never changed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) about: About,
    pub(super) body: Bytes,
}

/// All of an answer but its body.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) status: StatusCode,
    /// With places kept for `Age` and `Cache-Status`, so that a copy need not grow.
    headers: HeaderMap,
    /// Whether caches behind us said something in `Cache-Status` that ours stands behind.
    relayed: bool,
    pub(super) vary: Vary,
    freshness: Freshness,
    lifetime: Duration,
    no_cache: bool,
    strict: bool,
    target: Arc<Target>,
    generation: u64,
    said: Said,
}

impl About {
    /// What is stored of this answer. The values are copied, because those of a connection hold its whole buffer.
    pub(super) fn new(
        status: StatusCode,
        mut headers: HeaderMap,
        storable: Storable,
        exchange: Exchange,
        target: (Arc<Target>, u64),
    ) -> Self {
        let Storable { lifetime, vary, no_cache, strict, without } = storable;
        let freshness = Freshness::new(&headers, lifetime, exchange);
        forwarding::remove_hop_by_hop(&mut headers);
        without.iter().for_each(|name| drop(headers.remove(name)));
        // RFC 9110, 6.6.1.
        headers.entry(DATE).or_insert_with(|| format_date(exchange.received_wall));
        let relayed = headers.contains_key(CACHE_STATUS);
        let mut headers = compact(&headers);
        headers.insert(AGE, HeaderValue::from_static("0"));
        headers.entry(CACHE_STATUS).or_insert(HeaderValue::from_static(""));
        let (target, generation) = target;
        let said = Said::default();
        Self {
            status,
            headers,
            relayed,
            vary,
            freshness,
            lifetime,
            no_cache,
            strict,
            target,
            generation,
            said,
        }
    }

    /// The same, with the length of a body that told none before its end.
    pub(super) fn measured(mut self, length: usize) -> Self {
        if self.status != StatusCode::NO_CONTENT {
            self.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        self
    }

    /// The answer's head with this body. Its `Age` is what it is now.
    pub(super) fn respond(&self, now: Instant, status: HeaderValue, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        self.finish(response.headers_mut(), now, status);
        response
    }

    /// `304 Not Modified`, with the fields that it should have (RFC 9110, 15.4.5).
    pub(super) fn not_modified(&self, now: Instant, status: HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        for name in [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY, CACHE_STATUS]
        {
            for value in self.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        self.finish(headers, now, status);
        response
    }

    fn finish(&self, headers: &mut HeaderMap, now: Instant, status: HeaderValue) {
        headers.insert(AGE, self.texts(now).0);
        match self.relayed {
            true => status::say(headers, status),
            false => drop(headers.insert(CACHE_STATUS, status)),
        }
    }

    /// The stored fields as a validation that found them current updates them (RFC 9111, 3.2).
    pub(super) fn updated(&self, by: &HeaderMap) -> HeaderMap {
        let mut headers = self.headers.clone();
        if !self.relayed {
            headers.remove(CACHE_STATUS);
        }
        // How old it was before it was found to be current does not matter any more. A 304 without a date is of the
        // moment when it came (RFC 9110, 6.6.1).
        headers.remove(AGE);
        headers.remove(DATE);
        let mut by = by.clone();
        forwarding::remove_hop_by_hop(&mut by);
        for name in by.keys() {
            if [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE].contains(name) {
                continue;
            }
            headers.remove(name);
            for value in by.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        headers
    }

    pub(super) fn header(&self, name: &http::HeaderName) -> Option<&HeaderValue> {
        self.headers.get(name)
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        self.freshness.age(now)
    }

    /// How long it is still fresh; `Err` says since when it is not.
    pub(super) fn left(&self, now: Instant) -> Result<Duration, Duration> {
        self.freshness.left(now)
    }

    /// The `Cache-Status` of a hit.
    pub(super) fn hit(&self, now: Instant) -> HeaderValue {
        self.texts(now).1
    }

    fn texts(&self, now: Instant) -> (HeaderValue, HeaderValue) {
        self.said.texts(self.freshness.age(now).as_secs(), self.ttl(now))
    }

    pub(super) fn ttl(&self, now: Instant) -> i64 {
        status::ttl(self.left(now))
    }

    /// Whether it must be validated before each use, so that nobody gains from waiting for it.
    pub(super) fn is_never_fresh(&self) -> bool {
        self.no_cache || self.lifetime.is_zero()
    }

    pub(super) fn no_cache(&self) -> bool {
        self.no_cache
    }

    /// Whether it must never be used stale.
    pub(super) fn strict(&self) -> bool {
        self.strict
    }

    /// Whether nothing changed its target since it was asked for.
    pub(super) fn is_valid(&self) -> bool {
        self.target.generation() == self.generation
    }

    pub(super) fn received(&self) -> Instant {
        self.freshness.received()
    }

    /// Bytes of memory of what is not the body.
    fn bytes(&self) -> usize {
        let field =
            |(name, value): (&http::HeaderName, &HeaderValue)| 2 * FIELD + name.as_str().len() + value.len();
        self.headers.iter().map(field).sum::<usize>() + self.vary.bytes() + size_of::<Entry>()
    }
}

impl Entry {
    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.about.bytes() + self.body.len()
    }
}

/// The same fields with values of their own, in one allocation.
fn compact(headers: &HeaderMap) -> HeaderMap {
    let mut all = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| all.extend_from_slice(value.as_bytes()));
    let mut all = all.freeze();
    let mut copy = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        let mut own = HeaderValue::from_maybe_shared(all.split_to(value.len()))
            .expect("the bytes of a header value are one");
        own.set_sensitive(value.is_sensitive());
        copy.append(name, own);
    }
    copy
}

/// What one field of a header map takes beside its name and value.
const FIELD: usize = 52;
