use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

/// Who is calling: a person, a program or a tenant's key, as an authentication layer proved it. Cloning it is cheap,
/// so a layer that keeps verified credentials hands out the same one for every request.
///
/// ```
/// use gateway_core::facts::Principal;
///
/// let ada = Principal::new("https://login.example.com", "ada").with_tenant("analytics").with_scopes(["orders:read"]);
/// assert_eq!((ada.id(), ada.tenant()), ("ada", Some("analytics")));
/// ```
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

#[derive(Clone, Default)]
struct Inner {
    realm: String,
    id: String,
    tenant: Option<String>,
    scopes: Vec<String>,
    roles: Vec<String>,
    groups: Vec<String>,
    claims: Map<String, Value>,
}

impl Principal {
    /// A principal whose `id` is unique within its `realm`: the subject within a token's issuer, the owner of a key
    /// within `api_key`.
    pub fn new(realm: impl Into<String>, id: impl Into<String>) -> Self {
        Self(Arc::new(Inner { realm: realm.into(), id: id.into(), ..Inner::default() }))
    }

    /// The customer that it belongs to.
    #[must_use]
    pub fn with_tenant(self, tenant: impl Into<String>) -> Self {
        self.with(|inner| inner.tenant = Some(tenant.into()))
    }

    /// What it was allowed by whoever issued its credential (RFC 6749, 3.3).
    #[must_use]
    pub fn with_scopes(self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|inner| inner.scopes = scopes.into_iter().map(Into::into).collect())
    }

    /// What it is, such as `admin`.
    #[must_use]
    pub fn with_roles(self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|inner| inner.roles = roles.into_iter().map(Into::into).collect())
    }

    /// What it belongs to, such as a team.
    #[must_use]
    pub fn with_groups(self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|inner| inner.groups = groups.into_iter().map(Into::into).collect())
    }

    /// Whatever else its credential says.
    #[must_use]
    pub fn with_claims(self, claims: Map<String, Value>) -> Self {
        self.with(|inner| inner.claims = claims)
    }

    /// Its name, unique within the [realm](Self::realm).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Who vouches for it.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.realm
    }

    /// The customer that it belongs to, if it said so.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// What it was allowed.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// What it is.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// What it belongs to.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.0.groups
    }

    /// A claim of its credential, by its name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Claims are about people; they stay out of logs.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("realm", &self.0.realm)
            .field("id", &self.0.id)
            .field("tenant", &self.0.tenant)
            .finish_non_exhaustive()
    }
}
