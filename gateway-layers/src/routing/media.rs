use std::fmt;

/// A media type, or all subtypes of one: `application/json`, `image/*`. In lower case, without parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaType {
    kind: Box<str>,
    /// `None` is `*`.
    subtype: Option<Box<str>>,
}

impl MediaType {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("media type `{text}`: expected one such as application/json or image/*");
        let lower = text.to_ascii_lowercase();
        let (kind, subtype) = lower.split_once('/').ok_or_else(wrong)?;
        let is_token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        if !is_token(kind) || subtype != "*" && !is_token(subtype) {
            return Err(wrong());
        }
        Ok(Self { kind: kind.into(), subtype: (subtype != "*").then(|| subtype.into()) })
    }

    /// Whether the value of `Content-Type` is of this type; its parameters do not count.
    pub(super) fn takes(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.split_once('/').is_some_and(|(kind, subtype)| {
            kind.eq_ignore_ascii_case(&self.kind)
                && self.subtype.as_ref().is_none_or(|wanted| subtype.eq_ignore_ascii_case(wanted))
        })
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.subtype.is_none() || self.subtype == other.subtype)
    }

    pub(super) fn example(&self) -> String {
        format!("{}/{}", self.kind, self.subtype.as_deref().unwrap_or("any"))
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.subtype.as_deref().unwrap_or("*"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_count() {
        for (wanted, found, expected) in [
            ("application/json", "Application/JSON; charset=utf-8", true),
            ("application/json", "application/jsonl", false),
            ("image/*", "image/png", true),
            ("image/*", "imagery/png", false),
            ("image/*", "image", false),
        ] {
            assert_eq!(MediaType::parse(wanted).unwrap().takes(found), expected, "{wanted} {found}");
        }
        for wrong in ["", "json", "*/*", "a/", "/b", "a/b; c=d", "a/b/c"] {
            assert!(MediaType::parse(wrong).is_err(), "{wrong}");
        }
    }
}
