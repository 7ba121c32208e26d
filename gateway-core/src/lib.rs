//! The words that every gateway layer speaks.
//!
//! A gateway is a stack of [tower](https://docs.rs/tower) layers. What they need to agree on lives here, and
//! nothing else:
//!
//! | question | word |
//! | --- | --- |
//! | what is known about this request? | [`Facts`] |
//! | how does a layer say no? | [`Refusal`], an answer with a typed code |
//! | how does something fail? | [`UpstreamError`], turned into an answer once, by [`rescue`] |
//! | look at the head, then pass or refuse | [`Admit`]; where it may have to wait, [`Gate`] |
//! | what lives until the last byte? | [`guard`], [`watch`] |
//! | can the body be read again? | [`replay`] |
//! | who is counted together? | [`Key`] |
//! | does this request match? | [`Matcher`] |
//! | is a decision enforced? | [`Mode`] |
//! | in which order do layers stand? | [`phase`] |
//! | what time is it? | [`Clock`] |
//! | which form of the request does everybody see? | [`canonical`] |
//! | what would you do with this request? | [`explain`] |
//! | which state survives a rebuilt graph? | [`identity`] |
//! | what is counted? | [`meter`] |
//! | how much may be buffered? | [`budget`] |
//! | who does what many need at once? | [`single_flight`] |
//! | what runs beside the requests? | [`task`] |
//! | does a request leave HTTP? | [`tunnel`] |
//!
//! With the features `client` and `server` it also holds a forwarder, a server and
//! tunnels between them, with `tls` over TLS at both ends; with `testing`
//! the contract suite that every layer passes.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod admit;
pub mod body;
pub mod budget;
pub mod canonical;
pub mod clock;
pub mod error;
pub mod explain;
pub mod facts;
pub mod forwarding;
pub mod gate;
pub mod guard;
pub mod identity;
pub mod key;
pub mod key_hash;
pub mod matcher;
pub mod meter;
pub mod mode;
mod network;
pub mod oneshot;
pub mod phase;
pub mod random;
pub mod refusal;
pub mod replay;
pub mod rescue;
pub mod seam;
pub mod single_flight;
#[cfg(any(feature = "store_memory", feature = "redis"))]
pub mod store;
pub mod task;
pub mod watch;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod fetch;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(all(feature = "tls", any(feature = "client", feature = "server")))]
pub mod tls;
pub mod tunnel;
#[cfg(feature = "client")]
pub mod upstream;

pub use admit::{Admit, Admitted, Stamp};
pub use body::{Body, BoxError};
pub use clock::Clock;
pub use error::{Failure, UpstreamError};
pub use explain::{Explanation, Verdict};
pub use facts::Facts;
pub use gate::{Entry, Gate, GateLayer, Gated, Gates};
pub use guard::{End, Guard, Guarded};
pub use key::Key;
pub use matcher::Matcher;
pub use mode::Mode;
pub use network::{Network, NetworkError};
pub use refusal::Refusal;
pub use rescue::RescueLayer;
