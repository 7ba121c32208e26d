//! The path of an aggregated answer: `/profile/{id}`.

use crate::routing::Segments;

/// A path pattern whose parameters can be read, by the same rules as a route's.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    segments: Segments,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), segments: Segments::parse(text)? })
    }

    /// The pattern as it was given.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a canonical path matches. Allocates nothing.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.segments.matches(path)
    }

    /// The names of parameters that are one segment.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter_map(name).filter(|name| !name.starts_with('*'))
    }

    /// The segment that stands for a parameter, as it is in a path that matches.
    pub(super) fn parameter<'a>(&self, path: &'a str, wanted: &str) -> Option<&'a str> {
        let mut pairs = self.text.split('/').zip(path.split('/'));
        pairs.find(|(pattern, _)| name(pattern) == Some(wanted)).map(|(_, segment)| segment)
    }
}

fn name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name() {
        let pattern = Pattern::parse("/{shop}/users/{id}/{*rest}").unwrap();
        assert!(pattern.matches("/a/users/7/b/c") && !pattern.matches("/a/users/7"));
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["shop", "id"]);
        assert_eq!(pattern.parameter("/a/users/%C3%A4/b/c", "id"), Some("%C3%A4"));
        assert_eq!(pattern.parameter("/a/users/7/b", "name"), None);
        assert!(Pattern::parse("/a{b}").unwrap_err().contains("a parameter is a whole segment"));
    }
}
