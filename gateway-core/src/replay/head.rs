use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri, Version, request::Parts};

use crate::Facts;

/// A copy of a request's head, for another try.
///
/// Making one costs two allocations, for the headers. Extensions besides the [`Facts`], which are shared and not
/// copied, cost two more and what their own copies cost; behind our server there are none.
#[derive(Clone, Debug)]
pub struct Head {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap<HeaderValue>,
    extensions: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    None,
    Facts(Facts),
    All(Extensions),
}

impl Head {
    /// A copy of this head.
    #[must_use]
    pub fn of(head: &Parts) -> Self {
        let extensions = match (head.extensions.len(), Facts::get(&head.extensions)) {
            (0, _) => Kept::None,
            (1, Some(facts)) => Kept::Facts(facts.clone()),
            _ => Kept::All(head.extensions.clone()),
        };
        Self {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: head.headers.clone(),
            extensions,
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The facts, if there are any.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        match &self.extensions {
            Kept::None => None,
            Kept::Facts(facts) => Some(facts),
            Kept::All(extensions) => Facts::get(extensions),
        }
    }

    /// The headers, to be changed for another try.
    #[must_use]
    pub fn headers_mut(&mut self) -> &mut HeaderMap<HeaderValue> {
        &mut self.headers
    }

    /// A request with this head.
    #[must_use]
    pub fn request<B>(self, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        match self.extensions {
            Kept::None => {}
            Kept::Facts(facts) => drop(request.extensions_mut().insert(facts)),
            Kept::All(extensions) => *request.extensions_mut() = extensions,
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[derive(Clone, Debug, PartialEq)]
    struct Own(u8);

    #[test]
    fn a_copy_makes_the_same_request() {
        let clock = Clock::default();
        for extensions in 0..4 {
            let mut request =
                Request::put("/a?b").version(Version::HTTP_2).header("x", "1").body(()).unwrap();
            if extensions & 1 != 0 {
                Facts::of(request.extensions_mut(), &clock).set_client_addr([10, 0, 0, 1].into());
            }
            if extensions & 2 != 0 {
                request.extensions_mut().insert(Own(7));
            }
            let (head, ()) = request.into_parts();
            let (copy, ()) = Head::of(&head).request(()).into_parts();
            assert_eq!((copy.method, copy.uri, copy.version), (head.method, head.uri, head.version));
            assert_eq!((copy.headers, copy.extensions.len()), (head.headers, head.extensions.len()));
            assert_eq!(copy.extensions.get::<Own>(), head.extensions.get());
            let client = |extensions| Facts::get(extensions).and_then(Facts::client_addr);
            assert_eq!(client(&copy.extensions), client(&head.extensions));
        }
    }
}
