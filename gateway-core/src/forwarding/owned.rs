use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::{forwarded::folded, trailers::keep_in_trailer_list};

/// Headers that the gateway alone may say, such as who the caller is. Cloning it shares it.
///
/// A client's copy is removed whatever its spelling: many servers take `x_user` for `x-user`.
#[derive(Clone, Debug, Default)]
pub struct OwnedHeaders(Arc<[HeaderName]>);

impl OwnedHeaders {
    /// Removes them from the headers of a request. Allocates nothing when there is none.
    pub fn remove_from(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        for name in &*self.0 {
            headers.remove(name);
        }
        while let Some(name) = headers.keys().find(|name| self.is_spelling(name)).cloned() {
            headers.remove(name);
        }
    }

    /// Takes them out of the list in `Trailer`, so that they do not come behind the body either: an HTTP/1.1 writer
    /// sends only the trailers in that list.
    pub(crate) fn remove_from_trailer_list(&self, headers: &mut HeaderMap) {
        if !self.0.is_empty() {
            keep_in_trailer_list(headers, |name| !self.0.contains(name) && !self.is_spelling(name));
        }
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[HeaderName] {
        &self.0
    }

    fn is_spelling(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let is = |owned: &HeaderName| folded(owned.as_str().as_bytes()).eq(folded(name));
        name.contains(&b'_') && self.0.iter().any(is)
    }
}

impl FromIterator<HeaderName> for OwnedHeaders {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let mut names: Vec<HeaderName> = names.into_iter().collect();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Self(names.into())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_clients_copy_goes_in_every_spelling() {
        let owned: OwnedHeaders =
            ["x-user", "x-user-tenant", "x-user"].map(HeaderName::from_static).into_iter().collect();
        assert_eq!(owned.names().len(), 2);
        let mut headers = HeaderMap::new();
        for name in ["x-user", "x_user", "x-user_tenant", "x_user_tenant", "x-users", "x_use"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("root"));
        }
        owned.remove_from(&mut headers);
        headers.append("trailer", HeaderValue::from_static("X-User, x-sum, x_user"));
        owned.remove_from_trailer_list(&mut headers);
        assert_eq!(headers.remove("trailer").unwrap(), "x-sum");
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-users", "x_use"]);
    }
}
