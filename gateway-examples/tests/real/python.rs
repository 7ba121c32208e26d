use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    common::Gateway,
    parties::{Party, curl, folder_with, free_port, peak_kib},
};

/// Counts and digests what is posted; sends events one second apart.
const SERVER: &str = r#"
import hashlib, http.server, json, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline().strip(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            left = int(self.headers.get("content-length", 0))
            while left:
                piece = self.rfile.read(min(left, 1 << 16))
                left -= len(piece)
                yield piece

    def do_POST(self):
        digest, size = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            size += len(piece)
        text = json.dumps({"size": size, "sha256": digest.hexdigest(), "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
            time.sleep(0.7)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

const DOCUMENT: &str = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
limits: {}
routes:
  - {name: all, prefix: /, timeout: 20s, upstream: '${UPSTREAM}'}
";

fn setting() -> (Party, Gateway) {
    let python = Party::python(SERVER, free_port());
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &python.url())]);
    (python, gateway)
}

#[test]
fn a_large_upload_arrives_whole_in_constant_memory_with_and_without_a_length() {
    let (_python, gateway) = setting();
    let file = folder_with("upload", 128 << 20).join("upload");
    let digest = Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    let digest = String::from_utf8(digest).unwrap()[..64].to_owned();
    let before = peak_kib(gateway.id());
    let data = format!("@{}", file.display());
    for coding in ["content-length: 134217728", "transfer-encoding: chunked"] {
        let answer =
            curl(&["--request", "POST", "--header", coding, "--upload-file", &data[1..], &gateway.url]);
        assert!(answer.contains(&digest), "{coding}: {answer}");
    }
    let grown = peak_kib(gateway.id()) - before;
    println!("2 x 128 MiB uploaded: resident memory grew by {grown} KiB");
    assert!(grown < 16 << 10, "resident memory grew by {grown} KiB");
    fs::remove_file(file).unwrap();
}

#[test]
fn the_upstream_sees_the_true_client_and_no_invention() {
    let (_python, gateway) = setting();
    let answer = curl(&[
        "--header",
        "x-forwarded-for: 6.6.6.6",
        "--header",
        "x-request-id: mine",
        "--header",
        "connection: x-secret",
        "--header",
        "x-secret: 1",
        "--data",
        "x",
        &gateway.url,
    ]);
    let answer = answer.to_lowercase();
    assert!(answer.contains("\"x-forwarded-for\": \"127.0.0.1\""), "{answer}");
    assert!(answer.contains("\"x-request-id\"") && !answer.contains("mine"), "{answer}");
    assert!(answer.contains("\"via\": \"1.1 gateway-"), "{answer}");
    assert!(!answer.contains("x-secret") && !answer.contains("6.6.6.6"), "{answer}");
}

#[test]
fn the_first_event_arrives_before_the_last_exists() {
    let (_python, gateway) = setting();
    let start = Instant::now();
    let mut curl = Command::new("curl")
        .args(["--silent", "--no-buffer", &gateway.url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(curl.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let first = start.elapsed();
    while out.read_line(&mut line).unwrap() > 0 {}
    let all = start.elapsed();
    curl.wait().unwrap();
    assert!(line.contains("data: 2"), "{line}");
    assert!(first < all / 2, "first event after {first:?}, all after {all:?}");
}
