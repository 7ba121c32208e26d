use std::{fmt, marker::PhantomData};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError,
    client::Forward,
    phase::{self, MayFollow, Phase, Staged},
    upstream::{Upstream, UpstreamConfigError},
};
use http::{HeaderName, Request, Response};
use http_body::Body as HttpBody;
use tower_layer::{Identity, Layer, Stack as Layers};
use tower_service::Service;

use crate::routing::Stack;

/// The stack of one route in the making; it ends with [`upstream`](Self::upstream), [`service`](Self::service) or
/// [`stack`](Self::stack).
///
/// It starts behind the phase [`Choose`](phase::Choose): a layer of phase `Arrive` belongs to the whole gateway.
#[must_use = "a route needs an upstream or a service at its end"]
pub struct RouteBuilder<L, P> {
    layers: L,
    owned: Vec<HeaderName>,
    phase: PhantomData<P>,
}

impl RouteBuilder<Identity, phase::Choose> {
    pub(super) fn new() -> Self {
        Self { layers: Identity::new(), owned: Vec::new(), phase: PhantomData }
    }
}

impl<L, P> RouteBuilder<L, P> {
    /// Adds a layer inside those already added, if its phase may follow theirs.
    pub fn layer<X>(self, layer: X) -> RouteBuilder<Layers<X, L>, X::Phase>
    where
        X: Staged,
        X::Phase: MayFollow<P>,
    {
        let owned = layer.owned_headers();
        self.owned_headers(owned).push(layer)
    }

    /// Adds a layer at a place of your choice; see [`Builder::layer_at`](super::Builder::layer_at).
    pub fn layer_at<At, X>(self, _: At, layer: X) -> RouteBuilder<Layers<X, L>, At>
    where
        At: Phase + MayFollow<P>,
    {
        self.push(layer)
    }

    /// Adds a layer without any check of its place.
    pub fn layer_unordered<X>(self, layer: X) -> RouteBuilder<Layers<X, L>, P> {
        self.push(layer)
    }

    /// Removes these headers from every request of the gateway; see
    /// [`Builder::owned_headers`](super::Builder::owned_headers).
    pub fn owned_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.owned.extend(names);
        self
    }

    /// Ends the route with an upstream. One that cannot be used is an error of `build`.
    pub fn upstream<B>(self, upstream: Upstream) -> Route
    where
        L: Layer<Forward>,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self { layers, owned, .. } = self;
        Route { stack: upstream.build().map(|forward| Stack::new(layers.layer(forward))), owned }
    }

    /// Ends the route with any service.
    pub fn service<S, B>(self, service: S) -> Route
    where
        L: Layer<S>,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Route { stack: Ok(Stack::new(self.layers.layer(service))), owned: self.owned }
    }

    /// Ends the route with a stack that `make` builds of the layers. This is the way to a route that can say what it
    /// would do, if all its layers and the service behind them can:
    ///
    /// ```
    /// # use gateway_layers::{gateway::Gateway, routing::{NotFound, Rule, Stack}};
    /// # use tower::Layer;
    /// let builder = Gateway::builder()
    ///     .route(Rule::prefix("/gone"), |route| route.stack(|layers| Stack::explained(layers.layer(NotFound))));
    /// # assert!(builder.build().is_ok());
    /// ```
    ///
    /// What ends with [`upstream`](Self::upstream) or [`service`](Self::service) may hold any layer; such a route can
    /// only say that it is there.
    pub fn stack(self, make: impl FnOnce(L) -> Stack) -> Route {
        Route { stack: Ok(make(self.layers)), owned: self.owned }
    }

    fn push<X, Q>(self, layer: X) -> RouteBuilder<Layers<X, L>, Q> {
        RouteBuilder { layers: Layers::new(layer, self.layers), owned: self.owned, phase: PhantomData }
    }
}

impl<L, P: Phase> fmt::Debug for RouteBuilder<L, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteBuilder").field("phase", &P::NAME).finish_non_exhaustive()
    }
}

/// A complete route.
#[derive(Debug)]
pub struct Route {
    pub(super) stack: Result<Stack, UpstreamConfigError>,
    pub(super) owned: Vec<HeaderName>,
}
