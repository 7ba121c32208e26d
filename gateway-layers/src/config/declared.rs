use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use gateway_core::{
    Admit, Admitted, RescueLayer,
    admit::AdmitLayer,
    canonical::{Canonical, CanonicalLayer},
    meter::Meter,
    rescue::Rescue,
    seam::{Seam, SeamLayer},
};
use tower_layer::Layer;

use super::{Listen, Section, Workers, stack::Wide};
use crate::{
    access_log::{AccessLog, Sink},
    gateway::Gateway,
    limits::Limits,
    metrics::Metrics,
    routing::{NotFound, Routing, RoutingLayer},
};

/// A gateway that a document describes, ready to serve.
pub struct Declared {
    listeners: Vec<Listen>,
    workers: Workers,
    gateway: DeclaredGateway,
    routes: Vec<String>,
    meter: Meter,
    sink: Option<Sink>,
    said: u128,
    files: Vec<PathBuf>,
}

/// The service of a declared gateway: the same layers as the builder's, in the same order, with one type whatever the
/// document says.
pub type DeclaredGateway =
    Gateway<Rescue<Admitted<Canonical, Seam<AccessLog<Metrics<Ruled<Limits<Rescue<Routing<NotFound>>>>>>>>>>;

type Ruled<S> = Admitted<[Arc<dyn Admit>], S>;

impl Declared {
    pub(super) fn new(
        listeners: Vec<Listen>,
        workers: Workers,
        wide: Wide,
        routing: RoutingLayer,
        routes: Vec<String>,
        section: &Section<'_>,
    ) -> Self {
        let (owned, meter) = (section.owned(), &section.context().meter);
        let routing = routing.meter(meter).layer(NotFound);
        let inside = wide.limits.layer(RescueLayer::default().layer(routing));
        let ruled = AdmitLayer::from(wide.rules).layer(inside);
        let watched = SeamLayer.layer(wide.access_log.layer(wide.metrics.layer(ruled)));
        let gateway = RescueLayer::default().layer(CanonicalLayer::deferred().owned(owned).layer(watched));
        Self {
            listeners,
            workers,
            gateway: Gateway::new(gateway),
            routes,
            meter: meter.clone(),
            sink: wide.sink,
            said: section.said(),
            files: section.files(),
        }
    }

    /// Where to listen, one place at least.
    #[must_use]
    pub fn listeners(&self) -> &[Listen] {
        &self.listeners
    }

    /// In how many threads to serve.
    #[must_use]
    pub fn workers(&self) -> Workers {
        self.workers
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

    /// The files that the document names, such as keys: they belong to it, and are watched with it.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The hash of what the document said, variables filled in.
    pub(super) fn said(&self) -> u128 {
        self.said
    }

    /// Takes over what was decided when the program started: who listens, with the certificates of this document where
    /// it says the same of the place, and in how many threads. Returns the keys in which this document says otherwise.
    pub(super) fn take_over(&mut self, before: &Self) -> Vec<&'static str> {
        let same = before.listeners.iter().map(Listen::place).eq(self.listeners.iter().map(Listen::place));
        if same {
            before.listeners.iter().zip(&self.listeners).for_each(|(serving, next)| serving.follow(next));
        }
        let listen = (!same).then_some("listen");
        let workers = (self.workers != before.workers).then_some("workers");
        self.listeners.clone_from(&before.listeners);
        self.workers = before.workers;
        listen.into_iter().chain(workers).collect()
    }

    /// Writes out the access log at the end, waiting at most for this time. Returns whether all was written.
    pub fn flush(&self, at_most: Duration) -> bool {
        self.sink.as_ref().is_none_or(|sink| sink.flush(at_most))
    }
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declared")
            .field("listeners", &self.listeners)
            .field("workers", &self.workers)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
