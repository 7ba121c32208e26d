//! Patterns of hosts and paths, brought into the form that the table stores.

use gateway_core::canonical::canonical_path;

use super::rule::{Path, Rule};

/// Where a host pattern is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    Any,
    Exact(String),
    /// `*.example.com`, kept as `example.com`.
    Below(String),
}

pub(super) fn host(pattern: Option<&str>) -> Result<Host, String> {
    let Some(pattern) = pattern else { return Ok(Host::Any) };
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
        return Err(format!("host `{pattern}`: expected a name such as api.example.com or *.example.com"));
    }
    Ok(if is_wildcard { Host::Below(name.to_owned()) } else { Host::Exact(name.to_owned()) })
}

/// A path pattern, segment by segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segments {
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
    /// At least one segment more.
    Rest,
    /// Nothing, or anything.
    Prefix,
}

pub(super) fn segments(path: &Path) -> Result<Segments, String> {
    match path {
        Path::Pattern(pattern) => {
            check("path", pattern)?;
            let wrong = |what: &str| format!("path `{pattern}`: {what}");
            let mut segments = Vec::new();
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
                match (is_rest, texts.peek()) {
                    (false, _) => segments.push(Segment::Parameter),
                    (true, None) => return Ok(Segments { segments, tail: Tail::Rest }),
                    (true, Some(_)) => return Err(wrong("{*name} stands at the end")),
                }
            }
            Ok(Segments { segments, tail: Tail::End })
        }
        Path::Prefix(path) => {
            check("prefix", path)?;
            if path.contains(['{', '}']) {
                return Err(format!("prefix `{path}`: a prefix has no parameters; use a path"));
            }
            let base = path.trim_end_matches('/');
            let texts = base.split('/').skip(1);
            let segments = texts.map(|text| Segment::Literal(text.to_owned())).collect();
            Ok(Segments { segments, tail: Tail::Prefix })
        }
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
        ] {
            let error = segments(&Path::Pattern(pattern.to_owned())).unwrap_err();
            assert_eq!(error, format!("path `{pattern}`: {what}"));
        }
        assert!(segments(&Path::Pattern("/a".repeat(64))).is_ok());
        let deep = segments(&Path::Prefix("/a".repeat(65))).unwrap_err();
        assert!(deep.starts_with("prefix `/a/") && deep.ends_with("more than 64 segments"), "{deep}");
        for pattern in ["", "*", "*.", "a..b", "a/b", "*.*.a", "a:80"] {
            assert!(host(Some(pattern)).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_is_read_segment_by_segment() {
        let literal = |text: &str| Segment::Literal(text.to_owned());
        let read = |pattern: &str| segments(&Path::Pattern(pattern.to_owned())).unwrap();
        let found = read("/a/{id}/{*rest}");
        assert_eq!(found, Segments { segments: vec![literal("a"), Segment::Parameter], tail: Tail::Rest });
        assert_eq!(read("/a/"), Segments { segments: vec![literal("a"), literal("")], tail: Tail::End });
        assert_eq!(read("/"), Segments { segments: vec![literal("")], tail: Tail::End });
        let prefix = |path: &str| segments(&Path::Prefix(path.to_owned())).unwrap();
        assert_eq!(prefix("/"), Segments { segments: vec![], tail: Tail::Prefix });
        assert_eq!(prefix("/a/"), Segments { segments: vec![literal("a")], tail: Tail::Prefix });
        assert_eq!(host(Some("*.Example.com")), Ok(Host::Below("example.com".to_owned())));
    }
}
