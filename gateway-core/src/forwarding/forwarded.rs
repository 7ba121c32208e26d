use std::{fmt::Write, net::IpAddr};

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
/// What a trusted peer said before is kept and added to, a `Forwarded` of its own (RFC 7239) too; what anybody else
/// said is removed first. Trust is what `client_addr` wrote into the facts; without it nobody is trusted. The scheme
/// is `https` if the peer's connection is encrypted; a trusted peer's word about its client's wins.
pub fn write_forwarded(head: &mut Parts, facts: Option<&Facts>) {
    let headers = &mut head.headers;
    if !facts.is_some_and(|facts| facts.peer_trusted() && facts.client_addr().is_some()) {
        remove_forwarded(headers);
    }
    if let Some(peer) = facts.and_then(Facts::peer) {
        append_peer(headers, peer.ip().to_canonical());
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        let scheme = if facts.is_some_and(Facts::is_secure) { "https" } else { "http" };
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !headers.contains_key(X_FORWARDED_HOST)
        && let Some(host) = headers.get(header::HOST).cloned()
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// Both lists are kept in step, so that an upstream finds the same hops in either.
fn append_peer(headers: &mut HeaderMap, peer: IpAddr) {
    let mut list = String::with_capacity(ROOM);
    // A line that is not text names no address.
    for line in headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()) {
        list.push_str(line);
        list.push_str(", ");
    }
    write!(list, "{peer}").expect("a string takes every text");
    if let Ok(list) = HeaderValue::try_from(list) {
        headers.insert(X_FORWARDED_FOR, list);
    }
    if headers.contains_key(header::FORWARDED) {
        let element = match peer {
            IpAddr::V4(peer) => format!("for={peer}"),
            IpAddr::V6(peer) => format!("for=\"[{peer}]\""),
        };
        if let Ok(element) = HeaderValue::try_from(element) {
            headers.append(header::FORWARDED, element);
        }
    }
}

pub(super) fn folded(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte })
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The longest address, in bytes; one allocation for the usual list of one.
const ROOM: usize = 40;

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
            .header("forwarded", "for=6.6.6.6")
            .header("x-fine", "1");
        let mut head = request.body(()).unwrap().into_parts().0;
        let facts = Facts::of(&mut head.extensions, &Clock::default());
        facts.set_peer("[::ffff:10.0.0.9]:1000".parse().unwrap());
        facts.set_peer_trusted(peer_trusted);
        facts.set_client_addr([6, 6, 6, 6].into());
        head
    }

    fn write(mut head: Parts) -> HeaderMap {
        let facts = Facts::get(&head.extensions).cloned();
        write_forwarded(&mut head, facts.as_ref());
        head.headers
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let headers = write(head(false));
        assert_eq!(headers["x-forwarded-for"], "10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "api.example");
        for gone in ["x-real-ip", "x_forwarded_host", "forwarded"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(headers["x-fine"], "1");
    }

    #[test]
    fn a_trusted_proxy_is_added_to() {
        let headers = write(head(true));
        assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "https");
        let elements: Vec<_> = headers.get_all("forwarded").iter().collect();
        assert_eq!(elements, ["for=6.6.6.6", "for=10.0.0.9"]);
    }

    #[test]
    fn a_line_that_is_not_text_leaves_no_hole_and_ipv6_is_quoted() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(b"\xe4").unwrap());
        headers.append(header::FORWARDED, HeaderValue::from_static("for=unknown"));
        append_peer(&mut headers, "2001:db8::1".parse().unwrap());
        assert_eq!(headers[X_FORWARDED_FOR], "2001:db8::1");
        assert_eq!(headers.get_all(header::FORWARDED).iter().nth(1).unwrap(), "for=\"[2001:db8::1]\"");
    }

    #[test]
    fn only_a_proxy_may_say_these_and_anybody_the_others() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_port",
            "x-real-ip",
            "x_real_ip",
            "true-client-ip",
            "cf-connecting-ip",
            "cf_connecting-ip",
            "x-client-ip",
            "x-original-url",
            "x_original_host",
            "x-rewrite-url",
        ] {
            assert!(is_forwarded_name(&name.parse().unwrap()), "{name}");
        }
        for name in ["x-forwarded", "x-request-id", "from", "te", "cookie", "x-client-ipx", "xx-real-ip"] {
            assert!(!is_forwarded_name(&name.parse().unwrap()), "{name}");
        }
    }
}
