use std::{fmt, time::Duration};

use bytes::Bytes;
use gateway_core::{Body, BoxError};
use http::{HeaderName, Request, Response, header};
use http_body::Body as HttpBody;
use serde_json::Value;
use tower_service::Service;

use super::outcome::Rule;
use crate::routing::Stack;

/// One request of a [`Plan`](super::Plan): what is asked, of whom, and what its answer is to the whole.
///
/// It is a `GET` without a body, with `Accept: application/json` and `Accept-Encoding: identity`. Of the client's
/// headers it carries only those that are [named](Self::forward_header); without a word that is `Accept-Language`.
#[derive(Clone)]
pub struct Branch {
    pub(super) name: String,
    pub(super) get: String,
    pub(super) service: Option<Stack>,
    pub(super) rule: Rule,
    pub(super) timeout: Option<Duration>,
    pub(super) max_body: usize,
    pub(super) after: Vec<String>,
    pub(super) forward: Vec<HeaderName>,
    pub(super) group: Option<String>,
    pub(super) pick: Option<String>,
    pub(super) allow: Vec<String>,
    pub(super) deny: Vec<String>,
    pub(super) rename: Vec<(String, String)>,
}

impl Branch {
    /// 1 MiB: more than a page shows.
    pub const MAX_BODY: usize = 1 << 20;

    /// A branch that asks for this target, such as `/orders?user={id}&page={query.page}`. It is required, asks the
    /// service that the layer wraps, and its answer's fields are put into the whole at the top.
    ///
    /// | place | stands for |
    /// | --- | --- |
    /// | `{id}` | a parameter of the [plan's path](super::Plan::at) |
    /// | `{query.page}` | a parameter of the client's query; `page={query.page}` is left out where it is missing |
    /// | `{principal.id}`, `{principal.tenant}` | who is calling, as an authentication layer proved it |
    /// | `{user.address.city}` | a text, number or truth value of the answer of the branch `user`, as it came; this branch waits for it |
    ///
    /// Values are percent-encoded and cannot add a segment or a parameter; one that is empty, `..` or has a slash in
    /// a path, one that is missing and one that the client gave twice make the branch fail.
    pub fn new(name: impl Into<String>, get: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            get: get.into(),
            service: None,
            rule: Rule::Required,
            timeout: None,
            max_body: Self::MAX_BODY,
            after: Vec::new(),
            forward: vec![header::ACCEPT_LANGUAGE],
            group: None,
            pick: None,
            allow: Vec::new(),
            deny: Vec::new(),
            rename: Vec::new(),
        }
    }

    /// Asks this service, boxed once here.
    #[must_use]
    pub fn service<S, B>(self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.stack(Stack::new(service))
    }

    /// Asks the service behind this seam.
    #[must_use]
    pub fn stack(mut self, stack: Stack) -> Self {
        self.service = Some(stack);
        self
    }

    /// There is no whole without it: when it fails, the other branches are dropped and the client gets its failure.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.rule = Rule::Required;
        self
    }

    /// The whole is good without it: when it fails its group is `null`, and the failure is noted.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.rule = Rule::Optional;
        self
    }

    /// When it fails this stands in for it, as it is, and the failure is noted.
    #[must_use]
    pub fn fallback(mut self, value: Value) -> Self {
        self.rule = Rule::Fallback(value);
        self
    }

    /// How long its answer may take, body included, counted from when it is asked; never longer than the plan.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The longest answer, in bytes. [1 MiB](Self::MAX_BODY).
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Waits for another branch although no value of it is needed.
    #[must_use]
    pub fn after(mut self, branch: impl Into<String>) -> Self {
        self.after.push(branch.into());
        self
    }

    /// Carries the client's header of this name to the branch. Credentials go only where they are named. The answer
    /// says `Vary` for every name, and is private where a name is a credential.
    #[must_use]
    pub fn forward_header(mut self, name: HeaderName) -> Self {
        if !self.forward.contains(&name) {
            self.forward.push(name);
        }
        self
    }

    /// Carries these headers and no others.
    #[must_use]
    pub fn forward_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.forward = Vec::new();
        names.into_iter().fold(self, Self::forward_header)
    }

    /// Puts its answer, of whatever kind, under this name.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// First of all, takes this part of its answer, such as `data.items`, for the whole of it.
    #[must_use]
    pub fn pick(mut self, field: impl Into<String>) -> Self {
        self.pick = Some(field.into());
        self
    }

    /// Then only these fields stay. Paths go through lists: `items.price` is the price of every item.
    #[must_use]
    pub fn allow(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allow.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Then these fields go.
    #[must_use]
    pub fn deny(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.deny.extend(fields.into_iter().map(Into::into));
        self
    }

    /// At last this field gets another name in the object that holds it: `rename("address.zip", "postcode")` makes
    /// `address.postcode` of it.
    #[must_use]
    pub fn rename(mut self, field: impl Into<String>, name: impl Into<String>) -> Self {
        self.rename.push((field.into(), name.into()));
        self
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch")
            .field("name", &self.name)
            .field("get", &self.get)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}
