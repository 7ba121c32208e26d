//! Which requests ask for the same thing: the target, and who may share its answer.

use std::fmt;

use gateway_core::{Facts, facts::Principal, key_hash::Polynomial};
use http::{HeaderName, header, request::Parts};

/// Who shares stored answers.
///
/// Whatever is chosen, the answer to a request with `Authorization`, or with a principal that a layer in front of the
/// cache found, is only stored if the origin says that it may be shared (RFC 9111, 3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Partition {
    /// Nobody: each principal has answers of its own, and so has each value of `Authorization` where no layer made a
    /// principal of it. Requests with neither share theirs. The default, because an origin that carelessly calls a
    /// personal answer `must-revalidate` would otherwise show it to others.
    #[default]
    Principal,
    /// The principals of one tenant. Between tenants nothing is shared.
    Tenant,
    /// Everybody. Safe only as far as the origin's `public`, `s-maxage` and `must-revalidate` can be trusted: nothing
    /// else of an identified request is stored.
    Shared,
}

impl Partition {
    /// The word of the declarative form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Tenant => "tenant",
            Self::Shared => "shared",
        }
    }
}

/// The name of a stored thing: a keyed hash of 128 bits, so that a look-up allocates nothing and nobody outside can
/// aim at one. What is found is compared with the [`Identity`] in full, so that a collision is a miss.
pub(super) type Name = u128;

/// A name that is not finished: whatever it is told more tells names apart.
#[derive(Clone, Debug)]
pub(super) struct Naming(Polynomial);

impl Naming {
    /// The site that this request is for; `None` where it names two.
    pub(super) fn site(head: &Parts) -> Option<Self> {
        let mut naming = Self(Polynomial::new());
        site_parts(head, &mut |bytes| naming.0.part(bytes))?;
        Some(naming)
    }

    /// The target at this site, whoever asks.
    pub(super) fn target(mut self, path: &str, query: Option<&str>) -> Self {
        path_parts(path, query, &mut |bytes| self.0.part(bytes));
        self
    }

    /// The answer of this target for those who share with this requester.
    pub(super) fn answer(mut self, head: &Parts, partition: Partition) -> Self {
        partition_parts(head, partition, &mut |bytes| self.0.part(bytes));
        self
    }

    pub(super) fn name(self) -> Name {
        self.0.finish()
    }
}

/// The name of what `name` is when these parts are told apart too.
pub(super) fn mixed(name: Name, parts: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Name {
    let mut naming = Polynomial::new();
    naming.part(&name.to_be_bytes());
    parts(&mut |bytes| naming.part(bytes));
    naming.finish()
}

/// All that tells an answer's request from others, in full: each part behind its length. It may hold credentials, so
/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identity(Box<[u8]>);

impl Identity {
    pub(super) fn of(head: &Parts, partition: Partition) -> Option<Self> {
        let mut all = Vec::new();
        let part = &mut |bytes: &[u8]| {
            all.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            all.extend_from_slice(bytes);
        };
        site_parts(head, part)?;
        path_parts(head.uri.path(), head.uri.query(), part);
        partition_parts(head, partition, part);
        Some(Self(all.into()))
    }

    /// Whether this request has the same identity. Allocates nothing.
    pub(super) fn is_of(&self, head: &Parts, partition: Partition) -> bool {
        let (mut rest, mut same) = (&*self.0, true);
        let part = &mut |bytes: &[u8]| {
            let after = rest.strip_prefix(&(bytes.len() as u64).to_be_bytes());
            match after.and_then(|after| after.strip_prefix(bytes)) {
                Some(after) => rest = after,
                None => same = false,
            }
        };
        let complete = site_parts(head, part).is_some();
        path_parts(head.uri.path(), head.uri.query(), part);
        partition_parts(head, partition, part);
        complete && same && rest.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Scheme and host, as the upstream is told them: what a proxy in front said about them may change the answer (a
/// redirect to `https`, say), so it tells answers apart, too.
fn site_parts(head: &Parts, part: &mut dyn FnMut(&[u8])) -> Option<()> {
    part(head.uri.scheme_str().unwrap_or("http").as_bytes());
    part(host(head)?);
    for name in [X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PREFIX] {
        for value in head.headers.get_all(name) {
            part(value.as_bytes());
        }
        part(END);
    }
    Some(())
}

fn path_parts(path: &str, query: Option<&str>, part: &mut dyn FnMut(&[u8])) {
    part(path.as_bytes());
    part(&[u8::from(query.is_some())]);
    part(query.unwrap_or_default().as_bytes());
}

/// The host, with its port if one was named; empty if none was; `None` for two.
pub(super) fn host(head: &Parts) -> Option<&[u8]> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    Some(authority.or(host.map(|host| host.as_bytes())).unwrap_or_default())
}

fn partition_parts(head: &Parts, partition: Partition, part: &mut dyn FnMut(&[u8])) {
    part(partition.as_str().as_bytes());
    let principal = Facts::get(&head.extensions).and_then(Facts::principal);
    if partition == Partition::Shared {
        return;
    }
    let tenant = principal.and_then(Principal::tenant);
    part(&[u8::from(principal.is_some()), u8::from(tenant.is_some())]);
    part(tenant.unwrap_or_default().as_bytes());
    if partition == Partition::Tenant {
        return;
    }
    match principal {
        Some(principal) => {
            part(principal.realm().as_bytes());
            part(principal.id().as_bytes());
        }
        None => head.headers.get_all(header::AUTHORIZATION).iter().for_each(|value| part(value.as_bytes())),
    }
}

/// Whether somebody is known to ask: what RFC 9111, 3.5 says about `Authorization` holds for every other proof of who
/// somebody is, such as an API key.
pub(super) fn is_identified(head: &Parts) -> bool {
    head.headers.contains_key(header::AUTHORIZATION)
        || Facts::get(&head.extensions).and_then(Facts::principal).is_some()
}

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// No header value: the end of a list of them.
const END: &[u8] = b"\n";

#[cfg(test)]
mod tests {
    use gateway_core::Clock;
    use http::Request;
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    type Told = (String, Option<String>, Vec<(&'static str, String)>, Option<String>, Option<Who>);
    type Who = (String, String, Option<String>);

    fn told() -> impl Strategy<Value = Told> {
        let name = prop_oneof![
            Just("x-forwarded-proto"),
            Just("x-forwarded-host"),
            Just("x-forwarded-port"),
            Just("x-forwarded-prefix")
        ];
        (
            "/[ab/]{0,3}",
            option::of("[ab=]{0,2}"),
            vec((name, "[ab]{0,2}"), 0..3),
            option::of("[ab]{0,2}"),
            option::of(who()),
        )
    }

    fn who() -> impl Strategy<Value = Who> {
        ("[ab]{0,1}", "[ab]{0,1}", option::of("[ab]{0,1}"))
    }

    fn head((path, query, headers, authorization, who): &Told, host: &str) -> Parts {
        let target = match query {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        };
        let mut request = Request::get(target).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        if let Some((realm, id, tenant)) = who {
            let principal = Principal::new(realm, id);
            let principal = match tenant {
                Some(tenant) => principal.with_tenant(tenant),
                None => principal,
            };
            Facts::of(&mut head.extensions, &Clock::default()).set_principal(&principal);
        }
        head
    }

    /// What tells requests apart, said in another way.
    fn model(told: &Told, host: &str, partition: Partition) -> impl PartialEq + use<> {
        let mut headers = told.2.clone();
        headers.sort_by_key(|&(name, _)| name);
        let who = match (partition, &told.4) {
            (Partition::Shared, _) => None,
            (Partition::Tenant, Some((_, _, tenant))) => Some((None, tenant.clone(), None)),
            (Partition::Tenant, None) => None,
            (Partition::Principal, Some((realm, id, tenant))) => {
                Some((Some((realm.clone(), id.clone())), tenant.clone(), None))
            }
            (Partition::Principal, None) => Some((None, None, told.3.clone())),
        };
        (told.0.clone(), told.1.clone(), headers, who, host.to_owned())
    }

    proptest! {
        #[test]
        fn two_requests_have_one_identity_only_if_they_ask_for_the_same(
            one in told(), other in told(), hosts in any::<(bool, bool)>(), kind in 0_usize..3,
        ) {
            let partition = [Partition::Principal, Partition::Tenant, Partition::Shared][kind];
            let host = |is_a| if is_a { "a.test" } else { "b.test" };
            let (one_head, other_head) = (head(&one, host(hosts.0)), head(&other, host(hosts.1)));
            let same = model(&one, host(hosts.0), partition) == model(&other, host(hosts.1), partition);
            let identity = Identity::of(&one_head, partition).unwrap();
            prop_assert!(identity.is_of(&one_head, partition));
            prop_assert_eq!(identity.is_of(&other_head, partition), same);
            prop_assert_eq!(identity == Identity::of(&other_head, partition).unwrap(), same);
            let name = |head: &Parts| {
                let target = Naming::site(head).unwrap().target(head.uri.path(), head.uri.query());
                target.answer(head, partition).name()
            };
            prop_assert_eq!(name(&one_head) == name(&other_head), same);
        }
    }

    #[test]
    fn two_hosts_in_one_request_have_no_name() {
        let head = Request::get("/").header("host", "a").header("host", "b").body(()).unwrap().into_parts().0;
        assert!(Naming::site(&head).is_none());
        assert_eq!(Identity::of(&head, Partition::Shared), None);
    }
}
