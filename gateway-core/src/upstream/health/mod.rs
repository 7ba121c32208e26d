//! [`Health`]: whether an endpoint may be asked, from two sources.
//!
//! **Checks** ask an endpoint whether it is well, beside the requests: [`Rhythm`] says how often, and after how many
//! answers of one kind it is believed. **Ejection** looks at the requests themselves: an endpoint that fails many in a
//! row, or far more than the others, is left alone for a while ([`Ejection`]). An endpoint is available when neither has
//! anything against it; one that was never checked counts as well.
//!
//! Both are plain state that is told what happened and when. Nothing here asks, waits or knows a network.

mod active;
mod checks;
mod passive;

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use active::{Checked, Rhythm, Standing};
pub use checks::{Checks, HttpProbe, Probe};
pub use passive::{Ejection, Passive, SuccessRate, outliers};

/// What is known of one endpoint's health. It outlives the list that the endpoint is in.
#[derive(Debug, Default)]
pub struct Health {
    checked: Mutex<Checked>,
    is_unhealthy: AtomicBool,
    passive: Passive,
}

impl Health {
    /// Whether it may be asked at this time.
    #[must_use]
    pub fn is_available(&self, now: u64) -> bool {
        !self.is_unhealthy.load(Ordering::Relaxed) && !self.passive.is_ejected(now)
    }

    /// Whether checks found it unhealthy.
    #[must_use]
    pub fn is_unhealthy(&self) -> bool {
        self.is_unhealthy.load(Ordering::Relaxed)
    }

    /// A check ended like this. Says what it is now, if that changed.
    pub fn checked(&self, outcome: Result<(), String>, rhythm: &Rhythm) -> Option<Standing> {
        let changed = self.held().record(outcome, rhythm);
        if let Some(standing) = changed {
            self.is_unhealthy.store(standing == Standing::Unhealthy, Ordering::Relaxed);
        }
        changed
    }

    /// What checks found so far.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.held().standing()
    }

    /// The time until the next check; see [`Rhythm::pause`].
    #[must_use]
    pub fn pause(&self, rhythm: &Rhythm, random: u64) -> Duration {
        rhythm.pause(&self.held(), random)
    }

    /// What the requests say.
    #[must_use]
    pub fn passive(&self) -> &Passive {
        &self.passive
    }

    /// Whether it is available and why not, in words.
    #[must_use]
    pub fn explain(&self, now: u64) -> Explained {
        let ejected = self.passive.left(now).map(|left| (left, self.passive.times()));
        let checked = self.held();
        let unhealthy = (checked.standing() == Standing::Unhealthy).then(|| checked.to_string());
        Explained { ejected, unhealthy, unchecked: checked.standing() == Standing::Unknown }
    }

    fn held(&self) -> MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Health::explain`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// For how much longer it is left alone, and for which time in a row.
    pub ejected: Option<(Duration, u32)>,
    /// What the checks have against it.
    pub unhealthy: Option<String>,
    /// Whether no check has ended yet, or there are none.
    pub unchecked: bool,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.unhealthy, self.ejected) {
            (None, None) => f.write_str("available"),
            (Some(why), None) => f.write_str(why),
            (None, Some((left, times))) => {
                // Whole seconds, rounded up: "for 0 s" would mean nothing.
                let seconds = left.as_millis().div_ceil(1_000);
                write!(f, "ejected for {seconds} s more, because its requests failed")?;
                if times > 1 { write!(f, " ({times} times)") } else { Ok(()) }
            }
            (Some(why), Some(_)) => write!(f, "{why}; and its requests failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn is_available_when_neither_source_objects() {
        let (health, rhythm, ejection) = (Health::default(), Rhythm::default(), Ejection::default());
        assert!(health.is_available(0));
        assert_eq!(health.explain(0).to_string(), "available");
        assert_eq!(health.checked(Err("status 503".to_owned()), &rhythm), Some(Standing::Unhealthy));
        health.passive().eject(0, &ejection);
        assert!(!health.is_available(0));
        assert_eq!(
            health.explain(0).to_string(),
            "unhealthy: its last check failed (status 503); and its requests failed"
        );
        assert!(!health.is_available(31 * SECOND), "checks still object");
        for _ in 0..rhythm.healthy_after {
            health.checked(Ok(()), &rhythm);
        }
        assert_eq!(
            health.explain(SECOND / 2).to_string(),
            "ejected for 30 s more, because its requests failed"
        );
        assert!(!health.is_available(29 * SECOND));
        assert!(health.is_available(30 * SECOND));
    }
}
