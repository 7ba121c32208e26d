//! Composable tower layers for building API gateways.
//!
//! Every concern of a gateway is a layer of its own behind a feature of the same name. Take one and put it into an
//! axum service; or let the builder put many together, in an order that the compiler checks; or describe them in
//! a YAML document.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use gateway_core as core;

// The concerns, in the order in which a request meets them.

#[cfg(feature = "request_id")]
pub mod request_id;

#[cfg(feature = "client_addr")]
pub mod client_addr;

#[cfg(feature = "access_log")]
pub mod access_log;

#[cfg(feature = "metrics")]
pub mod metrics;

#[cfg(feature = "limits")]
pub mod limits;

#[cfg(feature = "routing")]
pub mod routing;

#[cfg(feature = "timeout")]
pub mod timeout;

#[cfg(feature = "jwt")]
pub mod jwt;

#[cfg(feature = "api_key")]
pub mod api_key;

#[cfg(feature = "authorize")]
pub mod authorize;

#[cfg(feature = "rate_limit")]
pub mod rate_limit;

#[cfg(feature = "bulkhead")]
pub mod bulkhead;

#[cfg(feature = "headers")]
pub mod headers;

#[cfg(feature = "json_body")]
pub mod json_body;

#[cfg(feature = "mask")]
pub mod mask;

#[cfg(feature = "cache")]
pub mod cache;

#[cfg(feature = "aggregate")]
pub mod aggregate;

#[cfg(feature = "fallback")]
pub mod fallback;

#[cfg(feature = "retry")]
pub mod retry;

#[cfg(feature = "circuit_breaker")]
pub mod circuit_breaker;

// The assembly.

#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "gateway")]
pub mod gateway;

// What several concerns share.

#[cfg(any(feature = "json_body", feature = "mask"))]
pub mod json;
