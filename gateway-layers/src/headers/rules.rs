use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

use super::Template;

/// What to do with the headers of one direction.
#[derive(Clone, Default)]
pub struct Rules(Vec<(HeaderName, Action)>);

#[derive(Clone)]
enum Action {
    Set(HeaderValue),
    SetFrom(Template),
    Add(HeaderValue),
    Remove,
    RenameTo(HeaderName),
}

impl Rules {
    /// Nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The header has this value and no other. A value is never shown by `Debug` or `explain`.
    #[must_use]
    pub fn set(self, name: HeaderName, value: HeaderValue) -> Self {
        self.push(name, Action::Set(value))
    }

    /// The header has the value that this template has for the request, and no other. If it has none, the header is
    /// taken away: a value that a client sent along would be taken for the gateway's word.
    #[must_use]
    pub fn set_from(self, name: HeaderName, template: Template) -> Self {
        match template.constant() {
            Some(value) => self.set(name, value),
            None => self.push(name, Action::SetFrom(template)),
        }
    }

    /// The header has this value besides those that it has.
    #[must_use]
    pub fn add(self, name: HeaderName, value: HeaderValue) -> Self {
        self.push(name, Action::Add(value))
    }

    /// The header is taken away, with all its values.
    #[must_use]
    pub fn remove(self, name: HeaderName) -> Self {
        self.push(name, Action::Remove)
    }

    /// The header's values move to another name and replace those that it has.
    #[must_use]
    pub fn rename(self, from: HeaderName, to: HeaderName) -> Self {
        self.push(from, Action::RenameTo(to))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does it, in the order in which the rules were given. Nothing is known of a request here, so templates have no
    /// value.
    pub fn apply(&self, headers: &mut HeaderMap) {
        self.apply_with(headers, Values::default());
    }

    /// The values that the templates have for this request, in their order.
    pub(super) fn values<B>(&self, request: &Request<B>) -> Values {
        let templates = self.0.iter().filter_map(|(_, action)| match action {
            Action::SetFrom(template) => Some(template),
            _ => None,
        });
        Values(templates.map(|template| template.value(request)).collect())
    }

    /// The same with the values of the templates.
    pub(super) fn apply_with(&self, headers: &mut HeaderMap, Values(values): Values) {
        let mut values = values.into_iter();
        for (name, action) in &self.0 {
            match action {
                Action::Set(value) => drop(headers.insert(name, value.clone())),
                Action::SetFrom(_) => match values.next().flatten() {
                    Some(value) => drop(headers.insert(name, value)),
                    None => drop(headers.remove(name)),
                },
                Action::Add(value) => drop(headers.append(name, value.clone())),
                Action::Remove => drop(headers.remove(name)),
                Action::RenameTo(to) => rename(headers, name, to),
            }
        }
    }

    /// The headers that say who is calling. `Authorization` and `Cookie` are not among them, because whoever
    /// authenticates must see the client's own.
    pub(super) fn owned(&self) -> Vec<HeaderName> {
        let is_owned = |(name, action): &&(HeaderName, Action)| {
            let is_credential = matches!(*name, header::AUTHORIZATION | header::COOKIE);
            !is_credential && matches!(action, Action::SetFrom(template) if template.is_about_the_caller())
        };
        self.0.iter().filter(is_owned).map(|(name, _)| name.clone()).collect()
    }

    /// Each rule in words, without values: they may be secret.
    pub(super) fn words(&self) -> Vec<String> {
        let word = |(name, action): &(HeaderName, Action)| match action {
            Action::SetFrom(template) => {
                format!("set {name} from {}", template.facts().collect::<Vec<_>>().join(" and "))
            }
            action => format!("{} {name}", action.word()),
        };
        self.0.iter().map(word).collect()
    }

    /// Every rule that cannot be kept: its name must not be touched, or has another action already.
    pub(super) fn errors(&self) -> Vec<HeaderRuleError> {
        let mut errors = Vec::new();
        let mut seen: Vec<(&HeaderName, &str)> = Vec::new();
        for (name, action) in &self.0 {
            let renamed = match action {
                Action::RenameTo(to) => Some((to, "rename to")),
                _ => None,
            };
            for (name, word) in [(name, action.word())].into_iter().chain(renamed) {
                let other = seen.iter().find(|(seen, _)| *seen == name);
                let reason = match other {
                    _ if FRAMING.contains(name) => FRAMING_REASON.to_owned(),
                    Some((_, other)) => format!("it has two actions, {other} and {word}"),
                    None => {
                        seen.push((name, word));
                        continue;
                    }
                };
                errors.push(HeaderRuleError { name: name.clone(), reason });
            }
        }
        errors
    }

    fn push(mut self, name: HeaderName, action: Action) -> Self {
        self.0.push((name, action));
        self
    }
}

impl Action {
    const fn word(&self) -> &'static str {
        match self {
            Self::Set(_) | Self::SetFrom(_) => "set",
            Self::Add(_) => "add",
            Self::Remove => "remove",
            Self::RenameTo(_) => "rename",
        }
    }
}

/// What the templates of one direction say of one request.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<Option<HeaderValue>>);

/// The usual single value moves without an allocation.
fn rename(headers: &mut HeaderMap, from: &HeaderName, to: &HeaderName) {
    let header::Entry::Occupied(entry) = headers.entry(from) else { return };
    let (_, mut values) = entry.remove_entry_mult();
    let first = values.next();
    let others: Vec<HeaderValue> = values.collect();
    headers.remove(to);
    for value in first.into_iter().chain(others) {
        headers.append(to, value);
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}

/// A rule that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRuleError {
    name: HeaderName,
    reason: String,
}

impl HeaderRuleError {
    /// The header that the rule is about.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }
}

impl fmt::Display for HeaderRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header `{}`: {}", self.name, self.reason)
    }
}

impl std::error::Error for HeaderRuleError {}

/// What frames a message (RFC 9112, 6) or belongs to one hop (RFC 9110, 7.6.1), and `Host`, which says where the
/// request goes: a rule for any of them would be undone or do harm further in.
const FRAMING: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const FRAMING_REASON: &str = "it frames the message or belongs to one hop; its owner is the gateway";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(key, value)| (name(key), value.parse().unwrap())).collect()
    }

    #[test]
    fn does_what_each_rule_says() {
        let value = HeaderValue::from_static;
        let rules = Rules::new()
            .set(name("a"), value("1"))
            .add(name("b"), value("2"))
            .remove(name("c"))
            .rename(name("d"), name("e"));
        assert_eq!(rules.errors(), []);
        let mut found = headers(&[("a", "0"), ("b", "1"), ("c", "x"), ("e", "old")]);
        found.append("d", value("3"));
        found.append("d", value("4"));
        rules.apply(&mut found);
        let mut expected = headers(&[("a", "1"), ("b", "1")]);
        expected.append("b", value("2"));
        expected.append("e", value("3"));
        expected.append("e", value("4"));
        assert_eq!(found, expected);
    }

    #[test]
    fn two_actions_for_one_header_and_framing_headers_are_refused() {
        let value = HeaderValue::from_static("hush");
        let rules = Rules::new()
            .set(name("a"), value.clone())
            .rename(name("b"), name("c"))
            .rename(name("d"), name("content-length"))
            .remove(name("a"))
            .add(name("c"), value.clone());
        let told: Vec<String> = rules.errors().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "header `content-length`: it frames the message or belongs to one hop; its owner is the gateway",
                "header `a`: it has two actions, set and remove",
                "header `c`: it has two actions, rename to and add",
            ]
        );
        assert!(!format!("{:?}", Rules::new().set(name("a"), value)).contains("hush"));
    }

    #[test]
    fn takes_nothing_from_the_heap_where_the_map_has_room() {
        let rules = Rules::new()
            .set(name("x-a"), HeaderValue::from_static("1"))
            .add(header::VARY, HeaderValue::from_static("accept"))
            .remove(name("x-c"))
            .rename(name("x-d"), name("x-e"));
        let mut found = headers(&[("x-a", "0"), ("x-c", "x"), ("x-d", "y"), ("x-f", "z")]);
        // Names and values become shared by their first use.
        rules.apply(&mut found.clone());
        let counted = allocation_counter::measure(|| rules.apply(&mut found));
        assert_eq!(counted.count_total, 0);
        assert_eq!(found, headers(&[("x-a", "1"), ("vary", "accept"), ("x-e", "y"), ("x-f", "z")]));
    }

    proptest! {
        #[test]
        fn headers_without_a_rule_are_left_alone_and_rules_applied_twice_change_no_more(
            present in prop::collection::btree_map("[a-f]", "[0-9]", 0..6),
            removed in "[a-c]", set in "[d-f]",
        ) {
            let rules = Rules::new().remove(name(&removed)).set(name(&set), HeaderValue::from_static("x"));
            let before: HeaderMap = present.iter().map(|(key, value)| (name(key), value.parse().unwrap())).collect();
            let mut once = before.clone();
            rules.apply(&mut once);
            for (key, value) in &before {
                if *key != removed.as_str() && *key != set.as_str() {
                    prop_assert_eq!(once.get(key), Some(value));
                }
            }
            let mut twice = once.clone();
            rules.apply(&mut twice);
            prop_assert_eq!(twice, once);
        }
    }
}
