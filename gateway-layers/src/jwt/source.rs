use std::{pin::Pin, time::Duration};

use bytes::Bytes;

/// Where a key set comes from.
///
/// `gateway_core::fetch::Fetch` is one, over plain http for now. Implement it with a client of your own for everything
/// else, such as https.
pub trait KeySource: Send + Sync {
    /// The key set as it is now, or why it cannot be had. The future must end by itself within some seconds.
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<KeyDocument, String>> + Send>>;

    /// What messages call it, such as its URL.
    fn name(&self) -> String;
}

/// A key set as its source sends it.
#[derive(Clone, Debug)]
pub struct KeyDocument {
    /// A JWK set (RFC 7517, 5).
    pub body: Bytes,
    /// For how long its source says that it stays good.
    pub max_age: Option<Duration>,
}

#[cfg(feature = "client")]
impl KeySource for gateway_core::fetch::Fetch {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<KeyDocument, String>> + Send>> {
        let fetch = self.clone();
        Box::pin(async move {
            let fetched = fetch.get().await.map_err(|error| error.to_string())?;
            if fetched.status != http::StatusCode::OK {
                return Err(format!("{} answered {}", fetch.url(), fetched.status));
            }
            Ok(KeyDocument { max_age: max_age(&fetched.headers), body: fetched.body })
        })
    }

    fn name(&self) -> String {
        self.url().to_string()
    }
}

/// `max-age` of `Cache-Control` (RFC 9111, 5.2.2.1); none where it says that the answer must not be kept.
#[cfg(feature = "client")]
fn max_age(headers: &http::HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(http::header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => Some(0),
            "max-age" => value.trim_matches('"').parse().ok(),
            _ => None,
        }
    });
    seconds.map(Duration::from_secs)
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_what_the_source_says() {
        for (lines, expected) in [
            (&[][..], None),
            (&["max-age=60"], Some(60)),
            (&["public, Max-Age=60, must-revalidate"], Some(60)),
            (&["public", "max-age=\"60\""], Some(60)),
            (&["no-store"], Some(0)),
            (&["no-cache, max-age=60"], Some(0)),
            (&["max-age=soon"], None),
            (&["max-age=-1"], None),
            (&["s-maxage=60"], None),
        ] {
            let mut headers = http::HeaderMap::new();
            for line in lines {
                headers.append("cache-control", line.parse().unwrap());
            }
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{lines:?}");
        }
    }
}
