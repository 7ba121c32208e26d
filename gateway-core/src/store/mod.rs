//! Stores on other machines that several gateways share.
//!
//! A store is a guest in the request's path: it may be slow, gone, or emptied at any moment. So every question to one
//! has a deadline, a store that fails is left alone for a while and asked again in the background, and whoever asks must
//! say what happens when there is no answer. None of it is ever an internal error of the gateway.

mod error;
mod health;
mod redis;

pub use error::StoreError;
pub use redis::{BadUrl, Redis, Script};
