//! Tunnels inside TLS.

use gateway_core::tls::{Certificate, ServerTls, ServerTlsSettings};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

/// A gateway behind TLS, and a client that trusts it and asked this.
async fn start(upstream: &Upstreams, request: &str) -> (Gateway, TlsStream<TcpStream>) {
    let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let certificate =
        Certificate::from_pem(own.cert.pem().as_bytes(), own.signing_key.serialize_pem().as_bytes()).unwrap();
    let tls = ServerTls::new(&ServerTlsSettings::new([certificate])).unwrap();
    let gateway = Gateway::start_with(upstream, acme(), |server| server.tls(tls)).await;

    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("a.test").unwrap();
    let stream = gateway.connect().await;
    let mut client = soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(client.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    (gateway, client)
}

#[tokio::test]
async fn each_side_may_say_all_before_the_other() {
    let upstream = Upstreams::echo().await;
    let (gateway, mut client) = start(&upstream, RAW).await;
    let sent = vec![b'x'; 300_000];
    let (mut read, mut write) = tokio::io::split(&mut client);
    let mut heard = Vec::new();
    let (all, ()) = tokio::join!(soon(read.read_to_end(&mut heard)), async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    assert_eq!(all.unwrap(), sent.len());
    gateway.counts("gateway_tunnels_total{end=\"client\"}", 1.0).await;
    gateway.counts("gateway_connections", 0.0).await;
}

#[tokio::test]
async fn a_drain_says_good_bye() {
    let upstream = Upstreams::echo().await;
    let (gateway, mut client) = start(&upstream, WEBSOCKET).await;
    let stopping = tokio::spawn(gateway.stop());
    let mut good_bye = [0; 4];
    soon(client.read_exact(&mut good_bye)).await.unwrap();
    assert_eq!(good_bye, [0x88, 2, 0x03, 0xe9]);
    client.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).await.unwrap();
    assert_eq!(soon(client.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(soon(stopping).await.unwrap(), Drained { finished: 1, cut: 0 });
}
