//! The host that a request asks for (RFC 9110 section 7.2, RFC 9112 section 3.2).

use http::{HeaderValue, header::HOST, request::Parts};

use super::{bad, needs_host};
use crate::Refusal;

/// Leaves one canonical `Host` header: the target's authority if it has one, else the header.
pub(super) fn canonicalize(head: &mut Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("bad_host", "a request names one host"));
    }
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let asked = match (authority, header) {
        // HTTP/1.1: an absolute target replaces Host. HTTP/2: both may be there, but must agree.
        (Some(authority), Some(header))
            if head.version >= http::Version::HTTP_2
                && !header.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) =>
        {
            return Err(bad("bad_host", "`:authority` and `Host` differ"));
        }
        (Some(authority), _) => authority,
        (None, Some(header)) => header.to_str().map_err(|_| bad("bad_host", "the host is not valid"))?,
        (None, None) if needs_host(head.version) => {
            return Err(bad("bad_host", "a request names the host it is for"));
        }
        (None, None) => return Ok(()),
    };
    if !is_valid(asked) {
        return Err(bad("bad_host", "the host is not valid"));
    }
    let is_canonical = authority.is_none()
        && !asked.bytes().any(|byte| byte.is_ascii_uppercase())
        && !without_port(asked).ends_with('.')
        && !asked.ends_with(":80")
        && !asked.ends_with(':');
    if is_canonical {
        return Ok(());
    }
    let (name, port) = split_port(asked);
    let mut canonical = name.trim_end_matches('.').to_ascii_lowercase();
    if let Some(port) = port.filter(|&port| port != "80" && !port.is_empty()) {
        canonical.push(':');
        canonical.push_str(port);
    }
    let value = HeaderValue::try_from(canonical).map_err(|_| bad("bad_host", "the host is not valid"))?;
    head.headers.insert(HOST, value);
    Ok(())
}

/// The host without its port.
pub(super) fn without_port(host: &str) -> &str {
    split_port(host).0
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    let after_literal = host.rfind(']').map_or(0, |bracket| bracket + 1);
    match host[after_literal..].rfind(':') {
        Some(colon) => (&host[..after_literal + colon], Some(&host[after_literal + colon + 1..])),
        None => (host, None),
    }
}

/// A registered name, an IPv4 address or a bracketed IPv6 address, and a numeric port.
fn is_valid(host: &str) -> bool {
    let (name, port) = split_port(host);
    // A number may begin with `+` in Rust, and not in a port.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let port_is_valid = port.is_none_or(|port| port.is_empty() || is_port(port));
    let name_is_valid = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(literal) => literal.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let is_more_than_dots = name.bytes().any(|byte| byte != b'.');
            is_more_than_dots && name.len() <= 255 && name.bytes().all(is_name_byte)
        }
    };
    name_is_valid && port_is_valid
}
