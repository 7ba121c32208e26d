//! [`Checks`]: what a token must claim, and who it makes the caller.

use std::time::Duration;

use gateway_core::facts::Principal;
use serde_json::{Map, Value};

use super::flaw::{Class, Flaw};

/// What is demanded of the claims of a token whose signature is good.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    /// Without one, whoever has a key may call itself anything.
    pub(super) issuer: Option<String>,
    pub(super) audiences: Vec<String>,
    pub(super) any_audience: bool,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Option<Duration>,
    pub(super) required: Vec<String>,
    pub(super) names: Names,
}

/// Which claims say who the caller is.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) id: String,
    pub(super) tenant: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Option<String>,
    pub(super) groups: Option<String>,
}

impl Default for Names {
    fn default() -> Self {
        let scopes = vec!["scope".to_owned(), "scp".to_owned()];
        Self { id: "sub".to_owned(), tenant: None, scopes, roles: None, groups: None }
    }
}

/// When a token is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    not_before: Option<u64>,
    expires: u64,
}

impl Lifetime {
    /// Whether it is good now, with clocks that may differ by `leeway`.
    pub(super) fn check(self, now: Duration, leeway: Duration) -> Result<(), Flaw> {
        if now >= Duration::from_secs(self.expires) + leeway {
            return Err(Flaw::new(Class::Expired, "it has expired"));
        }
        match self.not_before {
            Some(start) if now + leeway < Duration::from_secs(start) => {
                Err(Flaw::unfit("it is not valid yet"))
            }
            _ => Ok(()),
        }
    }
}

impl Checks {
    /// When the token is good, or what is wrong with its claims.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: Duration) -> Result<Lifetime, Flaw> {
        match (claims.get("iss"), &self.issuer) {
            (Some(Value::String(issuer)), Some(ours)) if issuer == ours => {}
            (Some(Value::String(_)), Some(_)) => return Err(Flaw::unfit("its `iss` is somebody else")),
            (None | Some(Value::String(_)), None) => {}
            (found, _) => return Err(wrong("iss", found, "a text")),
        }
        self.check_audience(claims.get("aud"))?;
        let Some(expires) = moment(claims, "exp", f64::floor)? else {
            return Err(wrong("exp", None, "a time"));
        };
        let lifetime = Lifetime { expires, not_before: moment(claims, "nbf", f64::ceil)? };
        lifetime.check(now, self.leeway)?;
        self.check_age(expires, moment(claims, "iat", f64::floor)?, now)?;
        for name in &self.required {
            if find(claims, name).is_none_or(Value::is_null) {
                return Err(Flaw::unfit(format!("it has no `{name}`")));
            }
        }
        Ok(lifetime)
    }

    fn check_audience(&self, found: Option<&Value>) -> Result<(), Flaw> {
        let is_ours = |one: &str| self.any_audience || self.audiences.iter().any(|ours| ours == one);
        let fits = match found {
            None if self.any_audience => true,
            Some(Value::String(one)) => is_ours(one),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) && !list.is_empty() => {
                list.iter().filter_map(Value::as_str).any(is_ours)
            }
            found => return Err(wrong("aud", found, "a text or a list of texts")),
        };
        if fits { Ok(()) } else { Err(Flaw::unfit("its `aud` is somebody else")) }
    }

    /// With a longest lifetime the token must say when it began, and must not begin in the future.
    fn check_age(&self, expires: u64, issued: Option<u64>, now: Duration) -> Result<(), Flaw> {
        let Some(longest) = self.max_lifetime else { return Ok(()) };
        let Some(issued) = issued else { return Err(wrong("iat", None, "a time")) };
        if Duration::from_secs(issued) > now + self.leeway {
            return Err(Flaw::unfit("its `iat` is in the future"));
        }
        if Duration::from_secs(expires.saturating_sub(issued)) > longest {
            return Err(Flaw::unfit("it is good for longer than allowed"));
        }
        Ok(())
    }

    /// Who the caller is.
    pub(super) fn principal(&self, claims: Map<String, Value>) -> Result<Principal, Flaw> {
        let names = &self.names;
        let id = match find(&claims, &names.id) {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            found => return Err(wrong(&names.id, found, "a text that is not empty")),
        };
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let mut principal = Principal::new(issuer, id);
        match names.tenant.as_ref().map(|name| (name, find(&claims, name))) {
            None | Some((_, None)) => {}
            Some((_, Some(Value::String(tenant)))) if !tenant.is_empty() => {
                principal = principal.with_tenant(tenant.as_str());
            }
            Some((name, found)) => return Err(wrong(name, found, "a text that is not empty")),
        }
        let mut scopes = Vec::new();
        for name in &names.scopes {
            scopes.extend(words(&claims, name, true)?);
        }
        let listed = |name: &Option<String>| match name {
            Some(name) => words(&claims, name, false),
            None => Ok(Vec::new()),
        };
        let (roles, groups) = (listed(&names.roles)?, listed(&names.groups)?);
        Ok(principal.with_scopes(scopes).with_roles(roles).with_groups(groups).with_claims(claims))
    }
}

/// The claim of this name; if there is none, the one at this path of names with dots between them.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// The words of a claim: a list of texts, or one text; where it is about scopes, one text of words with spaces
/// between them (RFC 8693, 4.2).
fn words(claims: &Map<String, Value>, name: &str, is_spaced: bool) -> Result<Vec<String>, Flaw> {
    let found = find(claims, name);
    match found {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if is_spaced => {
            Ok(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect())
        }
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(|| wrong(name, found, "a list of texts"))
        }
        _ => Err(wrong(name, found, "a list of texts")),
    }
}

/// A `NumericDate` (RFC 7519, 2): seconds since 1970, perhaps with a fraction, at most in the year 9999, so that
/// nothing overflows.
fn moment(claims: &Map<String, Value>, name: &str, round: fn(f64) -> f64) -> Result<Option<u64>, Flaw> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = match (value.as_u64(), value.as_f64()) {
        (Some(whole), _) => Some(whole),
        (None, Some(number)) if number >= 0.0 && number <= LAST as f64 => Some(round(number) as u64),
        _ => None,
    };
    match seconds.filter(|&seconds| seconds <= LAST) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(wrong(name, Some(value), "a time in seconds")),
    }
}

/// The end of the year 9999.
const LAST: u64 = 253_402_300_799;

fn wrong(name: &str, found: Option<&Value>, wanted: &str) -> Flaw {
    match found {
        None => Flaw::unfit(format!("it has no `{name}`")),
        Some(_) => Flaw::unfit(format!("its `{name}` is not {wanted}")),
    }
}
