use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{hop_by_hop::is_hop_by_hop, is_forwarded_name};

/// Removes the fields that must not come after a body: what frames, routes, authenticates or caches a message, and
/// what belongs to one hop (RFC 9110 section 6.5.1). Allocates nothing when there is none.
pub fn remove_from_trailers(trailers: &mut HeaderMap) {
    while let Some(name) = trailers.keys().find(|name| !is_trailer(name)).cloned() {
        trailers.remove(name);
    }
}

/// Takes the same fields out of the list in `Trailer`. An HTTP/1.1 writer sends only the trailers in that list.
pub fn remove_from_trailer_list(headers: &mut HeaderMap) {
    keep_in_trailer_list(headers, is_trailer);
}

/// Leaves the names in `Trailer` that are wanted. A list with no others is not touched.
pub(super) fn keep_in_trailer_list(headers: &mut HeaderMap, wanted: impl Fn(&HeaderName) -> bool) {
    if !headers.contains_key(header::TRAILER) {
        return;
    }
    let named = |line: &HeaderValue| -> Vec<HeaderName> {
        let tokens = line.as_bytes().split(|&byte| byte == b',');
        tokens.filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok()).collect()
    };
    let names: Vec<HeaderName> = headers.get_all(header::TRAILER).iter().flat_map(named).collect();
    if names.iter().all(&wanted) {
        return;
    }
    headers.remove(header::TRAILER);
    for name in names.into_iter().filter(wanted) {
        headers.append(header::TRAILER, name.into());
    }
}

fn is_trailer(name: &HeaderName) -> bool {
    let is_of_the_head = matches!(
        name.as_str(),
        "authorization"
            | "cache-control"
            | "content-encoding"
            | "content-length"
            | "content-range"
            | "content-type"
            | "cookie"
            | "host"
            | "max-forwards"
            | "set-cookie"
            | "trailer"
            | "via"
            | "x-request-id"
    );
    !is_of_the_head && !is_hop_by_hop(name) && !is_forwarded_name(name)
}

/// Whether the client takes trailers (RFC 9110 section 10.1.4).
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let says = |line: &HeaderValue| {
        line.as_bytes()
            .split(|&byte| byte == b',')
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    };
    headers.get_all(header::TE).iter().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_come_late_stays() {
        let mut trailers = HeaderMap::new();
        for name in ["grpc-status", "x-sum", "connection", "content-length", "x-forwarded-for", "set-cookie"]
        {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        remove_from_trailers(&mut trailers);
        assert_eq!(trailers.len(), 2);
        assert!(trailers.contains_key("grpc-status") && trailers.contains_key("x-sum"));
    }

    #[test]
    fn a_list_is_only_touched_when_it_names_what_may_not_come_late() {
        for (before, after) in [
            ("X-Sum , x-b", &["X-Sum , x-b"] as &[_]),
            ("x-sum,X-Forwarded-For,x-b", &["x-sum", "x-b"]),
            ("host,\u{e4}", &[]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("trailer", HeaderValue::from_bytes(before.as_bytes()).unwrap());
            remove_from_trailer_list(&mut headers);
            let left: Vec<_> = headers.get_all("trailer").iter().collect();
            assert_eq!(left, after, "{before}");
        }
    }

    #[test]
    fn only_a_client_that_says_so_takes_trailers() {
        for (te, takes) in
            [("trailers", true), ("gzip , Trailers", true), ("gzip", false), ("trailers;q=1", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::TE, HeaderValue::from_static(te));
            assert_eq!(takes_trailers(&headers), takes, "{te}");
        }
    }
}
