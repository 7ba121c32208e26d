//! The part of a route that says which requests it serves, and the part of the gateway that says what the others get.

mod moment;

use gateway_core::Network;
use http::{HeaderName, Method};

use self::moment::Moment;
use super::{LiveTable, Part, RoutingLayer, Rule, RuleError, Text};
use crate::config::{Item, Section, Value};

/// ```yaml
/// name: orders             # default: the rule's text
/// path: /orders/{id}       # a pattern
/// prefix: /orders          # or a path with everything below it
/// regex: /orders/[0-9]+    # or a regular expression for the whole path
/// host: api.example.com    # or *.example.com, or a list; default: any
/// methods: [GET, POST]     # default: any
/// match: [...]             # or alternatives instead of all of these, except the name
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<Rule> {
    let name = section.optional::<String>("name");
    let alternatives = section.has("match").then(|| section.sections("match", alternative));
    let rule = match alternatives {
        Some(alternatives) => {
            for key in ["path", "prefix", "regex", "host", "methods"] {
                if section.has(key) {
                    section.optional::<Vec<String>>(key);
                    section.fail(key, "it stands in each item of `match`, not beside it");
                }
            }
            let rule = alternatives.into_iter().reduce(Rule::or);
            if rule.is_none() {
                section.fail("match", "it has no item that can be used");
            }
            rule
        }
        None => {
            let rule = place(section);
            if rule.is_none() && !["path", "prefix", "regex"].iter().any(|key| section.has(key)) {
                section.demand_one_of(&["path", "prefix", "regex", "match"]);
            }
            rule
        }
    }?;
    Some(name.into_iter().fold(rule, Rule::name))
}

/// ```yaml
/// match:
///   - path: /orders/{id}               # or prefix or regex; default: every path
///     host: [api.example.com]          # default: any
///     methods: [GET]                   # default: any
///     head_follows_get: true
///     headers: {x-env: beta, x-id: {regex: "[0-9]+"}, x-any: {present: true}}
///     query: {version: "2"}            # the first value of a name counts
///     cookies: {cohort: b}
///     from: [10.0.0.0/8]               # the client's address
///     server_name: "*.example.com"     # of the TLS handshake
///     media_type: application/json     # or image/*
///     after: 2026-12-01T00:00:00Z
///     before: 2027-01-01T00:00:00+01:00
/// ```
fn alternative(section: &mut Section<'_>) -> Option<Rule> {
    let place = place(section);
    let has_path = ["path", "prefix", "regex"].iter().any(|key| section.has(key));
    let head_follows = section.or("head_follows_get", true);
    let headers = section.entries("headers", |name, item| field(&header(name, item), item));
    let query = section.entries("query", |name, item| field(&Some(name.to_owned()), item));
    let cookies = section.entries("cookies", |name, item| field(&Some(name.to_owned()), item));
    let from = section.optional::<Vec<Network>>("from");
    let server_name = section.optional::<String>("server_name");
    let media_type = section.optional::<String>("media_type");
    let after = section.optional::<Moment>("after");
    let before = section.optional::<Moment>("before");
    let rule = match place {
        None if !has_path => hosts_and_methods(section, Rule::prefix("/")),
        place => place?,
    };
    let rule = if head_follows { rule } else { rule.without_head() };
    let rule = headers.into_iter().fold(rule, |rule, (name, text)| rule.header(name, text));
    let rule = query.into_iter().fold(rule, |rule, (name, text)| rule.query(name, text));
    let rule = cookies.into_iter().fold(rule, |rule, (name, text)| rule.cookie(name, text));
    let rule = from.into_iter().fold(rule, Rule::from);
    let rule = server_name.iter().fold(rule, |rule, name| rule.server_name(name));
    let rule = media_type.iter().fold(rule, |rule, media_type| rule.media_type(media_type));
    let rule = after.into_iter().fold(rule, |rule, Moment(moment)| rule.after(moment));
    Some(before.into_iter().fold(rule, |rule, Moment(moment)| rule.before(moment)))
}

/// Path, hosts and methods; nothing if no path is named, or two are.
fn place(section: &mut Section<'_>) -> Option<Rule> {
    let path = section.optional::<String>("path");
    let prefix = section.optional::<String>("prefix");
    let regex = section.optional::<String>("regex");
    let rule = match (path, prefix, regex) {
        (Some(path), None, None) => Some(Rule::path(path)),
        (None, Some(prefix), None) => Some(Rule::prefix(prefix)),
        (None, None, Some(regex)) => Some(Rule::regex(&regex)),
        (None, None, None) => None,
        (path, _, regex) => {
            let (key, others) = match (path.is_some(), regex.is_some()) {
                (true, true) => ("regex", "a `path` or a `regex`"),
                (true, false) => ("prefix", "a `path` or a `prefix`"),
                (false, _) => ("regex", "a `prefix` or a `regex`"),
            };
            section.fail(key, format!("a route has {others}, not both"));
            None
        }
    };
    // Hosts and methods are read whatever the path is, so that their mistakes are told too.
    let narrowed = hosts_and_methods(section, rule.clone().unwrap_or_else(|| Rule::prefix("/")));
    rule.map(|_| narrowed)
}

fn hosts_and_methods(section: &mut Section<'_>, rule: Rule) -> Rule {
    let hosts = section.or("host", Vec::<String>::new());
    let methods = section.or("methods", Vec::<Method>::new());
    methods.into_iter().fold(hosts.into_iter().fold(rule, Rule::host), Rule::method)
}

fn header(name: &str, item: &Item<'_>) -> Option<HeaderName> {
    let parsed = <HeaderName as Value>::parse(name);
    if parsed.is_err() {
        item.fail(format!("`{name}`: expected {}", HeaderName::wanted()));
    }
    parsed.ok()
}

/// A field and what its value must be: `x`, `{regex: x}` or `{present: true}`.
fn field<N: Clone>(name: &Option<N>, item: &Item<'_>) -> Option<(N, Text)> {
    let text = item.either(
        |value: String| Some(Text::exact(value)),
        |section| {
            let regex = section.optional::<String>("regex");
            let present = section.optional::<bool>("present");
            match (regex, present) {
                (Some(regex), None) => Some(Text::regex(&regex)),
                (None, Some(true)) => Some(Text::present()),
                (None, Some(false)) => {
                    section.fail("present", "a rule cannot ask that a field is absent");
                    None
                }
                (Some(_), Some(_)) => {
                    section.fail("present", "a field has a `regex` or is `present`, not both");
                    None
                }
                (None, None) => {
                    section.demand_one_of(&["regex", "present"]);
                    None
                }
            }
        },
    );
    Some((name.clone()?, text?))
}

/// Tells what is wrong with a rule at the key that says it.
pub(crate) fn report(section: &mut Section<'_>, errors: &[RuleError]) {
    for error in errors {
        let key = match error.part() {
            Part::Name => "name",
            _ if section.has("match") => "match",
            Part::Host => "host",
            Part::Path | Part::Condition if section.has("path") => "path",
            Part::Path | Part::Condition if section.has("regex") => "regex",
            Part::Path | Part::Condition => "prefix",
        };
        section.fail(key, error.message());
    }
}

/// ```yaml
/// routing:                       # what requests get that no route serves
///   method_not_allowed: true     # 405 with Allow where a route is there for other methods; false: 404
///   misdirected: false           # true: 421 for hosts that no route is for
/// ```
pub(crate) fn layer(section: &mut Section<'_>) -> Option<impl FnOnce(LiveTable) -> RoutingLayer + use<>> {
    let says_methods = section.or("method_not_allowed", true);
    let refuses_hosts = section.or("misdirected", false);
    Some(move |table| RoutingLayer::of(table).method_not_allowed(says_methods).misdirected(refuses_hosts))
}
