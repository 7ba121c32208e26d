//! PROXY-RULES 2 to 4 and 7: what belongs to one hop, what only a gateway may say, `Via`, `Max-Forwards`, `Expect`.

use gateway_core::canonical::OddNames;

use crate::{gateway::Gateway, upstream::Recorder};

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n")
}

async fn forwarded(fields: &str) -> gateway_core::testing::strict::StrictRequest {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(gateway.status(get(fields)).await, 200, "{fields}");
    upstream.request()
}

#[tokio::test]
async fn fields_of_one_hop_are_not_seen_behind_it() {
    let request = forwarded(
        "connection: close, X-Foo\r\nConnection: x-bar\r\nx-foo: 1\r\nX-Bar: 1\r\nkeep-alive: timeout=1\r\n\
         proxy-connection: close\r\nte: gzip\r\nupgrade: h2c\r\nhttp2-settings: AAAA\r\nproxy-authorization: Basic x\r\n\
         proxy-authenticate: x\r\nx-kept: 1\r\n",
    )
    .await;
    let mut names: Vec<&str> = request.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-kept"]);
}

#[tokio::test]
async fn a_client_cannot_take_away_what_the_gateway_says() {
    let request = forwarded(
        "connection:\r\nconnection: close, x-forwarded-for, via, x-forwarded-proto\r\nX-Forwarded-For: 6.6.6.6\r\n",
    )
    .await;
    assert_eq!(request.value("x-forwarded-for").unwrap(), "127.0.0.1");
    assert_eq!(request.value("x-forwarded-proto").unwrap(), "http");
    assert_eq!(request.value("via").unwrap(), "1.1 here");
}

#[tokio::test]
async fn naming_what_a_message_needs_in_connection_is_refused() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for name in ["Host", "cache-control", "AUTHORIZATION", "cookie", "Content-Length"] {
        let answer = gateway.exchange(get(&format!("connection: x, {name}\r\n"))).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
        assert!(answer.contains("bad_connection"), "{name}: {answer}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_strangers_word_about_the_client_is_removed_in_every_spelling() {
    let request = forwarded(
        "forwarded: for=6.6.6.6\r\nx-forwarded-for: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-REAL-IP: 6.6.6.6\r\n\
         true-client-ip: 6.6.6.6\r\ncf-connecting-ip: 6.6.6.6\r\nx-client-ip: 6.6.6.6\r\nx-original-url: /6.6.6.6\r\n\
         x-rewrite-url: /6.6.6.6\r\nx-forwarded-port: 6.6.6.6\r\nx-user: 6.6.6.6\r\nx_user: 6.6.6.6\r\n",
    )
    .await;
    let spoofed = request.fields.iter().find(|(_, value)| value.windows(7).any(|part| part == b"6.6.6.6"));
    assert_eq!(spoofed, None);
}

#[tokio::test]
async fn odd_field_names_are_dropped_kept_or_refused() {
    let fields = "x_odd: 1\r\nx.odd: 1\r\nx_user: root\r\nx_forwarded_for: 6.6.6.6\r\ncontent_length: 5\r\n";
    for (policy, status, seen) in [
        (OddNames::Drop, 200, &[] as &[&str]),
        (OddNames::Keep, 200, &["x_odd", "x.odd"]),
        (OddNames::Refuse, 400, &[]),
    ] {
        let upstream = Recorder::start().await;
        let gateway = Gateway::with(&upstream, policy).await;
        assert_eq!(gateway.status(get(fields)).await, status, "{policy:?}");
        let requests = upstream.requests();
        let fields = requests.iter().flat_map(|request| &request.fields);
        let mut odd: Vec<&str> =
            fields.map(|(name, _)| name.as_str()).filter(|name| name.contains(['_', '.'])).collect();
        odd.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(odd, seen, "{policy:?}");
    }
}

#[tokio::test]
async fn via_names_the_version_that_was_received_and_a_loop_ends() {
    assert_eq!(forwarded("via: 1.0 other\r\n").await.values("via").last().unwrap(), b"1.1 here");
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(gateway.status("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await, 200);
    assert_eq!(upstream.request().value("via").unwrap(), "1.0 here");
    assert_eq!(gateway.status(get("via: 1.1 other, 1.1 HERE (x)\r\n")).await, 508);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn max_forwards_is_counted_down_and_ends_here() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let options = |count: &str| format!("OPTIONS / HTTP/1.1\r\nhost: a\r\nmax-forwards: {count}\r\n\r\n");
    assert_eq!(gateway.status(options("0")).await, 204);
    assert_eq!(gateway.status(options("x")).await, 400);
    assert_eq!(gateway.status(options("5")).await, 200);
    assert_eq!(upstream.request().value("max-forwards").unwrap(), "4");
    assert_eq!(gateway.status(get("max-forwards: 0\r\n")).await, 200, "other methods ignore it");
}

#[tokio::test]
async fn trace_is_not_allowed() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for fields in ["", "max-forwards: 0\r\n", "max-forwards: 5\r\n"] {
        let answer =
            gateway.status(format!("TRACE / HTTP/1.1\r\nhost: a\r\ncookie: secret\r\n{fields}\r\n")).await;
        assert_eq!(answer, 405);
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn an_expectation_that_nobody_meets_is_417_and_old_clients_have_none() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for wrong in
        ["expect: 200-ok\r\n", "expect: 100-continue\r\nexpect: x\r\n", "expect: 100-continue, x\r\n"]
    {
        assert_eq!(gateway.status(get(wrong)).await, 417, "{wrong}");
    }
    assert_eq!(upstream.requests().len(), 0);
    let old = "POST / HTTP/1.0\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi";
    let answer = gateway.exchange(old).await;
    assert!(
        answer.starts_with("HTTP/1.0 200 ") || answer.starts_with("HTTP/1.1 200 "),
        "no 100 before: {answer}"
    );
    assert_eq!(upstream.request().value("expect"), None);
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(client.next("POST").await.status, 100);
    client.send("hi").await;
    assert_eq!(client.next("POST").await.status, 200);
    let request = upstream.request();
    assert_eq!((request.value("expect"), request.body.as_slice()), (None, &b"hi"[..]));

    let mut client = gateway.connect().await;
    client.send("POST /%zz HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(client.next("POST").await.status, 400, "refused without a 100 before");
}

#[tokio::test]
async fn fields_of_one_hop_are_not_seen_in_front_of_it() {
    let upstream = Recorder::saying(
        "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-secret\r\nConnection: X-Other\r\nx-secret: 1\r\nx-other: 1\r\n\
         keep-alive: timeout=9\r\nproxy-authenticate: x\r\nupgrade: h2c\r\nte: x\r\nproxy-connection: x\r\n\
         x-kept: 1\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let gateway = Gateway::before(&upstream).await;
    let answer = gateway.connect().await.get("/").await;
    let mut names: Vec<&str> =
        answer.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "x-kept"]);
}
