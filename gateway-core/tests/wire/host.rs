//! PROXY-RULES 5: which host a request is for.

use crate::{gateway::Gateway, upstream::Recorder};

#[tokio::test]
async fn a_request_names_one_valid_host() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let long = format!("host: {}\r\n", "a".repeat(300));
    for hosts in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nHost: b\r\n",
        "host:\r\n",
        "host: u@a\r\n",
        "host: a,b\r\n",
        "host: a/b\r\n",
        "host: a b\r\n",
        "host: a:b\r\n",
        "host: a:99999\r\n",
        "host: a:-1\r\n",
        "host: [::1\r\n",
        "host: [::g]\r\n",
        "host: ::1\r\n",
        "host: a%2e\r\n",
        "host: a\u{e4}\r\n",
        "host: a?b\r\n",
        "host: a#b\r\n",
        "host: http://a\r\n",
        long.as_str(),
    ] {
        assert_eq!(gateway.status(format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await, 400, "{hosts}");
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn hosts_have_one_spelling_upstream() {
    for (asked, seen) in [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("example.com:80", "example.com"),
        ("example.com:", "example.com"),
        ("example.com:8080", "example.com:8080"),
        ("[::1]:80", "[::1]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ] {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        assert_eq!(gateway.status(format!("GET / HTTP/1.1\r\nhost: {asked}\r\n\r\n")).await, 200);
        assert_eq!(upstream.request().value("host").unwrap(), seen, "{asked}");
    }
}

#[tokio::test]
async fn an_absolute_target_replaces_the_host_and_chooses_no_upstream() {
    let (upstream, never) = (Recorder::start().await, Recorder::start().await);
    let gateway = Gateway::before(&upstream).await;
    let authority = never.url().trim_start_matches("http://").to_owned();
    let status = gateway.status(format!("GET http://{authority}/x?y HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    assert_eq!(status, 200);
    let request = upstream.request();
    assert_eq!((request.target.as_str(), request.value("host").unwrap()), ("/x?y", authority.clone()));
    assert_eq!(
        gateway.status(format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n")).await,
        405
    );
    assert_eq!(never.bytes().len(), 0, "the other server is never dialled");
}

#[tokio::test]
async fn old_clients_may_name_no_host_and_the_upstream_gets_one() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(gateway.status("GET / HTTP/1.0\r\n\r\n").await, 200);
    let host = upstream.request().value("host").unwrap();
    assert_eq!(format!("http://{host}"), upstream.url());
}
