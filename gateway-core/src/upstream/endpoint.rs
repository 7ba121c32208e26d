use std::sync::Arc;

use http::{HeaderValue, Uri};

use super::UpstreamConfigError;
use crate::canonical::canonical_path;

/// One server of an upstream.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: Arc<str>,
    host: String,
    port: u16,
    host_header: HeaderValue,
    /// The path in front of every request's path, without a slash at its end.
    base: String,
}

impl Endpoint {
    /// The endpoint behind a URL such as `http://10.0.0.1:8080/base`.
    ///
    /// # Errors
    /// When it is not such a URL; the text names the value and what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, UpstreamConfigError> {
        let wrong = |what: &str| UpstreamConfigError(format!("endpoint `{url}`: {what}"));
        let uri: Uri = url.parse().map_err(|_| wrong("expected http://HOST[:PORT][/PATH]"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("https is not supported yet")),
            _ => return Err(wrong("expected http://HOST[:PORT][/PATH]")),
        }
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err(wrong("expected http://HOST[:PORT][/PATH]"));
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

    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.host_header
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
            ("127.0.0.1:80", "expected http://HOST[:PORT][/PATH]"),
            ("http://", "expected http://HOST[:PORT][/PATH]"),
            ("ftp://a", "expected http://HOST[:PORT][/PATH]"),
            ("https://a", "https is not supported yet"),
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
}
