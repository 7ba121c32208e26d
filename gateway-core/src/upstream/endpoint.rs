use std::sync::Arc;

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::UpstreamConfigError;
use crate::canonical::canonical_path;

/// One server of an upstream.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: Arc<str>,
    scheme: Scheme,
    authority: Authority,
    host: String,
    port: u16,
    host_header: HeaderValue,
    /// The path in front of every request's path, without a slash at its end.
    base: String,
}

impl Endpoint {
    /// The endpoint behind a URL such as `http://10.0.0.1:8080/base` or `https://shop.example`. `https` needs the
    /// feature `tls`.
    ///
    /// # Errors
    /// When it is not such a URL; the text names the value and what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, UpstreamConfigError> {
        let wrong = |what: &str| UpstreamConfigError(format!("endpoint `{url}`: {what}"));
        let uri: Uri = url.parse().map_err(|_| wrong("expected http(s)://HOST[:PORT][/PATH]"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") if cfg!(feature = "tls") => {}
            Some("https") => return Err(wrong("https needs the feature `tls`, which is not built in")),
            _ => return Err(wrong("expected http(s)://HOST[:PORT][/PATH]")),
        }
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err(wrong("expected http(s)://HOST[:PORT][/PATH]"));
        };
        if authority.as_str().contains('@') {
            return Err(UpstreamConfigError(
                "an endpoint's URL must not hold a user or a password".to_owned(),
            ));
        }
        if uri.query().is_some() {
            return Err(wrong("a query is not possible here"));
        }
        if url.contains('#') {
            return Err(wrong("a fragment is not possible here"));
        }
        if !matches!(canonical_path(uri.path()), Ok(None)) {
            return Err(wrong("the path is not in its normal form"));
        }
        // `authority.port()` takes a port that is no number for no port.
        let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
            None if uri.scheme() == Some(&Scheme::HTTPS) => 443,
            None => 80,
            Some("") => return Err(wrong("the port is missing")),
            Some(port) => match port.parse() {
                Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
                _ => return Err(wrong("the port is not a number from 1 to 65535")),
            },
        };
        let host_header =
            HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("the host is not valid"))?;
        Ok(Self {
            scheme: uri.scheme().cloned().unwrap_or(Scheme::HTTP),
            authority: authority.clone(),
            url: url.trim_end_matches('/').into(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port,
            host_header,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The URL, for logs and metrics.
    #[must_use]
    pub fn url(&self) -> &Arc<str> {
        &self.url
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The same target with scheme and authority, as HTTP/2 wants it; the endpoint's own authority if there is none.
    pub(crate) fn whole_target(&self, asked: &Uri, authority: Option<Authority>) -> Option<Uri> {
        let mut parts = self.target(asked)?.into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(authority.unwrap_or_else(|| self.authority.clone()));
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        Uri::from_parts(parts).ok()
    }

    /// The target to ask this endpoint for: its base, then the path and query as they are. Without a base it shares
    /// the text of what was asked.
    pub(crate) fn target(&self, asked: &Uri) -> Option<Uri> {
        let Some(asked) = asked.path_and_query() else { return format!("{}/", self.base).parse().ok() };
        if self.base.is_empty() || asked == "*" {
            return Some(asked.clone().into());
        }
        format!("{}{asked}", self.base).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_could_mean_something_else_is_refused() {
        for (url, what) in [
            ("127.0.0.1:80", "expected http(s)://HOST[:PORT][/PATH]"),
            ("http://", "expected http(s)://HOST[:PORT][/PATH]"),
            ("ftp://a", "expected http(s)://HOST[:PORT][/PATH]"),
            ("http://a/?b", "a query is not possible here"),
            ("http://a/b#c", "a fragment is not possible here"),
            ("http://a:", "the port is missing"),
            ("http://a:0", "the port is not a number from 1 to 65535"),
            ("http://a:99999", "the port is not a number from 1 to 65535"),
            ("http://a:+80", "the port is not a number from 1 to 65535"),
            ("http://[::1]:x", "the port is not a number from 1 to 65535"),
            ("http://a/../b", "the path is not in its normal form"),
            ("http://a/%zz", "the path is not in its normal form"),
            ("http://a//b", "the path is not in its normal form"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert_eq!(error, format!("endpoint `{url}`: {what}"));
        }
        let error = Endpoint::parse("http://user:hush@a").unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn the_path_is_put_behind_the_base_and_never_read_as_a_url() {
        let target = |url: &str, asked: &str| {
            Endpoint::parse(url).unwrap().target(&asked.parse().unwrap()).unwrap().to_string()
        };
        assert_eq!(target("http://a", "/x?y=%2F"), "/x?y=%2F");
        assert_eq!(target("http://a/base/", "/x"), "/base/x");
        assert_eq!(target("http://[::1]:8080/base", "/"), "/base/");
        assert_eq!(target("http://a/base", "http://b?x"), "/base/?x");
        assert_eq!(target("http://a", "http://b?x"), "/?x");
        assert_eq!(target("http://a/base", "*"), "*");
        assert_eq!(Endpoint::parse("http://[::1]:8080").unwrap().address(), ("::1", 8080));
    }

    #[test]
    fn http_2_asks_for_the_whole_url() {
        let endpoint = Endpoint::parse("http://a:81/base").unwrap();
        let whole = |asked: &'static str, authority: Option<&'static str>| {
            let authority = authority.map(Authority::from_static);
            endpoint.whole_target(&Uri::from_static(asked), authority).unwrap().to_string()
        };
        assert_eq!(whole("/x?y", None), "http://a:81/base/x?y");
        assert_eq!(whole("/x?y", Some("shop.example")), "http://shop.example/base/x?y");
        assert_eq!(endpoint.whole_target(&Uri::from_static("*"), None).unwrap().path(), "*");
    }

    #[test]
    fn https_has_its_own_port_and_needs_its_feature() {
        let parsed = Endpoint::parse("https://shop.example");
        match cfg!(feature = "tls") {
            true => {
                let endpoint = parsed.unwrap();
                assert_eq!((endpoint.address(), endpoint.is_https()), (("shop.example", 443), true));
            }
            false => assert!(parsed.unwrap_err().to_string().contains("the feature `tls`")),
        }
    }
}
