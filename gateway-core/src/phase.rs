//! The order of concerns, as types.
//!
//! Every layer of ours names its phase with [`Staged`]. A builder that holds layers up to phase `Before` accepts
//! a layer of phase `P` only if `P: MayFollow<Before>`; the relation is generated below from one list, so the
//! order is written once. Layers of the same phase may stand in any order.

use http::HeaderName;

/// A layer that knows its place in the order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name its phase, so the builder cannot check its place",
    label = "a layer of unknown phase",
    note = "name it: `.layer_at(phase::Shape, layer)`, or add it unchecked with `.layer_unordered(layer)`"
)]
pub trait Staged {
    /// The phase of this layer.
    type Phase: Phase;

    /// Headers that this layer writes for the upstream and that no client may bring along, such as who the caller is.
    /// The builder has them removed from every request on every route, also on routes without this layer.
    fn owned_headers(&self) -> Vec<HeaderName> {
        Vec::new()
    }
}

/// A place in the order. Sealed: the list of phases is closed.
pub trait Phase: sealed::Sealed {
    /// The word for it in documents and in `explain`.
    const NAME: &'static str;
}

/// `Self` may be added after a layer of phase `Before`.
#[diagnostic::on_unimplemented(
    message = "a layer of phase `{Self}` cannot come after one of phase `{Before}`",
    label = "this layer belongs before the one already added",
    note = "add layers in the order in which a request meets them: Arrive, Choose, Allow, Limit, Shape, Answer, Gather, Recover, Retry, Balance, Endpoint"
)]
pub trait MayFollow<Before> {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident $word:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default)]
            pub struct $name;

            impl sealed::Sealed for $name {}

            impl Phase for $name {
                const NAME: &'static str = $word;
            }
        )+
        phases!(@follow $($name)+);
    };
    (@follow) => {};
    (@follow $first:ident $($later:ident)*) => {
        impl MayFollow<$first> for $first {}
        $(impl MayFollow<$first> for $later {})*
        phases!(@follow $($later)*);
    };
}

phases! {
    /// Nothing was added yet; every layer may follow.
    Start "start";
    /// Who is calling, under which id; the watch starts: request id, client address, access log, metrics, sizes.
    Arrive "arrive";
    /// Which rule serves this request: routing, split, version.
    Choose "choose";
    /// May they: authentication and authorization.
    Allow "allow";
    /// How much: rate limit, quota, bulkhead.
    Limit "limit";
    /// What is changed on the way: headers, rewrite, masking.
    Shape "shape";
    /// Whether the answer is already known: cache.
    Answer "answer";
    /// One request becomes several: aggregate, mirror.
    Gather "gather";
    /// What happens instead of a failure: fallback.
    Recover "recover";
    /// Another try: retry, hedge.
    Retry "retry";
    /// Which endpoint: balance, health.
    Balance "balance";
    /// One try at one endpoint: circuit breaker, timeout.
    Endpoint "endpoint";
}
