use std::{net::TcpListener, process::Command};

use crate::common::{command, temporary_file};

fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = command();
    command.env("LISTEN", &address);
    let (code, _, said) = run(command);
    assert_eq!(code, Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&format!("{address} is already in use")), "{said}");
}

#[test]
fn check_names_every_mistake_with_its_place() {
    let file = temporary_file(
        "bad.yaml",
        "listen: 127.0.0.1:0\nroutes:\n  - name: a\n    prefx: /\n    timeout: 5\n    upstream: nowhere\n",
    );
    let mut command = command();
    command.arg("check").arg(&file);
    let (code, _, said) = run(command);
    assert_eq!(code, Some(2), "{said}");
    for place in ["bad.yaml:4:5: ", "bad.yaml:5:14: ", "bad.yaml:6:15: "] {
        assert!(said.contains(place), "{place} in {said}");
    }
    assert!(said.contains("`prefix`"), "{said}");
}

#[test]
fn a_level_that_does_not_exist_is_refused_and_not_ignored() {
    let mut command = command();
    command.env("GATEWAY_LOG", "loud");
    let (code, _, said) = run(command);
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("GATEWAY_LOG"), "{said}");
}

#[test]
fn a_rule_is_checked_even_if_its_upstream_is_wrong() {
    let text =
        "routes:\n  - {name: a, prefix: /a, upstream: x}\n  - {name: a, path: '/{b', upstream: 'http://a'}\n";
    let file = temporary_file("two.yaml", text);
    let mut command = command();
    command.arg("check").arg(&file);
    let (code, _, said) = run(command);
    assert_eq!((code, said.lines().count()), (Some(2), 3), "{said}");
    for part in [
        "routes[0].upstream: endpoint `x`",
        "routes[1].name: the rule `/a/*` has the same name",
        "routes[1].path: path `/{b`",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn check_accepts_every_small_config_and_the_demo() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("configs")).unwrap().map(|file| file.unwrap().path()).collect();
    files.push(folder.join("gateway.yaml"));
    for file in files {
        let mut command = command();
        command.arg("check").arg(&file);
        let (code, out, said) = run(command);
        assert_eq!(code, Some(0), "{}: {said}", file.display());
        assert!(out.contains(": ok, "), "{out}");
    }
}

#[test]
fn check_accepts_every_scenario_of_the_bench() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/configs");
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == "yaml"))
        .collect();
    assert!(files.len() >= 15, "{files:?}");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = temporary_file("bench.crt", &made.cert.pem());
    let key = temporary_file("bench.key", &made.signing_key.serialize_pem());
    for file in files {
        let mut command = command();
        command.env("PORT", "8080").env("TLS_PORT", "8443").env("UPSTREAM_PORT", "9000").env("WORKERS", "1");
        command.env("TLS_CERT", &certificate).env("TLS_KEY", &key).env("JWT_PUBLIC_PEM", PUBLIC_KEY);
        command.env("JWT_SECRET", "a secret of thirty-two bytes, at least").arg("check").arg(&file);
        let (code, out, said) = run(command);
        assert_eq!(code, Some(0), "{}: {said}", file.display());
        let routes = match file.file_stem().unwrap().to_str().unwrap() {
            "routes100" | "stack" => 100,
            "routes10k" => 10_000,
            _ => 1,
        };
        assert!(out.contains(&format!(": ok, {routes} routes")), "{out}");
    }
}

#[test]
fn the_schema_is_json() {
    let mut command = command();
    command.arg("schema");
    let (code, out, said) = run(command);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(schema["properties"]["routes"]["items"]["properties"]["upstream"].is_object());
    assert_eq!(schema, gateway_layers::config::schema());
}

#[test]
fn a_missing_file_and_a_wrong_word_say_so() {
    let mut missing = command();
    missing.args(["--config", "/no/such/file.yaml"]);
    let (code, _, said) = run(missing);
    assert_eq!(code, Some(1));
    assert!(said.contains("/no/such/file.yaml: No such file"), "{said}");

    let mut wrong = command();
    wrong.arg("serve");
    let (code, _, said) = run(wrong);
    assert_eq!(code, Some(2));
    assert!(said.contains("Usage:"), "{said}");

    let mut help = command();
    help.arg("--help");
    let (code, out, _) = run(help);
    assert_eq!(code, Some(0));
    for word in ["--config <FILE>", "check", "SIGTERM", "LISTEN", "Exit status:"] {
        assert!(out.contains(word), "{word} in {out}");
    }
}

/// Nobody kept the other half.
const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwWahB6279G42jLHhXGa1\n\
MBvJMdklWVDgO0jxzPIP/l/kVxH8myDrx1cKRp4rKAh0aADwDcvawB+fWTWkVX7L\n\
kzGjphqO+h0jtno83l0XKpwAphbi1mLPUi3Dc4xBu4Y3eiUMUGgI3MWvw4snXLGB\n\
KNVgBdsRnmjVXhqx42RCgM0hPJNx20zXW2QBZoi08PeTfTIUHQ0+7rwKOExxifjL\n\
lJdtqqZ8MKBhXI/CD0TmN0exfucXFpi3VHJ8vF/fhwGEFOju2VHFc3DPWqDXEIqj\n\
AXwH0qdgk07XAI+MNDzJz7L1C1Ixd3jbsiZZy7nrhs4fZUM5lwF0yA8mYWRHbdsC\n\
WwIDAQAB\n\
-----END PUBLIC KEY-----";
