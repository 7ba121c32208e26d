//! [`Wanted`]: the protocols that a request asks to switch to.

use http::{HeaderMap, Method, Version, header, request::Parts};

use super::Extended;

/// The protocols that a request asks to switch to. In its extensions below [`canonical`](crate::canonical); whether
/// one of them is allowed is another question, see [`Upgrades`](super::Upgrades).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// With commas between.
    offers: Box<str>,
    is_extended: bool,
}

impl Wanted {
    /// What this head asks for: HTTP/1.1 with an `Upgrade` that `Connection` names, or an extended `CONNECT`. `None`
    /// for everything else (RFC 9110 section 7.8), also for a wish for `h2c`, which some clients send along with every
    /// request and which is never granted. Costs one look at the headers.
    #[must_use]
    pub fn of(head: &Parts) -> Option<Self> {
        if let Some(Extended(protocol)) = head.extensions.get() {
            return Some(Self { offers: Box::from(&**protocol), is_extended: true });
        }
        if !head.headers.contains_key(header::UPGRADE) || head.version != Version::HTTP_11 {
            return None;
        }
        // A tunnel for the whole connection is asked for by `CONNECT` itself.
        if head.method == Method::CONNECT || !lists(&head.headers, &header::CONNECTION, "upgrade") {
            return None;
        }
        let mut offers = String::new();
        for line in head.headers.get_all(header::UPGRADE) {
            for offer in line.to_str().ok()?.split(',').map(str::trim) {
                if !offer.is_empty() && !is_http(offer) {
                    offers.push_str(offer);
                    offers.push(',');
                }
            }
        }
        (!offers.is_empty()).then(|| Self { offers: offers.into(), is_extended: false })
    }

    /// The protocols, in the client's order.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.offers.split(',').filter(|offer| !offer.is_empty())
    }

    /// Whether it came as an extended `CONNECT`, which is answered by `200` and not by `101`.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.is_extended
    }
}

/// Whether this is HTTP itself. Requests inside a tunnel would pass unseen.
pub(super) fn is_http(protocol: &str) -> bool {
    let is = |name| protocol.eq_ignore_ascii_case(name);
    is("h2c") || is("h2") || protocol.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http/"))
}

/// Whether one of the lines of this field lists the word.
pub(super) fn lists(headers: &HeaderMap, name: &header::HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter();
    let mut words = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    words.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn wanted(version: Version, method: &str, lines: &[(&str, &str)]) -> Option<Vec<String>> {
        let mut request = Request::builder().method(method).version(version);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        Wanted::of(&head).map(|wanted| wanted.protocols().map(str::to_owned).collect())
    }

    #[test]
    fn an_upgrade_is_one_only_where_connection_says_so() {
        let upgrade = ("upgrade", "websocket");
        for (version, method, lines, expected) in [
            (Version::HTTP_11, "GET", &[upgrade, ("connection", "Upgrade")][..], Some(vec!["websocket"])),
            (
                Version::HTTP_11,
                "GET",
                &[upgrade, ("connection", "keep-alive, uPgRaDe")],
                Some(vec!["websocket"]),
            ),
            (
                Version::HTTP_11,
                "GET",
                &[upgrade, ("connection", "a"), ("connection", "upgrade")],
                Some(vec!["websocket"]),
            ),
            (
                Version::HTTP_11,
                "POST",
                &[("upgrade", "a, ,b"), ("upgrade", "c/1"), ("connection", "upgrade")],
                Some(vec!["a", "b", "c/1"]),
            ),
            (
                Version::HTTP_11,
                "GET",
                &[("upgrade", "h2c, websocket"), ("connection", "upgrade")],
                Some(vec!["websocket"]),
            ),
            (Version::HTTP_11, "GET", &[("upgrade", "h2c"), ("connection", "upgrade")], None),
            (Version::HTTP_11, "GET", &[upgrade], None),
            (Version::HTTP_11, "GET", &[upgrade, ("connection", "keep-alive")], None),
            (Version::HTTP_11, "GET", &[upgrade, ("connection", "upgraded")], None),
            (Version::HTTP_11, "GET", &[("connection", "upgrade")], None),
            (Version::HTTP_11, "CONNECT", &[upgrade, ("connection", "upgrade")], None),
            (Version::HTTP_10, "GET", &[upgrade, ("connection", "upgrade")], None),
            (Version::HTTP_2, "GET", &[upgrade, ("connection", "upgrade")], None),
        ] {
            let found = wanted(version, method, lines);
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected, "{version:?} {method} {lines:?}");
        }
    }

    #[test]
    fn a_usual_head_costs_no_allocation() {
        let head = Request::get("/").header("accept", "*/*").body(()).unwrap().into_parts().0;
        assert_eq!(allocation_counter::measure(|| drop(Wanted::of(&head))).count_total, 0);
    }

    proptest! {
        #[test]
        fn what_is_wanted_was_offered(offers in "[a-c ,/]{0,12}", connection in "(upgrade|close|,| ){0,3}") {
            let lines = [("upgrade", offers.as_str()), ("connection", connection.as_str())];
            if let Some(found) = wanted(Version::HTTP_11, "GET", &lines) {
                prop_assert!(connection.split(',').any(|word| word.trim() == "upgrade"));
                for protocol in found {
                    prop_assert!(offers.split(',').any(|offer| offer.trim() == protocol));
                }
            }
        }
    }
}
