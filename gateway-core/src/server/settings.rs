//! What a server allows, and why that much.

use std::time::Duration;

use crate::{Clock, meter::Meter};

/// The knobs of [`Server`](super::Server), where each is described.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) max_connections: usize,
    #[cfg(feature = "tls")]
    pub(super) handshake_timeout: Duration,
    pub(super) first_byte_timeout: Duration,
    pub(super) header_timeout: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) max_header_bytes: usize,
    pub(super) max_headers: usize,
    pub(super) http2: Http2,
    pub(super) clock: Clock,
    pub(super) meter: Meter,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Http2 {
    pub(super) streams: u32,
    pub(super) header_bytes: u32,
    pub(super) stream_window: u32,
    pub(super) connection_window: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            #[cfg(feature = "tls")]
            handshake_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            keep_alive_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            max_header_bytes: 64 * 1024,
            max_headers: DEFAULT_HEADERS,
            http2: Http2 {
                streams: 100,
                header_bytes: 16 * 1024,
                stream_window: 64 * 1024,
                connection_window: 1024 * 1024,
            },
            clock: Clock::default(),
            meter: Meter::default(),
        }
    }
}

/// What the parser of HTTP/1.1 has room for on its stack; any other number costs it two allocations a request.
pub(super) const DEFAULT_HEADERS: usize = 100;

/// What a header map can hold.
pub(super) const MOST_HEADERS: usize = 32 * 1024;

/// The largest window that HTTP/2 knows (RFC 9113 section 6.9.1).
pub(super) const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// So long that a moment can always be moved by it: ten years.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
