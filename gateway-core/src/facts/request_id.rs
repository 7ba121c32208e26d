use http::HeaderValue;

/// A request id: 1 to 128 characters of `A-Z a-z 0-9 - _ . ~ : / + = @`, safe in a header, a log line and a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The longest id that is accepted, in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// The id in this header value, if it is one.
    #[must_use]
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let fits =
            (1..=Self::MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(|&byte| is_id_byte(byte));
        fits.then(|| Self(value.clone()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header value; cloning it is cheap.
    #[must_use]
    pub fn as_header(&self) -> &HeaderValue {
        &self.0
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~:/+=@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_forge_a_log_line_is_no_id() {
        for bad in ["", "a b", "a\"b", "a\u{e4}", &"x".repeat(129)] {
            let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            assert_eq!(RequestId::parse(&value), None, "{bad}");
        }
        let good = HeaderValue::from_static("01-ab/C:d+e=");
        assert_eq!(RequestId::parse(&good).unwrap().as_str(), "01-ab/C:d+e=");
    }
}
