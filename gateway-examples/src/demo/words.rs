//! What the demo prints: one line to try for every concern that it shows.

use std::io::{self, Write};

/// Writes the lines to try against the gateway at `base`, such as `http://127.0.0.1:8080`.
pub(crate) fn print(out: &mut impl Write, base: &str) -> io::Result<()> {
    writeln!(out, "Try (each of these answers):")?;
    for (path, options, what) in LINES {
        let command = format!("curl{options} {base}{path}");
        writeln!(out, "  {command:<50} # {what}")?;
    }
    writeln!(out, "\nStop with Ctrl-C. One JSON line for every request follows.\n")
}

const LINES: &[(&str, &str, &str)] = &[
    ("/", "", "what this demo is"),
    ("/users/7", " -i", "headers: one set, one removed, and a request id"),
    ("/orders", " -i", "rate limit: the sixth within 10 s gets 429 and Retry-After"),
    ("/slow", "", "deadline of 1 s: add ?ms=3000 and the gateway answers 504"),
    ("/events", " -N", "five server-sent events, each passed on as it happens"),
    ("/echo/a/../b?x=1", " --path-as-is", "what the service saw: the canonical path, forwarded headers"),
    ("/metrics", "", "everything counted so far, as Prometheus text"),
];
