//! Several listeners, TLS, threads.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};

use crate::common::{Gateway, command, get, status, temporary_file};

/// A document with a plain and an encrypted listener, in front of `demo`, and the certificate.
fn document(upstream: &str, workers: &str) -> (String, rcgen::Certificate) {
    let made = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    let certificate = temporary_file("gateway.pem", &made.cert.pem());
    let key = temporary_file("gateway.key", &made.signing_key.serialize_pem());
    let (certificate, key) = (certificate.display(), key.display());
    let document = format!(
        "workers: {workers}
listen:
  - 127.0.0.1:0
  - address: 127.0.0.1:0
    tls: {{certificates: [{{certificate: {certificate}, key: {key}}}]}}
routes:
  - {{prefix: /, upstream: '{upstream}'}}
"
    );
    (document, made.cert)
}

pub(super) fn get_encrypted(address: &str, certificate: &rcgen::Certificate) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("gateway.test").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Answers every connection with the head of its request.
pub(super) fn mirror() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.push(byte[0]);
            }
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", head.len());
            drop(stream.write_all(&[answer.as_bytes(), &head].concat()));
        }
    });
    url
}

#[test]
fn plain_and_encrypted_listeners_serve_the_same_in_any_number_of_threads() {
    let upstream = mirror();
    for workers in ["per_cpu", "1", "3", "shared"] {
        let (document, certificate) = document(&upstream, workers);
        let mut gateway = Gateway::with_document(&document, &[]);
        let encrypted = gateway.announced.split_whitespace().find_map(|word| word.strip_prefix("https://"));
        let encrypted = encrypted.expect("the second listener is told").to_owned();
        let answer = get_encrypted(&encrypted, &certificate);
        assert!(answer.contains("x-forwarded-proto: https\r\n"), "{workers}: {answer}");
        for _ in 0..10 {
            let answer = get(gateway.address(), "/echo");
            assert_eq!(status(&answer), 200);
            assert!(answer.contains("x-forwarded-proto: http\r\n"), "{workers}: {answer}");
        }
        assert!(
            get(&encrypted, "/echo").starts_with("HTTP/1.1 400"),
            "plain text is told what is spoken here"
        );
        gateway.signal("TERM");
        assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(0), "{workers}");
    }
}

#[test]
fn a_key_that_does_not_fit_is_one_line_with_its_place() {
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (
            temporary_file("c.pem", &made.cert.pem()),
            temporary_file("k.pem", &made.signing_key.serialize_pem()),
        )
    };
    let ((certificate, _), (_, key)) = (made("a.test"), made("b.test"));
    let text = format!(
        "listen:\n  - address: 127.0.0.1:0\n    tls:\n      certificates: [{{certificate: {}, key: {}}}]\n\
         routes: [{{prefix: /, upstream: 'http://127.0.0.1:1'}}]\n",
        certificate.display(),
        key.display()
    );
    let mut command = command();
    let output = command
        .arg("check")
        .arg(temporary_file("tls.yaml", &text))
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("tls.yaml:4:21: listen[0].tls.certificates: "), "{said}");
    assert!(said.ends_with("the key does not fit the certificate\n"), "{said}");
}
