//! What the demo prints: lines to try, each of which shows one concern at work, with the status that it ends in.

use std::io::{self, Write};

/// Writes the lines to try against the gateway at `base`, such as `http://127.0.0.1:8080`.
pub(crate) fn print(out: &mut impl Write, base: &str, token: &str) -> io::Result<()> {
    writeln!(out, "A token for the next hour, and lines to try, one after the other:\n\n  TOKEN={token}")?;
    for (topic, lines) in TOPICS {
        writeln!(out, "\n  # {topic}")?;
        for (path, options, status, what) in *lines {
            let command = format!("curl -i {options}{base}{path}");
            writeln!(out, "  {command:<68} # {status} {what}")?;
        }
    }
    writeln!(out, "\nStop with Ctrl-C. One JSON line for every request follows.\n")
}

type Line = (&'static str, &'static str, u16, &'static str);

const AS_ADA: &str = "-H \"authorization: Bearer $TOKEN\" ";

const TOPICS: &[(&str, &[Line])] = &[
    (
        "routing, timeout, streams",
        &[
            ("/", "", 200, "what this demo is"),
            ("/nothing", "", 404, "no rule for it"),
            ("/orders", "-X DELETE ", 405, "a rule, but not for this method"),
            ("/slow", "", 200, "in time"),
            ("/slow?ms=3000", "", 504, "the deadline of 1 s"),
            ("/events", "-N ", 200, "five server-sent events, each passed on as it happens"),
            ("/echo/a/../b?x=1", "--path-as-is ", 200, "what the service saw: one form, forwarded headers"),
        ],
    ),
    (
        "jwt, authorize, api_key",
        &[
            ("/users/7", "", 401, "jwt: no token, and www-authenticate says what is wanted"),
            ("/users/7", "-H \"authorization: Bearer x.y.z\" ", 401, "jwt: not a token"),
            ("/users/7", AS_ADA, 200, "mask: the card but for its end, no password"),
            ("/staff", AS_ADA, 403, "authorize: the token lets Ada in, but she is no clerk"),
            ("/partner/echo", "-H \"x-api-key: wrong\" ", 401, "api_key: unknown"),
            (
                "/partner/echo",
                "-H \"x-api-key: partner-demo-key\" ",
                200,
                "api_key: the key stays here, its owner goes on",
            ),
        ],
    ),
    (
        "rate_limit, bulkhead, headers",
        &[
            (
                "/orders",
                AS_ADA,
                200,
                "headers: the service hears from the token who asks; two limits say what is left",
            ),
            ("/orders", AS_ADA, 200, "2 of 3 within 10 s"),
            ("/orders", AS_ADA, 200, "3 of 3"),
            ("/orders", AS_ADA, 429, "rate_limit: and when to come back"),
        ],
    ),
    (
        "cache, json_body",
        &[
            ("/products", "", 200, "json_body: purchase prices are for nobody; cache-status: a miss"),
            ("/products", "", 200, "cache: asked once, answered twice"),
            (
                "/products",
                "-H 'cache-control: no-cache' ",
                200,
                "cache: whoever wants it fresh gets it fresh",
            ),
        ],
    ),
    (
        "retry, circuit_breaker, fallback",
        &[
            ("/prices", "", 200, "retry: the service fails every other time"),
            ("/advice", "", 200, "fallback: the service is broken, x-fallback says so"),
            ("/advice-log", "", 503, "the same without a fallback"),
            ("/advice-log", "", 503, "and again"),
            ("/advice-log", "", 503, "circuit_breaker: not even asked any more, retry-after says how long"),
        ],
    ),
    ("aggregate", &[("/page/7", AS_ADA, 200, "a user, orders and prices in one answer")]),
    ("metrics", &[("/metrics", "", 200, "everything counted so far, as Prometheus text")]),
];
