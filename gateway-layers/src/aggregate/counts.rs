use gateway_core::meter::{Counter, Meter};

use super::{checked::Step, outcome::Kind};

/// What is counted of every branch, in the order of the plan.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<OfBranch>);

#[derive(Debug)]
struct OfBranch {
    ok: Counter,
    dropped: Counter,
    failed: [Counter; Kind::ALL.len()],
    conflicts: Counter,
}

impl Counts {
    pub(super) fn new(meter: &Meter, place: &str, steps: &[Step]) -> Self {
        let of_branch = |step: &Step| {
            let labels = |outcome| [("place", place), ("branch", &*step.name), ("outcome", outcome)];
            let counter = |outcome| {
                let help = "How the branches of aggregated requests ended.";
                meter.counter("gateway_aggregate_branches_total", help, &labels(outcome))
            };
            let help = "Fields of branches that found their name taken by another part of the answer.";
            let labels = [("place", place), ("branch", &*step.name)];
            let conflicts = meter.counter("gateway_aggregate_conflicts_total", help, &labels);
            let failed = Kind::ALL.map(|kind| counter(kind.code().trim_start_matches("branch_")));
            OfBranch { ok: counter("ok"), dropped: counter("dropped"), failed, conflicts }
        };
        Self(steps.iter().map(of_branch).collect())
    }

    /// A branch ended, well or in this way.
    pub(super) fn ended(&self, index: usize, failed: Option<Kind>) {
        let Some(counts) = self.0.get(index) else { return };
        failed.map_or(&counts.ok, |kind| &counts.failed[kind.index()]).increment();
    }

    /// Branches that were not needed any more.
    pub(super) fn dropped(&self, is_dropped: impl Iterator<Item = bool>) {
        for (counts, _) in self.0.iter().zip(is_dropped).filter(|(_, is_dropped)| *is_dropped) {
            counts.dropped.increment();
        }
    }

    /// A field found its name taken.
    pub(super) fn conflict(&self, index: usize) {
        self.0.get(index).into_iter().for_each(|counts| counts.conflicts.increment());
    }
}
