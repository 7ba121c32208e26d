//! A browser: a page from behind the gateway that opens a WebSocket, listens to events and fetches, all through it.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    common::{Gateway, get, temporary_file},
    parties::{LISTEN_TWICE, Party, certificate, secure_url},
};

const DOCUMENT: &str = "
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {}
routes:
  - {name: socket, path: /socket, upstream: {endpoints: ['${SOCKETS}'], upgrades: [websocket]}}
  - {name: rest, prefix: /, upstream: '${UPSTREAM}'}
";

#[test]
fn a_page_of_chromium_works_over_http_1_and_over_tls_with_http_2() {
    let (server, sockets) = (Party::script("node/http_server.js"), Party::script("node/ws_server.js"));
    let [certificate, key] = certificate();
    let (server_url, sockets_url) = (server.url(), sockets.url());
    let variables = [
        ("UPSTREAM", &*server_url),
        ("SOCKETS", &*sockets_url),
        (certificate.0, &certificate.1),
        (key.0, &key.1),
    ];
    let gateway = Gateway::with_document(&format!("{LISTEN_TWICE}{DOCUMENT}"), &variables);
    for (base, protocol) in [(&gateway.url, "http/1.1"), (&secure_url(&gateway), "h2")] {
        let seen = browse(&format!("{base}/page"), &server);
        let wanted = format!(
            "socket: echo.v2 4242 as you wish true\nevents: first second\nfetches: 65536 300000 true\npage: {protocol}"
        );
        assert_eq!(seen, wanted);
    }
}

/// Opens the page until it has reported; what it reported.
fn browse(page: &str, server: &Party) -> String {
    let profile = temporary_file("profile", "").with_file_name("chromium");
    let mut browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--ignore-certificate-errors",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        // Whatever is not the gateway does not exist.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0", page])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = format!("127.0.0.1:{}", server.port);
    let start = Instant::now();
    let seen = loop {
        let answer = get(&address, "/reported");
        let (_, seen) = answer.split_once("\r\n\r\n").unwrap();
        if !seen.is_empty() {
            break seen.to_owned();
        }
        assert!(start.elapsed() < Duration::from_secs(90), "the page reported nothing");
        thread::sleep(Duration::from_millis(200));
    };
    // It ends its own children when it is asked politely.
    let _ = Command::new("kill").args(["-s", "TERM", &browser.id().to_string()]).status();
    crate::common::wait(&mut browser, Duration::from_secs(30));
    seen
}
