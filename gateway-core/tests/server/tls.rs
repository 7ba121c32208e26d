//! Connections that begin with the handshake of TLS.

use std::{net::IpAddr, num::NonZeroUsize};

use gateway_core::{
    Facts,
    meter::Meter,
    server::Listener,
    tls::{Certificate, ClientAuth, ServerTls, ServerTlsFiles, ServerTlsSettings},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

/// An authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A certificate for these names and its key, as PEM.
    fn sign(&self, names: &[&str]) -> (String, String) {
        let names = names.iter().map(|&name| match name.contains("://") {
            true => SanType::URI(name.try_into().unwrap()),
            false => SanType::DnsName(name.try_into().unwrap()),
        });
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names = names.collect();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn certificate(&self, names: &[&str]) -> Certificate {
        let (chain, key) = self.sign(names);
        Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// A client that knows one authority.
struct TlsClient(ClientConfig);

impl TlsClient {
    fn of(authority: &Authority) -> Self {
        Self::with(authority, None)
    }

    /// One that shows a certificate.
    fn showing(authority: &Authority, (chain, key): (String, String)) -> Self {
        Self::with(authority, Some((chain, key)))
    }

    fn with(authority: &Authority, own: Option<(String, String)>) -> Self {
        use rustls::pki_types::pem::PemObject;
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        Self(config)
    }

    fn speaking(mut self, protocol: &str) -> Self {
        self.0.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        self
    }

    fn without_name(mut self) -> Self {
        self.0.enable_sni = false;
        self
    }

    async fn try_connect(&self, server: &Running, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = server.connect().await.0;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        soon(TlsConnector::from(Arc::new(self.0.clone())).connect(name, stream)).await
    }

    async fn connect(&self, server: &Running, name: &str) -> TlsStream<TcpStream> {
        self.try_connect(server, name).await.unwrap()
    }

    /// What the server answers to one request, or how the connection fails.
    async fn get(&self, server: &Running, name: &str) -> std::io::Result<String> {
        let mut stream = self.try_connect(server, name).await?;
        get(&mut stream).await
    }
}

async fn get(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    soon(async {
        stream.write_all(b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    })
    .await
}

/// The names in the certificate that the server showed.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Answers with what it knows of the connection.
fn tell() -> Handler {
    handler(|request: Request<Incoming>| {
        let facts = Facts::get(request.extensions()).unwrap();
        let session = facts.tls().map(|session| {
            let client = session.client().map(|client| {
                let names = [client.dns_names.join(","), client.uri_names.join(",")];
                (names, client.fingerprint.iter().any(|&byte| byte > 0), client.chain.len())
            });
            (
                session.version(),
                session.server_name().map(str::to_owned),
                session.alpn().map(str::to_owned),
                client,
            )
        });
        let text = format!("{:?} secure={} {session:?}", request.version(), facts.is_secure());
        async { Response::new(Body::from(text)) }
    })
}

async fn start(tls: &ServerTls, settings: impl FnOnce(Server<Handler>) -> Server<Handler>) -> Running {
    let tls = tls.clone();
    Running::start(tell(), move |server| settings(server.tls(tls))).await
}

fn settings(authority: &Authority) -> ServerTlsSettings {
    ServerTlsSettings::new([authority.certificate(&["a.test"])])
}

fn outcomes(meter: &Meter) -> [u64; 3] {
    ["full", "resumed", "failed"]
        .map(|outcome| meter.counter("gateway_tls_handshakes_total", "", &[("outcome", outcome)]).value())
}

#[tokio::test]
async fn http1_is_spoken_and_the_facts_know_it() {
    let authority = Authority::new();
    let server = start(&ServerTls::new(&settings(&authority)).unwrap(), |server| server).await;
    let said = TlsClient::of(&authority).speaking("http/1.1").get(&server, "a.test").await.unwrap();
    assert!(
        said.ends_with(r#"HTTP/1.1 secure=true Some(("TLSv1.3", Some("a.test"), Some("http/1.1"), None))"#),
        "{said}"
    );
    let said = TlsClient::of(&authority).get(&server, "a.test").await.unwrap();
    assert!(
        said.ends_with(r#"HTTP/1.1 secure=true Some(("TLSv1.3", Some("a.test"), None, None))"#),
        "{said}"
    );
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn http2_is_agreed_upon_and_must_then_be_spoken() {
    let authority = Authority::new();
    let server = start(&ServerTls::new(&settings(&authority)).unwrap(), |server| server).await;
    let client = TlsClient::of(&authority).speaking("h2");
    let io = TokioIo::new(client.connect(&server, "a.test").await);
    let (mut requests, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://a.test/").body(Body::empty()).unwrap();
    let answer = soon(requests.send_request(request)).await.unwrap();
    let body = Body::collect_limited(answer.into_body(), 200).await.unwrap();
    assert_eq!(body, r#"HTTP/2.0 secure=true Some(("TLSv1.3", Some("a.test"), Some("h2"), None))"#);
    drop(requests);
    soon(connection).await.unwrap().unwrap();

    let mut liar = client.connect(&server, "a.test").await;
    assert!(!get(&mut liar).await.unwrap_or_default().contains("secure"));
}

#[tokio::test]
async fn each_name_is_shown_its_certificate() {
    let authority = Authority::new();
    let names: [&[&str]; 3] = [&["a.test"], &["*.b.test"], &["x.b.test"]];
    let settings = ServerTlsSettings::new(names.map(|names| authority.certificate(names)));
    let server = start(&ServerTls::new(&settings).unwrap(), |server| server).await;
    let client = TlsClient::of(&authority);
    // The client checks that the certificate has the name.
    for name in ["a.test", "y.b.test", "x.b.test"] {
        client.connect(&server, name).await;
    }
    client.try_connect(&server, "z.y.b.test").await.expect_err("the first one has another name");
    let first = TlsClient::of(&authority).without_name().connect(&server, "a.test").await;
    assert_eq!(first.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));

    let strict = start(&ServerTls::new(&settings.refuse_unknown_names(true)).unwrap(), |server| server).await;
    client.connect(&strict, "a.test").await;
    TlsClient::of(&authority).without_name().try_connect(&strict, "a.test").await.unwrap_err();
}

#[tokio::test]
async fn tls_12_is_spoken_and_sessions_are_resumed_until_the_set_is_replaced() {
    let authority = Authority::new();
    let meter = Meter::default();
    let tls = ServerTls::new(&settings(&authority)).unwrap();
    let server = start(&tls, |server| server.meter(&meter)).await;
    let mut old = TlsClient::of(&authority);
    old.0 = {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.der().clone()).unwrap();
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    assert!(old.get(&server, "a.test").await.unwrap().contains("TLSv1.2"));
    old.0.resumption = Resumption::disabled();

    let client = TlsClient::of(&authority);
    for _ in 0..3 {
        client.get(&server, "a.test").await.unwrap();
    }
    assert_eq!(outcomes(&meter), [2, 2, 0]);
    tls.replace(&settings(&authority)).unwrap();
    client.get(&server, "a.test").await.unwrap();
    assert_eq!(outcomes(&meter), [3, 2, 0], "a session of another set begins anew");
}

#[tokio::test]
async fn what_is_replaced_holds_for_new_connections_and_what_is_bad_changes_nothing() {
    let authority = Authority::new();
    let directory = std::env::temp_dir().join(format!("gateway-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (chain_file, key_file) = (directory.join("chain.pem"), directory.join("key.pem"));
    let write = |(chain, key): &(String, String)| {
        std::fs::write(&chain_file, chain).unwrap();
        std::fs::write(&key_file, key).unwrap();
    };
    write(&authority.sign(&["a.test"]));
    let tls = ServerTls::from_files(ServerTlsFiles::new().certificate(&chain_file, &key_file, [])).unwrap();
    let server = start(&tls, |server| server).await;
    let client = TlsClient::of(&authority);
    let mut early = client.connect(&server, "a.test").await;
    let first = shown(&early);

    let next = authority.sign(&["a.test"]);
    std::fs::write(&chain_file, &next.0).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(
        error.contains("chain.pem") && error.ends_with("the key does not fit the certificate"),
        "{error}"
    );
    assert_eq!(shown(&client.connect(&server, "a.test").await), first);
    std::fs::remove_file(&chain_file).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("chain.pem: "), "{error}");

    write(&next);
    tls.reload().unwrap();
    assert_ne!(shown(&client.connect(&server, "a.test").await), first);
    assert!(get(&mut early).await.unwrap().contains("secure=true"), "what is open goes on");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn clients_show_who_they_are_or_are_refused() {
    let (authority, clients, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let names = ["Billing.test", "spiffe://example.org/billing"];
    let known = TlsClient::showing(&authority, clients.sign(&names));
    let nobody = TlsClient::of(&authority);
    let impostor = TlsClient::showing(&authority, stranger.sign(&names));
    let identity = r#"(["billing.test", "spiffe://example.org/billing"], true, 1)"#;
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        let meter = Meter::default();
        let tls = ServerTls::new(&settings(&authority).clients(clients.pem().as_bytes(), auth)).unwrap();
        let server = start(&tls, |server| server.meter(&meter)).await;
        for _ in 0..2 {
            let said = known.get(&server, "a.test").await.unwrap();
            assert!(said.contains(identity), "also when it is resumed: {said}");
        }
        impostor.get(&server, "a.test").await.unwrap_err();
        let anonymous = nobody.get(&server, "a.test").await;
        match auth {
            ClientAuth::Required => assert!(anonymous.is_err()),
            ClientAuth::Optional => {
                let said = anonymous.unwrap();
                assert!(said.ends_with(r#"Some("a.test"), None, None))"#), "{said}");
            }
        }
        until(|| outcomes(&meter)[2] == if auth == ClientAuth::Required { 2 } else { 1 }).await;
        assert_eq!(outcomes(&meter)[1], 1);
    }
}

#[tokio::test]
async fn plain_text_is_told_what_is_spoken_here_and_garbage_is_closed() {
    let authority = Authority::new();
    let meter = Meter::default();
    let server = start(&ServerTls::new(&settings(&authority)).unwrap(), |server| server.meter(&meter)).await;
    let mut plain = server.connect().await;
    plain.get("/").await;
    let said = plain.rest().await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{said}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{said}");
    for garbage in ["\0\u{1}", "\u{16}garbage that is no handshake at all", "get / HTTP/1.1\r\n\r\n"] {
        let mut client = server.connect().await;
        client.send(garbage).await;
        assert!(!client.rest().await.contains("HTTP"), "{garbage:?}");
    }
    until(|| outcomes(&meter) == [0, 0, 4]).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_and_so_is_silence_after_it() {
    let authority = Authority::new();
    let meter = Meter::default();
    let short = Duration::from_millis(200);
    let server = start(&ServerTls::new(&settings(&authority)).unwrap(), |server| {
        server.meter(&meter).handshake_timeout(short).first_byte_timeout(short)
    })
    .await;
    for start in ["", "\u{16}", "\u{16}\u{3}\u{1}\u{2}\0"] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_eq!(client.rest().await, "", "{start:?}");
    }
    let timeouts =
        |wait| meter.counter("gateway_connection_timeouts_total", "", &[("waited_for", wait)]).value();
    assert_eq!(timeouts("handshake"), 3);
    let mut silent = TlsClient::of(&authority).connect(&server, "a.test").await;
    let mut rest = Vec::new();
    drop(soon(silent.read_to_end(&mut rest)).await);
    assert_eq!(timeouts("protocol"), 1);
    until(|| meter.gauge("gateway_connections", "", &[]).value() == 0).await;
}

#[tokio::test]
async fn a_stop_ends_handshakes_at_once_and_finishes_requests() {
    let authority = Authority::new();
    let server = start(&ServerTls::new(&settings(&authority)).unwrap(), |server| server).await;
    let mut half = server.connect().await;
    half.send("\u{16}\u{3}\u{1}").await;
    let mut idle = TlsClient::of(&authority).connect(&server, "a.test").await;
    idle.write_all(b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("secure=true") {
        soon(idle.read_buf(&mut text)).await.unwrap();
    }
    let drained = server.stop().await;
    assert_eq!(drained, Drained { finished: 2, cut: 0 });
    assert_eq!(half.rest().await, "");
}

#[tokio::test]
async fn plain_and_encrypted_listeners_share_a_server_and_its_caps() {
    let authority = Authority::new();
    let tls = ServerTls::new(&settings(&authority)).unwrap();
    let encrypted = Listener::bind((IpAddr::from([127, 0, 0, 1]), 0).into()).unwrap().tls(tls);
    let address = encrypted.local_addr().unwrap();
    let mut server = Running::start(tell(), |server| {
        server.and(encrypted).max_connections(1).threads(NonZeroUsize::new(2).unwrap())
    })
    .await;
    let plain_address = std::mem::replace(&mut server.address, address);
    let open = TlsClient::of(&authority).connect(&server, "a.test").await;
    server.address = plain_address;
    let mut refused = server.connect().await;
    assert!(refused.rest().await.starts_with("HTTP/1.1 503"));
    drop(open);
    soon(async {
        loop {
            let mut plain = server.connect().await;
            plain.send("GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            if plain.rest().await.ends_with("HTTP/1.1 secure=false None") {
                break;
            }
        }
    })
    .await;
    assert_eq!(server.stop().await.cut, 0);
}
