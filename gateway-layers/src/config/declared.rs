use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use gateway_core::{
    Admit, Admitted, RescueLayer,
    admit::AdmitLayer,
    canonical::{Canonical, CanonicalLayer},
    forwarding::OwnedHeaders,
    meter::Meter,
    rescue::Rescue,
    seam::{Seam, SeamLayer},
};
use tower_layer::Layer;

use super::stack::Wide;
use crate::{
    access_log::{AccessLog, Sink},
    gateway::Gateway,
    limits::Limits,
    metrics::Metrics,
    routing::{NotFound, Routing, RoutingLayer},
};

/// A gateway that a document describes, ready to serve.
pub struct Declared {
    listen: SocketAddr,
    gateway: DeclaredGateway,
    routes: Vec<String>,
    meter: Meter,
    sink: Option<Sink>,
}

/// The service of a declared gateway: the same layers as the builder's, in the same order, with one type whatever the
/// document says.
pub type DeclaredGateway =
    Gateway<Rescue<Admitted<Canonical, Seam<AccessLog<Metrics<Ruled<Limits<Rescue<Routing<NotFound>>>>>>>>>>;

type Ruled<S> = Admitted<[Arc<dyn Admit>], S>;

impl Declared {
    pub(super) fn new(
        listen: SocketAddr,
        wide: Wide,
        routing: RoutingLayer,
        routes: Vec<String>,
        owned: OwnedHeaders,
        meter: &Meter,
    ) -> Self {
        let routing = routing.meter(meter).layer(NotFound);
        let inside = wide.limits.layer(RescueLayer::default().layer(routing));
        let ruled = AdmitLayer::from(wide.rules).layer(inside);
        let watched = SeamLayer.layer(wide.access_log.layer(wide.metrics.layer(ruled)));
        let gateway = RescueLayer::default().layer(CanonicalLayer::deferred().owned(owned).layer(watched));
        Self { listen, gateway: Gateway::new(gateway), routes, meter: meter.clone(), sink: wide.sink }
    }

    /// Where to listen.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> DeclaredGateway {
        self.gateway.clone()
    }

    /// One line for every route, for people.
    #[must_use]
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    /// What everything in it is counted in.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Writes out the access log at the end, waiting at most for this time. Returns whether all was written.
    pub fn flush(&self, at_most: Duration) -> bool {
        self.sink.as_ref().is_none_or(|sink| sink.flush(at_most))
    }
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declared")
            .field("listen", &self.listen)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
