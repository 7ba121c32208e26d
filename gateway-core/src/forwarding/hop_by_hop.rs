use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::is_forwarded_name;

/// Removes the fields that belong to one hop, from a request or a response: those that every `Connection` line
/// names, `Connection` itself, and those that never travel on (RFC 9110 section 7.6.1). Costs one look at every
/// name; allocates only for a second `Connection` line.
///
/// Fields that the message cannot do without (`Host`, `Content-Length`, `Cache-Control`, `Authorization`,
/// `Cookie`) stay even if they are named: naming them is an attack, not a hop's business. `Trailer` stays, because
/// trailers are passed on.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let others: Vec<HeaderValue> = headers.get_all(header::CONNECTION).iter().skip(1).cloned().collect();
    if let Some(first) = headers.remove(header::CONNECTION) {
        for line in std::iter::once(&first).chain(&others) {
            remove_named(headers, line);
        }
    }
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
}

/// Whether a `Connection` line names a field that the message cannot do without.
pub(crate) fn nominates_essential(headers: &HeaderMap) -> bool {
    let mut tokens = headers.get_all(header::CONNECTION).iter().flat_map(tokens);
    tokens.any(|token| ESSENTIAL.iter().any(|essential| token.eq_ignore_ascii_case(essential.as_bytes())))
}

/// Whether a server that takes `_` for `-` would read a name as one that frames a message, belongs to one hop, or
/// that only a proxy may say.
pub(crate) fn stands_for_another_hops_field(name: &HeaderName) -> bool {
    if is_forwarded_name(name) {
        return true;
    }
    let folded = name.as_str().replace('_', "-");
    let name = HeaderName::try_from(folded);
    name.is_ok_and(|name| is_hop_by_hop(&name) || name == header::CONTENT_LENGTH)
}

/// Whether a field belongs to one hop even when no `Connection` line names it.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn remove_named(headers: &mut HeaderMap, connection: &HeaderValue) {
    for token in tokens(connection) {
        // What is not text names no field.
        let Ok(name) = str::from_utf8(token) else { continue };
        if !ESSENTIAL.iter().any(|essential| name.eq_ignore_ascii_case(essential)) {
            headers.remove(name);
        }
    }
}

fn tokens(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

const ESSENTIAL: [&str; 5] = ["host", "content-length", "cache-control", "authorization", "cookie"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn removes_what_every_connection_line_names_and_what_never_travels() {
        let mut found = headers(&[
            ("connection", ""),
            ("connection", "close, X-Foo ,host,Cookie,\u{e4},,not a name"),
            ("cookie", "a=b"),
            ("x-foo", "1"),
            ("host", "a"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("http2-settings", "x"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x-sum"),
            ("x-bar", "1"),
        ]);
        remove_hop_by_hop(&mut found);
        assert_eq!(found, headers(&[("cookie", "a=b"), ("host", "a"), ("trailer", "x-sum"), ("x-bar", "1")]));
    }

    #[test]
    fn the_usual_headers_cost_no_allocation() {
        let mut usual =
            headers(&[("host", "a"), ("accept", "*/*"), ("connection", "keep-alive"), ("x-a", "1")]);
        let allocations = allocation_counter::measure(|| remove_hop_by_hop(&mut usual));
        assert_eq!((allocations.count_total, usual.len()), (0, 3));
    }

    proptest! {
        #[test]
        fn no_named_field_survives_and_no_other_is_lost(
            named in prop::collection::vec("x-[a-c]{1,2}", 0..4),
            sent in prop::collection::vec("x-[a-c]{1,2}", 0..6),
        ) {
            let connection = named.join(" , ");
            let mut lines = vec![("connection", connection.as_str())];
            lines.extend(sent.iter().map(|name| (name.as_str(), "1")));
            let mut found = headers(&lines);
            remove_hop_by_hop(&mut found);
            for name in &sent {
                prop_assert_eq!(found.contains_key(name), !named.contains(name));
            }
            prop_assert!(!found.contains_key("connection"));
        }
    }
}
