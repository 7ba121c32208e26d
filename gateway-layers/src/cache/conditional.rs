//! Conditional requests: those of clients, answered from the store, and our own (RFC 9111, 4.3; RFC 9110, 13).

use http::{
    HeaderMap, HeaderValue,
    header::{DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
};

use super::{entry::About, freshness::parse_date};

/// Whether the client has what is stored already, so that it is answered 304 (RFC 9111, 4.3.2).
pub(super) fn client_has(stored: &About, request: &HeaderMap) -> bool {
    // A precondition only says something about an answer that would be a success (RFC 9110, 13.2.1).
    if !stored.status.is_success() {
        return false;
    }
    if request.contains_key(IF_NONE_MATCH) {
        let stored = stored.header(&ETAG).map(HeaderValue::as_bytes);
        return request.get_all(IF_NONE_MATCH).iter().any(|line| lists(line.as_bytes(), stored));
    }
    let Some(since) = request.get(IF_MODIFIED_SINCE).and_then(parse_date) else {
        return false;
    };
    let changed = stored.header(&LAST_MODIFIED).or_else(|| stored.header(&DATE)).and_then(parse_date);
    changed.is_some_and(|changed| changed <= since)
}

/// Makes a request ask whether what is stored is still current, or for a whole answer where nothing is
/// (RFC 9111, 4.3.1). What the client asked is answered here, when the outcome is known.
pub(super) fn ask(request: &mut HeaderMap, stored: Option<&About>) {
    for (condition, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        match stored.and_then(|stored| stored.header(&validator)) {
            Some(value) => drop(request.insert(condition, value.clone())),
            None => drop(request.remove(condition)),
        }
    }
}

/// Whether `304 Not Modified` is about what is stored (RFC 9111, 4.3.4). Our question named one answer, so one that
/// names none is about that.
pub(super) fn confirms(stored: &About, not_modified: &HeaderMap) -> bool {
    match (stored.header(&ETAG), not_modified.get(ETAG)) {
        (Some(one), Some(other)) => is_same_weakly(one.as_bytes(), other.as_bytes()),
        (None, Some(_)) => false,
        (_, None) => match (stored.header(&LAST_MODIFIED), not_modified.get(LAST_MODIFIED)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        },
    }
}

/// Whether something can be asked about it.
pub(super) fn can_be_validated(stored: &About) -> bool {
    stored.header(&ETAG).is_some() || stored.header(&LAST_MODIFIED).is_some()
}

/// Whether a list of entity tags, or `*`, holds this one by the weak comparison (RFC 9110, 13.1.2).
fn lists(line: &[u8], stored: Option<&[u8]>) -> bool {
    if line.trim_ascii() == b"*" {
        return true;
    }
    let Some(stored) = stored else { return false };
    let mut rest = line;
    // Commas may stand inside of a tag, so tags are cut out by their quotes.
    while let Some(start) = rest.iter().position(|&byte| byte == b'"') {
        let Some(length) = rest[start + 1..].iter().position(|&byte| byte == b'"') else {
            return false;
        };
        if &rest[start..start + length + 2] == opaque(stored) {
            return true;
        }
        rest = &rest[start + length + 2..];
    }
    false
}

fn is_same_weakly(one: &[u8], other: &[u8]) -> bool {
    opaque(one) == opaque(other)
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_full() {
        for (line, stored, expected) in [
            ("\"a\"", Some("\"a\""), true),
            ("\"a\"", Some("W/\"a\""), true),
            ("W/\"a\"", Some("\"a\""), true),
            ("\"b\", \"a\"", Some("\"a\""), true),
            ("\"b\",W/\"a\",\"c\"", Some("\"a\""), true),
            ("\"a,b\"", Some("\"a,b\""), true),
            ("\"a,b\"", Some("\"a\""), false),
            ("\"ab\"", Some("\"a\""), false),
            ("*", Some("\"a\""), true),
            (" * ", None, true),
            ("\"*\"", Some("\"a\""), false),
            ("a", Some("\"a\""), false),
            ("\"a", Some("\"a\""), false),
            ("\"a\"", None, false),
            ("", Some("\"a\""), false),
        ] {
            assert_eq!(lists(line.as_bytes(), stored.map(str::as_bytes)), expected, "{line} {stored:?}");
        }
    }
}
