//! The part of the document under `limits`.

use std::time::Duration;

use super::LimitsLayer;
use crate::config::{ByteSize, Section};

/// ```yaml
/// limits:
///   target: 8KiB
///   header_count: 100
///   header_bytes: 32KiB
///   body: 10MiB            # default: none
///   body_idle: 30s
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<LimitsLayer> {
    let target = section.optional::<ByteSize>("target");
    let header_count = section.optional::<usize>("header_count");
    let header_bytes = section.optional::<ByteSize>("header_bytes");
    let body = section.optional::<ByteSize>("body");
    let body_idle = section.optional::<Duration>("body_idle");
    let mut layer = default(section);
    if let Some(target) = target {
        layer = layer.target(target.saturated());
    }
    if let Some(count) = header_count {
        layer = layer.header_count(count);
    }
    if let Some(bytes) = header_bytes {
        layer = layer.header_bytes(bytes.saturated());
    }
    if let Some(body) = body {
        layer = layer.body(body.bytes());
    }
    if let Some(idle) = body_idle {
        layer = layer.body_idle(idle);
    }
    Some(layer)
}

/// The limits of a document that says nothing about them.
pub(crate) fn default(section: &Section<'_>) -> LimitsLayer {
    let context = section.context();
    LimitsLayer::default().clock(context.clock.clone()).meter(&context.meter, section.place())
}
