use super::hosts::{Host, Hosts};

/// Which of several listeners on one port takes a request, by their host patterns: the most specific one, and no other
/// (GEP-1364's isolation: what one listener does not serve, another must not serve for it).
///
/// ```
/// use gateway_layers::routing::Listeners;
///
/// let listeners = Listeners::new([(None, "any"), (Some("*.example.com"), "wide"), (Some("a.example.com"), "a")])?;
/// assert_eq!(listeners.taking(Some("a.example.com")), Some(&"a"));
/// assert_eq!(listeners.taking(Some("b.c.example.com")), Some(&"wide"));
/// assert_eq!(listeners.taking(Some("example.com")), Some(&"any"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct Listeners<T>(Hosts<Option<T>>);

impl<T> Listeners<T> {
    /// Listeners by their host patterns; `None` takes every host.
    ///
    /// # Errors
    /// A pattern that is none, or that two listeners have.
    pub fn new<'a>(listeners: impl IntoIterator<Item = (Option<&'a str>, T)>) -> Result<Self, String> {
        let mut hosts = Hosts::<Option<T>>::default();
        for (pattern, listener) in listeners {
            let host = pattern.map_or(Ok(Host::Any), Host::parse)?;
            if hosts.at(host).replace(listener).is_some() {
                let pattern = pattern.unwrap_or("*");
                return Err(format!("host `{pattern}`: two listeners take it"));
            }
        }
        Ok(Self(hosts))
    }

    /// The listener that takes a canonical host.
    #[must_use]
    pub fn taking(&self, host: Option<&str>) -> Option<&T> {
        self.0.taking(host).find_map(Option::as_ref)
    }
}

/// The hosts that a route with these patterns serves behind a listener with that one; `None` in front means every
/// host, and an empty list that the route is not for this listener at all.
///
/// ```
/// use gateway_layers::routing::hosts_behind;
///
/// let route = ["very.specific.com", "*.specific.com", "other.io"];
/// assert_eq!(hosts_behind(Some("very.specific.com"), &route)?, ["very.specific.com"]);
/// assert_eq!(hosts_behind(Some("*.very.specific.com"), &route)?, ["*.very.specific.com"]);
/// assert_eq!(hosts_behind(Some("*.io"), &[])?, ["*.io"]);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// A pattern that is none.
pub fn hosts_behind(listener: Option<&str>, route: &[&str]) -> Result<Vec<String>, String> {
    let outer = listener.map_or(Ok(Host::Any), Host::parse)?;
    let mut found = Vec::new();
    if let (Some(listener), []) = (listener, route) {
        found.push(listener.to_ascii_lowercase());
    }
    for &pattern in route {
        let inner = Host::parse(pattern)?;
        let both = match (outer.covers(&inner), inner.covers(&outer)) {
            (true, _) => pattern.to_ascii_lowercase(),
            // A route cannot cover every host, so the listener has a pattern.
            (false, true) => listener.unwrap_or(pattern).to_ascii_lowercase(),
            (false, false) => continue,
        };
        if !found.contains(&both) {
            found.push(both);
        }
    }
    Ok(found)
}
