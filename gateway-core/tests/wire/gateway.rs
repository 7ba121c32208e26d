//! Server, rescue, canonical form and forwarder: what every request passes, whatever layers stand between.

use std::{future::IntoFuture, net::SocketAddr, time::Duration};

use gateway_core::{
    RescueLayer,
    canonical::{CanonicalLayer, OddNames},
    forwarding::{OwnedHeaders, Pseudonym},
    server::serve,
    upstream::Upstream,
};
use http::HeaderName;
use tokio::net::TcpListener;
use tower::Layer;

use crate::{raw::Client, upstream::Recorder};

/// A running gateway in front of an upstream.
pub struct Gateway {
    pub address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Gateway {
    pub async fn before(upstream: &Recorder) -> Self {
        Self::with(upstream, OddNames::Drop).await
    }

    pub async fn with(upstream: &Recorder, odd_names: OddNames) -> Self {
        Self::start(&upstream.url(), odd_names).await
    }

    pub async fn at(url: &str) -> Self {
        Self::start(url, OddNames::Drop).await
    }

    async fn start(url: &str, odd_names: OddNames) -> Self {
        let forward = Upstream::new([url])
            .pseudonym(Pseudonym::new("here").unwrap())
            .response_timeout(Duration::from_secs(2))
            .body_idle_timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        let owned: OwnedHeaders = [HeaderName::from_static("x-user")].into_iter().collect();
        let canonical = CanonicalLayer::default().owned(owned).odd_names(odd_names);
        let service = RescueLayer::default().layer(canonical.layer(forward));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(listener, service).header_timeout(Duration::from_secs(2)).into_future();
        Self { address, serving: tokio::spawn(async move { drop(serving.await) }) }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Sends bytes, says that there are no more, and reads to the end of the connection.
    pub async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    /// The status of the only answer to these bytes.
    pub async fn status(&self, bytes: impl AsRef<[u8]>) -> u16 {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.answer().await.status
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
