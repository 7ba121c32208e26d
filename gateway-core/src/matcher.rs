//! [`Matcher`]: a pure test on a request head.

use std::{fmt, sync::Arc};

use http::{HeaderName, HeaderValue, Method, request::Parts};

/// A test on a request head; combine with [`and`](Self::and), [`or`](Self::or) and [`not`](Self::not).
///
/// ```
/// use gateway_core::Matcher;
/// use http::{Method, Request};
///
/// let writes = Matcher::method(Method::GET).or(Matcher::method(Method::HEAD)).not();
/// let (head, ()) = Request::post("/orders").body(()).unwrap().into_parts();
/// assert!(writes.and(Matcher::path_prefix("/orders")).matches(&head));
/// ```
#[derive(Clone)]
pub struct Matcher(Test);

#[derive(Clone)]
enum Test {
    Always,
    Method(Method),
    PathPrefix(Arc<str>),
    Header(HeaderName, Option<HeaderValue>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Arc<Self>),
    Custom(Arc<dyn Fn(&Parts) -> bool + Send + Sync>),
}

impl Matcher {
    /// Matches every request.
    #[must_use]
    pub const fn always() -> Self {
        Self(Test::Always)
    }

    /// The method is this one.
    #[must_use]
    pub const fn method(method: Method) -> Self {
        Self(Test::Method(method))
    }

    /// The path is `prefix` or lies below it: `/abc` matches `/abc`, `/abc/` and `/abc/d`, and not `/abcd`.
    pub fn path_prefix(prefix: impl Into<Arc<str>>) -> Self {
        let prefix: Arc<str> = prefix.into();
        Self(Test::PathPrefix(match prefix.strip_suffix('/') {
            Some(prefix) => prefix.into(),
            None => prefix,
        }))
    }

    /// The header is present.
    #[must_use]
    pub const fn header_present(name: HeaderName) -> Self {
        Self(Test::Header(name, None))
    }

    /// The first value of the header is this one.
    #[must_use]
    pub const fn header(name: HeaderName, value: HeaderValue) -> Self {
        Self(Test::Header(name, Some(value)))
    }

    /// A test of your own.
    pub fn custom(test: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self(Test::Custom(Arc::new(test)))
    }

    /// Both match.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Test::All(vec![self.0, other.0]))
    }

    /// At least one matches.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Test::Any(vec![self.0, other.0]))
    }

    /// This does not match.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "reads as prose between `and` and `or`")]
    pub fn not(self) -> Self {
        Self(Test::Not(Arc::new(self.0)))
    }

    /// Whether this head matches.
    #[must_use]
    pub fn matches(&self, head: &Parts) -> bool {
        self.0.matches(head)
    }
}

impl Test {
    fn matches(&self, head: &Parts) -> bool {
        match self {
            Self::Always => true,
            Self::Method(method) => head.method == method,
            Self::PathPrefix(prefix) => {
                let rest = head.uri.path().strip_prefix(&**prefix);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Header(name, expected) => match (head.headers.get(name), expected) {
                (Some(value), Some(expected)) => value == expected,
                (found, None) => found.is_some(),
                (None, Some(_)) => false,
            },
            Self::All(tests) => tests.iter().all(|test| test.matches(head)),
            Self::Any(tests) => tests.iter().any(|test| test.matches(head)),
            Self::Not(test) => !test.matches(head),
            Self::Custom(test) => test(head),
        }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Method(method) => write!(f, "method {method}"),
            Self::PathPrefix(prefix) => write!(f, "path {prefix}/*"),
            Self::Header(name, None) => write!(f, "header {name}"),
            Self::Header(name, Some(_)) => write!(f, "header {name} with a value"),
            Self::All(tests) => f.debug_tuple("all").field(tests).finish(),
            Self::Any(tests) => f.debug_tuple("any").field(tests).finish(),
            Self::Not(test) => f.debug_tuple("not").field(test).finish(),
            Self::Custom(_) => f.write_str("custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_whole_segments() {
        let matches = |prefix: &str, path: &str| {
            let head = http::Request::get(path).body(()).unwrap().into_parts().0;
            Matcher::path_prefix(prefix).matches(&head)
        };
        for (prefix, path, expected) in [
            ("/abc", "/abc", true),
            ("/abc", "/abc/", true),
            ("/abc/", "/abc", true),
            ("/abc", "/abc/d", true),
            ("/abc", "/abcd", false),
            ("/", "/anything", true),
        ] {
            assert_eq!(matches(prefix, path), expected, "{prefix} {path}");
        }
    }
}
