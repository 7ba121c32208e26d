//! The binary, from outside: what it prints, what it answers, how it stops, what it says of mistakes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "these tests watch another process by the real clock")]

#[expect(dead_code, unreachable_pub, reason = "shared with the tests of real programs")]
#[path = "../common/mod.rs"]
mod common;

mod commands;
mod demo;
mod inherited;
mod listeners;
mod reloading;
mod sinks;
mod stopping;
