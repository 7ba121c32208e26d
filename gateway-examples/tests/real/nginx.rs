use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    common::{Gateway, get, status, temporary_file},
    parties::{Party, curl, folder_with, free_port, peak_kib},
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
access_log: {to: stdout}
metrics: {path: /metrics}
limits: {target: 2KiB, header_count: 20, body: 200MiB}
routes:
  - name: files
    prefix: /
    methods: [GET]
    headers: {response: {set: {x-gateway: 'yes'}, remove: [x-upstream]}}
    timeout: 5s
    upstream: ${UPSTREAM}
  - name: limited
    path: /limited
    rate_limit: {requests: 2, per: 1m}
    upstream: ${UPSTREAM}
";

#[test]
fn curl_reaches_nginx_and_every_refusal_says_why() {
    let folder = folder_with("page.txt", 100);
    fs::write(folder.join("limited"), "ok").unwrap();
    let nginx = Party::nginx(&folder, free_port());
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &nginx.url())]);
    let url = |path: &str| format!("{}{path}", gateway.url);

    let page = curl(&["--include", &url("/page.txt")]);
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("x-gateway: yes") && !page.contains("x-upstream"), "{page}");
    let http2 = curl(&["--include", "--http2-prior-knowledge", &url("/page.txt")]);
    assert!(http2.starts_with("HTTP/2 200"), "{http2}");

    let code = |arguments: &[&str]| {
        curl(&[&["--output", "/dev/null", "--write-out", "%{http_code}"], arguments].concat())
    };
    assert_eq!(code(&[&url("/missing")]), "404", "nginx's own answer");
    assert_eq!(code(&["--request", "PURGE", &url("/page.txt")]), "405");
    assert_eq!(code(&[&url(&format!("/{}", "x".repeat(3000)))]), "414");
    let many: Vec<String> = (0..30).map(|number| format!("x-h-{number}: 1")).collect();
    let many: Vec<&str> = many.iter().flat_map(|header| ["--header", header]).collect();
    assert_eq!(code(&[&many[..], &[&url("/page.txt")]].concat()), "431");
    assert_eq!(code(&["--head", &url("/page.txt")]), "200");
    let limited: Vec<String> = (0..3).map(|_| code(&[&url("/limited")])).collect();
    assert_eq!(limited, ["200", "200", "429"]);
    assert!(curl(&["--include", &url("/limited")]).to_lowercase().contains("retry-after: "));
}

#[test]
fn a_large_download_arrives_whole_in_constant_memory() {
    let folder = folder_with("large", 256 << 20);
    let nginx = Party::nginx(&folder, free_port());
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &nginx.url())]);
    let _ = get(gateway.address(), "/nothing");
    let before = peak_kib(gateway.id());
    let copy = temporary_file("copy", "");
    curl(&["--output", copy.to_str().unwrap(), &format!("{}/large", gateway.url)]);
    assert!(fs::read(copy).unwrap() == fs::read(folder.join("large")).unwrap(), "every byte is the same");
    let grown = peak_kib(gateway.id()) - before;
    println!("256 MiB downloaded: resident memory grew by {grown} KiB");
    assert!(grown < 16 << 10, "resident memory grew by {grown} KiB");
}

#[test]
fn an_upstream_that_is_killed_and_started_again_costs_502s_only_meanwhile() {
    let folder = folder_with("page.txt", 100);
    let port = free_port();
    let nginx = Party::nginx(&folder, port);
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &nginx.url())]);
    let ask = || status(&get(gateway.address(), "/page.txt"));
    assert_eq!(ask(), 200);
    drop(nginx);
    assert_eq!(ask(), 502);
    let _again = Party::nginx(&folder, port);
    let start = Instant::now();
    while ask() != 200 {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
