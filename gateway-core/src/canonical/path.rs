//! The canonical form of a path (RFC 3986 sections 5.2.4 and 6.2.2).

/// Why a path has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not start with `/`.
    Relative,
    /// A byte that no path may hold, such as a space, a backslash or a control character.
    BadByte,
    /// `%` without two hexadecimal digits behind it.
    BadEscape,
    /// An escaped NUL, `/` or `\`: servers disagree on what it means.
    HiddenSeparator,
    /// `..` above the root.
    AboveRoot,
    /// `.` or `..` in front of a `;`: servers disagree on what it means.
    DotParameter,
}

impl PathError {
    /// The reason, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relative => "a path starts with `/`",
            Self::BadByte => "the path holds a byte that has to be escaped",
            Self::BadEscape => "the path holds a `%` without two hexadecimal digits",
            Self::HiddenSeparator => "the path holds an escaped NUL, slash or backslash",
            Self::AboveRoot => "the path leads above the root",
            Self::DotParameter => "the path holds a dot segment with a parameter",
        }
    }
}

/// The canonical form of a path, or `None` if it already has it. Idempotent; never decodes twice.
///
/// Escapes of unreserved characters are decoded, other escapes get upper-case digits, dot segments are removed
/// and repeated slashes merged, in this order.
///
/// # Errors
/// A [`PathError`] for a path that different servers read differently.
///
/// ```
/// use gateway_core::canonical::{PathError, canonical_path};
///
/// assert_eq!(canonical_path("/a/b"), Ok(None));
/// assert_eq!(canonical_path("/%61/../b//c%c3"), Ok(Some("/b/c%C3".into())));
/// assert_eq!(canonical_path("/a%2Fb"), Err(PathError::HiddenSeparator));
/// ```
pub fn canonical_path(path: &str) -> Result<Option<String>, PathError> {
    if path.is_empty() {
        return Ok(None);
    }
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    if is_plainly_canonical(path.as_bytes()) {
        return Ok(None);
    }
    let decoded = decode_unreserved(path)?;
    let mut canonical = String::with_capacity(decoded.len());
    let mut segments = decoded[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "" | "." if is_last => canonical.push('/'),
            "" | "." => {}
            ".." => {
                let parent = canonical.rfind('/').ok_or(PathError::AboveRoot)?;
                canonical.truncate(parent);
                if is_last {
                    canonical.push('/');
                }
            }
            _ if segment.starts_with(".;") || segment.starts_with("..;") => {
                return Err(PathError::DotParameter);
            }
            _ => {
                canonical.push('/');
                canonical.push_str(segment);
            }
        }
    }
    Ok((canonical != path).then_some(canonical))
}

/// The common case, without a look at any segment: no escape, no dot after a slash, no double slash.
fn is_plainly_canonical(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|&byte| {
        let doubtful = byte == b'%' || (before == b'/' && matches!(byte, b'.' | b'/'));
        before = byte;
        !doubtful && is_path_byte(byte)
    })
}

fn decode_unreserved(path: &str) -> Result<String, PathError> {
    let mut decoded = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !is_path_byte(byte) {
                return Err(PathError::BadByte);
            }
            decoded.push(byte.into());
            continue;
        }
        let (Some(high), Some(low)) = (bytes.next().and_then(digit), bytes.next().and_then(digit)) else {
            return Err(PathError::BadEscape);
        };
        match high * 16 + low {
            0 | b'/' | b'\\' => return Err(PathError::HiddenSeparator),
            byte if is_unreserved(byte) => decoded.push(byte.into()),
            byte => {
                decoded.push('%');
                decoded.push(HEX[usize::from(byte >> 4)].into());
                decoded.push(HEX[usize::from(byte & 15)].into());
            }
        }
    }
    Ok(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` and `/` of RFC 3986, and the printable characters that browsers send unescaped.
const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'?')
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brings_every_spelling_into_one_form() {
        for (path, canonical) in [
            ("/", "/"),
            ("/a/b.c/d..e", "/a/b.c/d..e"),
            ("/a//b///c", "/a/b/c"),
            ("/a/./b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../../c", "/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/%41%7e%c3%a4", "/A~%C3%A4"),
            ("/%252e", "/%252e"),
            ("/a/..b/.c", "/a/..b/.c"),
            ("//", "/"),
        ] {
            let found = canonical_path(path).unwrap_or_else(|error| panic!("{path}: {error:?}"));
            assert_eq!(found.as_deref().unwrap_or(path), canonical, "{path}");
        }
    }

    #[test]
    fn refuses_what_servers_read_differently() {
        for (path, error) in [
            ("a", PathError::Relative),
            ("/a b", PathError::BadByte),
            ("/a\\b", PathError::BadByte),
            ("/%", PathError::BadEscape),
            ("/%4", PathError::BadEscape),
            ("/%g1", PathError::BadEscape),
            ("/%00", PathError::HiddenSeparator),
            ("/%5c", PathError::HiddenSeparator),
            ("/..", PathError::AboveRoot),
            ("/a/../..", PathError::AboveRoot),
            ("/a/..;x/b", PathError::DotParameter),
            ("/.;/b", PathError::DotParameter),
        ] {
            assert_eq!(canonical_path(path), Err(error), "{path}");
        }
    }

    proptest! {
        #[test]
        fn is_idempotent_and_leaves_no_dot_segment(path in "/[a-c./%2eEfF;5~]{0,24}") {
            if let Ok(Some(once)) = canonical_path(&path) {
                prop_assert_eq!(canonical_path(&once), Ok(None));
                prop_assert!(once.starts_with('/'));
                prop_assert!(!once.contains("//"));
                prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }
    }
}
