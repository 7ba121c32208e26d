use std::sync::Arc;

use gateway_core::{
    meter::{Decisions, Meter},
    phase::{self, Staged},
};

use crate::json::{FieldError, PlanBuilder, Policy, Rewriting, RewritingFuture};

/// The service of [`JsonBodyLayer`].
pub type JsonBody<S> = Rewriting<S>;

/// The future of [`JsonBody`].
pub type JsonBodyFuture<F> = RewritingFuture<F>;

/// What happens to the fields of answers.
#[derive(Clone, Debug, Default)]
pub struct Rules(PlanBuilder);

impl Rules {
    /// Nothing happens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The field is taken out, with its name.
    #[must_use]
    pub fn drop(mut self, field: impl Into<String>) -> Self {
        self.0.drop_field(field);
        self
    }

    /// The field gets another name in the same object. 64 fields at most.
    #[must_use]
    pub fn rename(mut self, field: impl Into<String>, to: impl Into<String>) -> Self {
        self.0.rename(field, to);
        self
    }

    /// The field stays; with one such rule, everything goes that none allows.
    #[must_use]
    pub fn allow(mut self, field: impl Into<String>) -> Self {
        self.0.allow(field);
        self
    }

    /// Every rule that cannot be kept.
    #[cfg(feature = "config")]
    pub(super) fn errors(&self) -> Vec<FieldError> {
        self.0.errors()
    }
}

/// Edits the fields of JSON answers. See the [module](super).
#[derive(Clone, Debug)]
pub struct JsonBodyLayer {
    policy: Option<Arc<Policy>>,
}

impl JsonBodyLayer {
    /// A layer of these rules for answers.
    ///
    /// # Errors
    /// Names the first field that cannot be understood, or that has two rules.
    pub fn new(rules: Rules) -> Result<Self, FieldError> {
        if rules.0.is_empty() {
            return Ok(Self::off());
        }
        let words = rules.0.words().join(", ");
        let policy = Policy::new("json_body", rules.0.build()?, words);
        Ok(Self { policy: Some(policy) })
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { policy: None }
    }

    /// Refuses answers that are no JSON with 502 `not_json`, instead of passing them untouched. A client that may choose
    /// the form of an answer, by `Accept` or otherwise, could ask for one that no rule is about.
    #[must_use]
    pub fn json_only(mut self, only: bool) -> Self {
        if let Some(policy) = &mut self.policy {
            Arc::make_mut(policy).json_only = only;
        }
        self
    }

    /// Counts in this meter as `gateway_decisions_total{layer="json_body", place, verdict}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        if let Some(policy) = &mut self.policy {
            Arc::make_mut(policy).decisions = Decisions::new(meter, "json_body", place);
        }
        self
    }
}

impl<S> tower_layer::Layer<S> for JsonBodyLayer {
    type Service = JsonBody<S>;

    fn layer(&self, inner: S) -> JsonBody<S> {
        Rewriting::new(self.policy.clone().ok_or("json_body"), inner)
    }
}

impl Staged for JsonBodyLayer {
    type Phase = phase::Shape;
}
