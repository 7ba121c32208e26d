use std::fmt;

use super::regex::Regex;

/// A test on one value of a request: of a header, a query parameter or a cookie.
///
/// ```
/// use gateway_layers::routing::{Rule, Text};
/// use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION};
///
/// let german = Rule::prefix("/").header(ACCEPT_LANGUAGE, "de").header(AUTHORIZATION, Text::present());
/// # let _ = german;
/// ```
#[derive(Clone, Debug)]
pub struct Text(pub(super) Test);

#[derive(Clone, Debug)]
pub(super) enum Test {
    Exact(Box<[u8]>),
    Present,
    // Without the feature `regex` none can be made.
    Regex(Box<Regex>),
}

impl Text {
    /// Exactly this value, byte for byte.
    pub fn exact(value: impl AsRef<[u8]>) -> Self {
        Self(Test::Exact(value.as_ref().into()))
    }

    /// Any value, the empty one too.
    #[must_use]
    pub const fn present() -> Self {
        Self(Test::Present)
    }

    /// A value that this regular expression matches as a whole, over bytes: `\d`, `\w` and `(?i)` mean ASCII. One that
    /// is wrong, longer than 1,000 bytes or needs more than 256 KiB is an error of the table.
    #[cfg(feature = "regex")]
    #[must_use]
    pub fn regex(expression: &str) -> Self {
        Self(Test::Regex(Box::new(Regex::new(expression))))
    }

    pub(super) fn holds(&self, value: &[u8]) -> bool {
        match &self.0 {
            Test::Exact(expected) => **expected == *value,
            Test::Present => true,
            Test::Regex(regex) => regex.is_match(value),
        }
    }

    /// Whether every value that holds for it holds for `other` too, as far as that can be told.
    pub(super) fn implies(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, Test::Present) => true,
            (Test::Exact(value), _) => other.holds(value),
            (Test::Regex(one), Test::Regex(other)) => one.as_str() == other.as_str(),
            (Test::Present | Test::Regex(_), _) => false,
        }
    }

    pub(super) fn error(&self) -> Option<String> {
        match &self.0 {
            Test::Regex(regex) => regex.error(),
            Test::Exact(_) | Test::Present => None,
        }
    }

    pub(super) fn as_exact(&self) -> Option<&[u8]> {
        match &self.0 {
            Test::Exact(value) => Some(value),
            Test::Present | Test::Regex(_) => None,
        }
    }

    pub(super) fn example(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Test::Exact(value) => Some(value.to_vec()),
            Test::Present => Some(b"any".to_vec()),
            Test::Regex(regex) => regex.example(),
        }
    }
}

impl<T: AsRef<[u8]>> From<T> for Text {
    fn from(value: T) -> Self {
        Self::exact(value)
    }
}

/// `=value`, ` ~ expression`, or nothing where any value will do.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Test::Exact(value) => write!(f, "={}", value.escape_ascii()),
            Test::Present => Ok(()),
            Test::Regex(regex) => write!(f, " ~ {}", regex.as_str()),
        }
    }
}
