//! The binary between real programs: nginx, Python, Node and grpcio as upstreams, curl, wrk, Chromium and the same as
//! clients, Redis as a store.
#![cfg(feature = "real")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "these tests watch other processes by the real clock")]

#[expect(dead_code, unreachable_pub, reason = "shared with the tests of the binary")]
#[path = "../common/mod.rs"]
mod common;

mod browser;
mod clients;
mod grpc;
mod load;
mod nginx;
mod parties;
mod python;
mod redis;
mod stopping;
mod storms;
mod streams;
mod upstream;
mod websocket;
