//! Finding the client in what proxies say.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use super::Network;

/// The header in which trusted proxies name their clients. Only one counts: a proxy that writes one of them passes
/// the other on as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which nearly every proxy writes. The default.
    #[default]
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

impl ForwardedHeader {
    fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => header::FORWARDED,
        }
    }

    fn address(self, element: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => address(element),
            Self::Forwarded => {
                let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
                let (_, node) =
                    pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
                address(node)
            }
        }
    }
}

/// The client for whom `peer`, which is trusted, says that it forwards.
pub(super) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    header: ForwardedHeader,
    trusted: &[Network],
) -> IpAddr {
    let mut client = peer;
    // Lines are one list (RFC 9110 section 5.3); no address holds a comma.
    let lines = headers.get_all(header.name());
    // A line that is no text ends the walk like an element that is no address.
    let lines = lines.iter().rev().map(|line| line.to_str().unwrap_or("-"));
    let elements = lines.flat_map(|line| line.rsplit(','));
    for element in elements {
        let Some(found) = header.address(element) else { break };
        client = found;
        if !trusted.iter().any(|network| network.contains(found)) {
            break;
        }
    }
    client
}

/// An address without port, brackets, quotes and zone.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let node = node.strip_prefix('"').and_then(|node| node.strip_suffix('"')).unwrap_or(node);
    let address = match node.strip_prefix('[').and_then(|node| node.split_once(']')) {
        Some((literal, _)) => without_zone(literal).parse().ok(),
        None => without_zone(node).parse().ok().or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip())),
    };
    address.map(|address: IpAddr| address.to_canonical())
}

fn without_zone(address: &str) -> &str {
    address.split('%').next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use gateway_core::{Clock, Facts, forwarding::write_forwarded};
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn found(header: ForwardedHeader, lines: &[&str]) -> String {
        let trusted: Vec<Network> = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.name(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(IpAddr::from([10, 0, 0, 1]), &headers, header, &trusted).to_string()
    }

    #[test]
    fn walks_from_the_end_to_the_first_that_is_not_trusted() {
        let x = ForwardedHeader::XForwardedFor;
        for (lines, client) in [
            (&[][..], "10.0.0.1"),
            (&["203.0.113.9"], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9 , 10.2.3.4"], "203.0.113.9"),
            (&["6.6.6.6", "203.0.113.9", "10.2.3.4"], "203.0.113.9"),
            (&["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            (&["6.6.6.6, unknown, 10.2.3.4"], "10.2.3.4"),
            (&["6.6.6.6, , 10.2.3.4"], "10.2.3.4"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["fe80::1%eth0"], "fe80::1"),
            (&["::ffff:203.0.113.9, fd00::1"], "203.0.113.9"),
            (&["203.0.113.9, \u{e4}"], "10.0.0.1"),
        ] {
            assert_eq!(found(x, lines), client, "{lines:?}");
        }
    }

    #[test]
    fn reads_forwarded_as_rfc_7239_writes_it() {
        let forwarded = ForwardedHeader::Forwarded;
        for (lines, client) in [
            (&["for=203.0.113.9"][..], "203.0.113.9"),
            (&["For=\"[2001:db8::1]:4711\";proto=https"], "2001:db8::1"),
            (&["for=6.6.6.6, proto=http;for=203.0.113.9;by=_a, for=10.0.0.9"], "203.0.113.9"),
            (&["for=203.0.113.9, for=_hidden"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
        ] {
            assert_eq!(found(forwarded, lines), client, "{lines:?}");
        }
    }

    proptest! {
        /// Whatever stands in front of the client's own address changes nothing.
        #[test]
        fn a_client_cannot_write_itself_another_address(invented in "[ -~]{0,40}", by_line in any::<bool>()) {
            let header = ForwardedHeader::XForwardedFor;
            let honest = "203.0.113.9, 10.2.3.4";
            let joined = format!("{invented}, {honest}");
            let lines = if by_line { vec![invented.as_str(), honest] } else { vec![joined.as_str()] };
            prop_assert_eq!(found(header, &lines), "203.0.113.9");
        }

        /// What the forwarders of a chain write, in either header, leads back to who stands in front of it.
        #[test]
        fn what_forwarders_write_is_read_back(
            peer in any::<IpAddr>(), hops in prop::collection::vec(any::<u8>(), 0..4), in_six in any::<bool>(),
        ) {
            let own: Network = "10.0.0.0/8".parse().unwrap();
            let own = [own, "fd00::/8".parse().unwrap()];
            let peer = peer.to_canonical();
            prop_assume!(!own.iter().any(|network| network.contains(peer)));
            let hop = |last: u8| match in_six {
                true => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]),
                false => IpAddr::from([10, 0, 0, last]),
            };
            let mut head = http::Request::builder().header(header::FORWARDED, "for=unknown").body(()).unwrap().into_parts().0;
            let chain = std::iter::once(peer).chain(hops.into_iter().map(hop));
            for peer in chain {
                let facts = Facts::arrived_at(Clock::default().now());
                facts.set_peer((peer, 1).into());
                facts.set_peer_trusted(true);
                facts.set_client_addr(peer);
                write_forwarded(&mut head, Some(&facts));
            }
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                prop_assert_eq!(client(hop(9), &head.headers, header, &own), peer);
            }
        }
    }
}
