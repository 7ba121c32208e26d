//! The part of the document under `headers`.

use std::borrow::Cow;

use gateway_core::phase::Staged;
use http::HeaderName;

use super::{HeadersLayer, Rules, Template, TemplateError};
use crate::config::{Section, Value, Wrong};

/// ```yaml
/// headers:
///   request:
///     set:
///       x-tenant: blue            # this value and no other
///       x-user: "{principal}"     # what the gateway knows; without it no such header
///     add: {x-tag: "${TAG}"}      # besides those that are there
///     remove: [x-debug]
///     rename: {x-old: x-new}
///   response: {...}               # the same four
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<HeadersLayer> {
    let request = section.section("request", direction).unwrap_or_default();
    let response = section.section("response", direction).unwrap_or_default();
    for (direction, rules) in [("request", &request), ("response", &response)] {
        for error in rules.errors() {
            section.fail(direction, error.to_string());
        }
    }
    let layer = HeadersLayer::new(request, response).ok()?;
    section.own(layer.owned_headers());
    Some(layer)
}

fn direction(section: &mut Section<'_>) -> Option<Rules> {
    let set = section.pairs::<HeaderName, Template>("set");
    let add = section.pairs::<HeaderName, Template>("add");
    let remove = section.or("remove", Vec::<HeaderName>::new());
    let rename = section.pairs::<HeaderName, HeaderName>("rename");
    let rules = set.into_iter().fold(Rules::new(), |rules, (name, value)| rules.set_from(name, value));
    let rules = add.into_iter().fold(rules, |rules, (name, template)| match template.constant() {
        Some(value) => rules.add(name, value),
        None => {
            section.fail(
                "add",
                format!("`{name}`: facts are for `set`; beside a client's value they prove nothing"),
            );
            rules
        }
    });
    let rules = remove.into_iter().fold(rules, Rules::remove);
    Some(rename.into_iter().fold(rules, |rules, (from, to)| rules.rename(from, to)))
}

/// Values may be credentials.
impl Value for Template {
    fn is_secret(_text: &str) -> bool {
        true
    }

    fn wanted() -> Cow<'static, str> {
        format!(
            "a header value of visible ASCII characters on one line, with facts such as {{request_id}} in it ({}), \
             and with {{{{ and }}}} for braces",
            TemplateError::Fact
        )
        .into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_: TemplateError| Wrong::default())
    }
}
