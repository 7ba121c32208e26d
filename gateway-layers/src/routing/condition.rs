//! What a rule may demand of a request beside its host, path and method.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gateway_core::{Facts, Network, facts::TlsSession};
use http::{HeaderName, header::CONTENT_TYPE, request::Parts};

use super::{fields, hosts::Host, media::MediaType, text::Text};

/// One of them. A match holds at most one of a kind and name, so two conditions of one match never contradict.
#[derive(Clone)]
pub(super) enum Condition {
    /// The first value of a header.
    Header(HeaderName, Text),
    /// The first value of a query parameter.
    Query(Box<str>, Text),
    /// The first value of a cookie.
    Cookie(Box<str>, Text),
    /// The client's address is in one of these networks.
    From(Box<[Network]>),
    /// The name that the client asked for in its TLS handshake.
    ServerName(Host),
    /// The media type of the body.
    Media(MediaType),
    /// From a moment on, and until another.
    Window { after: Option<SystemTime>, before: Option<SystemTime> },
    /// A test of the user's own, by name.
    Own(Box<str>, OwnTest),
}

pub(super) type OwnTest = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// The kinds that count for precedence, the first one most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Header,
    Query,
    Cookie,
    Other,
}

impl Condition {
    /// Whether a request meets it. `now` is the wall time.
    pub(super) fn holds(&self, head: &Parts, now: SystemTime) -> bool {
        match self {
            Self::Header(name, text) => {
                head.headers.get(name).is_some_and(|value| text.holds(value.as_bytes()))
            }
            Self::Query(name, text) => {
                let Some(query) = head.uri.query() else { return false };
                match text.as_exact() {
                    Some(expected) => fields::parameter_is(query, name, expected),
                    None => fields::parameter(query, name).is_some_and(|value| text.holds(&value)),
                }
            }
            Self::Cookie(name, text) => {
                fields::cookie(&head.headers, name).is_some_and(|value| text.holds(value))
            }
            Self::From(networks) => {
                client(head).is_some_and(|address| networks.iter().any(|network| network.contains(address)))
            }
            Self::ServerName(name) => {
                let session = Facts::get(&head.extensions).and_then(Facts::tls);
                session.and_then(TlsSession::server_name).is_some_and(|found| name.takes(Some(found)))
            }
            Self::Media(media) => {
                let found = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                found.is_some_and(|found| media.takes(found))
            }
            Self::Window { after, before } => {
                after.is_none_or(|after| now >= after) && before.is_none_or(|before| now < before)
            }
            Self::Own(_, test) => test(head),
        }
    }

    /// Whether every request that meets it meets `other` too, as far as that can be told: never a wrong yes.
    pub(super) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header(name, text), Self::Header(wanted, other)) => name == wanted && text.implies(other),
            (Self::Query(name, text), Self::Query(wanted, other))
            | (Self::Cookie(name, text), Self::Cookie(wanted, other)) => {
                name == wanted && text.implies(other)
            }
            (Self::From(networks), Self::From(others)) => {
                networks.iter().all(|network| others.iter().any(|other| other.covers(network)))
            }
            (Self::ServerName(name), Self::ServerName(other)) => other.covers(name),
            (Self::Media(media), Self::Media(other)) => other.covers(media),
            (Self::Window { after, before }, Self::Window { after: from, before: until }) => {
                let starts_late_enough = from.is_none_or(|from| after.is_some_and(|after| after >= from));
                let ends_early_enough =
                    until.is_none_or(|until| before.is_some_and(|before| before <= until));
                starts_late_enough && ends_early_enough
            }
            (Self::Own(_, test), Self::Own(_, other)) => Arc::ptr_eq(test, other),
            _ => false,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Header(..) => Kind::Header,
            Self::Query(..) => Kind::Query,
            Self::Cookie(..) => Kind::Cookie,
            Self::From(_) | Self::ServerName(_) | Self::Media(_) | Self::Window { .. } | Self::Own(..) => {
                Kind::Other
            }
        }
    }

    /// Whether it is about who asks, or when, and not about what a request says. Nobody for whom the rule is not there
    /// is told its methods.
    pub(super) fn hides(&self) -> bool {
        matches!(self, Self::From(_) | Self::ServerName(_) | Self::Window { .. } | Self::Own(..))
    }

    pub(super) fn reads_time(&self) -> bool {
        matches!(self, Self::Window { .. })
    }

    /// What it is about: two conditions of one subject cannot stand in one match.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Header(name, _) => format!("header {name}"),
            Self::Query(name, _) => format!("query {name}"),
            Self::Cookie(name, _) => format!("cookie {name}"),
            Self::From(_) => "from".to_owned(),
            Self::ServerName(_) => "server name".to_owned(),
            Self::Media(_) => "media type".to_owned(),
            Self::Window { .. } => "time".to_owned(),
            Self::Own(name, _) => name.to_string(),
        }
    }

    /// The exact value that a field must have, if that is all it says.
    pub(super) fn as_exact(&self) -> Option<&[u8]> {
        match self {
            Self::Header(_, text) | Self::Query(_, text) | Self::Cookie(_, text) => text.as_exact(),
            _ => None,
        }
    }

    /// What is wrong with it in any rule.
    pub(super) fn error(&self) -> Option<String> {
        match self {
            Self::Header(_, text) | Self::Query(_, text) | Self::Cookie(_, text) => {
                text.error().map(|error| format!("{}: {error}", self.subject()))
            }
            Self::From(networks) if networks.is_empty() => Some("from: no network is named".to_owned()),
            Self::Window { after: Some(after), before: Some(before) } if before <= after => {
                Some("time: it ends before it begins".to_owned())
            }
            _ => None,
        }
    }
}

/// The client behind trusted proxies; where nobody looked for one, the other end of the connection.
pub(super) fn client(head: &Parts) -> Option<IpAddr> {
    let facts = Facts::get(&head.extensions)?;
    facts.client_addr().or_else(|| facts.peer().map(|peer| peer.ip()))
}

/// As messages and explanations say it; for people.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(_, text) | Self::Query(_, text) | Self::Cookie(_, text) => {
                write!(f, "{}{text}", self.subject())
            }
            Self::From(networks) => {
                let texts: Vec<String> = networks.iter().map(ToString::to_string).collect();
                write!(f, "from {}", texts.join(", "))
            }
            Self::ServerName(name) => write!(f, "server name {name}"),
            Self::Media(media) => write!(f, "media type {media}"),
            Self::Window { after, before } => {
                let second = |moment: &SystemTime| {
                    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
                };
                let after = after.as_ref().map(|after| format!("after {}", second(after)));
                let before = before.as_ref().map(|before| format!("before {}", second(before)));
                let both: Vec<String> = after.into_iter().chain(before).collect();
                write!(f, "time {}", both.join(" and "))
            }
            Self::Own(name, _) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
