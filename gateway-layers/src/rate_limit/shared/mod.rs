//! Limits that several gateways share, counted in Redis.

#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
mod rule;
mod script;
#[cfg(test)]
mod tests;

pub use layer::{NotExact, OnError, SharedRateLimitLayer, Store};
pub use rule::SharedLimiter;
