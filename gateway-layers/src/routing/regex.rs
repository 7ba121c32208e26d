//! Regular expressions that a whole text must match, with bounds.

use std::fmt;

use regex::bytes::{Regex as Compiled, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

/// A regular expression over bytes, anchored at both ends. One that is wrong matches nothing, and its error is told
/// when a table is made of it.
#[derive(Clone)]
pub(crate) struct Regex {
    text: Box<str>,
    made: Result<(Compiled, Hir), Box<str>>,
}

impl Regex {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), made: compile(text).map_err(Into::into) }
    }

    /// Why it cannot be used.
    pub(super) fn error(&self) -> Option<String> {
        self.made.as_ref().err().map(|error| format!("regular expression `{}`: {error}", self.text))
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.made.as_ref().is_ok_and(|(compiled, _)| compiled.is_match(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole segments that every path begins with that it matches: `a` and `b` for `/a/b/c?d`.
    pub(super) fn fixed_segments(&self) -> Vec<String> {
        let Ok((_, hir)) = &self.made else { return Vec::new() };
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(hir),
        };
        let mut fixed = Vec::new();
        for part in parts {
            match part.kind() {
                HirKind::Literal(literal) => fixed.extend_from_slice(&literal.0),
                HirKind::Look(_) => {}
                _ => break,
            }
        }
        let fixed = String::from_utf8(fixed).unwrap_or_default();
        // What stands behind the last slash may go on.
        let Some((fixed, _)) = fixed.strip_prefix('/').and_then(|fixed| fixed.rsplit_once('/')) else {
            return Vec::new();
        };
        fixed.split('/').map(str::to_owned).collect()
    }

    /// A text that it matches, if a simple one is found.
    pub(super) fn example(&self) -> Option<Vec<u8>> {
        let (_, hir) = self.made.as_ref().ok()?;
        let mut text = Vec::new();
        sample(hir, &mut text);
        self.is_match(&text).then_some(text)
    }
}

fn compile(text: &str) -> Result<(Compiled, Hir), String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("it is longer than {MAX_LENGTH} bytes"));
    }
    // Read by itself first: what is unbalanced could step out of the anchors.
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(MAX_DEPTH)
        .build()
        .parse(text)
        .map_err(|error| last_line(&error))?;
    let compiled = RegexBuilder::new(&format!(r"\A(?:{text})\z"))
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| last_line(&error))?;
    Ok((compiled, hir))
}

/// The errors of the parser draw a picture; their last line says it.
fn last_line(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// Appends the plainest text for an expression.
fn sample(hir: &Hir, text: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            text.extend(PLAIN.iter().copied().chain(b'!'..=b'~').find(|&byte| holds(class, byte)));
        }
        HirKind::Repetition(repetition) => {
            (0..repetition.min.min(100)).for_each(|_| sample(&repetition.sub, text));
        }
        HirKind::Capture(capture) => sample(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| sample(part, text)),
        HirKind::Alternation(parts) => parts.iter().take(1).for_each(|part| sample(part, text)),
    }
}

fn holds(class: &Class, byte: u8) -> bool {
    match class {
        Class::Bytes(class) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.text).finish()
    }
}

/// Far more than people write and can read.
const MAX_LENGTH: usize = 1000;

/// Bytes of one compiled expression, and of its cache in each thread.
const MAX_COMPILED: usize = 256 * 1024;

/// Groups within groups.
const MAX_DEPTH: u32 = 32;

const PLAIN: &[u8] = b"a0x";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_text_must_match() {
        for (regex, text, expected) in [
            ("a+", "aa", true),
            ("a+", "aab", false),
            ("a+", "baa", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("a$", "a\n", false),
            (r"\d", "\u{663}", false),
        ] {
            assert_eq!(Regex::new(regex).is_match(text.as_bytes()), expected, "{regex} {text}");
        }
    }

    #[test]
    fn what_is_wrong_or_too_large_is_an_error_and_matches_nothing() {
        for regex in ["(", "a)|(b", "[", "a{99999}", &"a".repeat(1001), "((a{50}){50}){50}", &"(".repeat(40)]
        {
            let regex = Regex::new(regex);
            assert!(regex.error().is_some(), "{regex:?}");
            assert!(!regex.is_match(b"a"));
        }
        let error = Regex::new("a)").error().unwrap();
        assert_eq!(error, "regular expression `a)`: unopened group");
    }

    #[test]
    fn the_fixed_beginning_ends_before_what_may_vary() {
        for (regex, fixed) in [
            ("/a/b/c?d", vec!["a", "b"]),
            ("/a/[0-9]+", vec!["a"]),
            ("/a(/b)?", vec![]),
            ("/a/*", vec![]),
            ("/a|/b", vec![]),
            ("(?i)/a/b", vec![]),
            (".*", vec![]),
            ("/a/b/c", vec!["a", "b"]),
            (r"/v1\.0/x/.*", vec!["v1.0", "x"]),
        ] {
            assert_eq!(Regex::new(regex).fixed_segments(), fixed, "{regex}");
        }
    }

    #[test]
    fn an_example_matches() {
        for regex in ["/users/[0-9]{3}", "/(a|b)/.+", "", r"/\w+\.json"] {
            let regex = Regex::new(regex);
            assert!(regex.is_match(&regex.example().unwrap()), "{regex:?}");
        }
        assert_eq!(Regex::new("a^").example(), None);
    }
}
