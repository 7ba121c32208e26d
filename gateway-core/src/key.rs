//! [`Key`]: which requests are counted together.

use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

use http::{HeaderName, header, request::Parts};
use serde_json::Value;

use crate::{Facts, key_hash::Polynomial};

/// Makes a [`BucketKey`] of what is known about a request; for limits, quotas and sticky choices.
///
/// A key of several parts is made with [`Key::and`]. Making a bucket key allocates nothing.
///
/// ```
/// use gateway_core::Key;
/// use http::HeaderName;
///
/// let per_client_and_route = Key::client_addr().and(Key::route());
/// let per_api_key = Key::header(HeaderName::from_static("x-api-key"));
/// # let _ = (per_client_and_route, per_api_key);
/// ```
#[derive(Clone)]
pub struct Key(Vec<Part>);

#[derive(Clone)]
enum Part {
    Everyone,
    ClientAddr { v6_prefix: u8 },
    Header(HeaderName),
    Cookie(Arc<str>),
    Query(Arc<str>),
    Route,
    Principal,
    Tenant,
    Claim(Arc<str>),
    Custom(Arc<Extract>),
}

type Extract = dyn for<'a> Fn(&'a Parts) -> Option<Cow<'a, [u8]>> + Send + Sync;

impl Key {
    /// One bucket for all requests.
    #[must_use]
    pub fn everyone() -> Self {
        Self(vec![Part::Everyone])
    }

    /// The client's address, as `client_addr` found it. IPv6 addresses of one /64 count together, because one
    /// customer usually has all of it; IPv4 addresses mapped into IPv6 count as IPv4.
    #[must_use]
    pub fn client_addr() -> Self {
        Self::client_addr_v6_prefix(64)
    }

    /// As [`client_addr`](Self::client_addr), with another length of the IPv6 prefix (0 to 128 bits).
    #[must_use]
    pub fn client_addr_v6_prefix(bits: u8) -> Self {
        Self(vec![Part::ClientAddr { v6_prefix: bits.min(128) }])
    }

    /// The first value of a request header. Anybody can invent one: behind authentication only.
    #[must_use]
    pub fn header(name: HeaderName) -> Self {
        Self(vec![Part::Header(name)])
    }

    /// The value of a cookie, the first of this name. Anybody can invent one.
    #[must_use]
    pub fn cookie(name: &str) -> Self {
        Self(vec![Part::Cookie(name.into())])
    }

    /// The value of a query parameter as it is written, the first of this name. Anybody can invent one.
    #[must_use]
    pub fn query(name: &str) -> Self {
        Self(vec![Part::Query(name.into())])
    }

    /// The route that serves the request.
    #[must_use]
    pub fn route() -> Self {
        Self(vec![Part::Route])
    }

    /// Who is calling, as an authentication layer proved it. Nobody can invent one.
    #[must_use]
    pub fn principal() -> Self {
        Self(vec![Part::Principal])
    }

    /// The customer that the principal belongs to, within its realm.
    #[must_use]
    pub fn tenant() -> Self {
        Self(vec![Part::Tenant])
    }

    /// A claim of the principal's credential that is a text, a number or a truth value, within the principal's realm.
    #[must_use]
    pub fn claim(name: &str) -> Self {
        Self(vec![Part::Claim(name.into())])
    }

    /// Whatever this function reads from the head; `None` where the request has no such thing.
    pub fn custom(
        extract: impl for<'a> Fn(&'a Parts) -> Option<Cow<'a, [u8]>> + Send + Sync + 'static,
    ) -> Self {
        Self(vec![Part::Custom(Arc::new(extract))])
    }

    /// Whether it reads who is calling, which only an authentication layer in front can tell.
    #[must_use]
    pub fn needs_principal(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Principal | Part::Tenant | Part::Claim(_)))
    }

    /// The combination of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The key of this request; `None` where any part is missing.
    #[must_use]
    pub fn of(&self, head: &Parts) -> Option<BucketKey> {
        self.of_known(head, Facts::get(&head.extensions))
    }

    /// The same, for who has found the request's facts already.
    #[must_use]
    pub fn of_known(&self, head: &Parts, facts: Option<&Facts>) -> Option<BucketKey> {
        let mut polynomial = Polynomial::new();
        for part in &self.0 {
            part.hash_into(head, facts, &mut |bytes| polynomial.part(bytes))?;
        }
        Some(BucketKey(polynomial.finish()))
    }

    /// Gives the parts of this request's key to `write`, one by one, as they are; `None` where any is missing.
    ///
    /// A [`BucketKey`] means something in one process only. This is for stores that several share: hash what comes
    /// with something that all of them know, and end each part so that two do not run together.
    #[must_use]
    pub fn write(&self, head: &Parts, mut write: impl FnMut(&[u8])) -> Option<()> {
        let facts = Facts::get(&head.extensions);
        self.0.iter().try_for_each(|part| part.hash_into(head, facts, &mut write))
    }
}

impl Part {
    fn hash_into(&self, head: &Parts, facts: Option<&Facts>, hash: &mut impl FnMut(&[u8])) -> Option<()> {
        match self {
            Self::Everyone => hash(&[]),
            Self::ClientAddr { v6_prefix } => match facts?.client_addr()?.to_canonical() {
                IpAddr::V4(address) => hash(&address.octets()),
                IpAddr::V6(address) => hash(&prefix(address.to_bits(), *v6_prefix).to_be_bytes()),
            },
            Self::Header(name) => hash(head.headers.get(name)?.as_bytes()),
            Self::Cookie(name) => {
                let lines = head.headers.get_all(header::COOKIE).iter();
                let mut pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
                hash(
                    pairs.find_map(|pair| {
                        pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")
                    })?,
                );
            }
            Self::Query(name) => {
                let mut pairs = head.uri.query()?.split('&');
                hash(pairs.find_map(|pair| pair.strip_prefix(&**name)?.strip_prefix('='))?.as_bytes());
            }
            Self::Route => hash(facts?.route()?.name().as_bytes()),
            Self::Principal => {
                let principal = facts?.principal()?;
                hash(principal.realm().as_bytes());
                hash(principal.id().as_bytes());
            }
            Self::Tenant => {
                let principal = facts?.principal()?;
                hash(principal.realm().as_bytes());
                hash(principal.tenant()?.as_bytes());
            }
            Self::Claim(name) => {
                let principal = facts?.principal()?;
                hash(principal.realm().as_bytes());
                match principal.claim(name)? {
                    Value::String(text) => hash(text.as_bytes()),
                    // Another part, so that a number is no text.
                    number_or_truth @ (Value::Number(_) | Value::Bool(_)) => {
                        hash(&[]);
                        hash(number_or_truth.to_string().as_bytes());
                    }
                    _ => return None,
                }
            }
            Self::Custom(extract) => hash(&extract(head)?),
        }
        Some(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" and ")?;
            }
            match part {
                Part::Everyone => f.write_str("everyone")?,
                Part::ClientAddr { .. } => f.write_str("client_addr")?,
                Part::Header(name) => write!(f, "header:{name}")?,
                Part::Cookie(name) => write!(f, "cookie:{name}")?,
                Part::Query(name) => write!(f, "query:{name}")?,
                Part::Route => f.write_str("route")?,
                Part::Principal => f.write_str("principal")?,
                Part::Tenant => f.write_str("tenant")?,
                Part::Claim(name) => write!(f, "claim:{name}")?,
                Part::Custom(_) => f.write_str("custom")?,
            }
        }
        Ok(())
    }
}

/// The name of a bucket: 128 bits, hashed with a secret of this process, never the value itself. So a table of
/// buckets has entries of one size, holds no secret, and nobody outside can aim at a bucket: two keys of up to `n`
/// bytes share one with a probability below `(n / 15 + 2) / 2^127`, whoever chose them. Among a million short keys
/// that is about 10^-26.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey(u128);

impl BucketKey {
    /// The hash, evenly spread over all bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The name of another bucket of the same key, for what counts the same caller in several ways. Number 0 is the
    /// bucket itself.
    #[must_use]
    pub const fn nth(self, number: u32) -> Self {
        // Odd, so that different numbers give different names.
        Self(self.0 ^ (number as u128).wrapping_mul(0xa076_1d64_78bd_642f_e703_7ed1_a0b4_28db))
    }
}

const fn prefix(address: u128, bits: u8) -> u128 {
    match 128 - bits {
        128 => 0,
        host => address >> host << host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use http::Request;

    fn from(address: &str) -> Parts {
        let mut head = Request::new(()).into_parts().0;
        Facts::of(&mut head.extensions, &Clock::default()).set_client_addr(address.parse().unwrap());
        head
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let key = Key::client_addr();
        assert_eq!(key.of(&from("2001:db8::1")), key.of(&from("2001:db8::ffff:1")));
        assert_ne!(key.of(&from("2001:db8::1")), key.of(&from("2001:db8:0:1::1")));
        assert_eq!(key.of(&from("::ffff:10.0.0.1")), key.of(&from("10.0.0.1")));
        assert_ne!(key.of(&from("10.0.0.1")), key.of(&from("10.0.0.2")));
    }

    #[test]
    fn cookies_and_parameters_are_found_by_their_whole_name() {
        let head = |target: &str, cookies: &str| {
            Request::get(target).header("cookie", cookies).body(()).unwrap().into_parts().0
        };
        let (cookie, query) = (Key::cookie("sid"), Key::query("user"));
        let of = |key: &Key, head: &Parts| {
            let mut value = None;
            let _ = key.write(head, |part| value = Some(String::from_utf8(part.to_vec()).unwrap()));
            value
        };
        assert_eq!(of(&cookie, &head("/", "xsid=1; sid=2;sid=3")).as_deref(), Some("2"));
        assert_eq!(of(&cookie, &head("/", "sidx=1")), None);
        assert_eq!(of(&query, &head("/?xuser=1&user=a%20b&user=c", "")).as_deref(), Some("a%20b"));
        assert_eq!(of(&query, &head("/?user", "")), None);
    }

    #[test]
    fn a_missing_part_means_no_key_and_parts_do_not_run_together() {
        let name = |name| HeaderName::from_static(name);
        let key = Key::header(name("x-a")).and(Key::header(name("x-b")));
        let head = |a: &str, b: &str| {
            Request::get("/").header("x-a", a).header("x-b", b).body(()).unwrap().into_parts().0
        };
        assert_ne!(key.of(&head("ab", "c")), key.of(&head("a", "bc")));
        assert_eq!(key.of(&head("a", "b")), key.of(&head("a", "b")));
        assert_eq!(key.of(&Request::new(()).into_parts().0), None);
    }
}
