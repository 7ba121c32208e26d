//! Tunnels inside TLS.

use gateway_core::{
    tls::{Certificate, ClientTls, ServerTls, ServerTlsSettings},
    upstream::Protocol,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

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

/// The way on is encrypted, too: an upstream that is named as `https` and speaks HTTP/2 to whoever wants it.
#[tokio::test]
async fn an_upgrade_goes_on_to_an_upstream_inside_tls() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from_pem_slice(own.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config =
        config.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    // The upstream behind it speaks in plain; what is encrypted ends here.
    let echo = Upstreams::echo().await;
    let behind = echo.address;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let ending = tokio::spawn(async move {
        let mut spoken = Vec::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let mut outer = acceptor.accept(stream).await.unwrap();
            spoken.push(outer.get_ref().1.alpn_protocol().map(<[u8]>::to_vec));
            let mut inner = TcpStream::connect(behind).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut outer, &mut inner).await);
        }
        spoken
    });

    let tls = ClientTls::default().authorities(own.cert.pem());
    for protocol in [Protocol::Http1, Protocol::Auto] {
        let to = Upstream::new([url.as_str()]).protocol(protocol).tls(tls.clone());
        let gateway = Gateway::start_to(to, acme(), |server| server).await;
        let (mut client, head) = gateway.ask(WEBSOCKET).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{protocol:?}: {head}");
        assert_eq!(field(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        client.write_all(b"over and out").await.unwrap();
        assert_eq!(read(&mut client, 12).await, "over and out");
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, b"");
        gateway.counts("gateway_tunnels_total{end=\"client\"}", 1.0).await;
    }
    // HTTP/2 has no upgrade.
    assert_eq!(soon(ending).await.unwrap(), vec![Some(b"http/1.1".to_vec()); 2]);
}
