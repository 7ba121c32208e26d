use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use gateway_core::{
    facts::Route,
    meter::{Histogram, Meter},
};
use http::Method;

/// The histograms of durations, found again without writing a label.
#[derive(Debug)]
pub(super) struct Series {
    meter: Meter,
    known: RwLock<HashMap<Key, Known>>,
}

/// What tells two series apart: the method, the route's address, the status, the refusal's code.
type Key = (&'static str, usize, u16, &'static str);

#[derive(Debug)]
struct Known {
    histogram: Histogram,
    /// Keeps the route's address from being used again.
    _route: Option<Route>,
}

impl Series {
    pub(super) fn new(meter: &Meter) -> Self {
        Self { meter: meter.clone(), known: RwLock::default() }
    }

    pub(super) fn record(
        &self,
        method: &Method,
        route: Option<&Route>,
        status: u16,
        code: &'static str,
        duration: Duration,
    ) {
        let method = known_method(method);
        let key = (method, route.map_or(0, Route::address), status, code);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&key) {
            return series.histogram.record(duration);
        }
        drop(known);
        let histogram = self.meter.histogram(
            "http_server_request_duration_seconds",
            "From the arrival of a request to the end of its answer's body.",
            &[
                ("http_request_method", method),
                ("http_route", route.map_or("none", Route::pattern)),
                ("http_response_status_code", &status.to_string()),
                ("error_type", code),
            ],
        );
        histogram.record(duration);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Meter::MAX_SERIES {
            known.insert(key, Known { histogram, _route: route.cloned() });
        }
    }
}

/// One of few words, whatever a client invents.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}
