//! The part of the document under `fallback`.

use gateway_core::{client::Forward, upstream::Upstream};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{FallbackLayer, Instead};
use crate::config::{ByteSize, Section};

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
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<FallbackLayer<Forward>> {
    let on = section.optional::<Vec<StatusCode>>("on");
    let header = section.optional::<String>("header");
    let status = section.optional::<StatusCode>("status");
    let headers = section.pairs::<HeaderName, HeaderValue>("headers");
    let body = section.optional::<String>("body");
    let upstream = section.optional::<Vec<String>>("upstream");
    let keep = section.optional::<ByteSize>("keep");
    section.demand_one_of(&["status", "upstream"]);
    if section.has("upstream") {
        for name in ["status", "headers", "body"] {
            if section.has(name) {
                section.fail(name, "it is the upstream that answers; take either a fixed answer or an upstream");
            }
        }
    } else if section.has("keep") {
        section.fail("keep", "a fixed answer needs nothing of the request's body");
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
            FallbackLayer::or_answer(headers.into_iter().fold(instead, |instead, (name, value)| {
                instead.header(name, value)
            }))
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
            let name = HeaderName::try_from(name).map_err(|_| "expected a header name such as x-fallback, or off");
            layer.mark(section.checked("header", name)?)
        }
    };
    let layer = match keep {
        Some(bytes) => layer.body(bytes.saturated()),
        None => layer,
    };
    let context = section.context();
    Some(layer.buffers(&context.buffers).meter(&context.meter, section.place()))
}
