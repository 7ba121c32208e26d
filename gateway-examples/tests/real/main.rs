//! The binary between real programs: nginx and Python as upstreams, curl and wrk as clients.
#![cfg(feature = "real")]
#![expect(clippy::disallowed_methods, reason = "these tests watch other processes by the real clock")]

#[path = "../common/mod.rs"]
mod common;

mod load;
mod nginx;
mod parties;
mod python;
