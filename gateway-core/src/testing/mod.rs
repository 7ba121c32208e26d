//! A kit to test layers with: the contract that every layer keeps, and parties that misbehave on command.
//!
//! ```
//! use gateway_core::{canonical::CanonicalLayer, testing::contract};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! contract::check(CanonicalLayer::default()).await;
//! # }
//! ```
//!
//! | part | for |
//! | --- | --- |
//! | [`contract`] | the rules of a tower layer in a gateway, each with a sentence when it is broken |
//! | [`Probe`], [`Inner`] | the services that the contract is checked over |
//! | [`channel`] | a body that is sent by hand, frame by frame |
//! | [`ScriptedUpstream`] | a real server that misbehaves |
//! | [`fuzz`] | targets for a fuzzer, as plain functions |
//! | [`strict`] | a reader of requests that forgives nothing, to judge what reached an upstream |
//! | [`MemoryServer`] | HTTP/1.1 and HTTP/2 without a socket, for paused time |
//! | [`ManualClock`](crate::clock::ManualClock) | time that stands still, made by [`Clock::manual`](crate::Clock::manual) |

mod body;
pub mod contract;
pub mod fuzz;
mod memory;
mod probe;
pub mod strict;
mod upstream;

pub use body::{BodySender, channel};
pub use memory::MemoryServer;
pub use probe::{Behaviour, Inner, Probe};
pub use upstream::{ScriptedUpstream, Step};
