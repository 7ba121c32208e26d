use std::{sync::Arc, time::Duration};

use super::{Endpoints, Kept};
use crate::upstream::pick::UnderWay;

/// A request that is under way at an endpoint, until its answer's body ended. What it is told goes into the
/// endpoint's latency and health.
#[derive(Debug)]
pub struct Visit<T> {
    endpoints: Endpoints<T>,
    kept: Arc<Kept<T>>,
    began: u64,
    _under_way: UnderWay,
}

impl<T> Visit<T> {
    /// Begins one. `None` if nobody looks at it: then it costs nothing.
    pub fn begin(endpoints: &Endpoints<T>, kept: &Arc<Kept<T>>, now: u64) -> Option<Self> {
        let balance = endpoints.balance();
        if balance.ejection.is_none() && !balance.policy.wants_under_way() {
            return None;
        }
        let under_way = kept.load.begin();
        Some(Self { endpoints: endpoints.clone(), kept: Arc::clone(kept), began: now, _under_way: under_way })
    }

    /// The head of an answer is there; a failure is one that says that the endpoint is not well.
    pub fn answered(&self, is_failure: bool) {
        self.judge(is_failure);
    }

    /// There is no answer, or not the whole of it.
    pub fn failed(&self) {
        self.judge(true);
    }

    fn judge(&self, is_failure: bool) {
        let balance = self.endpoints.balance();
        let decay = balance.policy.wants_latency();
        if decay.is_none() && !is_failure {
            // The quick way, without the clock.
            if let Some(ejection) = &balance.ejection {
                self.kept.health.passive().record(false, ejection);
            }
            return;
        }
        let now = self.endpoints.now();
        let took = Duration::from_nanos(now.saturating_sub(self.began));
        match decay {
            Some(decay) if is_failure => self.kept.load.observe_failure(took, now, decay),
            Some(decay) => self.kept.load.observe(took, now, decay),
            None => {}
        }
        if let Some(ejection) = &balance.ejection
            && self.kept.health.passive().record(is_failure, ejection)
        {
            self.endpoints.eject(&self.kept, now, "consecutive");
        }
    }
}
