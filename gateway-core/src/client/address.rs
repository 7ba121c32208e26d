use http::{HeaderValue, Request, Uri, Version, header, uri::Authority};
use http_body::Body as _;

use crate::{
    Body, UpstreamError,
    error::ErrorKind,
    upstream::{Endpoint, HostPolicy},
};

/// What a request asks for, whichever endpoint gets it, and over which protocol.
pub(super) struct Asked {
    target: Uri,
    /// The client's `Host`, while the request does not hold it.
    host: Option<HeaderValue>,
    /// Whether the client takes trailers. HTTP/2 alone passes that on: over HTTP/1.1 trailers come to those who did
    /// not ask, if the answer announces them.
    takes_trailers: bool,
}

impl Asked {
    pub(super) fn new(target: Uri, takes_trailers: bool) -> Self {
        Self { target, host: None, takes_trailers }
    }

    /// Turns a prepared request into an HTTP/1.1 request to this endpoint.
    pub(super) fn over_http1(
        &mut self,
        request: &mut Request<Body>,
        endpoint: &Endpoint,
        policy: HostPolicy,
    ) -> Result<(), UpstreamError> {
        *request.uri_mut() = endpoint.target(&self.target).ok_or_else(too_long)?;
        *request.version_mut() = Version::HTTP_11;
        let is_framed = {
            let body = request.body();
            body.is_end_stream() || body.size_hint().exact().is_some()
        };
        let headers = request.headers_mut();
        if policy == HostPolicy::Upstream {
            headers.insert(header::HOST, endpoint.host_header().clone());
        } else if let Some(host) = self.host.take() {
            headers.insert(header::HOST, host);
            headers.remove(header::TE);
        } else if !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, endpoint.host_header().clone());
        }
        // hyper takes a `GET` or `HEAD` whose body has no known length for one without a body, and would drop the bytes.
        if !is_framed && !headers.contains_key(header::CONTENT_LENGTH) {
            headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Ok(())
    }

    /// Turns a prepared request into an HTTP/2 request to this endpoint: the host stands in its target alone
    /// (RFC 9113 section 8.3.1).
    pub(super) fn over_http2(
        &mut self,
        request: &mut Request<Body>,
        endpoint: &Endpoint,
        policy: HostPolicy,
    ) -> Result<(), UpstreamError> {
        let headers = request.headers_mut();
        if let Some(host) = headers.remove(header::HOST) {
            self.host.get_or_insert(host);
        }
        headers.remove(header::TRANSFER_ENCODING);
        if self.takes_trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        let host = self.host.as_ref().filter(|_| policy == HostPolicy::Preserve);
        let authority = host.map(|host| Authority::try_from(host.as_bytes())).transpose().map_err(|_| {
            UpstreamError::because(ErrorKind::Protocol, "the host cannot be said over HTTP/2").unsent()
        })?;
        *request.uri_mut() = endpoint.whole_target(&self.target, authority).ok_or_else(too_long)?;
        *request.version_mut() = Version::HTTP_2;
        Ok(())
    }
}

fn too_long() -> UpstreamError {
    UpstreamError::because(ErrorKind::Protocol, "the target is too long to be forwarded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> (Asked, Request<Body>) {
        let mut request = Request::get("/x?y").body(Body::empty()).unwrap();
        request.headers_mut().insert("host", HeaderValue::from_static("shop.example"));
        (Asked::new(request.uri().clone(), true), request)
    }

    #[test]
    fn a_request_may_change_its_protocol_on_the_way_to_another_endpoint() {
        let endpoint = Endpoint::parse("http://10.0.0.1:81/base").unwrap();
        let (mut asked, mut request) = asked();
        asked.over_http2(&mut request, &endpoint, HostPolicy::Preserve).unwrap();
        assert_eq!(request.uri(), "http://shop.example/base/x?y");
        assert!(!request.headers().contains_key("host"));
        assert_eq!(request.headers()["te"], "trailers");

        asked.over_http1(&mut request, &endpoint, HostPolicy::Preserve).unwrap();
        assert_eq!((request.uri().to_string().as_str(), request.version()), ("/base/x?y", Version::HTTP_11));
        assert_eq!(request.headers()["host"], "shop.example");
        assert!(!request.headers().contains_key("te"));

        asked.over_http2(&mut request, &endpoint, HostPolicy::Upstream).unwrap();
        assert_eq!(request.uri(), "http://10.0.0.1:81/base/x?y");
        asked.over_http1(&mut request, &endpoint, HostPolicy::Upstream).unwrap();
        assert_eq!(request.headers()["host"], "10.0.0.1:81");
    }
}
