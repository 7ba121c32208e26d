//! Streams: events that arrive as they happen, and a lot of bytes in little memory.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    common::{Gateway, get},
    parties::{peak_kib, resident_kib},
    upstream::Upstream,
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {body: 2GiB}
routes:
  - {name: all, prefix: /, upstream: '${UPSTREAM}'}
";

const VERSIONS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

async fn setting() -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &upstream.url())]);
    (upstream, gateway)
}

fn curl(arguments: &[&str]) -> Child {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--no-buffer", "--max-time", "120"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_arrives_before_the_second_exists_whatever_the_client_speaks() {
    for version in VERSIONS {
        let (upstream, gateway) = setting().await;
        let mut client = curl(&[version, &format!("{}/events", gateway.url)]);
        let mut out = BufReader::new(client.stdout.take().unwrap()).lines();
        assert_eq!(out.next().unwrap().unwrap(), "data: first", "{version}");
        upstream.open_gate();
        assert_eq!(out.nth(1).unwrap().unwrap(), "data: last", "{version}");
        assert!(client.wait().unwrap().success(), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_passes_in_each_direction_in_constant_memory() {
    for version in VERSIONS {
        let (_upstream, gateway) = setting().await;
        let _ = get(gateway.address(), "/");
        let before = peak_kib(gateway.id());

        let url = format!("{}/zeros?1024", gateway.url);
        let down = curl(&[version, "--output", "/dev/null", "--write-out", "%{size_download}", &url]);
        let down = String::from_utf8(down.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(down, "1073741824", "{version}");

        let url = format!("{}/count", gateway.url);
        let mut up = curl(&[version, "--request", "POST", "--upload-file", "-", &url]);
        let mut stdin = up.stdin.take().unwrap();
        let piece = vec![0; 1 << 20];
        for _ in 0..1024 {
            stdin.write_all(&piece).unwrap();
        }
        drop(stdin);
        let up = String::from_utf8(up.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(up, "1073741824", "{version}");

        let grown = peak_kib(gateway.id()) - before;
        println!("{version}: 1 GiB down and 1 GiB up: resident memory grew by {grown} KiB");
        assert!(grown < 32 << 10, "{version}: resident memory grew by {grown} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_do_not_fill_the_memory() {
    for version in VERSIONS {
        let (_upstream, gateway) = setting().await;
        let _ = get(gateway.address(), "/");
        let before = resident_kib(gateway.id());
        let url = format!("{}/zeros?256", gateway.url);
        let mut readers: Vec<Child> =
            (0..16).map(|_| curl(&[version, "--limit-rate", "20k", "--output", "/dev/null", &url])).collect();
        thread::sleep(Duration::from_secs(3));
        let grown = resident_kib(gateway.id()).saturating_sub(before);
        for reader in &mut readers {
            assert!(reader.try_wait().unwrap().is_none(), "{version}: it still reads");
            reader.kill().unwrap();
            reader.wait().unwrap();
        }
        println!("{version}: 16 slow readers of 256 MiB each: resident memory grew by {grown} KiB");
        assert!(grown < 32 << 10, "{version}: resident memory grew by {grown} KiB");
    }
}
