//! The clients that people use: curl, Python's and Node's, with a Node server behind the gateway.

use crate::{
    common::{Gateway, temporary_file},
    parties::{LISTEN_TWICE, Party, certificate, curl, script, secure_url},
};

const DOCUMENT: &str = "
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {body: 100MiB}
routes:
  - name: closed
    path: /closed
    api_key:
      header: x-api-key
      keys: [{id: somebody, sha256: ff56acf1875900a613d4db1cb71d3d72f3e4812725a14240a4a1652f1e9668ac}]
    upstream: '${UPSTREAM}'
  - {name: rest, prefix: /, methods: [GET, POST], upstream: '${UPSTREAM}'}
";

fn setting() -> (Party, Gateway) {
    let server = Party::script("node/http_server.js");
    let [certificate, key] = certificate();
    let url = server.url();
    let variables = [("UPSTREAM", &*url), (certificate.0, &certificate.1), (key.0, &key.1)];
    let gateway = Gateway::with_document(&format!("{LISTEN_TWICE}{DOCUMENT}"), &variables);
    (server, gateway)
}

#[test]
fn python_keeps_its_connection_sends_any_body_and_asks_many_things_at_once() {
    let (_server, gateway) = setting();
    for check in ["reuse", "uploads", "pipeline"] {
        script("python/http_client.py", &[gateway.address(), check]);
    }
}

#[test]
fn who_expects_100_hears_it_only_when_let_in() {
    let (_server, gateway) = setting();
    script("python/http_client.py", &[gateway.address(), "expect"]);

    let body = temporary_file("body", &"x".repeat(50_000));
    let upload = ["--verbose", "--stderr", "-", "--header", "expect: 100-continue", "--upload-file"];
    let upload = |path: &str| {
        let url = format!("{}{path}", gateway.url);
        curl(&[&upload[..], &[body.to_str().unwrap(), "--request", "POST", &url]].concat())
    };
    let answered = upload("/digest");
    assert!(
        answered.contains("< HTTP/1.1 100 Continue") && answered.contains("\"size\":50000"),
        "{answered}"
    );
    let refused = upload("/closed");
    assert!(refused.contains("< HTTP/1.1 401 ") && !refused.contains("100 Continue"), "{refused}");
}

#[test]
fn node_agents_sessions_and_fetch_get_what_they_ask_for() {
    let (_server, gateway) = setting();
    for url in [&gateway.url, &secure_url(&gateway)] {
        for check in ["agent", "trailers", "http2", "fetch"] {
            script("node/http_client.js", &[url, check]);
        }
    }
}

#[test]
fn curl_gets_parts_heads_and_compressed_bodies_as_they_are() {
    let (_server, gateway) = setting();
    let (plain, secure) = (&gateway.url, &secure_url(&gateway));
    let ways = [
        (plain, "--http1.1"),
        (plain, "--http2-prior-knowledge"),
        (secure, "--http1.1"),
        (secure, "--http2"),
    ];
    for (base, version) in ways {
        let ask = |arguments: &[&str], path: &str| {
            curl(&[&[version, "--insecure"], arguments, &[&format!("{base}{path}")]].concat())
        };
        assert_eq!(
            ask(&["--output", "/dev/null", "--write-out", "%{http_version}"], "/text"),
            if version == "--http1.1" { "1.1" } else { "2" }
        );
        assert_eq!(ask(&["--range", "16-31"], "/text"), "0123456789abcdef", "{version}");
        let part = ask(&["--range", "0-0", "--include"], "/text").to_lowercase();
        assert!(part.contains(" 206") && part.contains("content-range: bytes 0-0/65536"), "{part}");
        let head = ask(&["--head"], "/text").to_lowercase();
        assert!(head.contains(" 200") && head.contains("content-length: 65536"), "{head}");
        assert_eq!(ask(&["--compressed"], "/gzip").len(), 65_536, "{version}");
        let zipped = ["--output", "/dev/null", "--dump-header", "-", "--write-out", "%{size_download}"];
        let zipped = ask(&zipped, "/gzip").to_lowercase();
        assert!(zipped.contains("content-encoding: gzip") && zipped.contains("etag: \"zipped\""), "{zipped}");
        let (_, size) = zipped.rsplit_once('\n').unwrap();
        assert!(size.parse::<u64>().unwrap() < 10_000, "it stays as small as the server made it: {size}");
    }
    // curl 7.88 cannot use a connection with prior knowledge twice, whoever the server is.
    for (base, version) in [ways[0], ways[2], ways[3]] {
        let url = format!("{base}/number?n=[1-50]");
        let count = ["--output", "/dev/null", "--write-out", "%{num_connects}"];
        let opened = curl(&[&[version, "--insecure", &url][..], &count].concat());
        assert_eq!(opened.matches('1').count(), 1, "one connection for all over {version}: {opened}");
    }
}
