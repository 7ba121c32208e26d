//! An id for every request: in the log, in the answer, and at the upstream.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::request_id::RequestIdLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let echo = service_fn(|request: Request<Body>| async move {
//!     let seen = request.headers()["x-request-id"].clone();
//!     Ok::<_, std::convert::Infallible>(Response::builder().header("x-seen", seen).body(Body::empty()).unwrap())
//! });
//! let answer = RequestIdLayer::default().layer(echo).oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(answer.headers()["x-request-id"], answer.headers()["x-seen"]);
//! assert_eq!(answer.headers()["x-request-id"].len(), 32);
//! # }
//! ```
//!
//! An id that a client sends is believed only if it is allowed to ([`Accept`]) and is a harmless text
//! ([`RequestId`]); otherwise 128 random bits are minted. They name requests, they guard nothing.
//! **Order**: phase [`Arrive`](gateway_core::phase::Arrive); with [`Accept::TrustedPeers`] behind `client_addr`.
//! **Writes** the fact request id, the request's header and the answer's, also on refusals made inside. **Buffers**
//! nothing. **Costs** three allocations: two for the id, which request, answer and log share, and one for the list of
//! the answer's headers; two more if the answer has no header yet.

#[cfg(feature = "config")]
pub(crate) mod config;

use std::sync::Arc;

use gateway_core::{
    Admit, Admitted, Clock, Explanation, Facts, Refusal, Stamp, Verdict,
    facts::RequestId,
    forwarding::X_REQUEST_ID,
    phase::{self, Staged},
    random::Random,
};
use http::{HeaderName, request::Parts};

/// Gives every request an id. See the [module](self).
#[derive(Clone, Debug)]
pub struct RequestIdLayer(Minter);

impl Default for RequestIdLayer {
    /// Mints an id for every request and echoes it as `x-request-id`.
    fn default() -> Self {
        Self(Minter {
            header: X_REQUEST_ID,
            accept: Accept::Never,
            random: Random::default(),
            clock: Clock::default(),
        })
    }
}

impl RequestIdLayer {
    /// The header that carries the id in both directions. `x-request-id`.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.0.header = name;
        self
    }

    /// Whose ids are taken over.
    #[must_use]
    pub fn accept(mut self, accept: Accept) -> Self {
        self.0.accept = accept;
        self
    }

    /// Another source of ids, for instance one that a test knows.
    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.0.random = random;
        self
    }

    /// The rule alone, for a list of rules.
    #[must_use]
    pub fn into_rule(self) -> Minter {
        self.0
    }
}

impl<S> tower_layer::Layer<S> for RequestIdLayer {
    type Service = Admitted<Minter, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admitted::new(Arc::new(self.0.clone()), inner)
    }
}

impl Staged for RequestIdLayer {
    type Phase = phase::Arrive;
}

/// Whose ids are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// Nobody's. The default: an id of a stranger may be a trap for whoever searches the log.
    #[default]
    Never,
    /// Those of trusted proxies, as `client_addr` tells.
    TrustedPeers,
    /// Everybody's, if they are harmless texts.
    Always,
}

/// The rule of [`RequestIdLayer`].
#[derive(Clone, Debug)]
pub struct Minter {
    header: HeaderName,
    accept: Accept,
    random: Random,
    clock: Clock,
}

impl Minter {
    /// The id that the request brings, if it may.
    fn brought(&self, head: &Parts) -> Option<RequestId> {
        let may = match self.accept {
            Accept::Never => false,
            Accept::TrustedPeers => Facts::get(&head.extensions).is_some_and(Facts::peer_trusted),
            Accept::Always => true,
        };
        let value = head.headers.get(&self.header).filter(|_| may)?;
        RequestId::parse(value)
    }
}

impl Admit for Minter {
    fn admit(&self, head: &mut Parts, stamp: &mut Stamp) -> Result<(), Refusal> {
        let id = self.brought(head).unwrap_or_else(|| self.random.request_id());
        head.headers.insert(&self.header, id.as_header().clone());
        stamp.set(self.header.clone(), id.as_header().clone());
        Facts::of(&mut head.extensions, &self.clock).set_request_id(id);
        Ok(())
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match self.brought(head) {
            Some(id) => Explanation::new("request_id", Verdict::Pass, format!("takes over {}", id.as_str())),
            None => Explanation::new("request_id", Verdict::Pass, "mints an id"),
        });
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::testing::contract;
    use http::Request;

    use super::*;

    // No property: the syntax of ids is checked where they are parsed.

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(RequestIdLayer::default()).await;
    }

    #[test]
    fn takes_over_only_what_it_may_and_what_is_harmless() {
        let trusted = |trusted| {
            let facts = Facts::arrived_at(Clock::default().now());
            facts.set_peer_trusted(trusted);
            facts
        };
        for (accept, is_trusted, id, taken) in [
            (Accept::Never, true, "abc", false),
            (Accept::TrustedPeers, false, "abc", false),
            (Accept::TrustedPeers, true, "abc", true),
            (Accept::Always, false, "abc", true),
            (Accept::Always, false, "a\"b", false),
        ] {
            let mut head = Request::get("/").header("x-request-id", id).body(()).unwrap().into_parts().0;
            head.extensions.insert(trusted(is_trusted));
            let rule = RequestIdLayer::default().accept(accept).into_rule();
            rule.admit(&mut head, &mut Stamp::default()).unwrap();
            assert_eq!(head.headers["x-request-id"] == id, taken, "{accept:?} {is_trusted} {id}");
            let fact = Facts::get(&head.extensions).unwrap().request_id().unwrap().as_str().to_owned();
            assert_eq!(head.headers["x-request-id"], fact);
        }
    }
}
