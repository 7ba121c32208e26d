//! [`Vary`]: which requests a stored answer is for, apart from its target (RFC 9111, 4.1).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};

/// The fields that an answer was chosen by, with what its request said in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Vary(Box<[(HeaderName, Option<Bytes>)]>);

impl Vary {
    /// What the answer says; `None` where no other request gets the same (`Vary: *`, or what cannot be read).
    pub(super) fn of(answer: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut fields: Vec<(HeaderName, Option<Bytes>)> = Vec::new();
        for line in answer.get_all(header::VARY) {
            for name in line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                if name.is_empty() {
                    continue;
                }
                let name = (name != b"*").then(|| HeaderName::from_bytes(name).ok())??;
                if !fields.iter().any(|(known, _)| *known == name) {
                    let value = said(request, &name).map(|value| Bytes::copy_from_slice(&value));
                    fields.push((name, value));
                }
            }
        }
        fields.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Some(Self(fields.into()))
    }

    /// Whether a request with these headers is answered by the same.
    pub(super) fn matches(&self, request: &HeaderMap) -> bool {
        self.0.iter().all(|(name, value)| said(request, name).as_deref() == value.as_deref())
    }

    /// What a request says in these fields.
    pub(super) fn parts(&self, request: &HeaderMap, part: &mut dyn FnMut(&[u8])) {
        for (name, _) in &self.0 {
            part(name.as_str().as_bytes());
            let value = said(request, name);
            part(&[u8::from(value.is_some())]);
            part(value.as_deref().unwrap_or_default());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let field = |(name, value): &(HeaderName, Option<Bytes>)| {
            64 + name.as_str().len() + value.as_ref().map_or(0, Bytes::len)
        };
        self.0.iter().map(field).sum()
    }
}

/// All lines of a field as one, without the white space around them.
fn said<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).iter().map(|line| line.as_bytes().trim_ascii());
    let first = lines.next()?;
    let mut all = Cow::Borrowed(first);
    for line in lines {
        let all = all.to_mut();
        all.extend_from_slice(b", ");
        all.extend_from_slice(line);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for &(name, value) in lines {
            map.append(name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn an_answer_is_for_requests_that_say_the_same_in_its_fields() {
        let (gzip, br) = (("accept-encoding", "gzip"), ("accept-encoding", "br"));
        for (vary, stored, asked, same) in [
            ("", &[gzip][..], &[br][..], true),
            ("accept-encoding", &[gzip], &[gzip], true),
            ("accept-encoding", &[gzip], &[br], false),
            ("Accept-Encoding", &[gzip], &[], false),
            ("accept-encoding", &[], &[], true),
            ("accept-encoding", &[], &[("accept-encoding", "")], false),
            ("accept-encoding", &[("accept-encoding", " gzip ")], &[gzip], true),
            ("accept-encoding", &[gzip, br], &[("accept-encoding", "gzip, br")], true),
            ("accept-encoding", &[gzip, br], &[br, gzip], false),
            ("x-a, , x-b,", &[("x-a", "1")], &[("x-a", "1"), ("x-b", "2")], false),
            ("x-a, X-A", &[("x-a", "1")], &[("x-a", "1")], true),
        ] {
            let vary = Vary::of(&headers(&[("vary", vary)]), &headers(stored)).unwrap();
            assert_eq!(vary.matches(&headers(asked)), same, "{vary:?}");
        }
    }

    #[test]
    fn a_star_and_nonsense_are_for_nobody_else() {
        for vary in ["*", "x-a, *", "a b"] {
            assert_eq!(Vary::of(&headers(&[("vary", vary)]), &HeaderMap::new()), None);
        }
    }
}
