//! Patterns of paths, brought into the form that the table stores.

use gateway_core::canonical::canonical_path;

use super::rule::{Path, Rule};

/// A path pattern, segment by segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    pub(super) segments: Vec<Segment>,
    pub(super) tail: Tail,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    Parameter,
}

/// What may follow the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    End,
    /// Whatever a regular expression for the whole path allows.
    Regex,
    /// At least one segment more.
    Rest,
    /// Nothing, or anything.
    Prefix,
}

impl Segments {
    pub(super) fn of(path: &Path) -> Result<Self, String> {
        match path {
            Path::Pattern(pattern) => Self::parse(pattern),
            Path::Prefix(path) => Self::prefix(path),
            Path::Regex(regex) => match regex.error() {
                Some(error) => Err(error),
                None => Ok(Self::literal(regex.fixed_segments(), Tail::Regex)),
            },
        }
    }

    /// Reads a pattern such as `/orders/{id}/{*rest}`.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        check("path", pattern)?;
        let wrong = |what: &str| format!("path `{pattern}`: {what}");
        let mut segments = Vec::new();
        let mut names = Vec::new();
        let mut texts = pattern[1..].split('/').peekable();
        while let Some(text) = texts.next() {
            if !text.contains(['{', '}']) {
                segments.push(Segment::Literal(text.to_owned()));
                continue;
            }
            let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            let name = name.ok_or_else(|| wrong("a parameter is a whole segment: {name}"))?;
            let (is_rest, name) = name.strip_prefix('*').map_or((false, name), |name| (true, name));
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(wrong("a parameter is written {name} or, at the end, {*name}"));
            }
            if names.contains(&name) {
                return Err(wrong("two parameters have one name"));
            }
            names.push(name);
            match (is_rest, texts.peek()) {
                (false, _) => segments.push(Segment::Parameter),
                (true, None) => return Ok(Self { segments, tail: Tail::Rest }),
                (true, Some(_)) => return Err(wrong("{*name} stands at the end")),
            }
        }
        Ok(Self { segments, tail: Tail::End })
    }

    fn prefix(path: &str) -> Result<Self, String> {
        check("prefix", path)?;
        if path.contains(['{', '}']) {
            return Err(format!("prefix `{path}`: a prefix has no parameters; use a path"));
        }
        let texts = path.trim_end_matches('/').split('/').skip(1);
        Ok(Self::literal(texts.map(str::to_owned), Tail::Prefix))
    }

    fn literal(texts: impl IntoIterator<Item = String>, tail: Tail) -> Self {
        Self { segments: texts.into_iter().map(Segment::Literal).collect(), tail }
    }

    /// Whether a canonical path matches; for one pattern alone, where a table would be too much. Says nothing about a
    /// regular expression.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut rest = path.strip_prefix('/');
        for segment in &self.segments {
            let Some(here) = rest else { return false };
            let (text, further) = match here.split_once('/') {
                Some((text, further)) => (text, Some(further)),
                None => (here, None),
            };
            let fits = match segment {
                Segment::Literal(literal) => literal == text,
                Segment::Parameter => !text.is_empty(),
            };
            if !fits {
                return false;
            }
            rest = further;
        }
        match self.tail {
            Tail::End => rest.is_none(),
            Tail::Rest => rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty()),
            Tail::Prefix | Tail::Regex => true,
        }
    }

    /// Whether a part of the path has a name.
    pub(super) fn has_parameters(&self) -> bool {
        self.tail == Tail::Rest || self.segments.contains(&Segment::Parameter)
    }

    /// Paths that match, the plainest first.
    pub(super) fn examples(&self) -> Vec<String> {
        let mut base = String::new();
        for segment in &self.segments {
            base.push('/');
            base.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Parameter => "any",
            });
        }
        let more: &[&str] = match self.tail {
            Tail::End => &[""],
            Tail::Rest => &["/any", "/any/any"],
            Tail::Prefix if base.is_empty() => &["/", "/any", "/any/any"],
            Tail::Prefix => &["", "/any", "/any/any", "/"],
            // Only the expression itself knows.
            Tail::Regex => &[],
        };
        more.iter().map(|more| format!("{base}{more}")).collect()
    }
}

/// A pattern that no canonical path can match would be a rule that silently never applies; one that is nested without
/// end would overflow the stack of whoever walks the tree.
fn check(kind: &str, pattern: &str) -> Result<(), String> {
    if !pattern.starts_with('/') {
        return Err(format!("{kind} `{pattern}`: a path starts with `/`"));
    }
    if pattern.split('/').count() > Rule::MAX_SEGMENTS + 1 {
        return Err(format!("{kind} `{pattern}`: more than {} segments", Rule::MAX_SEGMENTS));
    }
    match canonical_path(pattern) {
        Ok(None) => Ok(()),
        Ok(Some(canonical)) => {
            Err(format!("{kind} `{pattern}`: no request has it; its canonical form is `{canonical}`"))
        }
        Err(error) => Err(format!("{kind} `{pattern}`: {}", error.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_can_never_match_is_refused() {
        for (pattern, what) in [
            ("orders", "a path starts with `/`"),
            ("/a/../b", "no request has it; its canonical form is `/b`"),
            ("/a//b", "no request has it; its canonical form is `/a/b`"),
            ("/a%2Fb", "the path holds an escaped NUL, slash or backslash"),
            ("/{a", "a parameter is a whole segment: {name}"),
            ("/a{b}", "a parameter is a whole segment: {name}"),
            ("/{}", "a parameter is written {name} or, at the end, {*name}"),
            ("/{*a}/b", "{*name} stands at the end"),
            ("/{a}/{a}", "two parameters have one name"),
        ] {
            let error = Segments::parse(pattern).unwrap_err();
            assert_eq!(error, format!("path `{pattern}`: {what}"));
        }
        assert!(Segments::parse(&"/a".repeat(64)).is_ok());
        let deep = Segments::of(&Path::Prefix("/a".repeat(65))).unwrap_err();
        assert!(deep.starts_with("prefix `/a/") && deep.ends_with("more than 64 segments"), "{deep}");
    }

    #[test]
    fn a_pattern_is_read_segment_by_segment() {
        let literal = |text: &str| Segment::Literal(text.to_owned());
        let read = |pattern: &str| Segments::parse(pattern).unwrap();
        let found = read("/a/{id}/{*rest}");
        assert_eq!(found, Segments { segments: vec![literal("a"), Segment::Parameter], tail: Tail::Rest });
        assert_eq!(read("/a/"), Segments { segments: vec![literal("a"), literal("")], tail: Tail::End });
        assert_eq!(read("/"), Segments { segments: vec![literal("")], tail: Tail::End });
        let prefix = |path: &str| Segments::of(&Path::Prefix(path.to_owned())).unwrap();
        assert_eq!(prefix("/"), Segments { segments: vec![], tail: Tail::Prefix });
        assert_eq!(prefix("/a/"), Segments { segments: vec![literal("a")], tail: Tail::Prefix });
    }
}
