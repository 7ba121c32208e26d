//! Answers from a store.

mod change;
mod conditional;
#[cfg(feature = "config")]
pub(crate) mod config;
mod directives;
mod entry;
mod fetch;
mod filling;
mod flight;
mod freshness;
mod future;
mod key;
mod layer;
mod marks;
mod request;
mod reuse;
mod service;
mod status;
mod storable;
mod store;
mod targets;
#[cfg(test)]
mod tests;
mod vary;
mod wakers;

pub use future::CacheFuture;
pub use key::Partition;
pub use layer::CacheLayer;
pub use service::Cache;
pub use store::Store;
