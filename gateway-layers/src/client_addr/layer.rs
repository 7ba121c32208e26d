use std::{fmt, net::SocketAddr, sync::Arc};

use gateway_core::{
    Admit, Admitted, Clock, Explanation, Facts, Refusal, Stamp, Verdict, forwarding,
    phase::{self, Staged},
};
use http::{Extensions, request::Parts};

use super::{
    Network,
    walk::{self, ForwardedHeader},
};

/// Finds the client's address. See the [module](super).
#[derive(Clone, Debug, Default)]
pub struct ClientAddrLayer(Resolver);

impl ClientAddrLayer {
    /// Believes peers in these networks.
    pub fn new(trusted_proxies: impl IntoIterator<Item = Network>) -> Self {
        Self::default().trusted_proxies(trusted_proxies)
    }

    /// Believes peers in these networks. Nobody by default.
    #[must_use]
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.0.trusted = networks.into_iter().collect();
        self
    }

    /// The header in which they name their clients.
    #[must_use]
    pub fn header(mut self, header: ForwardedHeader) -> Self {
        self.0.header = header;
        self
    }

    /// Reads the peer from where the server leaves it, if the facts do not hold it.
    #[must_use]
    pub fn peer(mut self, peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        self.0.peer = Some(Arc::new(peer));
        self
    }

    /// Reads the peer from axum's `ConnectInfo<SocketAddr>`; the application is served with
    /// `into_make_service_with_connect_info`.
    #[cfg(feature = "axum")]
    #[must_use]
    pub fn peer_from_axum(self) -> Self {
        self.peer(|extensions| {
            extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|connect_info| connect_info.0)
        })
    }

    /// The rule alone, for a list of rules.
    #[must_use]
    pub fn into_rule(self) -> Resolver {
        self.0
    }
}

impl<S> tower_layer::Layer<S> for ClientAddrLayer {
    type Service = ClientAddr<S>;

    fn layer(&self, inner: S) -> ClientAddr<S> {
        Admitted::new(Arc::new(self.0.clone()), inner)
    }
}

impl Staged for ClientAddrLayer {
    type Phase = phase::Arrive;
}

/// The service of [`ClientAddrLayer`].
pub type ClientAddr<S> = Admitted<Resolver, S>;

/// The rule of [`ClientAddrLayer`].
#[derive(Clone, Default)]
pub struct Resolver {
    trusted: Vec<Network>,
    header: ForwardedHeader,
    peer: Option<Arc<dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync>>,
    clock: Clock,
}

impl Resolver {
    fn peer(&self, head: &Parts) -> Option<SocketAddr> {
        let fact = Facts::get(&head.extensions).and_then(Facts::peer);
        fact.or_else(|| self.peer.as_ref().and_then(|peer| peer(&head.extensions)))
    }

    fn trusts(&self, peer: SocketAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(peer.ip()))
    }
}

impl Admit for Resolver {
    fn admit(&self, head: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
        let peer = self.peer(head);
        let trusted = peer.is_some_and(|peer| self.trusts(peer));
        if !trusted {
            forwarding::remove_forwarded(&mut head.headers);
        }
        let Some(peer) = peer else { return Ok(()) };
        let address = peer.ip().to_canonical();
        let client =
            if trusted { walk::client(address, &head.headers, self.header, &self.trusted) } else { address };
        let facts = Facts::of(&mut head.extensions, &self.clock);
        facts.set_peer(peer);
        facts.set_peer_trusted(trusted);
        facts.set_client_addr(client);
        Ok(())
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match self.peer(head) {
            None => {
                Explanation::new(NAME, Verdict::Skip, "the peer is not known, so there is no client address")
            }
            Some(peer) if self.trusts(peer) => {
                let client = walk::client(peer.ip(), &head.headers, self.header, &self.trusted);
                Explanation::new(NAME, Verdict::Pass, format!("{client}, as the trusted peer {peer} says"))
            }
            Some(peer) => Explanation::new(NAME, Verdict::Pass, format!("{}, the peer itself", peer.ip())),
        });
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("trusted", &self.trusted)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

const NAME: &str = "client_addr";

#[cfg(test)]
mod tests {
    use gateway_core::testing::contract;
    use http::Request;

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(ClientAddrLayer::default()).await;
    }

    #[test]
    fn a_stranger_is_its_own_client_and_leaves_no_forwarded_header() {
        let request = Request::get("/").header("x-forwarded-for", "6.6.6.6").header("x_real_ip", "6.6.6.6");
        let mut head = request.body(()).unwrap().into_parts().0;
        let rule = ClientAddrLayer::default().peer(|_| Some(([192, 0, 2, 7], 1).into())).into_rule();
        rule.admit(&mut head, &mut Stamp::default()).unwrap();
        let facts = Facts::get(&head.extensions).unwrap();
        assert_eq!(facts.client_addr(), Some([192, 0, 2, 7].into()));
        assert!(!facts.peer_trusted());
        assert!(head.headers.is_empty());
    }

    #[test]
    fn without_a_peer_nothing_is_believed_and_nothing_breaks() {
        let mut head =
            Request::get("/").header("x-forwarded-for", "6.6.6.6").body(()).unwrap().into_parts().0;
        let rule = ClientAddrLayer::new(["0.0.0.0/0".parse().unwrap()]).into_rule();
        rule.admit(&mut head, &mut Stamp::default()).unwrap();
        assert!(Facts::get(&head.extensions).is_none());
        assert!(head.headers.is_empty());
    }
}
