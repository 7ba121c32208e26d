//! The part of a route that says which requests it serves.

use http::Method;

use super::{Part, Rule, RuleError};
use crate::config::Section;

/// ```yaml
/// name: orders             # default: the rule's text
/// path: /orders/{id}       # either a pattern
/// prefix: /orders          # or a path with everything below it
/// host: api.example.com    # or *.example.com; default: any
/// methods: [GET, POST]     # default: any
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<Rule> {
    let name = section.optional::<String>("name");
    let path = section.optional::<String>("path");
    let prefix = section.optional::<String>("prefix");
    let host = section.optional::<String>("host");
    let methods = section.or("methods", Vec::<Method>::new());
    let mut rule = match (path, prefix) {
        (Some(path), None) => Rule::path(path),
        (None, Some(prefix)) => Rule::prefix(prefix),
        (Some(_), Some(_)) => {
            section.fail("prefix", "a route has a `path` or a `prefix`, not both");
            return None;
        }
        (None, None) => {
            section.demand_one_of(&["path", "prefix"]);
            return None;
        }
    };
    if let Some(name) = name {
        rule = rule.name(name);
    }
    if let Some(host) = host {
        rule = rule.host(host);
    }
    Some(methods.into_iter().fold(rule, Rule::method))
}

/// Tells what is wrong with a rule at the key that says it.
pub(crate) fn report(section: &mut Section<'_>, errors: &[RuleError]) {
    for error in errors {
        let key = match error.part() {
            Part::Name => "name",
            Part::Host => "host",
            Part::Path if section.has("path") => "path",
            Part::Path => "prefix",
        };
        section.fail(key, error.message());
    }
}
