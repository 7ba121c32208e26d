use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gateway_core::{
    Clock, Entry, Explanation, Facts, Gate, Mode, Refusal, Stamp, Verdict,
    forwarding::OwnedHeaders,
    meter::{Counter, Decisions},
};
use http::{HeaderName, request::Parts};

use super::{
    RemoteKeys, TokenPlace,
    cache::Cache,
    challenge::{Challenges, unavailable},
    claims::Checks,
    flaw::{Class, Flaw},
    layer::{Keys, KeysFrom},
    place::{Carried, Found},
    remote::Renewal,
    token::MAX_BYTES,
    verified::Verified,
};

/// The rule of [`JwtLayer`](super::JwtLayer).
#[derive(Clone)]
pub struct Authenticate(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) checks: Checks,
    pub(super) keys: Keys,
    pub(super) kind: Option<String>,
    pub(super) place: TokenPlace,
    pub(super) required: bool,
    pub(super) forward: bool,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) owned: OwnedHeaders,
    pub(super) challenges: Challenges,
    pub(super) cache: Arc<Cache<Verified>>,
    pub(super) mode: Mode,
    pub(super) clock: Clock,
    pub(super) decisions: Decisions,
    pub(super) cached: Counter,
}

/// What can be said about a token with the keys at hand.
enum Decision {
    Good(Arc<Verified>),
    Bad(Flaw),
    /// A newer key set may say something else.
    Doubtful(Flaw, Arc<RemoteKeys>),
    /// There is no key set.
    Unknown(Arc<RemoteKeys>),
}

impl Gate for Authenticate {
    fn enter(&self, head: &mut Parts, _: &mut Stamp) -> Entry {
        let inner = &self.0;
        // In every mode: who the caller is, is never the caller's own word.
        inner.owned.remove_from(&mut head.headers);
        if inner.mode == Mode::Off {
            inner.decisions.count(Verdict::Skip);
            return Entry::Pass;
        }
        inner.place.hide(&mut head.headers);
        let token = match inner.place.find(&head.headers) {
            Found::Token(token) => token,
            Found::Several => return inner.refuse(inner.challenges.several()),
            Found::Nothing if inner.required => return inner.refuse(inner.challenges.missing()),
            Found::Nothing => {
                inner.decisions.count(Verdict::Skip);
                return Entry::Pass;
            }
        };
        if let KeysFrom::Remote(keys) = &inner.keys.0 {
            keys.start();
        }
        let (keys, flaw) = match inner.decide(token.as_str(), true) {
            Decision::Good(verified) => return inner.pass(head, &verified),
            Decision::Bad(flaw) => return inner.refuse(inner.challenges.invalid(&flaw)),
            Decision::Doubtful(flaw, keys) => (keys, Some(flaw)),
            Decision::Unknown(keys) => (keys, None),
        };
        match keys.renew() {
            Renewal::Under(fetch) => {
                let deadline = Facts::get(&head.extensions).and_then(Facts::deadline);
                let fetched = async move { keys.wait(fetch, deadline).await };
                let inner = Arc::clone(inner);
                Entry::wait(fetched, move |is_new, head, _| inner.enter_again(head, &token, is_new))
            }
            Renewal::Later { after, failing } => inner.refuse(inner.lacking(flaw.as_ref(), failing, after)),
        }
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let (verdict, why) = self.0.explain(head);
        say.push(Explanation::new(NAME, verdict, why));
    }
}

impl Inner {
    /// The decision after the wait; nothing is waited for twice.
    fn enter_again(&self, head: &mut Parts, token: &Carried, is_new: bool) -> Entry {
        match self.decide(token.as_str(), true) {
            Decision::Good(verified) => self.pass(head, &verified),
            Decision::Bad(flaw) => self.refuse(self.challenges.invalid(&flaw)),
            Decision::Doubtful(flaw, _) => self.refuse(self.lacking(Some(&flaw), !is_new, RETRY)),
            Decision::Unknown(_) => self.refuse(unavailable(RETRY)),
        }
    }

    /// The answer where no newer set can be had now. A token whose key is not in a set that is new is bad; if there
    /// is no new set, nobody knows.
    fn lacking(&self, flaw: Option<&Flaw>, failing: bool, after: Duration) -> Refusal {
        match flaw {
            Some(flaw) if flaw.class == Class::Forged || !failing => self.challenges.invalid(flaw),
            _ => unavailable(after),
        }
    }

    fn decide(&self, token: &str, remember: bool) -> Decision {
        if token.len() > MAX_BYTES {
            // Not even worth a hash.
            return Decision::Bad(Flaw::malformed(format!("it is longer than {MAX_BYTES} bytes")));
        }
        let now = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (remote, keys, generation) = match &self.keys.0 {
            KeysFrom::Fixed(keys) => (None, Arc::clone(keys), 0),
            KeysFrom::Remote(remote) => match remote.current() {
                Some((keys, generation)) => (Some(remote), keys, generation),
                None => return Decision::Unknown(Arc::clone(remote)),
            },
        };
        let name = Cache::<Verified>::name(token);
        if let Some(verified) = self.cache.get(&name, generation) {
            self.cached.add(u64::from(remember));
            return match verified.lifetime.check(now, self.checks.leeway) {
                Ok(()) => Decision::Good(verified),
                Err(flaw) => Decision::Bad(flaw),
            };
        }
        match Verified::new(token, self.kind.as_deref(), &keys, &self.checks, &self.headers, now) {
            Ok(verified) => {
                let verified = Arc::new(verified);
                if remember {
                    self.cache.put(name, generation, &verified);
                }
                Decision::Good(verified)
            }
            Err(flaw) => match remote {
                Some(remote) if matches!(flaw.class, Class::Unknown | Class::Forged) => {
                    Decision::Doubtful(flaw, Arc::clone(remote))
                }
                _ => Decision::Bad(flaw),
            },
        }
    }

    fn pass(&self, head: &mut Parts, verified: &Verified) -> Entry {
        self.decisions.count(Verdict::Pass);
        if !self.forward && self.mode == Mode::Enforce {
            self.place.remove_from(&mut head.headers);
        }
        verified.write(&mut head.headers);
        Facts::of(&mut head.extensions, &self.clock).set_principal(&verified.principal);
        Entry::Pass
    }

    fn refuse(&self, refusal: Refusal) -> Entry {
        if self.mode == Mode::Audit {
            self.decisions.count(Verdict::WouldRefuse);
            tracing::info!(target: "gateway", layer = NAME, code = refusal.code(), why = refusal.cause(), "a request would be refused");
            return Entry::Pass;
        }
        self.decisions.count(Verdict::Refuse);
        Entry::Refuse(refusal)
    }

    fn explain(&self, head: &Parts) -> (Verdict, String) {
        let refuse = match self.mode {
            Mode::Enforce => Verdict::Refuse,
            Mode::Audit => Verdict::WouldRefuse,
            Mode::Off => return (Verdict::Skip, "mode is off".to_owned()),
        };
        let token = match self.place.find(&head.headers) {
            Found::Token(token) => token,
            Found::Several => return (refuse, "the request carries more than one token".to_owned()),
            Found::Nothing if self.required => {
                return (refuse, format!("there is no token in {}", self.place));
            }
            Found::Nothing => return (Verdict::Skip, "there is no token, and none is required".to_owned()),
        };
        match self.decide(token.as_str(), false) {
            Decision::Good(verified) => (Verdict::Pass, format!("a token of {}", verified.principal.id())),
            Decision::Bad(flaw) => (refuse, flaw.to_string()),
            Decision::Doubtful(flaw, keys) => {
                (refuse, format!("{flaw}; {keys:?} would be asked for newer keys"))
            }
            Decision::Unknown(keys) => (refuse, format!("{keys:?} has no keys yet and would be asked")),
        }
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate").field("issuer", &self.0.checks.issuer).finish_non_exhaustive()
    }
}

pub(super) const NAME: &str = "jwt";

/// When to come back after a wait in vain.
const RETRY: Duration = Duration::from_secs(1);
