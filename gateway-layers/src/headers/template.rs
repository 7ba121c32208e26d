use std::{fmt, net::IpAddr, str::FromStr};

use gateway_core::{Facts, facts::Principal};
use http::{HeaderValue, Method, Request, Uri, header::HOST};
use serde_json::Value;

/// A header value with facts in it: `tenant={principal.tenant}`. Braces themselves are written `{{` and `}}`.
///
/// | fact | says | set by |
/// | --- | --- | --- |
/// | `request_id` | the id of the request | `request_id` |
/// | `client_addr` | the client behind trusted proxies | `client_addr` |
/// | `peer` | the address of the other end of the connection | the server |
/// | `route`, `route.pattern` | the name and the pattern of the rule that serves | `routing` |
/// | `method`, `host`, `path` | of the request, the path without the query | |
/// | `principal` | who is calling, unique in its realm | authentication |
/// | `principal.realm`, `principal.tenant` | who vouches for it, which customer it belongs to | authentication |
/// | `principal.scopes` | what it was allowed, with spaces between | authentication |
/// | `principal.roles`, `principal.groups` | what it is and belongs to, with commas between | authentication |
/// | `path.NAME` | the part of the path that stands for `{NAME}` in the route's path, as it was sent | routing |
/// | `claim.NAME` | a claim of its credential: a text, a number, `true` or `false`, or a list of them | authentication |
///
/// A template has no value if one of its facts is missing, is empty, or cannot stand in a header as it is: it has other
/// characters than visible ASCII and single spaces inside, or an item of a list has the list's separator in it. Half a
/// value, or one that its reader would take apart in another way, would be a wrong statement about the caller.
///
/// ```
/// use gateway_layers::headers::Template;
///
/// let template: Template = "user={principal}; client={client_addr}".parse()?;
/// assert_eq!(template.facts().collect::<Vec<_>>(), ["principal", "client_addr"]);
/// assert!("{principle}".parse::<Template>().unwrap_err().to_string().starts_with("there is no fact of this name"));
/// # Ok::<(), gateway_layers::headers::TemplateError>(())
/// ```
#[derive(Clone)]
pub struct Template(Vec<Part>);

#[derive(Clone)]
enum Part {
    Text(String),
    /// A fact and its name as it was written.
    Fact(Fact, String),
}

#[derive(Clone)]
enum Fact {
    RequestId,
    ClientAddr,
    Peer,
    Route,
    RoutePattern,
    Method,
    Host,
    Path,
    Principal,
    Realm,
    Tenant,
    Scopes,
    Roles,
    Groups,
    Claim(String),
    PathParam(String),
}

impl Template {
    /// The names of its facts, as they are written.
    pub fn facts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Fact(_, name) => Some(name.as_str()),
        })
    }

    /// Whether it says something about who is calling.
    pub(super) fn is_about_the_caller(&self) -> bool {
        self.facts().any(|name| name.starts_with("principal") || name.starts_with("claim."))
    }

    /// The value of a template without facts.
    pub(super) fn constant(&self) -> Option<HeaderValue> {
        match self.0.as_slice() {
            [] => Some(HeaderValue::from_static("")),
            [Part::Text(text)] => HeaderValue::from_str(text).ok(),
            _ => None,
        }
    }

    /// The value for this request.
    pub(super) fn value<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let facts = Facts::get(request.extensions());
        if let [Part::Fact(Fact::RequestId, _)] = self.0.as_slice() {
            return facts?.request_id().map(|id| id.as_header().clone());
        }
        // Most values fit, and grow no more.
        let mut text = String::with_capacity(64);
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Fact(fact, _) => {
                    let from = text.len();
                    fact.write(
                        request.method(),
                        request.uri(),
                        request.headers().get(HOST),
                        facts,
                        &mut text,
                    )?;
                    if !is_plain(&text[from..]) {
                        return None;
                    }
                }
            }
        }
        HeaderValue::try_from(text).ok()
    }
}

impl Fact {
    fn named(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.clone());
        let after = |prefix| name.strip_prefix(prefix).filter(|rest: &&str| !rest.is_empty());
        known
            .or_else(|| after("claim.").map(|name| Self::Claim(name.to_owned())))
            .or_else(|| after("path.").map(|name| Self::PathParam(name.to_owned())))
    }

    /// Adds what it says, if it is known.
    fn write(
        &self,
        method: &Method,
        uri: &Uri,
        host: Option<&HeaderValue>,
        facts: Option<&Facts>,
        to: &mut String,
    ) -> Option<()> {
        let principal = || facts.and_then(Facts::principal);
        match self {
            Self::RequestId => to.push_str(facts?.request_id()?.as_str()),
            Self::ClientAddr => address(facts?.client_addr()?, to),
            Self::Peer => address(facts?.peer()?.ip(), to),
            Self::Route => to.push_str(facts?.route()?.name()),
            Self::RoutePattern => to.push_str(facts?.route()?.pattern()),
            Self::Method => to.push_str(method.as_str()),
            Self::Host => match (uri.authority(), host) {
                (Some(authority), _) => to.push_str(authority.as_str()),
                (None, host) => to.push_str(host?.to_str().ok()?),
            },
            Self::Path => to.push_str(uri.path()),
            Self::Principal => to.push_str(principal()?.id()),
            Self::Realm => to.push_str(principal()?.realm()),
            Self::Tenant => to.push_str(principal()?.tenant()?),
            Self::Scopes => return join(principal()?.scopes().iter().map(String::as_str), ' ', to),
            Self::Roles => return join(principal()?.roles().iter().map(String::as_str), ',', to),
            Self::Groups => return join(principal()?.groups().iter().map(String::as_str), ',', to),
            Self::PathParam(name) => to.push_str(facts?.path_params()?.get(name)?),
            Self::Claim(name) => return claim(principal()?, name, to),
        }
        Some(())
    }
}

fn address(address: IpAddr, to: &mut String) {
    use fmt::Write;
    write!(to, "{}", address.to_canonical()).expect("a string takes every text");
}

fn claim(principal: &Principal, name: &str, to: &mut String) -> Option<()> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match principal.claim(name)? {
        Value::String(text) => to.push_str(text),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(text).collect();
            return join(items?.iter().map(String::as_str), ',', to);
        }
        value => to.push_str(&text(value)?),
    }
    Some(())
}

/// An item with the separator in it would be read as two: a role `a,admin` as the role `admin`.
fn join<'a>(items: impl Iterator<Item = &'a str>, separator: char, to: &mut String) -> Option<()> {
    for (number, item) in items.enumerate() {
        if item.contains(separator) || !is_plain(item) {
            return None;
        }
        if number > 0 {
            to.push(separator);
        }
        to.push_str(item);
    }
    Some(())
}

/// Whether every reader takes it for the same text: space around a value is cut off (RFC 9110, 5.5).
fn is_plain(text: &str) -> bool {
    let is_visible = |byte: u8| matches!(byte, b' '..=b'~');
    !text.is_empty() && text.trim().len() == text.len() && text.bytes().all(is_visible)
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if HeaderValue::from_str(text).is_err() {
            return Err(TemplateError::Text);
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = match brace {
                "{" => after.split_once('}').ok_or(TemplateError::Brace)?,
                _ => return Err(TemplateError::Brace),
            };
            let fact = Fact::named(name).ok_or(TemplateError::Fact)?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Fact(fact, name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }
}

/// The text around the facts may be a secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.facts()).finish()
    }
}

/// Why a text is no template. It does not repeat the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateError {
    /// It is no header value.
    Text,
    /// A brace stands alone.
    Brace,
    /// There is no such fact.
    Fact,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a header value has visible ASCII characters on one line"),
            Self::Brace => {
                f.write_str("a brace stands alone; braces around no fact are written `{{` and `}}`")
            }
            Self::Fact => {
                let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                write!(
                    f,
                    "there is no fact of this name; known are {}, path.NAME and claim.NAME",
                    names.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for TemplateError {}

const NAMES: [(&str, Fact); 14] = [
    ("request_id", Fact::RequestId),
    ("client_addr", Fact::ClientAddr),
    ("peer", Fact::Peer),
    ("route", Fact::Route),
    ("route.pattern", Fact::RoutePattern),
    ("method", Fact::Method),
    ("host", Fact::Host),
    ("path", Fact::Path),
    ("principal", Fact::Principal),
    ("principal.realm", Fact::Realm),
    ("principal.tenant", Fact::Tenant),
    ("principal.scopes", Fact::Scopes),
    ("principal.roles", Fact::Roles),
    ("principal.groups", Fact::Groups),
];

#[cfg(test)]
mod tests {
    use gateway_core::{
        Clock,
        facts::{PathParams, RequestId, Route},
    };
    use proptest::prelude::*;

    use super::*;

    fn request(principal: Option<&Principal>) -> Request<()> {
        let mut request = Request::get("/a%20b?q=1").header("host", "example.com").body(()).unwrap();
        let facts = Facts::of(request.extensions_mut(), &Clock::default());
        facts.set_request_id(RequestId::parse(&HeaderValue::from_static("id-7")).unwrap());
        facts.set_client_addr("::ffff:10.0.0.1".parse().unwrap());
        facts.set_peer("[2001:db8::1]:4000".parse().unwrap());
        facts.set_route(&Route::new("orders", "/{id}"));
        let path = "/7%20/a/b?x".parse().unwrap();
        facts.set_path_params(&PathParams::new("/{id}/{*rest}".into(), &path));
        if let Some(principal) = principal {
            facts.set_principal(principal);
        }
        request
    }

    fn value(text: &str, request: &Request<()>) -> Option<String> {
        let value = text.parse::<Template>().unwrap().value(request)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_fact_says_what_it_knows() {
        let claims = serde_json::json!({"plan": "pro", "age": 7, "vip": true, "teams": ["a", 2], "x": {"y": 1}, "no": null});
        let ada = Principal::new("shop", "ada")
            .with_tenant("blue")
            .with_scopes(["read", "write"])
            .with_roles(["admin", "owner"])
            .with_groups(["staff"])
            .with_claims(claims.as_object().unwrap().clone());
        let request = request(Some(&ada));
        for (template, expected) in [
            ("{request_id}", Some("id-7")),
            ("{client_addr} {peer}", Some("10.0.0.1 2001:db8::1")),
            ("{route} {route.pattern}", Some("orders /{id}")),
            ("{method} {host}{path}", Some("GET example.com/a%20b")),
            ("{principal}@{principal.realm}", Some("ada@shop")),
            ("{principal.tenant}", Some("blue")),
            ("{principal.scopes};{principal.roles};{principal.groups}", Some("read write;admin,owner;staff")),
            ("{claim.plan} {claim.age} {claim.vip} {claim.teams}", Some("pro 7 true a,2")),
            ("{path.id}/{path.rest}", Some("7%20/a/b")),
            ("{path.other}", None),
            ("{claim.x}", None),
            ("{claim.no}", None),
            ("{claim.other}", None),
            ("{{{principal}}} {{}}", Some("{ada} {}")),
        ] {
            assert_eq!(value(template, &request).as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn a_fact_that_is_missing_leaves_no_half_value() {
        let bare = Request::new(());
        for name in NAMES.map(|(name, _)| name).into_iter().chain(["claim.x"]) {
            let is_known = matches!(name, "method" | "path");
            assert_eq!(value(&format!("a {{{name}}} b"), &bare).is_some(), is_known, "{name}");
        }
        let anybody = request(Some(&Principal::new("shop", "ada")));
        for template in ["{principal.tenant}", "{principal.scopes}", "{principal.roles}"] {
            assert_eq!(value(template, &anybody), None, "{template}");
        }
    }

    #[test]
    fn what_a_reader_would_take_for_something_else_is_no_value() {
        for id in ["", " ada", "ada ", "ada\r\nx-admin: 1", "ad\u{e4}", "a\tb", "a\0", "a\u{7f}"] {
            assert_eq!(value("{principal}", &request(Some(&Principal::new("shop", id)))), None, "{id:?}");
        }
        let roles = Principal::new("shop", "ada").with_roles(["a,admin"]).with_scopes(["read write"]);
        assert_eq!(value("{principal.roles}", &request(Some(&roles))), None);
        assert_eq!(value("{principal.scopes}", &request(Some(&roles))), None);
    }

    #[test]
    fn a_text_that_is_no_template_is_an_error_that_does_not_repeat_it() {
        for (text, error) in [
            ("{hush", TemplateError::Brace),
            ("hush}", TemplateError::Brace),
            ("{{hush}", TemplateError::Brace),
            ("{hush}", TemplateError::Fact),
            ("{}", TemplateError::Fact),
            ("{claim.}", TemplateError::Fact),
            ("{ principal }", TemplateError::Fact),
            ("a\nhush", TemplateError::Text),
        ] {
            let found = text.parse::<Template>().unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("hush"));
        }
        assert!(!format!("{:?}", "hush {route}".parse::<Template>().unwrap()).contains("hush"));
    }

    proptest! {
        #[test]
        fn text_with_doubled_braces_is_itself(text in "[ -~]{0,30}") {
            let written = text.replace('{', "{{").replace('}', "}}");
            let template: Template = written.parse().unwrap();
            prop_assert_eq!(template.constant().unwrap(), text.as_str());
        }

        #[test]
        fn whatever_a_caller_is_called_the_value_is_one_line(id in any::<String>()) {
            let found = value("user={principal}", &request(Some(&Principal::new("shop", &id))));
            let is_safe = !id.is_empty() && id.trim() == id && id.chars().all(|c| matches!(c, ' '..='~'));
            prop_assert_eq!(found, is_safe.then(|| format!("user={id}")));
        }
    }
}
