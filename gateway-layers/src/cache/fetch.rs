//! [`Fetch`]: a request that goes on, and what becomes of its answer.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use gateway_core::{Body, BoxError, Facts, Refusal, refusal::Asked as RefusalAsked};
use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH, request::Parts, response};
use http_body::Body as HttpBody;

use super::{
    conditional,
    entry::{About, Entry},
    filling::Filling,
    flight::Leader,
    freshness::Exchange,
    key::{self, Identity, Name, Naming},
    layer::Shared,
    request::Terms,
    reuse::Plan,
    status::{self, Told},
    storable::{self, Asked, Storable},
    targets::Target,
    vary::Vary,
};

/// What a request is looked up by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) name: Name,
    pub(super) target: Name,
    pub(super) terms: Terms,
}

/// What is known of a forwarded request when its answer comes.
pub(super) struct Fetch {
    shared: Arc<Shared>,
    look: Look,
    flight: Name,
    identity: Identity,
    target: (Arc<Target>, u64),
    began: Instant,
    /// The fields as the client sent them.
    headers: HeaderMap,
    identified: bool,
    plan: Plan,
    leader: Option<Leader>,
    collapsed: Option<bool>,
    facts: Option<Facts>,
    refusal: RefusalAsked,
}

impl Look {
    pub(super) fn of(shared: &Shared, head: &Parts, terms: Terms) -> Option<Self> {
        let target = Naming::site(head)?.target(head.uri.path(), head.uri.query());
        let name = target.clone().answer(head, shared.partition).name();
        Some(Self { name, target: target.name(), terms })
    }
}

impl Fetch {
    /// Prepares a request to go on: what the client asked under conditions, the cache asks under its own. `None` for a
    /// request that cannot be named.
    pub(super) fn new(
        shared: &Arc<Shared>,
        look: Look,
        flight: Name,
        head: &mut Parts,
        plan: Plan,
        leader: Option<Leader>,
    ) -> Option<Box<Self>> {
        let identity = Identity::of(head, shared.partition)?;
        let target = shared.store.targets.of(look.target);
        let generation = target.generation();
        let fetch = Self {
            shared: Arc::clone(shared),
            look,
            flight,
            identity,
            target: (target, generation),
            began: shared.clock.now(),
            headers: head.headers.clone(),
            identified: key::is_identified(head),
            plan,
            leader,
            collapsed: None,
            facts: Facts::get(&head.extensions).cloned(),
            refusal: RefusalAsked::of(head),
        };
        // Where nothing will be stored, the client's own conditions may still spare the body.
        let will_store = !look.terms.head_only && !shared.store.is_marked(flight, fetch.began);
        if will_store || fetch.plan.stored.is_some() {
            conditional::ask(&mut head.headers, fetch.plan.stored.as_ref().map(|entry| &entry.about));
        }
        Some(Box::new(fetch))
    }

    /// It waited for another request in vain.
    pub(super) fn collapsed_in_vain(mut self: Box<Self>) -> Box<Self> {
        self.collapsed = Some(false);
        self
    }

    /// The fetch failed: nobody waits for it any more.
    pub(super) fn failed(mut self: Box<Self>) {
        self.over();
    }

    /// What the client gets of the answer, which is stored on the way if it may be.
    pub(super) fn answered<B>(mut self: Box<Self>, response: Response<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let clock = &self.shared.clock;
        let exchange = Exchange { asked: self.began, received: clock.now(), received_wall: clock.wall() };
        let (head, body) = response.into_parts();
        if head.extensions.get::<Refusal>().is_some() {
            return self.pass(head, Body::new(body));
        }
        if head.status == StatusCode::NOT_MODIFIED
            && let Some(stored) = self.plan.stored.take()
        {
            return self.validated(&stored, &head.headers, exchange);
        }
        if self.look.terms.head_only {
            return self.pass(head, Body::new(body));
        }
        match storable::check(self.asked(), head.status, &head.headers, exchange.received_wall) {
            Ok(storable) => self.fill(head, Body::new(body), storable, exchange),
            Err(_) => {
                // A failing upstream is no word about its answers.
                if !head.status.is_server_error() {
                    self.mark(exchange.received);
                }
                self.pass(head, Body::new(body))
            }
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { headers: &self.headers, identified: self.identified, set_cookie: self.shared.set_cookie }
    }

    /// The answer is for this client alone.
    fn pass(mut self: Box<Self>, mut head: response::Parts, body: Body) -> Response<Body> {
        self.over();
        self.shared.counts.miss.increment();
        let told =
            Told { why: self.plan.why, status: None, stored: false, collapsed: self.collapsed, ttl: None };
        status::say(&mut head.headers, told.value());
        Response::from_parts(head, body)
    }

    /// The answer goes into the store while the client reads it.
    fn fill(
        mut self: Box<Self>,
        mut head: response::Parts,
        body: Body,
        storable: Storable,
        exchange: Exchange,
    ) -> Response<Body> {
        let now = exchange.received;
        let length = length(&head.headers).or_else(|| body.size_hint().exact());
        let about = About::new(head.status, head.headers.clone(), storable, exchange, self.target.clone());
        let is_fresh = !about.is_never_fresh() && about.left(now).is_ok();
        let mut lease = self.shared.buffers.lease(self.facts.as_ref());
        if length.is_some_and(|length| length > self.shared.max_object)
            || !(is_fresh || conditional::can_be_validated(&about))
        {
            self.mark(now);
            return self.pass(head, body);
        }
        if length.is_some_and(|length| lease.grow(usize::try_from(length).unwrap_or(usize::MAX)).is_err()) {
            return self.pass(head, body);
        }
        if is_fresh {
            self.shared.store.marks.clear(self.flight);
        } else {
            self.mark(now);
            self.over();
        }
        let told = Told {
            why: self.plan.why,
            status: None,
            stored: true,
            collapsed: self.collapsed,
            ttl: Some(about.ttl(now)),
        };
        status::say(&mut head.headers, told.value());
        self.shared.counts.miss.increment();
        let replaced = self.plan.stored.take();
        if body.is_end_stream() {
            let entry = Arc::new(Entry { about: about.measured(0), body: Bytes::new() });
            keep(&self.shared, self.look.name, &self.identity, entry, replaced.as_ref());
            self.over();
            return Response::from_parts(head, body);
        }
        let (shared, name, identity) = (Arc::clone(&self.shared), self.look.name, self.identity);
        let most = shared.max_object;
        let keep_it = {
            let identity = identity.clone();
            Box::new(move |entry| keep(&shared, name, &identity, entry, replaced.as_ref()))
        };
        let filling = Filling::new(about, identity, body, (length, most, lease), self.leader, keep_it);
        Response::from_parts(head, Body::new(filling.reader()))
    }

    /// What is stored was found to be current (RFC 9111, 4.3.4).
    fn validated(
        mut self: Box<Self>,
        stored: &Arc<Entry>,
        by: &HeaderMap,
        exchange: Exchange,
    ) -> Response<Body> {
        let (store, name) = (&self.shared.store, self.look.name);
        if !conditional::confirms(&stored.about, by) {
            store.forget(name, stored);
            self.over();
            let refusal = Refusal::new(
                StatusCode::BAD_GATEWAY,
                "upstream_protocol",
                "the upstream's answer was not valid HTTP",
            );
            let refusal = refusal.because("304 Not Modified about something that was not asked for");
            let mut response: Response<Body> = refusal.into_response(&self.refusal);
            status::say(response.headers_mut(), self.plan.why.passed());
            return response;
        }
        let headers = stored.about.updated(by);
        let checked = storable::check(self.asked(), stored.about.status, &headers, exchange.received_wall);
        let is_stored = checked.is_ok();
        let storable = checked.unwrap_or_else(|_| for_once());
        let about = About::new(stored.about.status, headers, storable, exchange, self.target.clone());
        let entry = Arc::new(Entry { about, body: stored.body.clone() });
        match is_stored {
            true => keep(&self.shared, name, &self.identity, Arc::clone(&entry), Some(stored)),
            false => store.forget(name, stored),
        }
        self.over();
        self.shared.counts.revalidated.increment();
        let now = exchange.received;
        let told = Told {
            why: self.plan.why,
            status: Some(304),
            stored: is_stored,
            collapsed: self.collapsed,
            ttl: is_stored.then(|| entry.about.ttl(now)),
        };
        answer(&entry, &self.headers, self.look.terms, now, told.value())
    }

    fn mark(&self, now: Instant) {
        self.shared.store.marks.set(self.flight, now);
    }

    fn over(&mut self) {
        if let Some(leader) = self.leader.take() {
            leader.over();
        }
    }
}

/// A stored answer for a client that may have it already.
pub(super) fn answer(
    entry: &Entry,
    request: &HeaderMap,
    terms: Terms,
    now: Instant,
    status: http::HeaderValue,
) -> Response<Body> {
    if conditional::client_has(&entry.about, request) {
        return entry.about.not_modified(now, status);
    }
    let body = if terms.head_only { Body::empty() } else { Body::from(entry.body.clone()) };
    entry.about.respond(now, status, body)
}

fn keep(shared: &Shared, name: Name, identity: &Identity, entry: Arc<Entry>, replaced: Option<&Arc<Entry>>) {
    shared.store.keep(name, identity, entry, |kept| replaced.is_some_and(|old| std::ptr::eq(&**old, kept)));
    shared.counts.bytes.set(i64::try_from(shared.store.bytes()).unwrap_or(i64::MAX));
}

/// The terms of an answer that is used once more and not stored again.
fn for_once() -> Storable {
    let lifetime = std::time::Duration::ZERO;
    Storable { lifetime, vary: Vary::default(), no_cache: true, strict: true, without: Vec::new() }
}

/// What `Content-Length` says.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
