//! PROXY-RULES 2, 5, 9 and 11: what HTTP/2 may say, and how it becomes HTTP/1.1.

use crate::{
    gateway::Gateway,
    h2::{Http2, Outcome, get, request, with},
    upstream::Recorder,
};

#[tokio::test]
async fn a_request_becomes_one_strict_request() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let fields =
        get("/a/./b?c=%zz", &[("cookie", b"a=1"), ("x-a", b"1"), ("cookie", b"b=2"), ("te", b"trailers")]);
    assert_eq!(request(gateway.address, &fields, None).await, Outcome::Answer(200, b"ok".to_vec(), true));
    let seen = upstream.request();
    assert_eq!((seen.target.as_str(), seen.value("host").unwrap().as_str()), ("/a/b?c=%zz", "a"));
    assert_eq!(seen.value("cookie").unwrap(), "a=1; b=2");
    assert_eq!(seen.value("via").unwrap(), "2.0 here");
    assert!(seen.value("content-length").is_none() && seen.value("transfer-encoding").is_none());
}

#[tokio::test]
async fn a_body_is_framed_anew() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let fields = with("POST", "/", &[]);
    assert_eq!(request(gateway.address, &fields, Some(b"hello")).await.status(), 200);
    let seen = upstream.request();
    assert_eq!(
        (seen.value("transfer-encoding").unwrap().as_str(), seen.body.as_slice()),
        ("chunked", &b"hello"[..])
    );
}

#[tokio::test]
async fn fields_of_one_connection_are_malformed() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for (name, value) in [
        ("connection", "close"),
        ("connection", "x-a"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ] {
        let outcome = request(gateway.address, &get("/", &[(name, value.as_bytes())]), None).await;
        assert!(
            matches!(outcome, Outcome::Reset(_) | Outcome::Answer(400, ..)),
            "{name}: {value}: {outcome:?}"
        );
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn a_host_that_differs_from_the_authority_is_400() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(request(gateway.address, &get("/", &[("host", b"b")]), None).await.status(), 400);
    assert_eq!(
        request(gateway.address, &get("/", &[("host", b"a"), ("host", b"a")]), None).await.status(),
        400
    );
    assert_eq!(upstream.bytes().len(), 0);
    assert_eq!(request(gateway.address, &get("/", &[("host", b"A")]), None).await.status(), 200);
    let only_host: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":scheme", b"http"), (":path", b"/"), ("host", b"b")];
    assert_eq!(request(gateway.address, &only_host, None).await.status(), 200);
    let hosts: Vec<_> = upstream.requests().iter().map(|request| request.value("host").unwrap()).collect();
    assert_eq!(hosts, ["a", "b"]);
}

#[tokio::test]
async fn a_length_that_its_data_contradict_is_malformed() {
    for (length, data) in
        [("5", "hell"), ("3", "hell"), ("0", "hell"), ("x", "hell"), ("", "hell"), ("+4", "hell")]
    {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        let fields = with("POST", "/", &[("content-length", length.as_bytes())]);
        let outcome = request(gateway.address, &fields, Some(data.as_bytes())).await;
        assert_ne!(outcome.status(), 200, "{length}: {outcome:?}");
        assert_eq!(upstream.requests().len(), 0, "{length}: no whole request arrives");
    }
}

#[tokio::test]
async fn pseudo_fields_come_once_first_and_are_known() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let base: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":scheme", b"http"), (":authority", b"a"), (":path", b"/")];
    let but = |missing: &str| base.iter().copied().filter(|(name, _)| *name != missing).collect::<Vec<_>>();
    let and = |name, value| base.iter().copied().chain([(name, value)]).collect::<Vec<(&str, &[u8])>>();
    let late = [base[0], base[1], base[2], ("x-a", b"1"), base[3]].to_vec();
    for fields in [
        but(":method"),
        but(":path"),
        but(":scheme"),
        and(":path", b"/b"),
        and(":method", b"POST"),
        and(":authority", b"b"),
        and(":status", b"200"),
        and(":unknown", b"x"),
        late,
    ] {
        let outcome = request(gateway.address, &fields, None).await;
        assert!(
            matches!(outcome, Outcome::Reset(_) | Outcome::Gone(_) | Outcome::Answer(400, ..)),
            "{outcome:?}"
        );
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn what_would_split_a_line_is_malformed() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let bad: [(&str, &[u8]); 7] = [
        ("x-a", b"1\r\nx-evil: 1"),
        ("x-a", b"1\nx-evil: 1"),
        ("x-a", b"1\0"),
        ("X-A", b"1"),
        ("x a", b"1"),
        ("x-a: 1\r\nx-evil", b"1"),
        ("", b"1"),
    ];
    for (name, value) in bad {
        let outcome = request(gateway.address, &get("/", &[(name, value)]), None).await;
        assert_ne!(outcome.status(), 200, "{name:?}: {value:?}");
    }
    for (method, path) in [
        ("GET / HTTP/1.1\r\nx: y", "/"),
        ("G T", "/"),
        ("GET", "/ HTTP/1.1\r\nx: y"),
        ("GET", "a"),
        ("GET", ""),
    ] {
        let outcome = request(gateway.address, &with(method, path, &[]), None).await;
        assert_ne!(outcome.status(), 200, "{method:?} {path:?}");
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn asterisk_connect_trace_and_odd_schemes_end_here() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(request(gateway.address, &with("OPTIONS", "*", &[]), None).await.status(), 204);
    assert_eq!(request(gateway.address, &with("GET", "*", &[]), None).await.status(), 400);
    assert_eq!(request(gateway.address, &with("TRACE", "/", &[]), None).await.status(), 405);
    let connect: [(&str, &[u8]); 2] = [(":method", b"CONNECT"), (":authority", b"a:443")];
    assert_eq!(request(gateway.address, &connect, None).await.status(), 405);
    let ftp: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":scheme", b"ftp"), (":authority", b"a"), (":path", b"/")];
    assert_eq!(request(gateway.address, &ftp, None).await.status(), 400);
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn half_an_answer_resets_the_stream() {
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let upstream = Recorder::saying(said).await;
        let gateway = Gateway::before(&upstream).await;
        let outcome = request(gateway.address, &get("/", &[]), None).await;
        assert!(matches!(outcome, Outcome::Answer(200, _, false)), "{outcome:?}");
    }
}

#[tokio::test]
async fn fields_of_the_upstreams_hop_do_not_reach_http2() {
    let upstream = Recorder::saying(
        "HTTP/1.1 200 OK\r\nconnection: close, x-a\r\nx-a: 1\r\nkeep-alive: x\r\nupgrade: h2c\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    )
    .await;
    let gateway = Gateway::before(&upstream).await;
    // A client made by others resets the stream over any of them.
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let asked = http::Request::get("http://a/").body(gateway_core::Body::empty()).unwrap();
    let answer = sender.send_request(asked).await.unwrap();
    let mut names: Vec<&str> = answer.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["date"]);
}

#[tokio::test]
async fn a_reset_in_mid_upload_never_finishes_the_request() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = Http2::connect(gateway.address).await;
    client.headers(1, &with("POST", "/", &[]), false).await;
    client.data(1, b"half", false).await;
    while !upstream.all().contains("half") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    client.reset(1).await;
    client.headers(3, &get("/next", &[]), true).await;
    assert_eq!(client.outcome(3).await.status(), 200);
    let targets: Vec<_> = upstream.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/next"]);
}

#[tokio::test]
async fn trailers_hold_nothing_that_belongs_to_a_head() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = Http2::connect(gateway.address).await;
    client.headers(1, &with("POST", "/", &[("trailer", b"x-sum, host, x-forwarded-for")]), false).await;
    client.data(1, b"hi", false).await;
    client.headers(1, &[("x-sum", b"1"), ("host", b"evil"), ("x-forwarded-for", b"6.6.6.6")], true).await;
    assert_eq!(client.outcome(1).await.status(), 200);
    assert_eq!(upstream.request().trailers, [("x-sum".to_owned(), b"1".to_vec())]);
}
