use std::sync::Arc;

use gateway_core::{
    UpstreamError,
    error::ErrorKind,
    fetch::Fetch,
    tls::ClientTls,
    upstream::{Protocol, Upstream},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use super::{Manners, Server, get, send, text};

/// An authority for tests.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate with its key, both PEM.
    fn signs(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server with this certificate that offers these protocols, and asks for clients of an authority.
async fn server(
    (certificate, key): &(String, String),
    protocols: &[&[u8]],
    clients: Option<&Authority>,
) -> Server {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(PemObject::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![PemObject::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let tls = Some(TlsAcceptor::from(Arc::new(config)));
    Server::start(Manners { tls, ..Manners::default() }).await
}

fn upstream(server: &Server, tls: ClientTls) -> Upstream {
    Upstream::new([format!("https://localhost:{}", server.port)]).tls(tls)
}

async fn failure(upstream: Upstream) -> (ErrorKind, String) {
    let error = send(&upstream.build().unwrap(), get("/")).await.map(drop).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    (UpstreamError::kind(&error), cause.unwrap_or_default())
}

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

#[tokio::test]
async fn the_protocol_is_the_demanded_one_or_the_agreed_one() {
    let authority = Authority::new("ours");
    let certificate = authority.signs("localhost", |_| {});
    let tls = || ClientTls::default().authorities(authority.pem.clone());
    for (protocol, offered, spoken) in [
        (Protocol::Http1, BOTH, "HTTP/1.1 /a?b"),
        (Protocol::Http1, &[], "HTTP/1.1 /a?b"),
        (Protocol::Http2, BOTH, "HTTP/2.0 https://shop.example/a?b"),
        (Protocol::Auto, BOTH, "HTTP/2.0 https://shop.example/a?b"),
        (Protocol::Auto, &[b"http/1.1"], "HTTP/1.1 /a?b"),
        (Protocol::Auto, &[], "HTTP/1.1 /a?b"),
    ] {
        let server = server(&certificate, offered, None).await;
        let forward = upstream(&server, tls()).protocol(protocol).build().unwrap();
        for _ in 0..3 {
            let answer = send(&forward, get("/a?b")).await.unwrap();
            assert_eq!(answer.version(), http::Version::HTTP_11);
            let said = text(answer).await;
            assert!(said.starts_with(spoken.as_bytes()), "{protocol:?} {said:?}");
        }
        assert_eq!(server.connections(), 1, "{protocol:?}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_certificate_is_a_failure_to_connect_that_says_so() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let tls = || ClientTls::default().authorities(authority.pem.clone());
    let good = authority.signs("localhost", |params| {
        params.subject_alt_names.push(SanType::URI("spiffe://a/orders".try_into().unwrap()));
    });
    let other = authority.signs("other.test", |_| {});
    let expired = authority.signs("localhost", |params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let unknown = stranger.signs("localhost", |_| {});
    for (certificate, tls, why) in [
        (&other, tls(), "not valid for name"),
        (&expired, tls(), "expired"),
        (&unknown, tls(), "UnknownIssuer"),
        (&good, tls().names(["spiffe://a/users", "b.test"]), "names none of spiffe://a/users, b.test"),
        (&other, tls().server_name("wrong.test"), "not valid for name"),
    ] {
        let server = server(certificate, BOTH, None).await;
        let (kind, cause) = failure(upstream(&server, tls)).await;
        assert_eq!(kind, ErrorKind::Connect, "{why}");
        assert!(cause.contains("TLS") && cause.contains(why), "{why}: {cause}");
    }
    for (certificate, tls) in [
        (&good, tls()),
        (&good, tls().names(["b.test", "spiffe://a/orders"])),
        (&good, tls().names(["localhost"])),
        (&other, tls().server_name("other.test")),
    ] {
        let server = server(certificate, BOTH, None).await;
        let forward = upstream(&server, tls).build().unwrap();
        assert_eq!(send(&forward, get("/")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn an_upstream_that_asks_for_our_certificate_gets_it_or_refuses_us() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let certificate = authority.signs("localhost", |_| {});
    let tls = || ClientTls::default().authorities(authority.pem.clone());
    let server = server(&certificate, BOTH, Some(&authority)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (ours, key) = authority.signs("gateway", |_| {});
        let forward = upstream(&server, tls().identity(ours, key)).protocol(protocol).build().unwrap();
        assert_eq!(send(&forward, get("/")).await.unwrap().status(), 200);

        let (kind, cause) = failure(upstream(&server, tls()).protocol(protocol)).await;
        assert_eq!(kind, ErrorKind::Connect, "{protocol:?}: {cause}");
        assert!(cause.contains("CertificateRequired"), "{protocol:?}: {cause}");
        let (theirs, key) = stranger.signs("gateway", |_| {});
        let (kind, cause) = failure(upstream(&server, tls().identity(theirs, key)).protocol(protocol)).await;
        assert_eq!(kind, ErrorKind::Connect, "{protocol:?}: {cause}");
    }
}

#[tokio::test]
async fn http2_is_demanded_and_what_does_not_speak_tls_is_said() {
    let authority = Authority::new("ours");
    let certificate = authority.signs("localhost", |_| {});
    let tls = || ClientTls::default().authorities(authority.pem.clone());
    let old = server(&certificate, &[], None).await;
    let (kind, cause) = failure(upstream(&old, tls()).protocol(Protocol::Http2)).await;
    assert_eq!(kind, ErrorKind::Connect);
    assert!(cause.contains("does not offer h2"), "{cause}");
    let plain = Server::start(Manners::default()).await;
    let (kind, cause) = failure(upstream(&plain, tls())).await;
    assert_eq!(kind, ErrorKind::Connect);
    assert!(cause.contains("TLS"), "{cause}");
}

#[tokio::test]
async fn fetch_asks_over_https_too() {
    let authority = Authority::new("ours");
    let server = server(&authority.signs("localhost", |_| {}), BOTH, None).await;
    let fetch = Fetch::new(&format!("https://localhost:{}/keys", server.port)).unwrap();
    let fetch = fetch.tls(ClientTls::default().authorities(authority.pem)).unwrap();
    assert_eq!(fetch.get().await.unwrap().status, 200);
}
