//! Targets of branches, with values in them: `/orders?user={id}&page={query.page}`.

use std::{borrow::Cow, fmt};

use gateway_core::canonical::canonical_path;
use http::uri::PathAndQuery;

use super::field::Field;

/// A target in origin form with places for values.
#[derive(Clone, Debug)]
pub(super) struct Template {
    path: Vec<Piece>,
    query: Vec<Pair>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Value(Source),
}

/// `name=value` of a query; the name is text.
#[derive(Clone, Debug)]
struct Pair {
    name: String,
    value: Option<Vec<Piece>>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `{id}`: a parameter of the path.
    Parameter(String),
    /// `{query.page}`: a parameter of the client's query.
    Query(String),
    /// `{principal.id}`: who is calling.
    PrincipalId,
    /// `{principal.tenant}`: the customer that the caller belongs to.
    PrincipalTenant,
    /// `{user.address.city}`: a field of another branch's answer.
    Field(String, Field),
}

/// What is there for a [`Source`].
pub(super) enum Found<'a> {
    Value(Cow<'a, [u8]>),
    Nothing,
    /// The client said it twice, and servers disagree on which one counts.
    Twice,
}

/// Why no target could be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfilled {
    pub(super) why: String,
    /// Whether the value was the client's, not a branch's.
    pub(super) of_client: bool,
}

impl Template {
    /// The longest target, in bytes; as much as a client may send.
    pub(super) const MAX: usize = 8 << 10;

    /// Reads a target and checks that it is canonical wherever it is text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        let path = pieces(path)?;
        let query = query.map_or_else(
            || Ok(Vec::new()),
            |query| query.split('&').map(pair).collect::<Result<_, String>>(),
        )?;
        let template = Self { path, query };
        template.check()?;
        Ok(template)
    }

    /// Every place for a value, in order.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        let of_query = self.query.iter().filter_map(|pair| pair.value.as_ref()).flatten();
        self.path.iter().chain(of_query).filter_map(|piece| match piece {
            Piece::Value(source) => Some(source),
            Piece::Text(_) => None,
        })
    }

    /// The target with its values, each percent-encoded down to unreserved characters (RFC 3986, 2.3), so that no
    /// value adds a segment or a parameter. The result is canonical: a value that makes it another path (empty, `..`,
    /// with a slash) is refused. `name={query.x}` is left out where the client has no `x`.
    pub(super) fn fill<'a>(&self, find: impl Fn(&Source) -> Found<'a>) -> Result<PathAndQuery, Unfilled> {
        let mut target = String::new();
        for piece in &self.path {
            match piece {
                Piece::Text(text) => target.push_str(text),
                Piece::Value(source) => {
                    let value = value(source, find(source))?;
                    if value.is_empty() {
                        return Err(source.unfilled("is empty"));
                    }
                    encode(&value, &mut target);
                    // Asked here, so that the message names the value; the end of the path is checked below.
                    if !value.iter().all(|byte| !matches!(byte, 0 | b'/' | b'\\')) {
                        return Err(source.unfilled("holds a NUL, a slash or a backslash"));
                    }
                }
            }
        }
        if canonical_path(&target) != Ok(None) {
            let of_client = self.sources().all(Source::is_clients);
            return Err(Unfilled { why: "a value makes it another path".to_owned(), of_client });
        }
        let mut sign = '?';
        for Pair { name, value: pieces } in &self.query {
            if let Some([Piece::Value(source @ Source::Query(_))]) = pieces.as_deref()
                && matches!(find(source), Found::Nothing)
            {
                continue;
            }
            target.push(sign);
            sign = '&';
            target.push_str(name);
            let Some(pieces) = pieces else { continue };
            target.push('=');
            for piece in pieces {
                match piece {
                    Piece::Text(text) => target.push_str(text),
                    Piece::Value(source) => encode(&value(source, find(source))?, &mut target),
                }
            }
        }
        let of_client = self.sources().all(Source::is_clients);
        if target.len() > Self::MAX {
            return Err(Unfilled { why: format!("it is longer than {} bytes", Self::MAX), of_client });
        }
        PathAndQuery::try_from(target).map_err(|_| Unfilled { why: "it is no target".to_owned(), of_client })
    }

    fn check(&self) -> Result<(), String> {
        // `x` is no hexadecimal digit, so half an escape in front of a value is found.
        let plain = |pieces: &[Piece]| -> String {
            pieces.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x" }).collect()
        };
        let path = plain(&self.path);
        match canonical_path(&path) {
            Ok(None) if !path.is_empty() => {}
            Ok(None) => return Err("a target starts with `/`".to_owned()),
            Ok(Some(canonical)) => {
                return Err(format!("its path is not canonical; that would be `{canonical}`"));
            }
            Err(error) => return Err(error.as_str().to_owned()),
        }
        for pair in &self.query {
            if pair.name.contains(['{', '}']) {
                return Err("in a query a value stands behind a `=`".to_owned());
            }
            let text = format!("{}={}", pair.name, pair.value.as_deref().map(plain).unwrap_or_default());
            let is_escaped = text.split('%').skip(1).all(|rest| {
                rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            });
            if !is_escaped || text.contains('#') || PathAndQuery::try_from(format!("/?{text}")).is_err() {
                return Err(format!("`{text}` is no part of a query"));
            }
        }
        Ok(())
    }
}

impl Source {
    /// Whether the client said it, or somebody spoke for the client; not a branch.
    pub(super) const fn is_clients(&self) -> bool {
        !matches!(self, Self::Field(..))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        match text.split_once('.') {
            None if is_word(text) => Ok(Self::Parameter(text.to_owned())),
            Some(("query", name)) if is_word(name) => Ok(Self::Query(name.to_owned())),
            Some(("principal", "id")) => Ok(Self::PrincipalId),
            Some(("principal", "tenant")) => Ok(Self::PrincipalTenant),
            Some((branch, field)) if is_word(branch) && !RESERVED.contains(&branch) => {
                Ok(Self::Field(branch.to_owned(), Field::parse(field)?))
            }
            _ => Err(format!(
                "`{{{text}}}`: expected a parameter of the path {{id}}, {{query.NAME}}, {{principal.id}}, {{principal.tenant}} or a field {{BRANCH.FIELD}}"
            )),
        }
    }

    fn unfilled(&self, what: &str) -> Unfilled {
        Unfilled { why: format!("`{{{self}}}` {what}"), of_client: self.is_clients() }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => f.write_str(name),
            Self::Query(name) => write!(f, "query.{name}"),
            Self::PrincipalId => f.write_str("principal.id"),
            Self::PrincipalTenant => f.write_str("principal.tenant"),
            Self::Field(branch, field) => write!(f, "{branch}.{field}"),
        }
    }
}

fn value<'a>(source: &Source, found: Found<'a>) -> Result<Cow<'a, [u8]>, Unfilled> {
    match found {
        Found::Value(value) => Ok(value),
        Found::Nothing => Err(source.unfilled("is not there")),
        Found::Twice => Err(source.unfilled("is there more than once")),
    }
}

fn pair(text: &str) -> Result<Pair, String> {
    Ok(match text.split_once('=') {
        Some((name, value)) => Pair { name: name.to_owned(), value: Some(pieces(value)?) },
        None => Pair { name: text.to_owned(), value: None },
    })
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').ok_or("a `{` is not closed")?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Value(Source::parse(name)?));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    match pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('}'))) {
        true => Err("a `}` is not opened".to_owned()),
        false => Ok(pieces),
    }
}

fn encode(value: &[u8], target: &mut String) {
    for &byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(byte.into());
        } else {
            target.push('%');
            target.push(HEX[usize::from(byte >> 4)].into());
            target.push(HEX[usize::from(byte & 15)].into());
        }
    }
}

/// Names that no branch may have, because values are named so.
pub(super) const RESERVED: [&str; 2] = ["query", "principal"];

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(template: &str, values: &[(&str, &str)]) -> Result<String, Unfilled> {
        let template = Template::parse(template).unwrap();
        let target = template.fill(|source| {
            let found = values.iter().find(|(name, _)| *name == source.to_string());
            found.map_or(Found::Nothing, |(_, value)| Found::Value(value.as_bytes().to_vec().into()))
        });
        target.map(|target| target.to_string())
    }

    #[test]
    fn values_are_encoded_and_stay_where_they_are_put() {
        for (template, values, target) in [
            ("/users/{id}", &[("id", "7")][..], "/users/7"),
            ("/users/{id}/a", &[("id", "ä ?#&=+;:%")], "/users/%C3%A4%20%3F%23%26%3D%2B%3B%3A%25/a"),
            ("/a.{id}", &[("id", "..")], "/a..."),
            ("/s?q={query.q}&size=5", &[("query.q", "a&b=c#/\0")], "/s?q=a%26b%3Dc%23%2F%00&size=5"),
            ("/s?q={query.q}&size=5", &[], "/s?size=5"),
            ("/s?q={query.q}", &[], "/s"),
            ("/s?flag&u={user.address.city}", &[("user.address.city", "")], "/s?flag&u="),
            (
                "/t/{principal.tenant}?u={principal.id}",
                &[("principal.tenant", "t"), ("principal.id", "a@b")],
                "/t/t?u=a%40b",
            ),
        ] {
            assert_eq!(fill(template, values).as_deref(), Ok(target), "{template}");
        }
    }

    #[test]
    fn a_value_that_would_be_another_path_is_refused() {
        for (value, why) in [
            ("..", "a value makes it another path"),
            (".", "a value makes it another path"),
            ("", "`{id}` is empty"),
            ("a/b", "`{id}` holds a NUL, a slash or a backslash"),
            ("\\", "`{id}` holds a NUL, a slash or a backslash"),
            ("\0", "`{id}` holds a NUL, a slash or a backslash"),
        ] {
            let error = fill("/users/{id}/orders", &[("id", value)]).unwrap_err();
            assert_eq!(error, Unfilled { why: why.to_owned(), of_client: true }, "{value}");
        }
        let error = fill("/{user.id}?a={query.b}x", &[("user.id", "7")]).unwrap_err();
        assert_eq!(error, Unfilled { why: "`{query.b}` is not there".to_owned(), of_client: true });
        assert!(!fill("/{user.id}", &[]).unwrap_err().of_client);
        let long = "a".repeat(9000);
        assert_eq!(fill("/{id}", &[("id", &long)]).unwrap_err().why, "it is longer than 8192 bytes");
    }

    #[test]
    fn a_template_that_is_not_canonical_is_refused() {
        for (template, why) in [
            ("users", "a path starts with `/`"),
            ("", "a target starts with `/`"),
            ("/a/../b", "its path is not canonical; that would be `/b`"),
            ("/a//{id}", "its path is not canonical; that would be `/a/x`"),
            ("/a%4{id}", "the path holds a `%` without two hexadecimal digits"),
            ("/a#b", "the path holds a byte that has to be escaped"),
            ("http://a/b", "a path starts with `/`"),
            ("/{id", "a `{` is not closed"),
            ("/id}", "a `}` is not opened"),
            ("/?{query.a}=1", "in a query a value stands behind a `=`"),
            ("/?a=%{id}", "`a=%x` is no part of a query"),
            ("/?a=b#c", "`a=b#c` is no part of a query"),
            ("/?a=b c", "`a=b c` is no part of a query"),
        ] {
            assert_eq!(Template::parse(template).unwrap_err(), why, "{template}");
        }
        for name in ["", "a b", "query.", "principal.password", "principal.", ".a", "a."] {
            assert!(Template::parse(&format!("/{{{name}}}")).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_value_adds_a_segment_or_a_parameter(
            value in "\\PC{0,8}|[./\\\\%?&=#;+ a-f0-9]{0,8}",
            other in "\\PC{0,8}|[./\\\\%?&=#;+ a-f0-9]{0,8}",
        ) {
            let template = "/users/{id}/orders?of={query.other}&size=5";
            if let Ok(target) = fill(template, &[("id", &value), ("query.other", &other)]) {
                let (path, query) = target.split_once('?').unwrap();
                prop_assert_eq!(canonical_path(path), Ok(None));
                let segments: Vec<&str> = path.split('/').collect();
                prop_assert_eq!((segments.len(), segments[1], segments[3]), (4, "users", "orders"));
                prop_assert_eq!(decoded(segments[2]), value.as_bytes());
                let pairs: Vec<&str> = query.split('&').collect();
                prop_assert_eq!((pairs.len(), pairs[1]), (2, "size=5"));
                prop_assert_eq!(decoded(pairs[0].strip_prefix("of=").unwrap()), other.as_bytes());
                prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
            } else {
                let is_path = |value: &str| value.contains(['/', '\\', '\0']) || ["", ".", ".."].contains(&value);
                prop_assert!(is_path(&value), "only a value that is a path is refused: {value:?}");
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[/?&={}a-c.%#]{0,24}") {
            drop(Template::parse(&text));
        }
    }

    fn decoded(text: &str) -> Vec<u8> {
        crate::aggregate::given::decode(text, false)
    }
}
