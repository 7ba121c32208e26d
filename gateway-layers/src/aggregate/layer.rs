use std::{fmt, sync::Arc};

use gateway_core::{
    Clock,
    budget::Buffers,
    meter::Meter,
    phase::{self, Staged},
};

use super::{Aggregate, Plan, PlanError, checked::Checked, counts::Counts, request::Means};

/// Answers a request with one JSON document that is made of several answers. See the [module](super).
#[derive(Clone)]
pub struct AggregateLayer {
    plan: Option<Arc<Checked>>,
    means: Means,
}

impl AggregateLayer {
    /// A layer that carries out this plan.
    ///
    /// # Errors
    /// Every mistake in the plan, in words that name the branch: a target that is no canonical target, a value that no
    /// branch or parameter gives, branches that wait for each other, names that are there twice.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        Ok(Self { plan: Some(Arc::new(Checked::new(plan)?)), ..Self::off() })
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        let means = Means { buffers: Buffers::default(), clock: Clock::default(), counts: Arc::default() };
        Self { plan: None, means }
    }

    /// The memory from which answers are taken, of branches and of the whole; a request past its share or a process
    /// past its own gets what a branch that failed gives. Without a word it is one of the layer's own.
    #[must_use]
    pub fn buffers(mut self, buffers: Buffers) -> Self {
        self.means.buffers = buffers;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.means.clock = clock;
        self
    }

    /// Counts in this meter as `gateway_aggregate_branches_total{place, branch, outcome}` and
    /// `gateway_aggregate_conflicts_total{place, branch}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        if let Some(plan) = &self.plan {
            self.means.counts = Arc::new(Counts::new(meter, place, &plan.steps));
        }
        self
    }
}

impl<S> tower_layer::Layer<S> for AggregateLayer {
    type Service = Aggregate<S>;

    fn layer(&self, inner: S) -> Aggregate<S> {
        Aggregate::new(self.plan.clone(), Arc::new(self.means.clone()), inner)
    }
}

impl Staged for AggregateLayer {
    type Phase = phase::Gather;
}

impl fmt::Debug for AggregateLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregateLayer").field("plan", &self.plan).finish_non_exhaustive()
    }
}
