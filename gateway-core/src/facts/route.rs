use std::{fmt, sync::Arc};

/// The name and the pattern of the rule that serves a request. Cloning it is cheap, and all clones share
/// [`Route::address`].
#[derive(Clone)]
pub struct Route(Arc<(String, String)>);

impl Route {
    /// A route with a name for people and the pattern that it matches, such as `/orders/{id}`.
    pub fn new(name: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self(Arc::new((name.into(), pattern.into())))
    }

    /// The name, unique in one route table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.0
    }

    /// The pattern; never a raw path, so it is safe as a metric label.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.0.1
    }

    /// A number that all clones of this route share and no other living route has; a cheap key for caches that
    /// hold a clone of the route.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.pattern())
    }
}
