//! The part of the document under `fallback`.

use gateway_core::{client::Forward, upstream::Upstream};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{Credentials, FallbackLayer, Instead};
use crate::config::{ByteSize, Section, Words};

/// ```yaml
/// fallback:
///   on: [502, 503, 504]    # statuses from 500 on
///   header: x-fallback     # says why; or off
///
///   status: 200            # a fixed answer
///   headers: {content-type: application/json}
///   body: '{"items":[]}'
///
///   upstream: http://10.0.0.9:8080   # or what another upstream says
///   keep: 64KiB                      # of a request's body, for it
///   credentials: remove              # or pass: Authorization and Cookie of the client
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<FallbackLayer<Forward>> {
    let on = section.optional::<Vec<StatusCode>>("on");
    let header = section.optional::<String>("header");
    let status = section.optional::<StatusCode>("status");
    let headers = section.pairs::<HeaderName, HeaderValue>("headers");
    let body = section.optional::<String>("body");
    let upstream = section.optional::<Vec<String>>("upstream");
    let keep = section.optional::<ByteSize>("keep");
    let credentials = section.or("credentials", Credentials::Remove);
    section.demand_one_of(&["status", "upstream"]);
    if section.has("upstream") {
        for name in ["status", "headers", "body"] {
            if section.has(name) {
                section
                    .fail(name, "it is the upstream that answers; take either a fixed answer or an upstream");
            }
        }
    } else {
        for name in ["keep", "credentials"] {
            if section.has(name) {
                section.fail(name, "a fixed answer needs nothing of the request; this is for an upstream");
            }
        }
    }
    if on.iter().flatten().any(|status| status.as_u16() < 500) {
        section.fail("on", "what is below 500 is the client's mistake, and is passed on");
    }
    if status.is_some_and(|status| status.is_informational()) {
        section.fail("status", "an answer ends with a status from 200 on");
    }
    let layer = match upstream {
        Some(urls) => {
            let upstream = section.checked("upstream", Upstream::new(urls).build())?;
            FallbackLayer::service(upstream)
        }
        None => {
            let instead = Instead::new(status?).body(body.unwrap_or_default());
            FallbackLayer::or_answer(
                headers.into_iter().fold(instead, |instead, (name, value)| instead.header(name, value)),
            )
        }
    };
    let layer = match on {
        Some(statuses) => layer.on(statuses),
        None => layer,
    };
    let layer = match header.as_deref() {
        None => layer,
        Some("off") => layer.mark(None),
        Some(name) => {
            let name =
                HeaderName::try_from(name).map_err(|_| "expected a header name such as x-fallback, or off");
            layer.mark(section.checked("header", name)?)
        }
    };
    let layer = match keep {
        Some(bytes) => layer.body(bytes.saturated()),
        None => layer,
    };
    let context = section.context();
    let layer = layer.credentials(credentials);
    Some(layer.buffers(&context.buffers).meter(&context.meter, section.place()))
}

impl Words for Credentials {
    const WORDS: &'static [(&'static str, Self)] = &[("remove", Self::Remove), ("pass", Self::Pass)];
}

#[cfg(test)]
mod tests {
    use crate::config::{Context, Source, load};

    fn problems(fallback: &str) -> String {
        let text = format!("routes: [{{name: a, prefix: /, fallback: {fallback}, upstream: 'http://a'}}]");
        let loaded = load(Source { name: "g", text: &text }, |_| None, &Context::default());
        loaded.err().map(|problems| problems.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_mistake_is_told_and_nothing_is_ignored() {
        for (fallback, told) in [
            ("{}", "fallback: `status` or `upstream` is missing"),
            ("{body: x}", "fallback: `status` or `upstream` is missing"),
            ("{status: 200, upstream: 'http://b'}", "fallback.status: it is the upstream that answers"),
            ("{body: x, upstream: 'http://b'}", "fallback.body: it is the upstream that answers"),
            ("{upstream: 'b'}", "fallback.upstream: endpoint `b`: expected http(s)://HOST[:PORT][/PATH]"),
            ("{status: 200, on: [404]}", "fallback.on: what is below 500 is the client's mistake"),
            ("{status: 200, keep: 1KiB}", "fallback.keep: a fixed answer needs nothing"),
            ("{status: 200, credentials: pass}", "fallback.credentials: a fixed answer needs nothing"),
            ("{status: 101}", "fallback.status: an answer ends with a status from 200 on"),
            (
                "{status: 200, header: 'a b'}",
                "fallback.header: expected a header name such as x-fallback, or off",
            ),
            ("{status: 200, upstrem: 'http://b'}", "unknown key `upstrem` (did you mean `upstream`?)"),
        ] {
            let problems = problems(fallback);
            assert!(problems.contains(told), "{fallback}: {problems}");
        }
        for fine in [
            "{status: 200, headers: {content-type: text/plain}, body: x, header: off, on: [500]}",
            "{upstream: ['http://b', 'http://c'], keep: 1MiB, header: x-b, credentials: pass}",
        ] {
            assert_eq!(problems(fine), "", "{fine}");
        }
    }
}
