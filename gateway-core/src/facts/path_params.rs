use std::{fmt, sync::Arc};

use http::uri::PathAndQuery;

/// The parts of a request's path that the route's pattern has names for: `{id}` in `/orders/{id}`.
///
/// They are slices of the path as routing saw it, whatever a layer makes of the path later; escapes such as `%C3` are
/// not decoded. Cloning it is cheap.
///
/// ```
/// use gateway_core::facts::PathParams;
///
/// let path = "/shops/7/files/a/b?x=1".parse()?;
/// let params = PathParams::new("/shops/{shop}/files/{*rest}".into(), &path);
/// assert_eq!((params.get("shop"), params.get("rest"), params.get("x")), (Some("7"), Some("a/b"), None));
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
#[derive(Clone)]
pub struct PathParams {
    pattern: Arc<str>,
    target: PathAndQuery,
}

impl PathParams {
    /// The parameters of a path that matches this pattern.
    #[must_use]
    pub fn new(pattern: Arc<str>, target: &PathAndQuery) -> Self {
        Self { pattern, target: target.clone() }
    }

    /// The segment for `{name}`, or all the rest for `{*name}`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All of them, with their names, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = Some(self.target.path());
        self.pattern.split('/').filter_map(move |pattern| {
            let here = rest?;
            let (segment, further) = match here.split_once('/') {
                Some((segment, further)) => (segment, Some(further)),
                None => (here, None),
            };
            rest = further;
            let name = pattern.strip_prefix('{')?.strip_suffix('}')?;
            Some(match name.strip_prefix('*') {
                Some(name) => (name, here),
                None => (name, segment),
            })
        })
    }
}

impl fmt::Debug for PathParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
