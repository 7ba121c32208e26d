//! The rules of forwarding, one test each, over real sockets: a gateway of the core's own parts between a client and
//! an upstream that are both written by hand.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod body;
mod corpus;
mod gateway;
mod h2;
mod h2_rules;
mod hop;
mod host;
mod raw;
mod target;
mod upstream;
