use std::{collections::HashMap, fmt, sync::Arc, time::SystemTime};

use gateway_core::facts::Principal;

use super::KeyDigest;

/// One key, and who calls with it. To change a key without a gap, give its owner two for a while.
#[derive(Clone, Debug)]
pub struct ApiKey {
    digest: KeyDigest,
    principal: Principal,
    expires: Option<SystemTime>,
    enabled: bool,
}

impl ApiKey {
    /// The key with this digest belongs to `owner`, who is the [id](Principal::id) of its principal.
    pub fn new(owner: impl Into<String>, digest: KeyDigest) -> Self {
        Self { digest, principal: Principal::new(Self::REALM, owner), expires: None, enabled: true }
    }

    /// The realm of principals that were proved by a key.
    pub const REALM: &'static str = "api_key";

    /// The customer that the owner belongs to.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.principal = self.principal.with_tenant(tenant);
        self
    }

    /// What the key allows.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.principal = self.principal.with_scopes(scopes);
        self
    }

    /// What the owner is.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.principal = self.principal.with_roles(roles);
        self
    }

    /// What the owner belongs to.
    #[must_use]
    pub fn groups(mut self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.principal = self.principal.with_groups(groups);
        self
    }

    /// The moment from which on the key is good no more.
    #[must_use]
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// Whether the key is good at all.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// Keys by their digests. Cloning it shares it. Of two keys with one digest the later one counts.
#[derive(Clone, Default)]
pub struct Store(Arc<HashMap<KeyDigest, ApiKey>>);

/// What a store says to a key.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    /// Whose it is.
    Good(&'a Principal),
    /// It is in no store.
    Unknown,
    /// It was good.
    Expired(&'a Principal),
    /// It is known and switched off.
    Disabled(&'a Principal),
}

impl Store {
    /// Whose key this is, at this moment.
    #[must_use]
    pub fn look_up(&self, key: &[u8], now: SystemTime) -> Lookup<'_> {
        let digest = KeyDigest::of(key);
        let Some(found) = self.0.get(&digest).filter(|found| found.digest.is(&digest)) else {
            return Lookup::Unknown;
        };
        match found {
            ApiKey { enabled: false, principal, .. } => Lookup::Disabled(principal),
            ApiKey { expires: Some(expires), principal, .. } if *expires <= now => Lookup::Expired(principal),
            ApiKey { principal, .. } => Lookup::Good(principal),
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<ApiKey> for Store {
    fn from_iter<I: IntoIterator<Item = ApiKey>>(keys: I) -> Self {
        Self(Arc::new(keys.into_iter().map(|key| (key.digest, key)).collect()))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("keys", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_is_good_until_it_ends_or_is_switched_off() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let key = |owner: &str, key: &str| ApiKey::new(owner, KeyDigest::of(key.as_bytes()));
        let store: Store =
            [key("ada", "first").expires(at(100)), key("ada", "second"), key("bob", "third").enabled(false)]
                .into_iter()
                .collect();
        let found = |text: &str, now| match store.look_up(text.as_bytes(), at(now)) {
            Lookup::Good(who) => format!("good {}", who.id()),
            Lookup::Unknown => "unknown".to_owned(),
            Lookup::Expired(who) => format!("expired {}", who.id()),
            Lookup::Disabled(who) => format!("disabled {}", who.id()),
        };
        for (text, now, expected) in [
            ("first", 99, "good ada"),
            ("first", 100, "expired ada"),
            ("second", 100, "good ada"),
            ("third", 0, "disabled bob"),
            ("First", 0, "unknown"),
            ("", 0, "unknown"),
        ] {
            assert_eq!(found(text, now), expected, "{text} at {now}");
        }
    }
}
