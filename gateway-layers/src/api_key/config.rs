//! The part of the document under `api_key`.

use std::{
    borrow::Cow,
    collections::HashSet,
    time::{Duration, SystemTime},
};

use gateway_core::Mode;
use http::HeaderName;

use super::{ApiKey, ApiKeyLayer, KeyDigest, Store};
use crate::config::{Section, Value, Wrong};

/// ```yaml
/// api_key:
///   header: x-api-key
///   keys:                               # required
///     - id: billing                     # whose key it is; several keys may have one owner
///       sha256: 2c70e12b7a0646f9...     # printf %s "$KEY" | sha256sum
///       tenant: shop
///       scopes: [orders:read]
///       roles: [clerk]
///       groups: [staff]
///       expires: 2027-01-31             # or 2027-01-31T12:00:00Z
///       enabled: true
///   required: true                      # false: no key is nobody; a bad one is refused
///   forward: false                      # true: the upstream gets the key
///   realm: gateway                      # for WWW-Authenticate
///   mode: enforce                       # enforce | audit | off
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<ApiKeyLayer> {
    let header = section.or("header", HeaderName::from_static("x-api-key"));
    let mut seen = HashSet::new();
    let keys = section.sections("keys", |section| key(section, &mut seen));
    section.demand("keys");
    let required = section.or("required", true);
    let forward = section.or("forward", false);
    let realm = section.or("realm", "gateway".to_owned());
    let mode = section.or("mode", Mode::Enforce);
    let store: Store = keys.into_iter().collect();
    let mut layer = ApiKeyLayer::of(store).header(header).forward(forward).realm(&realm).mode(mode);
    if !required {
        layer = layer.optional();
    }
    let context = section.context();
    Some(layer.clock(context.clock.clone()).meter(&context.meter, section.place()))
}

fn key(section: &mut Section<'_>, seen: &mut HashSet<KeyDigest>) -> Option<ApiKey> {
    let id = section.required::<String>("id");
    let digest = section.required::<KeyDigest>("sha256");
    let tenant = section.optional::<String>("tenant");
    let scopes = section.or("scopes", Vec::<String>::new());
    let roles = section.or("roles", Vec::<String>::new());
    let groups = section.or("groups", Vec::<String>::new());
    let expires = section.optional::<Moment>("expires");
    let enabled = section.or("enabled", true);
    let (id, digest) = (id?, digest?);
    if id.is_empty() {
        section.fail("id", "a key belongs to somebody");
    }
    if !seen.insert(digest) {
        section.fail("sha256", "this key is in the list twice");
    }
    let mut key = ApiKey::new(id, digest).scopes(scopes).roles(roles).groups(groups).enabled(enabled);
    if let Some(tenant) = tenant {
        key = key.tenant(tenant);
    }
    if let Some(Moment(at)) = expires {
        key = key.expires(at);
    }
    Some(key)
}

impl Value for KeyDigest {
    fn is_secret(_text: &str) -> bool {
        // Somebody may have put the key itself here.
        true
    }

    fn wanted() -> Cow<'static, str> {
        "the 64 hexadecimal digits of `printf %s \"$KEY\" | sha256sum`".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::default())
    }
}

/// A day, which begins at midnight, or a second, of UTC (RFC 3339).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment(SystemTime);

impl Value for Moment {
    fn wanted() -> Cow<'static, str> {
        "a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        seconds(text)
            .map(|seconds| Self(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
            .ok_or_else(Wrong::default)
    }
}

/// Seconds since 1970.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March end with the leap day (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Three numbers of so many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts
            .next()
            .filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_or_a_second() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2027-01-31T12:34:56Z", Some(1_801_398_896)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-00", None),
            ("2026-1-1", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:00:00", None),
            ("1969-12-31", None),
            ("tomorrow", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
