use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};

use serde_json::{Value as Json, json};

use super::{Value, Wrong};

impl Value for SocketAddr {
    fn wanted() -> Cow<'static, str> {
        "an address such as 127.0.0.1:8080".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| {
            let local = match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')) {
                Some(port) => format!("127.0.0.1:{port}"),
                None => format!("127.0.0.1:{text}"),
            };
            Wrong::meant(local.parse::<Self>().is_ok().then_some(local))
        })
    }
}

impl Value for IpAddr {
    fn wanted() -> Cow<'static, str> {
        "an IP address such as 10.0.0.1".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::default())
    }
}

impl Value for Method {
    fn wanted() -> Cow<'static, str> {
        "a method such as GET".into()
    }

    /// Methods are case-sensitive (RFC 9110, 9.1), and none that is in use has small letters.
    fn parse(text: &str) -> Result<Self, Wrong> {
        match Self::from_bytes(text.as_bytes()) {
            Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => Ok(method),
            Ok(_) => Err(Wrong::meant(text.to_ascii_uppercase())),
            Err(_) => Err(Wrong::default()),
        }
    }
}

impl Value for StatusCode {
    const BARE: bool = true;

    fn wanted() -> Cow<'static, str> {
        "a status such as 503".into()
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": 100, "maximum": 599})
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().ok().filter(|status: &Self| status.as_u16() < 600).ok_or_else(Wrong::default)
    }
}

impl Value for HeaderName {
    fn wanted() -> Cow<'static, str> {
        "a header name such as x-request-id".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let meant = || text.trim().trim_end_matches(':').replace([' ', '_'], "-").to_ascii_lowercase();
        let exists = |name: String| Self::from_bytes(name.as_bytes()).is_ok().then_some(name);
        Self::from_bytes(text.as_bytes()).map_err(|_| Wrong::meant(exists(meant())))
    }
}

/// Header values may be credentials.
impl Value for HeaderValue {
    fn is_secret(_text: &str) -> bool {
        true
    }

    fn wanted() -> Cow<'static, str> {
        "a header value of visible ASCII characters on one line".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::from_str(text).map_err(|_| Wrong::default())
    }
}

/// An absolute URL. It may hold a password in front of an `@`.
impl Value for Uri {
    fn is_secret(text: &str) -> bool {
        text.contains('@')
    }

    fn wanted() -> Cow<'static, str> {
        "a URL such as http://10.0.0.1:8080".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let absolute = |text: &str| {
            text.parse::<Self>().ok().filter(|uri| uri.scheme().is_some() && uri.authority().is_some())
        };
        absolute(text).ok_or_else(|| {
            let meant = format!("http://{text}");
            Wrong::meant(absolute(&meant).is_some().then_some(meant))
        })
    }
}
