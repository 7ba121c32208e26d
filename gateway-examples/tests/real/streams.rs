//! Streams: events that arrive as they happen, and a lot of bytes in little memory.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    common::{Gateway, get},
    parties::{LISTEN_TWICE, certificate, peak_kib, resident_kib, secure_url},
    upstream::Upstream,
};

const DOCUMENT: &str = "
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {body: 2GiB}
routes:
  - {name: all, prefix: /, upstream: '${UPSTREAM}'}
";

/// What curl is told, and whether it speaks TLS.
const WAYS: [(&str, bool); 4] =
    [("--http1.1", false), ("--http2-prior-knowledge", false), ("--http1.1", true), ("--http2", true)];

async fn setting(secure: bool) -> (Upstream, Gateway, String) {
    let upstream = Upstream::start().await;
    let [certificate, key] = certificate();
    let url = upstream.url();
    let variables = [("UPSTREAM", &*url), (certificate.0, &certificate.1), (key.0, &key.1)];
    let gateway = Gateway::with_document(&format!("{LISTEN_TWICE}{DOCUMENT}"), &variables);
    let base = if secure { secure_url(&gateway) } else { gateway.url.clone() };
    (upstream, gateway, base)
}

fn curl(arguments: &[&str]) -> Child {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--insecure", "--no-buffer", "--max-time", "120"])
        .args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_arrives_before_the_second_exists_whatever_the_client_speaks() {
    for (version, secure) in WAYS {
        let (upstream, _gateway, base) = setting(secure).await;
        let mut client = curl(&[version, &format!("{base}/events")]);
        let mut out = BufReader::new(client.stdout.take().unwrap()).lines();
        assert_eq!(out.next().unwrap().unwrap(), "data: first", "{version}");
        upstream.open_gate();
        assert_eq!(out.nth(1).unwrap().unwrap(), "data: last", "{version}");
        assert!(client.wait().unwrap().success(), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_passes_in_each_direction_in_constant_memory() {
    for (version, secure) in WAYS {
        let (_upstream, gateway, base) = setting(secure).await;
        let _ = get(gateway.address(), "/");
        let before = peak_kib(gateway.id());

        let url = format!("{base}/zeros?1024");
        let down = curl(&[version, "--output", "/dev/null", "--write-out", "%{size_download}", &url]);
        let down = String::from_utf8(down.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(down, "1073741824", "{version}");

        let url = format!("{base}/count");
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
        println!("{version} {base}: 1 GiB down and 1 GiB up: resident memory grew by {grown} KiB");
        assert!(grown < 32 << 10, "{version}: resident memory grew by {grown} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_do_not_fill_the_memory() {
    for (version, secure) in WAYS {
        let (_upstream, gateway, base) = setting(secure).await;
        let _ = get(gateway.address(), "/");
        let before = resident_kib(gateway.id());
        let url = format!("{base}/zeros?256");
        let mut readers: Vec<Child> =
            (0..16).map(|_| curl(&[version, "--limit-rate", "20k", "--output", "/dev/null", &url])).collect();
        thread::sleep(Duration::from_secs(3));
        let grown = resident_kib(gateway.id()).saturating_sub(before);
        for reader in &mut readers {
            assert!(reader.try_wait().unwrap().is_none(), "{version}: it still reads");
            reader.kill().unwrap();
            reader.wait().unwrap();
        }
        println!("{version} {base}: 16 slow readers of 256 MiB each: resident memory grew by {grown} KiB");
        assert!(grown < 32 << 10, "{version}: resident memory grew by {grown} KiB");
    }
}
