//! The part of the document under `headers`.

use http::{HeaderName, HeaderValue};

use super::{HeadersLayer, Rules};
use crate::config::Section;

/// ```yaml
/// headers:
///   request:
///     set: {x-tenant: blue}       # this value and no other
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
    HeadersLayer::new(request, response).ok()
}

fn direction(section: &mut Section<'_>) -> Option<Rules> {
    let set = section.pairs::<HeaderName, HeaderValue>("set");
    let add = section.pairs::<HeaderName, HeaderValue>("add");
    let remove = section.or("remove", Vec::<HeaderName>::new());
    let rename = section.pairs::<HeaderName, HeaderName>("rename");
    let rules = set.into_iter().fold(Rules::new(), |rules, (name, value)| rules.set(name, value));
    let rules = add.into_iter().fold(rules, |rules, (name, value)| rules.add(name, value));
    let rules = remove.into_iter().fold(rules, Rules::remove);
    Some(rename.into_iter().fold(rules, |rules, (from, to)| rules.rename(from, to)))
}
