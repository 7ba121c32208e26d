use std::sync::OnceLock;

use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

use crate::{Refusal, random::Random};

/// The name under which a gateway shows itself in `Via`. Not a host name: it must not tell about the inside.
///
/// The default is `gateway-` and eight digits that are drawn once per process: two gateways in a row are no loop, a
/// request that comes back to the same one is.
#[derive(Clone, Debug)]
pub struct Pseudonym {
    name: String,
    /// `1.1 name` and the like, ready to be appended.
    entries: [(Version, HeaderValue); 3],
}

impl Pseudonym {
    /// A name of letters, digits, `-`, `.` and `_`; `None` for any other text.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return None;
        }
        let entry = |version, number| {
            HeaderValue::try_from(format!("{number} {name}")).ok().map(|entry| (version, entry))
        };
        let entries = [
            entry(Version::HTTP_11, "1.1")?,
            entry(Version::HTTP_10, "1.0")?,
            entry(Version::HTTP_2, "2.0")?,
        ];
        Some(Self { name: name.to_owned(), entries })
    }

    fn entry(&self, received: Version) -> &HeaderValue {
        let found = self.entries.iter().find(|(version, _)| *version == received);
        let (_, entry) = found.unwrap_or(&self.entries[0]);
        entry
    }

    /// Whether an entry such as `1.1 name (comment)` was written under this name.
    fn wrote(&self, entry: &[u8]) -> bool {
        let mut words = entry.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
        words.nth(1).is_some_and(|by| by.eq_ignore_ascii_case(self.name.as_bytes()))
    }
}

impl Default for Pseudonym {
    fn default() -> Self {
        static DRAWN: OnceLock<String> = OnceLock::new();
        let name = DRAWN.get_or_init(|| format!("gateway-{:08x}", Random::default().next() >> 32));
        Self::new(name).expect("digits and letters are a name")
    }
}

/// Appends our entry to `Via`, with the version in which the request was received (RFC 9110 section 7.6.3).
///
/// # Errors
/// 508 `loop_detected` if our pseudonym is in it already: the request came back to us.
pub fn append_via(headers: &mut HeaderMap, received: Version, pseudonym: &Pseudonym) -> Result<(), Refusal> {
    let lines = headers.get_all(header::VIA);
    // Comments may hold bytes that are not text, so nothing is read as text here.
    let mut entries = lines.iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    if entries.any(|entry| pseudonym.wrote(entry)) {
        return Err(Refusal::new(
            StatusCode::LOOP_DETECTED,
            "loop_detected",
            "the request passed this gateway before",
        ));
    }
    headers.append(header::VIA, pseudonym.entry(received).clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(headers: &mut HeaderMap, pseudonym: &Pseudonym) -> Result<(), Refusal> {
        append_via(headers, Version::HTTP_11, pseudonym)
    }

    #[test]
    fn a_request_that_comes_back_is_a_loop_and_one_from_another_gateway_is_not() {
        let ours = Pseudonym::default();
        let mut headers = HeaderMap::new();
        headers.insert("via", HeaderValue::from_static("1.0 fred, 1.1 gateway-x"));
        append(&mut headers, &ours).unwrap();
        assert_eq!(headers.get_all("via").iter().count(), 2);
        assert_eq!(append(&mut headers, &Pseudonym::default()).unwrap_err().status(), 508);
        append(&mut headers, &Pseudonym::new("another").unwrap()).unwrap();
    }

    #[test]
    fn a_loop_cannot_be_hidden() {
        let ours = Pseudonym::new("us").unwrap();
        for via in ["1.1 us, 1.1 other (\u{e4})", "1.1 other,2.0\t US (x)", "HTTP/1.1 us"] {
            let mut headers = HeaderMap::new();
            headers.insert("via", HeaderValue::from_bytes(via.as_bytes()).unwrap());
            assert!(append(&mut headers, &ours).is_err(), "{via}");
        }
    }

    #[test]
    fn names_the_version_in_which_the_request_came() {
        for (version, entry) in
            [(Version::HTTP_10, "1.0 us"), (Version::HTTP_11, "1.1 us"), (Version::HTTP_2, "2.0 us")]
        {
            let mut headers = HeaderMap::new();
            append_via(&mut headers, version, &Pseudonym::new("us").unwrap()).unwrap();
            assert_eq!(headers["via"], entry);
        }
    }

    #[test]
    fn a_pseudonym_is_one_word() {
        for text in ["", "a b", "a,b", "\u{e4}"] {
            assert!(Pseudonym::new(text).is_none(), "{text}");
        }
    }
}
