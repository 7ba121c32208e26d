use std::{fmt, sync::Arc, time::SystemTime};

use gateway_core::{Network, facts::Route};
use http::{HeaderName, Method, request::Parts};

use super::{
    condition::Condition, hosts::Host, media::MediaType, methods::Methods, regex::Regex, text::Text,
};

/// Which requests a route serves: every part that is set must match, in one of the alternatives.
///
/// ```
/// use gateway_layers::routing::{Rule, Text};
/// use http::{HeaderName, Method};
///
/// let orders = Rule::prefix("/orders").host("api.example.com").method(Method::GET).method(Method::POST);
/// assert_eq!(orders.to_string(), "GET, POST api.example.com/orders/*");
///
/// let beta = HeaderName::from_static("x-beta");
/// let either = Rule::path("/new").or(Rule::prefix("/").header(beta, Text::present())).host("*.example.com");
/// assert_eq!(either.to_string(), "*.example.com/new | *.example.com/* [header x-beta]");
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) name: Option<String>,
    pub(super) alternatives: Vec<Match>,
}

/// One alternative of a rule.
#[derive(Clone, Debug)]
pub(super) struct Match {
    /// Empty: every host.
    pub(super) hosts: Vec<String>,
    pub(super) path: Path,
    pub(super) methods: Methods,
    pub(super) conditions: Vec<Condition>,
    /// What is wrong with values that were given.
    pub(super) errors: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Path {
    Pattern(String),
    Prefix(String),
    // Without the feature `regex` none can be made.
    Regex(Regex),
}

impl Rule {
    /// The most segments that a pattern may have: far more than any path that people write.
    pub const MAX_SEGMENTS: usize = 64;

    /// The most conditions that an alternative may have beside host, path and methods.
    pub const MAX_CONDITIONS: usize = 64;

    /// Paths of this pattern: `{name}` is one whole segment that is not empty, `{*rest}` at the end is one segment or more.
    /// `/orders/{*rest}` matches `/orders/1/items` and not `/orders`; see [`Rule::prefix`]. What the names stand for
    /// is the fact [`path_params`](gateway_core::Facts::path_params).
    pub fn path(pattern: impl Into<String>) -> Self {
        Self::of(Path::Pattern(pattern.into()))
    }

    /// This path and everything below it, by whole segments: `/abc` matches `/abc`, `/abc/` and `/abc/d`, and not
    /// `/abcd`.
    pub fn prefix(path: impl Into<String>) -> Self {
        Self::of(Path::Prefix(path.into()))
    }

    /// Paths that a regular expression matches as a whole, from the first slash to the end; never the query. It is
    /// over bytes: `\d`, `\w` and `(?i)` mean ASCII, and paths are ASCII. One that is wrong, longer than 1,000 bytes or
    /// needs more than 256 KiB is an error of the table.
    ///
    /// It is slower than a pattern, and it is tried only below the segments that it begins with: `/users/` for
    /// `/users/[0-9]+`. Those with the same beginning are tried one by one.
    #[cfg(feature = "regex")]
    #[must_use]
    pub fn regex(expression: &str) -> Self {
        Self::of(Path::Regex(Regex::new(expression)))
    }

    fn of(path: Path) -> Self {
        let only = Match {
            hosts: Vec::new(),
            path,
            methods: Methods::default(),
            conditions: Vec::new(),
            errors: Vec::new(),
        };
        Self { name: None, alternatives: vec![only] }
    }

    /// The alternatives of `other` too. What is called afterwards narrows all of them; the name stays this rule's.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.alternatives.extend(other.alternatives);
        self
    }

    /// The name in logs, metrics and messages, unique in a table. If nothing is said it is the rule's text.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Requests for this host, or one of those that other calls name: `api.example.com`, or `*.example.com` for every
    /// host below `example.com`. Case and port do not count.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.alternatives.iter_mut().for_each(|one| one.hosts.push(host.clone()));
        self
    }

    /// Requests with this method, or one of those that other calls name. `GET` includes `HEAD`.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        if let Some((last, others)) = self.alternatives.split_last_mut() {
            others.iter_mut().for_each(|one| one.methods.add(method.clone()));
            last.methods.add(method);
        }
        self
    }

    /// Serves `HEAD` only where it is named, as the Gateway API has it.
    #[must_use]
    pub fn without_head(self) -> Self {
        self.each(|one| one.methods.keep_head_apart())
    }

    /// Requests whose header is this. Of several values of one name the first counts.
    #[must_use]
    pub fn header(self, name: HeaderName, value: impl Into<Text>) -> Self {
        self.when_all(Condition::Header(name, value.into()))
    }

    /// Requests whose query has this parameter; its name and value are compared decoded. Of several of one name the
    /// first counts: do not grant by it what the service behind decides by the last.
    #[must_use]
    pub fn query(self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.when_all(Condition::Query(name.into().into(), value.into()))
    }

    /// Requests with this cookie. Of several of one name the first counts.
    #[must_use]
    pub fn cookie(self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.when_all(Condition::Cookie(name.into().into(), value.into()))
    }

    /// Requests from clients in these networks. The client is the fact `client_addr`, and where no layer found it, the
    /// peer.
    #[must_use]
    pub fn from(self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.when_all(Condition::From(networks.into_iter().collect()))
    }

    /// Requests over TLS connections whose client asked for this name (SNI): `api.example.com` or `*.example.com`. The
    /// `Host` of a request may be another one.
    #[must_use]
    pub fn server_name(self, name: &str) -> Self {
        match Host::parse(name) {
            Ok(name) => self.when_all(Condition::ServerName(name)),
            Err(error) => self.each(|one| one.errors.push(format!("server name: {error}"))),
        }
    }

    /// Requests whose body is of this media type: `application/json`, or `image/*`.
    #[must_use]
    pub fn media_type(self, media_type: &str) -> Self {
        match MediaType::parse(media_type) {
            Ok(media) => self.when_all(Condition::Media(media)),
            Err(error) => self.each(|one| one.errors.push(error.clone())),
        }
    }

    /// Requests from this moment of wall time on.
    #[must_use]
    pub fn after(self, moment: SystemTime) -> Self {
        self.window(Some(moment), None)
    }

    /// Requests before this moment of wall time.
    #[must_use]
    pub fn before(self, moment: SystemTime) -> Self {
        self.window(None, Some(moment))
    }

    /// Requests that pass a test of your own, which has a name for messages. It should be quick and say the same about
    /// the same request; a panic costs the request a 500.
    #[must_use]
    pub fn when(
        self,
        name: impl Into<String>,
        test: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.when_all(Condition::Own(name.into().into(), Arc::new(test)))
    }

    fn when_all(mut self, condition: Condition) -> Self {
        if let Some((last, others)) = self.alternatives.split_last_mut() {
            others.iter_mut().for_each(|one| one.conditions.push(condition.clone()));
            last.conditions.push(condition);
        }
        self
    }

    fn window(self, from: Option<SystemTime>, until: Option<SystemTime>) -> Self {
        self.each(|one| {
            let known = one.conditions.iter_mut().find_map(|condition| match condition {
                Condition::Window { after, before } => Some((after, before)),
                _ => None,
            });
            match known {
                Some((after, before)) => {
                    *after = from.or(*after);
                    *before = until.or(*before);
                }
                None => one.conditions.push(Condition::Window { after: from, before: until }),
            }
        })
    }

    fn each(mut self, change: impl Fn(&mut Match)) -> Self {
        self.alternatives.iter_mut().for_each(change);
        self
    }

    /// The route as logs and metrics know it.
    pub(crate) fn route(&self) -> Route {
        let name = self.name.clone().unwrap_or_else(|| self.to_string());
        let mut patterns: Vec<String> = self.alternatives.iter().map(|one| one.path.to_string()).collect();
        patterns.dedup();
        Route::new(name, patterns.join(" | "))
    }
}

impl Match {
    /// Its conditions in words, in brackets; nothing if it has none.
    fn bracket(&self) -> String {
        let texts: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        if texts.is_empty() { String::new() } else { format!(" [{}]", texts.join("; ")) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.alternatives.iter().enumerate() {
            let between = if index > 0 { " | " } else { "" };
            write!(f, "{between}{}{}{}{}", one.methods, one.hosts.join(","), one.path, one.bracket())?;
        }
        Ok(())
    }
}

/// The pattern of paths, without host and methods.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => f.write_str(pattern),
            Self::Prefix(path) => write!(f, "{}/*", path.trim_end_matches('/')),
            Self::Regex(regex) => write!(f, "~{}", regex.as_str()),
        }
    }
}
