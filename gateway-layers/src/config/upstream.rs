//! The part of a route that says where it leads.

use std::time::Duration;

use gateway_core::{
    client::Forward,
    identity::Identity,
    tunnel::Upgrades,
    upstream::{HostPolicy, Upstream},
};

use super::{Section, Words};
use crate::circuit_breaker::EndpointBreakers;

/// ```yaml
/// upstream: http://10.0.0.1:8080                       # one endpoint
/// upstream: [http://10.0.0.1:8080, http://10.0.0.2:8080]  # several, in turn
/// upstream:
///   endpoints: [http://10.0.0.1:8080]
///   connect_timeout: 1s
///   response_timeout: 30s
///   body_idle_timeout: 60s
///   idle_timeout: 30s
///   max_idle: 64
///   host: preserve                                     # preserve | upstream
///   upgrades: [websocket]                              # or, with more to say:
///   upgrades:
///     protocols: [websocket]
///     origins: [https://shop.example]
///     idle_timeout: 5m
///     max_duration: 24h
/// ```
pub(super) fn read(
    route: &mut Section<'_>,
    breakers: Option<&EndpointBreakers>,
) -> Option<(Forward, String)> {
    route.demand("upstream");
    optional(route, breakers)
}

/// The same where the key may be left out.
pub(crate) fn optional(
    route: &mut Section<'_>,
    breakers: Option<&EndpointBreakers>,
) -> Option<(Forward, String)> {
    let upstream = route.either::<Vec<String>, _>("upstream", |urls| Some(Upstream::new(urls)), long)?;
    let urls = upstream.endpoints().join(", ");
    let upstream = match breakers {
        Some(breakers) => breakers.guard(upstream),
        None => upstream,
    };
    // Routes that lead to the same place in the same way share its connections; the circuits of a route are its own.
    let way = format!("{upstream:?}");
    let forward = route.checked("upstream", upstream.build())?;
    let forward = match breakers {
        Some(_) => forward,
        None => {
            let shared = route.context().shelf.state(Identity::new("upstream", &way), || forward);
            Forward::clone(&shared)
        }
    };
    Some((forward, urls))
}

fn long(section: &mut Section<'_>) -> Option<Upstream> {
    let endpoints = section.required::<Vec<String>>("endpoints");
    let connect_timeout = section.optional::<Duration>("connect_timeout");
    let response_timeout = section.optional::<Duration>("response_timeout");
    let body_idle_timeout = section.optional::<Duration>("body_idle_timeout");
    let idle_timeout = section.optional::<Duration>("idle_timeout");
    let max_idle = section.optional::<usize>("max_idle");
    let host = section.or("host", HostPolicy::Preserve);
    let upgrades = section.either::<Vec<String>, _>(
        "upgrades",
        |protocols| Some(Upgrades::new(protocols)),
        long_upgrades,
    );
    let mut upstream = Upstream::new(endpoints?).host(host);
    if let Some(timeout) = connect_timeout {
        upstream = upstream.connect_timeout(timeout);
    }
    if let Some(timeout) = response_timeout {
        upstream = upstream.response_timeout(timeout);
    }
    if let Some(timeout) = body_idle_timeout {
        upstream = upstream.body_idle_timeout(timeout);
    }
    if let Some(timeout) = idle_timeout {
        upstream = upstream.idle_timeout(timeout);
    }
    if let Some(connections) = max_idle {
        upstream = upstream.max_idle(connections);
    }
    if let Some(upgrades) = upgrades {
        upstream = upstream.upgrades(upgrades.meter(&section.context().meter));
    }
    Some(upstream)
}

fn long_upgrades(section: &mut Section<'_>) -> Option<Upgrades> {
    let protocols = section.required::<Vec<String>>("protocols");
    let origins = section.optional::<Vec<String>>("origins");
    let idle_timeout = section.optional::<Duration>("idle_timeout");
    let max_duration = section.optional::<Duration>("max_duration");
    let mut upgrades = Upgrades::new(protocols?);
    if let Some(origins) = origins {
        upgrades = upgrades.origins(origins);
    }
    if let Some(timeout) = idle_timeout {
        upgrades = upgrades.idle_timeout(timeout);
    }
    if let Some(duration) = max_duration {
        upgrades = upgrades.max_duration(duration);
    }
    Some(upgrades)
}

impl Words for HostPolicy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("preserve", Self::Preserve), ("upstream", Self::Upstream)];
}
