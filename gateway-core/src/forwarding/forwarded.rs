use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use crate::Facts;

/// Whether only a proxy may say this: `Forwarded`, `X-Forwarded-*` and their relatives, also when spelled with
/// `_` for `-`, which many servers take for the same name.
#[must_use]
pub fn is_forwarded_name(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    // Nearly every header is told apart by its first letter and the one at the end of its first word.
    if !matches!(name.first(), Some(b'x' | b'f' | b't' | b'c')) {
        return false;
    }
    let starts =
        |prefix: &str| name.len() >= prefix.len() && folded(&name[..prefix.len()]).eq(prefix.bytes());
    let is = |whole: &str| name.len() == whole.len() && starts(whole);
    starts("x-forwarded-")
        || starts("x-original-")
        || ["forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip", "x-rewrite-url"]
            .into_iter()
            .any(is)
}

/// Removes every header that [`is_forwarded_name`]. Allocates nothing when there is none.
pub fn remove_forwarded(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| is_forwarded_name(name)).cloned() {
        headers.remove(name);
    }
}

/// Says to the upstream for whom we forward: `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
///
/// What a trusted peer said before is kept and added to; what anybody else said is removed first. Trust is the
/// fact that `client_addr` wrote; without it nobody is trusted.
pub fn write_forwarded(head: &mut Parts, facts: Option<&Facts>, scheme: &'static str) {
    let trusted = facts.is_some_and(Facts::peer_trusted);
    if !trusted {
        remove_forwarded(&mut head.headers);
    }
    let headers = &mut head.headers;
    if let Some(peer) = facts.and_then(Facts::peer) {
        let mut list = String::new();
        for line in headers.get_all(X_FORWARDED_FOR) {
            list.push_str(line.to_str().unwrap_or_default());
            list.push_str(", ");
        }
        let address: IpAddr = peer.ip().to_canonical();
        list.push_str(&address.to_string());
        if let Ok(list) = HeaderValue::try_from(list) {
            headers.insert(X_FORWARDED_FOR, list);
        }
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !headers.contains_key(X_FORWARDED_HOST)
        && let Some(host) = headers.get(header::HOST).cloned()
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

fn folded(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte })
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use http::Request;

    fn head(peer_trusted: bool) -> Parts {
        let request = Request::get("/")
            .header("host", "api.example")
            .header("x-forwarded-for", "6.6.6.6")
            .header("x_forwarded_host", "evil")
            .header("x-forwarded-proto", "https")
            .header("x-real-ip", "6.6.6.6")
            .header("x-fine", "1");
        let mut head = request.body(()).unwrap().into_parts().0;
        let facts = Facts::of(&mut head.extensions, &Clock::default());
        facts.set_peer("[::ffff:10.0.0.9]:1000".parse().unwrap());
        facts.set_peer_trusted(peer_trusted);
        head
    }

    fn write(mut head: Parts) -> HeaderMap {
        let facts = Facts::get(&head.extensions).cloned();
        write_forwarded(&mut head, facts.as_ref(), "http");
        head.headers
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let headers = write(head(false));
        assert_eq!(headers["x-forwarded-for"], "10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "api.example");
        assert!(!headers.contains_key("x-real-ip") && !headers.contains_key("x_forwarded_host"));
        assert_eq!(headers["x-fine"], "1");
    }

    #[test]
    fn a_trusted_proxy_is_added_to() {
        let headers = write(head(true));
        assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }
}
