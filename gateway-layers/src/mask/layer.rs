use std::sync::Arc;

use gateway_core::{
    meter::{Decisions, Meter},
    phase::{self, Staged},
};

use crate::json::{Cover, FieldError, PlanBuilder, Policy, Rewriting, RewritingFuture};

/// The service of [`MaskLayer`].
pub type Mask<S> = Rewriting<S>;

/// The future of [`Mask`].
pub type MaskFuture<F> = RewritingFuture<F>;

/// Which fields are hidden, and how.
#[derive(Clone, Debug, Default)]
pub struct Rules(PlanBuilder);

impl Rules {
    /// Nothing is hidden.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The field's value becomes this text, of 64 bytes at most.
    #[must_use]
    pub fn replace(mut self, field: impl Into<String>, text: &str) -> Self {
        self.0.cover(field, Cover::text(text));
        self
    }

    /// The same, with the last characters of a text or a number behind it, 16 at most. A value of less than twice as
    /// many characters is hidden whole.
    #[must_use]
    pub fn keep_last(mut self, field: impl Into<String>, text: &str, characters: usize) -> Self {
        self.0.cover(field, Cover::text(text).showing(characters));
        self
    }

    /// The field is taken out, with its name.
    #[must_use]
    pub fn remove(mut self, field: impl Into<String>) -> Self {
        self.0.drop_field(field);
        self
    }

    /// Every rule that cannot be kept.
    #[cfg(feature = "config")]
    pub(super) fn errors(&self) -> Vec<FieldError> {
        self.0.errors()
    }
}

/// Hides fields of JSON answers. See the [module](super).
#[derive(Clone, Debug)]
pub struct MaskLayer {
    policy: Option<Arc<Policy>>,
}

impl MaskLayer {
    /// A layer of these rules.
    ///
    /// # Errors
    /// Names the first field that cannot be understood, that has two rules, or whose rule has a text that is too long.
    pub fn new(rules: Rules) -> Result<Self, FieldError> {
        if rules.0.is_empty() {
            return Ok(Self::off());
        }
        let words = rules.0.words().join(", ");
        let policy = Policy::new("mask", rules.0.build()?, words);
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

    /// Counts in this meter as `gateway_decisions_total{layer="mask", place, verdict}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        if let Some(policy) = &mut self.policy {
            Arc::make_mut(policy).decisions = Decisions::new(meter, "mask", place);
        }
        self
    }
}

impl<S> tower_layer::Layer<S> for MaskLayer {
    type Service = Mask<S>;

    fn layer(&self, inner: S) -> Mask<S> {
        Rewriting::new(self.policy.clone().ok_or("mask"), inner)
    }
}

impl Staged for MaskLayer {
    type Phase = phase::Shape;
}
