//! PROXY-RULES 5 and 6: targets, paths and queries.

use crate::{gateway::Gateway, upstream::Recorder};

#[tokio::test]
async fn targets_of_other_forms_are_refused() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for (line, status) in [
        ("GET *", 400),
        ("GET a", 400),
        ("GET a/b", 400),
        ("GET a:80", 400),
        ("GET ?x", 400),
        ("GET ftp://a/", 400),
        ("GET http://", 400),
        ("GET http:///x", 400),
        ("GET http://u@a/", 400),
        ("POST *", 400),
        ("CONNECT a:443", 405),
        ("OPTIONS *", 204),
    ] {
        assert_eq!(gateway.status(format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n")).await, status, "{line}");
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn options_about_the_hop_is_answered_without_a_body() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = gateway.connect().await;
    client.send("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.field("content-length"), answer.field("content-type")),
        (204, None, None)
    );
    assert_eq!(client.get("/").await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn a_path_that_servers_read_differently_is_refused() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for path in [
        "/..",
        "/a/../..",
        "/%2e%2e/",
        "/.%2e/a",
        "/a/..;/b",
        "/a/.;x/b",
        "/%2f",
        "/a%2Fb",
        "/%5c",
        "/a%5Cb",
        "/a\\b",
        "/%00",
        "/%",
        "/%4",
        "/%zz",
        "/%c3%",
        "/a/%2E%2e/%2e%2e/",
    ] {
        assert_eq!(gateway.status(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await, 400, "{path}");
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn a_path_has_one_spelling_upstream() {
    for (asked, seen) in [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/pub/%2e%2e/admin", "/admin"),
        ("//a///b", "/a/b"),
        ("/%41%7e%c3%a4", "/A~%C3%A4"),
        ("/%252e%252e/", "/%252e%252e/"),
        ("http://a", "/"),
        ("http://a?x", "/?x"),
        ("/A/b", "/A/b"),
        ("/a;b=c/d", "/a;b=c/d"),
    ] {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        assert_eq!(gateway.status(format!("GET {asked} HTTP/1.1\r\nhost: a\r\n\r\n")).await, 200, "{asked}");
        assert_eq!(upstream.request().target, seen, "{asked}");
    }
}

#[tokio::test]
async fn a_query_arrives_byte_for_byte() {
    for query in ["a=%2F&b=+&&c=%zz;d", "", "?", "/../%2e%2e//", "a=b?c", "%41=%7e", "[]{}|\"'<>"] {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        let status = gateway.status(format!("GET /x/./y?{query} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(status, 200, "{query}");
        assert_eq!(upstream.request().target, format!("/x/y?{query}"));
    }
}

#[tokio::test]
async fn unknown_methods_pass_as_they_are_and_no_header_overrides_them() {
    for method in ["get", "PROPFIND", "M-SEARCH", "X!#$%&'*+.^_`|~"] {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        let fields = "x-http-method-override: DELETE";
        assert_eq!(gateway.status(format!("{method} / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n")).await, 200);
        assert_eq!(upstream.request().method, method);
    }
}

#[tokio::test]
async fn sizes_end_somewhere() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let long = "x".repeat(70_000);
    assert_eq!(gateway.status(format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n")).await / 100, 4);
    assert_eq!(gateway.status(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n")).await, 431);
    let many = "x: y\r\n".repeat(101);
    assert_eq!(gateway.status(format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")).await, 431);
    assert_eq!(upstream.bytes().len(), 0);
}
