//! PROXY-RULES 1, 9 and 10: what upstreams answer.

use crate::{gateway::Gateway, raw::Answer, upstream::Recorder};

/// What a client gets when the upstream says this, and nothing more.
async fn answer_to(method: &str, version: &str, said: impl Into<Vec<u8>>) -> Answer {
    let upstream = Recorder::saying(said).await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = gateway.connect().await;
    client.send(format!("{method} / {version}\r\nhost: a\r\nte: trailers\r\n\r\n")).await;
    client.answer_to(method).await
}

async fn get(said: impl Into<Vec<u8>>) -> Answer {
    answer_to("GET", "HTTP/1.1", said).await
}

#[tokio::test]
async fn a_bad_head_is_502() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(300));
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(2 << 20));
    for said in [
        "",
        "x",
        "HTTP/1.1",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: empty\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : y\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\rset-cookie: b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx(: a\r\ncontent-length: 0\r\n\r\n",
        many.as_str(),
        large.as_str(),
    ] {
        let answer = get(said).await;
        assert_eq!(answer.status, 502, "{} {answer:?}", &said[..said.len().min(80)]);
        assert!(!answer.head.contains("set-cookie"), "{answer:?}");
    }
}

#[tokio::test]
async fn framing_that_can_be_read_in_two_ways_is_502() {
    for framing in [
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "content-length: 3\r\ntransfer-encoding: chunked",
        "content-length: 3\r\ncontent-length: 4",
        "content-length: -3",
        "content-length: 3, 3",
        "content-length: 3x",
        "content-length:",
        "content-length: 99999999999999999999",
    ] {
        let answer = get(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhello\r\n0\r\n\r\n")).await;
        assert_eq!(answer.status, 502, "{framing}: {answer:?}");
    }
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(get(old).await.status, 502);
    let twice = get("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(
        (twice.status, twice.field("content-length"), twice.body.as_slice()),
        (200, Some("2"), &b"ok"[..])
    );
}

#[tokio::test]
async fn half_an_answer_is_never_ended_cleanly() {
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nx\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf4\r\nmore\r\n0\r\n\r\n",
    ] {
        let answer = get(said).await;
        assert!(!answer.whole, "{said}: {answer:?}");
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for (method, said, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Some("5")),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", Some("5")),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Some("5")),
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello", None),
        ("GET", "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\nhello", None),
    ] {
        let upstream = Recorder::saying(said).await;
        let gateway = Gateway::before(&upstream).await;
        let mut client = gateway.connect().await;
        client.send(format!("{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        let answer = client.answer_to(method).await;
        assert!(matches!(answer.status, 200 | 204 | 304), "{said}: {answer:?}");
        assert_eq!(answer.field("content-length"), length, "{said}");
        assert_eq!(answer.field("transfer-encoding"), None, "{said}");
        assert_eq!(client.rest().await, "", "{said}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_are_never_the_next_one() {
    for first in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-evil: 1\r\n\r\nevil";
        let upstream = Recorder::answering(move |_| (format!("{first}{evil}").into_bytes(), false)).await;
        let gateway = Gateway::before(&upstream).await;
        let mut client = gateway.connect().await;
        for _ in 0..3 {
            let answer = client.get("/").await;
            assert!(!answer.head.contains("x-evil") && answer.status != 502, "{first}: {answer:?}");
        }
        assert_eq!(upstream.bytes().len(), 3, "a connection each");
    }
}

#[tokio::test]
async fn date_is_added_only_where_it_is_missing_and_server_is_left_alone() {
    let answer = get(
        "HTTP/1.1 200 OK\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT\r\nserver: x\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    assert_eq!(
        (answer.field("date"), answer.field("server")),
        (Some("Mon, 01 Jan 2024 00:00:00 GMT"), Some("x"))
    );
    let answer = get("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert!(answer.field("date").is_some() && answer.field("server").is_none());
}

#[tokio::test]
async fn unknown_statuses_and_fields_pass() {
    for status in [299, 418, 499, 599, 799] {
        let answer =
            get(format!("HTTP/1.1 {status} Odd\r\nx-odd: \u{e4}\r\ncontent-length: 2\r\n\r\nok")).await;
        assert_eq!(
            (answer.status, answer.field("x-odd"), answer.body.as_slice()),
            (status, Some("\u{e4}"), &b"ok"[..])
        );
    }
}

#[tokio::test]
async fn trailers_pass_but_for_what_belongs_to_the_head() {
    let answer = get(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie\r\n\r\n2\r\nok\r\n0\r\n\
         x-sum: 1\r\nset-cookie: a=b\r\ncontent-length: 9\r\nconnection: x\r\n\r\n",
    )
    .await;
    assert_eq!(String::from_utf8(answer.body).unwrap(), "2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n");
}

#[tokio::test]
async fn an_old_client_gets_no_chunks() {
    let said = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let answer = answer_to("GET", "HTTP/1.0", said).await;
    assert_eq!((answer.field("transfer-encoding"), answer.body.as_slice()), (None, &b"ok"[..]));
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let answer = get(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")).await;
    assert_eq!((answer.status, answer.field("link"), answer.body.as_slice()), (200, None, &b"ok"[..]));
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_502() {
    let answer =
        get("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nbytes").await;
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn a_redirect_is_the_clients_business() {
    let answer =
        get("HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!((answer.status, answer.field("location")), (302, Some("http://elsewhere.example/")));
}
