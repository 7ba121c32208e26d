use http::{HeaderMap, HeaderName, header};

/// Removes the fields that belong to one hop, from a request or a response: those that every `Connection` line
/// names, `Connection` itself, and those that never travel on. Allocates nothing when there is nothing to name.
///
/// Fields that the message cannot do without (`Host`, `Content-Length`, `Cache-Control`, `Authorization`,
/// `Cookie`) stay even if they are named: naming them is an attack, not a hop's business. `Trailer` stays, because
/// trailers are passed on.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let mut named = Vec::new();
        for line in headers.get_all(header::CONNECTION) {
            for token in line.as_bytes().split(|&byte| byte == b',') {
                match HeaderName::from_bytes(token.trim_ascii()) {
                    Ok(name) if !ESSENTIAL.contains(&name) => named.push(name),
                    _ => {}
                }
            }
        }
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

const ESSENTIAL: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::CACHE_CONTROL, header::AUTHORIZATION, header::COOKIE];

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
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
            ("connection", "close, X-Foo ,host,\u{e4}"),
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
        assert_eq!(found, headers(&[("host", "a"), ("trailer", "x-sum"), ("x-bar", "1")]));
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
