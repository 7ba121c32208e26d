use std::{fmt, marker::PhantomData};

use gateway_core::{
    Body, Refusal, RescueLayer,
    admit::Admitted,
    canonical::{Canonical, CanonicalLayer},
    meter::Meter,
    phase::{self, MayFollow, Phase, Staged},
    refusal::Asked,
    rescue::Rescue,
};
use http::{HeaderName, Response};
use tower_layer::{Identity, Layer, Stack as Layers};

use super::{BuildError, Gateway, Problem, Route, RouteBuilder};
use crate::routing::{NotFound, Routing, RoutingLayer, Rule, Stack, TableBuilder};

/// A gateway in the making: first the layers that every request meets, then the routes.
///
/// `P` is the phase of the layer that was added last; only layers that may follow it can be added.
#[must_use = "a builder makes nothing until `build`"]
pub struct Builder<L, P> {
    layers: L,
    rescue: RescueLayer,
    meter: Meter,
    owned: Vec<HeaderName>,
    phase: PhantomData<P>,
}

impl Builder<Identity, phase::Start> {
    pub(super) fn new() -> Self {
        Self {
            layers: Identity::new(),
            rescue: RescueLayer::default(),
            meter: Meter::default(),
            owned: Vec::new(),
            phase: PhantomData,
        }
    }
}

impl<L, P> Builder<L, P> {
    /// Adds a layer inside those already added, if its phase may follow theirs.
    pub fn layer<X>(self, layer: X) -> Builder<Layers<X, L>, X::Phase>
    where
        X: Staged,
        X::Phase: MayFollow<P>,
    {
        let owned = layer.owned_headers();
        self.owned_headers(owned).push(layer)
    }

    /// Adds a layer that does not know its phase, or one of ours at another place than its own, such as a limit
    /// in front of authentication.
    pub fn layer_at<At, X>(self, _: At, layer: X) -> Builder<Layers<X, L>, At>
    where
        At: Phase + MayFollow<P>,
    {
        self.push(layer)
    }

    /// Adds a layer without any check of its place.
    pub fn layer_unordered<X>(self, layer: X) -> Builder<Layers<X, L>, P> {
        self.push(layer)
    }

    /// Removes these headers from every request, as it does with those that [layers own](Staged::owned_headers); for
    /// layers added without their phase.
    pub fn owned_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.owned.extend(names);
        self
    }

    /// Renders every refusal and failure by this function; see [`RescueLayer::style`].
    pub fn style(
        mut self,
        style: impl Fn(&Refusal, &Asked) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        self.rescue = self.rescue.style(style);
        self
    }

    /// Counts what routing does in this meter.
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.meter = meter.clone();
        self
    }

    /// The first route; from here on only routes can be added.
    pub fn route(
        self,
        rule: Rule,
        make: impl FnOnce(RouteBuilder<Identity, phase::Choose>) -> Route,
    ) -> Routes<L, NotFound> {
        self.routes().route(rule, make)
    }

    /// From here on only routes can be added. [`route`](Self::route) says it by itself; this is for routes that are
    /// added in a loop, and for a gateway that has only a fallback.
    pub fn routes(self) -> Routes<L, NotFound> {
        let Self { layers, rescue, meter, owned, .. } = self;
        Routes { layers, rescue, meter, owned, routes: Vec::new(), fallback: NotFound }
    }

    fn push<X, Q>(self, layer: X) -> Builder<Layers<X, L>, Q> {
        let Self { layers, rescue, meter, owned, .. } = self;
        Builder { layers: Layers::new(layer, layers), rescue, meter, owned, phase: PhantomData }
    }
}

/// A gateway in the making whose layers are complete: more routes, a fallback, and [`build`](Self::build).
#[must_use = "a builder makes nothing until `build`"]
pub struct Routes<L, F> {
    layers: L,
    rescue: RescueLayer,
    meter: Meter,
    owned: Vec<HeaderName>,
    routes: Vec<(Rule, Route)>,
    fallback: F,
}

impl<L, F> Routes<L, F> {
    /// Another route. The order of routes does not matter; [the most specific rule](crate::routing) serves.
    pub fn route(
        mut self,
        rule: Rule,
        make: impl FnOnce(RouteBuilder<Identity, phase::Choose>) -> Route,
    ) -> Self {
        self.routes.push((rule, make(RouteBuilder::new())));
        self
    }

    /// The service for requests that no rule matches, instead of 404. What it fails with is answered like the failure
    /// of a route.
    pub fn fallback<G>(self, fallback: G) -> Routes<L, G> {
        let Self { layers, rescue, meter, owned, routes, .. } = self;
        Routes { layers, rescue, meter, owned, routes, fallback }
    }

    /// Checks everything and makes the gateway. After this nothing can panic.
    ///
    /// # Errors
    /// Every rule and every upstream that cannot be used, by name.
    pub fn build(self) -> Result<Gateway<Rescue<Admitted<Canonical, L::Service>>>, BuildError>
    where
        L: Layer<Rescue<Routing<F>>>,
    {
        let mut problems = Vec::new();
        let mut owned = self.owned;
        let mut table = TableBuilder::default();
        for (rule, route) in self.routes {
            owned.extend(route.owned);
            // The rule is checked beside the others whatever becomes of the stack behind it.
            let stack = route.stack.unwrap_or_else(|error| {
                problems.push(Problem::Upstream { route: rule.route().name().to_owned(), error });
                Stack::new(NotFound)
            });
            problems.extend(table.add(&rule, stack).into_iter().map(Problem::Rule));
        }
        if !problems.is_empty() {
            return Err(BuildError(problems));
        }
        let routing = RoutingLayer::of(table.build()).meter(&self.meter).layer(self.fallback);
        // What fails behind here is an answer already when the log and the metrics see it.
        let layers = self.layers.layer(RescueLayer::default().layer(routing));
        let canonical = CanonicalLayer::deferred().owned(owned.into_iter().collect());
        Ok(Gateway::new(self.rescue.layer(canonical.layer(layers))))
    }
}

impl<L, P: Phase> fmt::Debug for Builder<L, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("phase", &P::NAME).finish_non_exhaustive()
    }
}

impl<L, F> fmt::Debug for Routes<L, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<&Rule> = self.routes.iter().map(|(rule, _)| rule).collect();
        f.debug_struct("Routes").field("rules", &rules).finish_non_exhaustive()
    }
}
