//! [`choose`]: whether a stored answer satisfies a request, or what else has to be done (RFC 9111, 4).

use std::{sync::Arc, time::Instant};

use super::{
    conditional,
    entry::{About, Entry},
    request::Terms,
    status::Forwarded,
};

/// What the store holds for a request.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Nothing,
    /// Answers for the target, but for other requests.
    OtherVariants,
    Stored(Arc<Entry>),
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// It is answered by this.
    Serve(Arc<Entry>),
    /// It goes on.
    Fetch(Plan),
    /// It takes nothing but stored answers, and there is none for it.
    Unsatisfiable,
}

/// How a request goes on.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) why: Forwarded,
    /// What is asked about.
    pub(super) stored: Option<Arc<Entry>>,
    /// Whether requests like this one may wait for its answer.
    pub(super) shareable: bool,
}

/// The choice for a request on these terms.
pub(super) fn choose(found: Found, terms: &Terms, now: Instant) -> Choice {
    let plan = match found {
        Found::Stored(entry) => match acceptable(&entry.about, terms, now) {
            Ok(()) => return Choice::Serve(entry),
            Err(why) => {
                let shareable = why == Forwarded::Stale && !entry.about.is_never_fresh();
                let stored = conditional::can_be_validated(&entry.about).then_some(entry);
                Plan { why, stored, shareable }
            }
        },
        Found::Nothing => Plan { why: Forwarded::UriMiss, stored: None, shareable: !terms.no_cache },
        Found::OtherVariants => Plan { why: Forwarded::VaryMiss, stored: None, shareable: !terms.no_cache },
    };
    if terms.only_if_cached {
        return Choice::Unsatisfiable;
    }
    Choice::Fetch(plan)
}

/// Whether a request on these terms takes this answer as it is (RFC 9111, 4.2, 4.2.4 and 5.2.1).
pub(super) fn acceptable(stored: &About, terms: &Terms, now: Instant) -> Result<(), Forwarded> {
    if stored.no_cache() {
        return Err(Forwarded::Stale);
    }
    let too_old = |most: std::time::Duration| most.is_zero() || stored.age(now) > most;
    if terms.no_cache || terms.max_age.is_some_and(too_old) {
        return Err(Forwarded::Request);
    }
    match (stored.left(now), terms.min_fresh) {
        (Ok(left), Some(least)) if left < least => Err(Forwarded::Request),
        (Ok(_), _) => Ok(()),
        (Err(_), Some(_)) => Err(Forwarded::Stale),
        (Err(over), None) => {
            let forgiven = terms.max_stale.is_some_and(|most| over <= most);
            if forgiven && !stored.strict() { Ok(()) } else { Err(Forwarded::Stale) }
        }
    }
}
