//! Host patterns: which hosts one takes, and which of several is the most specific.

use std::{collections::HashMap, fmt};

/// A host pattern, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Host {
    Any,
    Exact(Box<str>),
    /// `*.example.com`, kept as `example.com`: every host below it, at any depth.
    Below(Box<str>),
}

impl Host {
    /// Reads a pattern, or says what is wrong with it.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let lower = pattern.to_ascii_lowercase();
        let (name, is_wildcard) = match lower.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (lower.as_str(), false),
        };
        let is_literal = name.starts_with('[') && name.ends_with(']');
        let is_name = !name.is_empty()
            && !name.ends_with('.')
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            });
        if !is_name && (is_wildcard || !is_literal) {
            return Err(format!(
                "host `{pattern}`: expected a name such as api.example.com or *.example.com"
            ));
        }
        Ok(if is_wildcard { Self::Below(name.into()) } else { Self::Exact(name.into()) })
    }

    /// Whether it takes a canonical host.
    pub(super) fn takes(&self, host: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => host == Some(name),
            Self::Below(name) => host.is_some_and(|host| parents(host).any(|parent| parent == &**name)),
        }
    }

    /// Whether it takes every host that `other` takes.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (_, Self::Exact(name)) => self.takes(Some(name)),
            (Self::Exact(_), Self::Below(_)) => false,
            (Self::Below(outer), Self::Below(name)) => outer == name || self.takes(Some(name)),
        }
    }

    /// A host that it takes.
    pub(super) fn example(&self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Exact(name) => Some(name.to_string()),
            Self::Below(name) => Some(format!("any.{name}")),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

/// One value for each host pattern.
#[derive(Debug)]
pub(super) struct Hosts<T> {
    exact: HashMap<Box<str>, T>,
    below: HashMap<Box<str>, T>,
    any: Option<T>,
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: HashMap::new(), any: None }
    }
}

impl<T> Hosts<T> {
    /// The values of the patterns that take a host, the most specific first: the exact one, then the longest
    /// wildcard, then any host. One hash for each label of the host, and none for kinds that no pattern has.
    pub(super) fn taking<'a, 'h>(
        &'a self,
        host: Option<&'h str>,
    ) -> impl Iterator<Item = &'a T> + use<'a, 'h, T> {
        let exact = host.filter(|_| !self.exact.is_empty()).and_then(|host| self.exact.get(host));
        let parents = host.filter(|_| !self.below.is_empty()).into_iter().flat_map(parents);
        let below = parents.filter_map(move |parent| self.below.get(parent));
        exact.into_iter().chain(below).chain(&self.any)
    }

    /// The value of exactly this pattern, made if it is not there.
    pub(super) fn at(&mut self, host: Host) -> &mut T
    where
        T: Default,
    {
        match host {
            Host::Any => self.any.get_or_insert_default(),
            Host::Exact(name) => self.exact.entry(name).or_default(),
            Host::Below(name) => self.below.entry(name).or_default(),
        }
    }

    pub(super) fn each(&mut self, change: impl FnMut(&mut T)) {
        self.exact.values_mut().chain(self.below.values_mut()).chain(&mut self.any).for_each(change);
    }

    /// Whether no pattern is there that takes this host.
    pub(super) fn is_unknown(&self, host: Option<&str>) -> bool {
        self.taking(host).next().is_none()
    }
}

/// `b.c` and `c` for `a.b.c`.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').map(move |(dot, _)| &host[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_pattern_is_refused() {
        for pattern in ["", "*", "*.", "a..b", "a/b", "*.*.a", "a:80", "a.", "a b"] {
            assert!(Host::parse(pattern).is_err(), "{pattern}");
        }
        assert_eq!(Host::parse("*.Example.com"), Ok(Host::Below("example.com".into())));
        assert_eq!(Host::parse("[::1]"), Ok(Host::Exact("[::1]".into())));
    }

    #[test]
    fn a_pattern_covers_the_hosts_of_another() {
        let covers =
            |outer: &str, inner: &str| Host::parse(outer).unwrap().covers(&Host::parse(inner).unwrap());
        for (outer, inner, expected) in [
            ("a.b", "a.b", true),
            ("*.b", "a.b", true),
            ("*.b", "c.a.b", true),
            ("*.b", "b", false),
            ("*.b", "*.b", true),
            ("*.b", "*.a.b", true),
            ("*.a.b", "*.b", false),
            ("a.b", "*.b", false),
        ] {
            assert_eq!(covers(outer, inner), expected, "{outer} {inner}");
        }
        assert!(Host::Any.covers(&Host::Any) && !Host::parse("a").unwrap().covers(&Host::Any));
    }
}
