//! The part of the document under `limits`.

use std::{borrow::Cow, time::Duration};

use super::LimitsLayer;
use crate::config::{ByteSize, Section, Value, Wrong};

/// ```yaml
/// limits:
///   target: 8KiB
///   header_count: 100
///   header_bytes: 32KiB
///   body: 10MiB            # default: none
///   body_idle: 25s         # or off
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<LimitsLayer> {
    let target = section.optional::<ByteSize>("target");
    let header_count = section.optional::<usize>("header_count");
    let header_bytes = section.optional::<ByteSize>("header_bytes");
    let body = section.optional::<ByteSize>("body");
    let body_idle = section.optional::<Idle>("body_idle");
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
    if let Some(Idle(idle)) = body_idle {
        layer = layer.body_idle(idle);
    }
    Some(layer)
}

/// The limits of a document that says nothing about them.
pub(crate) fn default(section: &Section<'_>) -> LimitsLayer {
    let context = section.context();
    LimitsLayer::default().clock(context.clock.clone()).meter(&context.meter, section.place())
}

/// How long a body may be silent, if there is an end to it.
struct Idle(Option<Duration>);

impl Value for Idle {
    fn wanted() -> Cow<'static, str> {
        "a duration such as 30s, or off".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text == "off" {
            return Ok(Self(None));
        }
        let idle = Duration::parse(text)?;
        if idle.is_zero() {
            return Err(Wrong::meant("off".to_owned()));
        }
        Ok(Self(Some(idle)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_bounded_by_some_time_or_by_none() {
        let parse = |text| Idle::parse(text).map(|Idle(idle)| idle).map_err(|wrong| wrong.suggestion);
        assert_eq!(parse("10s"), Ok(Some(Duration::from_secs(10))));
        assert_eq!(parse("off"), Ok(None));
        assert_eq!(parse("0s"), Err(Some("off".to_owned())));
        assert_eq!(parse("10"), Err(Some("10s".to_owned())));
    }
}
