use std::sync::OnceLock;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{Refusal, random::Random};

/// The name under which a gateway shows itself in `Via`. Not a host name: it must not tell about the inside.
///
/// The default is `gateway-` and eight digits that are drawn once per process: two gateways in a row are no loop, a
/// request that comes back to the same one is.
#[derive(Clone, Debug)]
pub struct Pseudonym {
    name: String,
    /// `1.1 name`, ready to be appended.
    entry: HeaderValue,
}

impl Pseudonym {
    /// A name of letters, digits, `-`, `.` and `_`; `None` for any other text.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return None;
        }
        let entry = HeaderValue::try_from(format!("1.1 {name}")).ok()?;
        Some(Self { name: name.to_owned(), entry })
    }
}

impl Default for Pseudonym {
    fn default() -> Self {
        static DRAWN: OnceLock<String> = OnceLock::new();
        let name = DRAWN.get_or_init(|| format!("gateway-{:08x}", Random::default().next() >> 32));
        Self::new(name).expect("digits and letters are a name")
    }
}

/// Appends our entry to `Via` (RFC 9110 section 7.6.3).
///
/// # Errors
/// 508 `loop_detected` if our pseudonym is in it already: the request came back to us.
pub fn append_via(headers: &mut HeaderMap, pseudonym: &Pseudonym) -> Result<(), Refusal> {
    let is_ours = |entry: &str| entry.split_whitespace().nth(1) == Some(&pseudonym.name);
    let mut lines = headers.get_all(header::VIA).iter().filter_map(|line| line.to_str().ok());
    if lines.any(|line| line.split(',').any(is_ours)) {
        return Err(Refusal::new(
            StatusCode::LOOP_DETECTED,
            "loop_detected",
            "the request passed this gateway before",
        ));
    }
    headers.append(header::VIA, pseudonym.entry.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_comes_back_is_a_loop_and_one_from_another_gateway_is_not() {
        let ours = Pseudonym::default();
        let mut headers = HeaderMap::new();
        headers.insert("via", HeaderValue::from_static("1.0 fred, 1.1 gateway-x"));
        append_via(&mut headers, &ours).unwrap();
        assert_eq!(headers.get_all("via").iter().count(), 2);
        assert_eq!(append_via(&mut headers, &Pseudonym::default()).unwrap_err().status(), 508);
        append_via(&mut headers, &Pseudonym::new("another").unwrap()).unwrap();
    }

    #[test]
    fn a_pseudonym_is_one_word() {
        for text in ["", "a b", "a,b", "\u{e4}"] {
            assert!(Pseudonym::new(text).is_none(), "{text}");
        }
    }
}
