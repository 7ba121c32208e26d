//! The part of the document under `jwt`.

use std::{borrow::Cow, time::Duration};

use gateway_core::{Mode, fetch::Fetch, identity::Identity};
use http::HeaderName;

use super::{Algorithm, JwtLayer, Keys, RemoteKeys, TokenPlace, VerifyingKey};
use crate::config::{Secret, Section, Value, Words, Wrong};

/// ```yaml
/// jwt:
///   issuer: https://login.example.com   # required; or `any_issuer: true`
///   audience: [orders]                  # one of them; or `any_audience: true`
///   jwks: http://10.0.0.5/keys          # this, or `keys`
///   algorithms: [RS256]                 # required with `jwks`
///   refresh: 10m                        # if the source does not say for how long its set is good
///   refetch: 10s                        # between two fetches that unknown keys cause
///   max_stale: 1d                       # how long the last good set is used while its source fails
///   keys:
///     - {kid: a, algorithm: RS256, pem: "${PUBLIC_KEY}"}    # text or file; or `jwk:`, or `secret:` for HS256
///   from: bearer                        # bearer | header:NAME | cookie:NAME
///   required: true                      # false: no token is nobody; a bad one is refused
///   forward: false                      # true: the upstream gets the token
///   type: at+jwt                        # default: none, JWT or at+jwt
///   leeway: 30s                         # how far clocks may differ
///   max_lifetime: 1h                    # default: not limited
///   must_have: [jti]                    # claims that must be there
///   claims: {id: sub, tenant: org, scopes: scope, roles: realm_access.roles, groups: groups}
///   headers: {x-user: sub}              # claims for the upstream
///   realm: gateway                      # for WWW-Authenticate
///   cache: 10000                        # good tokens that are remembered
///   mode: enforce                       # enforce | audit | off
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<JwtLayer> {
    let issuer = section.optional::<String>("issuer");
    let any_issuer = section.or("any_issuer", false);
    let audience = section.optional::<Vec<String>>("audience");
    let any_audience = section.or("any_audience", false);
    let keys = keys(section);
    let place = section.or("from", TokenPlace::Bearer);
    let required = section.or("required", true);
    let forward = section.or("forward", false);
    let kind = section.optional::<String>("type");
    let leeway = section.or("leeway", JwtLayer::LEEWAY);
    let max_lifetime = section.optional::<Duration>("max_lifetime");
    let must_have = section.or("must_have", Vec::<String>::new());
    let names = section.section("claims", |section| Some(Claims::read(section))).unwrap_or_default();
    let headers = section.pairs::<HeaderName, String>("headers");
    let realm = section.or("realm", "gateway".to_owned());
    let cache = section.or("cache", JwtLayer::CACHE);
    let mode = section.or("mode", Mode::Enforce);

    check_issuer(section, any_issuer);
    check_audience(section, audience.as_deref(), any_audience);
    if leeway > LONGEST_LEEWAY {
        section
            .fail("leeway", "with more than 5m, what has expired is good for long; set the clocks instead");
    }
    check_headers(section, &headers, &place);
    section.own(headers.iter().map(|(name, _)| name.clone()));

    let mut layer = JwtLayer::new(issuer.unwrap_or_default(), audience.unwrap_or_default(), keys?);
    layer = layer.place(place).forward(forward).leeway(leeway).claims(must_have).realm(realm).mode(mode);
    if any_issuer {
        layer = layer.any_issuer();
    }
    if any_audience {
        layer = layer.any_audience();
    }
    if !required {
        layer = layer.optional();
    }
    if let Some(kind) = kind {
        layer = layer.kind(kind);
    }
    if let Some(longest) = max_lifetime {
        layer = layer.max_lifetime(longest);
    }
    for (name, claim) in headers {
        layer = layer.header(name, claim);
    }
    if cache != JwtLayer::CACHE {
        layer = layer.cache(cache);
    }
    let context = section.context();
    Some(names.apply(layer).clock(context.clock.clone()).meter(&context.meter, section.place()))
}

fn check_issuer(section: &mut Section<'_>, any: bool) {
    match (section.has("issuer"), any) {
        (true, true) => section.fail("any_issuer", "with an `issuer` it has no meaning"),
        (false, false) => section.fail(
            "issuer",
            "`issuer` is missing; `any_issuer: true` if nobody but the one issuer has the keys",
        ),
        _ => {}
    }
}

fn check_audience(section: &mut Section<'_>, audience: Option<&[String]>, any: bool) {
    match (audience, any) {
        (Some(_), true) => section.fail("any_audience", "with an `audience` it has no meaning"),
        (None, false) => section.fail(
            "audience",
            "`audience` is missing; without one, a token for another service would be good here (`any_audience: true` if that is meant)",
        ),
        (Some([]), false) => section.fail("audience", "name at least one"),
        _ => {}
    }
}

/// What the upstream is told must not be something that the gateway or HTTP itself needs.
fn check_headers(section: &mut Section<'_>, headers: &[(HeaderName, String)], place: &TokenPlace) {
    for (name, _) in headers {
        let is_token = matches!(place, TokenPlace::Header(place) if place == name);
        if is_token || RESERVED.contains(&name.as_str()) {
            section.fail("headers", format!("`{name}` cannot be set to a claim"));
        }
    }
}

const RESERVED: [&str; 14] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
];

#[derive(Default)]
struct Claims {
    id: Option<String>,
    tenant: Option<String>,
    scopes: Option<String>,
    roles: Option<String>,
    groups: Option<String>,
}

impl Claims {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            id: section.optional("id"),
            tenant: section.optional("tenant"),
            scopes: section.optional("scopes"),
            roles: section.optional("roles"),
            groups: section.optional("groups"),
        }
    }

    fn apply(self, layer: JwtLayer) -> JwtLayer {
        let set = |layer, name: Option<String>, set: fn(JwtLayer, String) -> JwtLayer| match name {
            Some(name) => set(layer, name),
            None => layer,
        };
        let layer = set(layer, self.id, JwtLayer::id);
        let layer = set(layer, self.tenant, JwtLayer::tenant);
        let layer = set(layer, self.scopes, JwtLayer::scopes);
        let layer = set(layer, self.roles, JwtLayer::roles);
        set(layer, self.groups, JwtLayer::groups)
    }
}

/// The keys, from the document or from a URL.
fn keys(section: &mut Section<'_>) -> Option<Keys> {
    let url = section.optional::<String>("jwks");
    let algorithms = section.optional::<Vec<Algorithm>>("algorithms");
    let refresh = section.or("refresh", RemoteKeys::REFRESH);
    let refetch = section.or("refetch", RemoteKeys::REFETCH);
    let max_stale = section.or("max_stale", RemoteKeys::MAX_STALE);
    let fixed = section.sections("keys", key);
    section.demand_one_of(&["jwks", "keys"]);
    if !section.has("jwks") {
        for name in ["algorithms", "refresh", "refetch", "max_stale"] {
            if section.has(name) {
                section.fail(name, "this is about `jwks`; each of `keys` names its own algorithm");
            }
        }
        if section.has("keys") && fixed.is_empty() {
            section.fail("keys", "name at least one key");
        }
        return Some(fixed.into());
    }
    if section.has("keys") {
        section.fail("keys", "the keys come from `jwks`; name one of both");
    }
    match algorithms.as_deref() {
        None if !section.has("algorithms") => section.fail(
            "algorithms",
            "`algorithms` is missing; which algorithms are good is never taken from a token",
        ),
        Some([]) => section.fail("algorithms", "name at least one"),
        Some(list) if list.iter().any(|algorithm| algorithm.is_shared_secret()) => {
            section.fail("algorithms", "a shared secret never comes from a URL; name it under `keys`");
        }
        _ => {}
    }
    if refresh < Duration::from_secs(60) {
        section.fail("refresh", "a key set is fetched at most once a minute");
    }
    if refetch < Duration::from_secs(1) {
        section.fail("refetch", "unknown keys cause at most one fetch in a second");
    }
    let (url, algorithms) = (url?, algorithms?);
    if url.contains('@') {
        section.fail("jwks", "a URL with a password in it is not supported");
        return None;
    }
    let fetch = section.checked("jwks", Fetch::new(&url))?;
    let context = section.context();
    // Routes with the same issuer share its keys, and the next graph goes on with them.
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    let settings = format!("{} {refresh:?} {refetch:?} {max_stale:?}", names.join(" "));
    let shared = context.shelf.state(Identity::new("jwks", &url).and(settings), || {
        let keys = RemoteKeys::new(fetch.clock(context.clock.clone()), algorithms);
        let keys = keys.refresh(refresh).refetch(refetch).max_stale(max_stale);
        keys.clock(context.clock.clone()).meter(&context.meter)
    });
    Some(shared.into())
}

fn key(section: &mut Section<'_>) -> Option<VerifyingKey> {
    let kid = section.optional::<String>("kid");
    let algorithm = section.required::<Algorithm>("algorithm");
    let forms = ["pem", "jwk", "secret"];
    let [pem, jwk, secret] = forms.map(|name| section.optional::<Secret>(name));
    section.demand_one_of(&forms);
    if forms.iter().filter(|name| section.has(name)).count() > 1 {
        section.fail("algorithm", "name one of `pem`, `jwk` and `secret`");
    }
    let algorithm = algorithm?;
    let key = match (pem, jwk, secret) {
        (Some(pem), _, _) => {
            let text = text_or_file(section, &pem)?;
            section.checked("pem", VerifyingKey::pem(algorithm, &text))
        }
        (_, Some(jwk), _) => section.checked("jwk", VerifyingKey::jwk(algorithm, jwk.expose())),
        (_, _, Some(secret)) => {
            section.checked("secret", VerifyingKey::secret(algorithm, secret.expose().as_bytes()))
        }
        _ => None,
    }?;
    Some(match kid {
        Some(kid) => key.kid(kid),
        None => key,
    })
}

/// A key's text, which stands in the document or in a file that the document names. What it is not, is not repeated:
/// it may be a key.
fn text_or_file(section: &mut Section<'_>, pem: &Secret) -> Option<String> {
    match pem.expose().trim_start().starts_with("-----BEGIN ") {
        true => Some(pem.expose().to_owned()),
        false => {
            let read = section.read_file(pem.expose()).map_err(|error| {
                format!("it is neither PEM (-----BEGIN PUBLIC KEY-----) nor a file that can be read: {error}")
            });
            section.checked("pem", read)
        }
    }
}

impl Words for Algorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
        ("HS256", Self::Hs256),
        ("HS384", Self::Hs384),
        ("HS512", Self::Hs512),
    ];
}

impl Value for TokenPlace {
    fn wanted() -> Cow<'static, str> {
        "bearer, header:NAME or cookie:NAME".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.split_once(':') {
            None if text == "bearer" => Ok(Self::Bearer),
            Some(("header", name)) => HeaderName::try_from(name).map(Self::Header).map_err(Wrong::because),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            Some(("query", _)) => Err(Wrong::because("queries end up in logs; tokens do not belong there")),
            _ => Err(Wrong::default()),
        }
    }
}

const LONGEST_LEEWAY: Duration = Duration::from_secs(300);
