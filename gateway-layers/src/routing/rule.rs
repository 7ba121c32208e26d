use gateway_core::facts::Route;
use http::Method;

/// Which requests a route serves: every part that is set must match.
///
/// ```
/// use gateway_layers::routing::Rule;
/// use http::Method;
///
/// let orders = Rule::prefix("/orders").host("api.example.com").method(Method::GET).method(Method::POST);
/// assert_eq!(orders.to_string(), "GET, POST api.example.com/orders/*");
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) name: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: Path,
    /// Empty: every method.
    pub(super) methods: Vec<Method>,
}

#[derive(Clone, Debug)]
pub(super) enum Path {
    Pattern(String),
    Prefix(String),
}

impl Rule {
    /// The most segments that a pattern may have: far more than any path that people write.
    pub const MAX_SEGMENTS: usize = 64;

    /// Paths of this pattern: `{name}` is one whole segment that is not empty, `{*rest}` at the end is one segment or more.
    /// `/orders/{*rest}` matches `/orders/1/items` and not `/orders`; see [`Rule::prefix`].
    pub fn path(pattern: impl Into<String>) -> Self {
        Self::of(Path::Pattern(pattern.into()))
    }

    /// This path and everything below it, by whole segments: `/abc` matches `/abc`, `/abc/` and `/abc/d`, and not
    /// `/abcd`.
    pub fn prefix(path: impl Into<String>) -> Self {
        Self::of(Path::Prefix(path.into()))
    }

    fn of(path: Path) -> Self {
        Self { name: None, host: None, path, methods: Vec::new() }
    }

    /// The name in logs, metrics and messages, unique in a table. If nothing is said it is the rule's text.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Requests for this host: `api.example.com`, or `*.example.com` for every host below `example.com`. Case and
    /// port do not count.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Requests with this method, or one of those that other calls name. `GET` includes `HEAD`.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        if !self.methods.contains(&method) {
            self.methods.push(method);
        }
        self
    }

    /// The route as logs and metrics know it.
    pub(crate) fn route(&self) -> Route {
        let name = self.name.clone().unwrap_or_else(|| self.to_string());
        Route::new(name, self.pattern())
    }

    /// The pattern of paths, without host and methods.
    pub(super) fn pattern(&self) -> String {
        match &self.path {
            Path::Pattern(pattern) => pattern.clone(),
            Path::Prefix(path) => format!("{}/*", path.trim_end_matches('/')),
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, method) in self.methods.iter().enumerate() {
            let after = if index + 1 < self.methods.len() { "," } else { "" };
            write!(f, "{method}{after} ")?;
        }
        write!(f, "{}{}", self.host.as_deref().unwrap_or_default(), self.pattern())
    }
}
