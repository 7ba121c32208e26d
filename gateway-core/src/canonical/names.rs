use http::{HeaderMap, HeaderName};

use super::bad;
use crate::{Refusal, forwarding};

/// What becomes of request fields whose names hold more than letters, digits and `-`.
///
/// Many servers take `x_user` or `x.user` for `x-user`, so such a field may say to them what only the gateway may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OddNames {
    /// They are removed. The default: hardly any client sends one, and none means harm by it.
    #[default]
    Drop,
    /// They travel on, but for those that stand for a field of framing, of one hop, or that only the gateway may say.
    Keep,
    /// The request is refused with 400 `bad_field_name`.
    Refuse,
}

impl OddNames {
    /// Allocates nothing when there is none.
    pub(super) fn apply(self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let removes = |name: &HeaderName| {
            is_odd(name) && (self == Self::Drop || forwarding::stands_for_another_hops_field(name))
        };
        if self == Self::Refuse && headers.keys().any(is_odd) {
            return Err(bad("bad_field_name", "field names are made of letters, digits and `-` here"));
        }
        while let Some(name) = headers.keys().find(|name| removes(name)).cloned() {
            headers.remove(name);
        }
        Ok(())
    }
}

fn is_odd(name: &HeaderName) -> bool {
    !name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn after(policy: OddNames) -> Result<Vec<String>, Refusal> {
        let mut headers = HeaderMap::new();
        for name in
            ["x-user", "x_user", "x.y", "x!", "content_length", "transfer_encoding", "x_forwarded_for"]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        policy.apply(&mut headers)?;
        let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        Ok(names)
    }

    #[test]
    fn odd_names_go_stay_or_end_the_request() {
        assert_eq!(after(OddNames::Drop).unwrap(), ["x-user"]);
        assert_eq!(after(OddNames::Keep).unwrap(), ["x!", "x-user", "x.y", "x_user"]);
        assert_eq!(after(OddNames::Refuse).unwrap_err().code(), "bad_field_name");
    }
}
