//! Where layers keep what they would otherwise have to ask for again: in this process, or on another machine that
//! several gateways share.
//!
//! A store elsewhere is a guest in the request's path: it may be slow, gone, or emptied at any moment. So every question
//! to one has a deadline, a store that fails is left alone for a while and asked again in the background, and whoever
//! asks must say what happens when there is no answer. None of it is ever an internal error of the gateway.

#[cfg(feature = "redis")]
mod error;
#[cfg(feature = "redis")]
mod health;
#[cfg(feature = "store_memory")]
pub mod memory;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use error::StoreError;
#[cfg(feature = "redis")]
pub use redis::{BadUrl, Redis, Script};
