//! Requests of HTTP/1.1, made systematically: every oddity in every position and version.

use super::Case;

/// What a smuggler would like to be taken for a request.
const TAIL: &str = "GET {p}/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    framing(&mut cases);
    chunks(&mut cases);
    hosts(&mut cases);
    targets(&mut cases);
    lines(&mut cases);
    controls(&mut cases);
    hop(&mut cases);
    pipelines(&mut cases);
    sizes(&mut cases);
    cases
}

fn add(cases: &mut Vec<Case>, name: impl Into<String>, bytes: impl Into<Vec<u8>>, may: usize, closes: bool) {
    cases.push(Case { name: name.into(), bytes: bytes.into(), may, closes });
}

/// Framing that is doubtful, in front of, behind and around the other fields, with a tail that is a request only to
/// who reads the framing in the wrong way.
fn framing(cases: &mut Vec<Case>) {
    let doubtful = [
        "content-length: 0\r\ncontent-length: 44",
        "content-length: 44\r\ncontent-length: 0",
        "content-length: 0, 44",
        "content-length: +0",
        "content-length: -0",
        "content-length: 0x0",
        "content-length: 0.0",
        "content-length: 1e1",
        "content-length:",
        "content-length: \"0\"",
        "content-length: 18446744073709551616",
        "content-length: 9223372036854775808000",
        "content-length : 0",
        "content-length\t: 0",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: identity, chunked",
        "transfer-encoding: ,chunked",
        "transfer-encoding: chunked,",
        "transfer-encoding: xchunked",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: chunked;a=b",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding:\r\n chunked",
        "transfer-encoding : chunked",
        "transfer-encoding: chu\u{0}nked",
        "transfer-encoding: \u{b}chunked",
        "transfer-encoding: chunked\u{c}",
        "transfer-encoding:",
        "transfer-encoding: gzip",
        "x: y\rtransfer-encoding: chunked",
    ];
    for framing in doubtful {
        for (place, fields) in [
            ("first", format!("{framing}\r\nhost: a")),
            ("last", format!("host: a\r\n{framing}")),
            ("between", format!("x-a: b\r\n{framing}\r\nhost: a\r\nx-c: d")),
        ] {
            let bytes = format!("POST {{p}} HTTP/1.1\r\n{fields}\r\n\r\n0\r\n\r\n{TAIL}");
            add(cases, format!("framing {place}: {framing}"), bytes, 0, true);
        }
    }
    // Both at once: taken as one chunked request, or refused, but closed in any case.
    for both in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 48\r\nTransfer-Encoding: Chunked",
        "content-length: 0\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: x",
    ] {
        let bytes = format!("POST {{p}} HTTP/1.1\r\nhost: a\r\n{both}\r\n\r\n0\r\n\r\n{TAIL}");
        add(cases, format!("both: {both}"), bytes, 1, true);
    }
    for version in ["1.0", "0.9", "1.2", "2.0", "3", "1.1x", "1", ".1", "11.1"] {
        let bytes = format!(
            "POST {{p}} HTTP/{version}\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{TAIL}"
        );
        add(cases, format!("version {version}"), bytes, 0, true);
    }
    // Names that only look like framing; the bytes behind the head are then what the head makes them.
    for odd in ["content_length: 5", "transfer_encoding: chunked", "content.length: 5", "x-content-length: 5"]
    {
        let bytes = format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{odd}\r\nconnection: close\r\n\r\n{TAIL}");
        add(cases, format!("looks like framing: {odd}"), bytes, 1, true);
    }
}

/// Chunks that are wrong; the request may have begun to travel, and must not arrive whole.
fn chunks(cases: &mut Vec<Case>) {
    for body in [
        "x\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "1 x\r\nx\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        ";a\r\n0\r\n\r\n",
        "1\nx\n0\n\n",
        "1\r\nx\n0\r\n\r\n",
        "1\rx\r\n0\r\n\r\n",
        "1\n\r\nx\r\n0\r\n\r\n",
        "1\r\nxx\r\n0\r\n\r\n",
        "2\r\nx\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx\r\n",
        "10000000000000000\r\nx\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "1;\u{0}\r\nx\r\n0\r\nbad trailer\r\n\r\n",
        "0\r\nx y: z\r\n\r\n",
        "0\r\n: z\r\n\r\n",
        "0\r\nx : z\r\n\r\n",
        "0\r\nx: a\r\n b\r\n\r\n",
        "0\r\nx: a\0b\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "g\r\nx\r\n0\r\n\r\n",
        "1\r\n\r\nx0\r\n\r\n",
        "0;\n\r\n\r\n",
        "1,1\r\nx\r\n0\r\n\r\n",
        "1\u{b}\r\nx\r\n0\r\n\r\n",
    ] {
        let bytes =
            format!("POST {{p}} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}{TAIL}");
        // Where bytes of the tail are taken for a chunk's, the body is not over and the gateway waits for its end.
        add(cases, format!("chunk {body:?}"), bytes, 0, false);
    }
    for (name, body) in [
        ("extensions without end", format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(40_000))),
        ("extensions in many chunks", "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(2_000)),
        ("trailers without end", format!("0\r\n{}\r\n", "x: y\r\n".repeat(20_000))),
        ("a large trailer", format!("0\r\nx: {}\r\n\r\n", "y".repeat(70_000))),
        ("zeros without end", "0".repeat(70_000)),
    ] {
        let bytes = format!("POST {{p}} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        add(cases, name, bytes, 0, true);
    }
    for body in [
        "1;a=b\r\nx\r\n0;c\r\n\r\n",
        "1;a=\"\\\"b\"\r\nx\r\n0\r\n\r\n",
        "0001\r\nx\r\n0000\r\n\r\n",
        "A\r\n0123456789\r\n0\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "1\t\r\nx\r\n0\r\n\r\n",
        "0\r\nx: y\r\nhost: evil\r\ncontent-length: 9\r\n\r\n",
        "0\r\ntransfer-encoding: chunked\r\nauthorization: x\r\n\r\n",
        "1 ;a\r\nx\r\n0\r\n\r\n",
    ] {
        let bytes = format!("POST {{p}} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        add(cases, format!("odd chunk {body:?}"), bytes, 1, false);
    }
}

fn hosts(cases: &mut Vec<Case>) {
    for version in ["1.1", "1.0"] {
        for host in [
            "host: a\r\nhost: b",
            "host: a\r\nhost: a",
            "host: a\r\nhost:",
            "host:",
            "host: a, b",
            "host: u@b",
            "host: a/b",
            "host: a\\b",
            "host: a b",
            "host: a\tb",
            "host: a:b:1",
            "host: a:x",
            "host: a:70000",
            "host: a:+1",
            "host: [::1",
            "host: ::1",
            "host: [v1.a]",
            "host: a%00",
            "host: a\u{e9}",
            "host: a?x",
            "host: a#x",
            "host: \"a\"",
            "host: a;b",
            "host: *",
            "host: a@",
            "host: .",
            "host: a\r\n b",
            "host : a",
        ] {
            let bytes = format!("GET {{p}} HTTP/{version}\r\n{host}\r\n\r\n{TAIL}");
            add(cases, format!("{version} {host:?}"), bytes, 0, true);
        }
    }
    add(cases, "no host", format!("GET {{p}} HTTP/1.1\r\n\r\n{TAIL}"), 0, true);
    for target in [
        "http://b@a{p}",
        "http://a:x{p}",
        "http://a:99999{p}",
        "http://[::1{p}",
        "ftp://a{p}",
        "http://a b{p}",
    ] {
        add(cases, target, format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n{TAIL}"), 0, true);
    }
    for target in ["http://b{p}", "HTTP://B:80{p}", "https://b{p}", "http://b.{p}"] {
        add(cases, target, format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), 1, true);
    }
}

fn targets(cases: &mut Vec<Case>) {
    for target in [
        "{p}/../../..",
        "/..{p}",
        "{p}/%2e%2e/%2e%2e/%2e%2e",
        "{p}%2fx",
        "{p}%5cx",
        "{p}\\x",
        "{p}/..;/x",
        "{p}/.;/x",
        "{p}%00",
        "{p}%",
        "{p}%1",
        "{p}%xy",
        "{p}\u{e9}",
        "{p}\u{7f}",
        "c{p}",
        "*",
        "a:80",
        "?{p}",
        "{p} x",
        " {p}",
        "{p}\tx",
        "{p}\u{1}",
        "{p}%u0041",
        "{p}/%2E./..%2f",
    ] {
        add(
            cases,
            format!("target {target:?}"),
            format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n{TAIL}"),
            0,
            true,
        );
    }
    for target in [
        "{p}/./x",
        "{p}//x",
        "/x/..{p}",
        "{p}/%41",
        "{p}?%zz",
        "{p}?a b",
        "{p}#x",
        "{p}/%252e%252e/x",
        "//{p}",
        "{p}?..//../x",
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        add(cases, format!("odd target {target:?}"), bytes, 1, true);
    }
    for line in [
        "GET {p}",
        "GET  {p} HTTP/1.1",
        "GET {p}  HTTP/1.1",
        "GET\t{p}\tHTTP/1.1",
        "GET {p} HTTP/1.1 ",
        "GET {p} http/1.1",
        "GET {p} HTTP/1.1 x",
        "G@T {p} HTTP/1.1",
        "G\u{e9}T {p} HTTP/1.1",
        "{p} HTTP/1.1",
        "GET HTTP/1.1",
        "GET {p} HTTP /1.1",
        "GET,{p} HTTP/1.1",
        "(GET) {p} HTTP/1.1",
        "GET {p} XTTP/1.1",
        "GET {p} HTTP/1.1\u{0}",
    ] {
        add(cases, format!("line {line:?}"), format!("{line}\r\nhost: a\r\n\r\n{TAIL}"), 0, true);
    }
    for method in ["CONNECT", "TRACE"] {
        let bytes = format!("{method} {{p}} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        add(cases, method, bytes, 0, true);
    }
}

/// Line ends and folds. Bare LF in a head is read as a line end, as RFC 9112 section 2.2 allows; it is never passed on.
fn lines(cases: &mut Vec<Case>) {
    for bytes in [
        "GET {p} HTTP/1.1\nhost: a\nconnection: close\n\n",
        "GET {p} HTTP/1.1\r\nhost: a\nconnection: close\r\n\n",
        "\r\nGET {p} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "\n\r\nGET {p} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET {p} HTTP/1.1\r\nhost: a\r\nx: y\nz: w\r\nconnection: close\r\n\r\n",
        "GET {p} HTTP/1.1\r\nhost:a\r\nx:   y  \t \r\nconnection:close\r\n\r\n",
    ] {
        add(cases, format!("line ends {bytes:?}"), bytes, 1, true);
    }
    for fields in [
        "x: a\r\n b",
        "x: a\r\n\tb",
        " x: a",
        "\tx: a",
        "x: a\rb",
        "x: a\r\r\ny: b",
        "x\r\n: a",
        "x\r\n y: a",
        "x",
        "x a",
        ": a",
        "x\u{0}: a",
        "x\u{1}: a",
        "x\u{7f}: a",
        "(x): a",
        "x,y: a",
        "x y: a",
        "x\"y: a",
        "x/y: a",
        "x@y: a",
        "x{y: a",
        "\u{e9}: a",
        "x: a\u{0}b",
        "x: a\u{1}b",
        "x: \u{7f}",
        "x: a\u{8}",
    ] {
        for (place, head) in
            [("first", format!("{fields}\r\nhost: a")), ("last", format!("host: a\r\n{fields}"))]
        {
            let bytes = format!("GET {{p}} HTTP/1.1\r\n{head}\r\n\r\n{TAIL}");
            add(cases, format!("field {place} {fields:?}"), bytes, 0, true);
        }
    }
}

/// Each control character in each part of a request.
fn controls(cases: &mut Vec<Case>) {
    for control in (0..32_u8).filter(|control| !b"\t\r\n".contains(control)).chain([127]) {
        let control = char::from(control);
        for (place, bytes) in [
            ("method", format!("GE{control}T {{p}} HTTP/1.1\r\nhost: a\r\n\r\n")),
            ("target", format!("GET {{p}}{control} HTTP/1.1\r\nhost: a\r\n\r\n")),
            ("name", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\nx{control}: y\r\n\r\n")),
            ("value", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\nx: y{control}z\r\n\r\n")),
        ] {
            add(cases, format!("control {control:?} in the {place}"), bytes + TAIL, 0, true);
        }
    }
}

fn hop(cases: &mut Vec<Case>) {
    for name in ["host", "Cookie", "AUTHORIZATION", "cache-control", "content-length"] {
        for line in [
            format!("connection: {name}"),
            format!("connection: close , {name}"),
            format!("connection:\r\nconnection: {name}"),
        ] {
            let bytes = format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{line}\r\n\r\n{TAIL}");
            add(cases, line, bytes, 0, true);
        }
    }
    for fields in ["expect: x", "expect: 100-continue, y", "expect: 100-continue\r\nexpect: z"] {
        let bytes = format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{fields}\r\nconnection: close\r\n\r\n");
        add(cases, fields, bytes, 0, true);
    }
    for fields in [
        "upgrade: h2c\r\nhttp2-settings: AAAA\r\nconnection: close, upgrade, http2-settings",
        "upgrade: x\r\nconnection: upgrade, close",
    ] {
        add(cases, fields, format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n"), 1, true);
    }
}

/// Tails behind requests that are refused or answered early.
fn pipelines(cases: &mut Vec<Case>) {
    let length = TAIL.len();
    for (name, head) in [
        ("a refused path", "POST {p}/%zz HTTP/1.1\r\nhost: a"),
        ("a refused host", "POST {p} HTTP/1.1\r\nhost: a/b"),
        ("a refused name", "POST {p} HTTP/1.1\r\nhost: a\r\nx y: z"),
    ] {
        let bytes = format!("{head}\r\ncontent-length: {length}\r\n\r\n{TAIL}");
        add(cases, format!("{name} with a body"), bytes, 0, true);
    }
    for (name, head, may) in [
        ("options of the hop", "OPTIONS * HTTP/1.1\r\nhost: a", 0),
        ("trace", "TRACE {p} HTTP/1.1\r\nhost: a", 0),
        ("an expectation", "POST {p} HTTP/1.1\r\nhost: a\r\nexpect: x", 0),
        ("a get", "GET {p} HTTP/1.1\r\nhost: a", 1),
        ("a head", "HEAD {p} HTTP/1.1\r\nhost: a", 1),
        ("a delete", "DELETE {p} HTTP/1.1\r\nhost: a", 1),
    ] {
        // The tail's path has its length only once the case has its own; the padding makes it the body's last bytes.
        let body = format!("{{pad}}{TAIL}");
        let bytes = format!("{head}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{}", pad(&body));
        add(cases, format!("{name} with a body"), bytes, may, true);
    }
}

/// Any number of bytes up to 100 behind `content-length: 100` belongs to the body; the rest of them is not there.
fn pad(body: &str) -> String {
    body.replace("{pad}", &"x".repeat(50))
}

fn sizes(cases: &mut Vec<Case>) {
    let long = "x".repeat(70_000);
    for (name, bytes) in [
        ("a long target", format!("GET {{p}}/{long} HTTP/1.1\r\nhost: a\r\n\r\n")),
        ("a long value", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n")),
        ("a long name", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{long}: x\r\n\r\n")),
        ("a long method", format!("{long} {{p}} HTTP/1.1\r\nhost: a\r\n\r\n")),
        ("a long version", format!("GET {{p}} HTTP/{long}\r\nhost: a\r\n\r\n")),
        ("many fields", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200))),
        ("many cookies", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\n{}\r\n", "cookie: a=b\r\n".repeat(200))),
        ("a head without end", format!("GET {{p}} HTTP/1.1\r\nhost: a\r\nx: {long}")),
    ] {
        add(cases, name, bytes, 0, true);
    }
}
