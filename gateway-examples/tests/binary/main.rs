//! The binary, from outside: what it prints, what it answers, how it stops, what it says of mistakes.
#![expect(clippy::disallowed_methods, reason = "these tests watch another process by the real clock")]

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod demo;
mod sinks;
mod stopping;
