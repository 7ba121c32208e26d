//! WebSockets with the `ws` package at both ends.

use crate::{
    common::Gateway,
    parties::{LISTEN_TWICE, Party, certificate, script, secure_url},
};

const DOCUMENT: &str = "
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {}
routes:
  - {name: all, prefix: /, upstream: {endpoints: ['${UPSTREAM}'], upgrades: [websocket]}}
";

/// Runs these checks of the client against the server, through the gateway.
fn check(names: &[&str]) {
    let server = Party::script("node/ws_server.js");
    let [certificate, key] = certificate();
    let url = server.url();
    let variables = [("UPSTREAM", &*url), (certificate.0, &certificate.1), (key.0, &key.1)];
    let gateway = Gateway::with_document(&format!("{LISTEN_TWICE}{DOCUMENT}"), &variables);
    for url in [&gateway.url, &secure_url(&gateway)] {
        for name in names {
            script("node/ws_client.js", &[&url.replacen("http", "ws", 1), name]);
        }
    }
}

#[test]
fn messages_fragments_and_pings_pass_in_both_directions() {
    check(&["messages", "fragments", "pings"]);
}

#[test]
fn a_close_arrives_with_its_code_and_a_cut_as_a_cut() {
    check(&["closing"]);
}

#[test]
fn what_the_ends_agree_on_is_theirs_and_so_is_a_no() {
    check(&["handshake"]);
}

#[test]
fn two_hundred_sockets_hear_their_own_messages_only() {
    check(&["crowd"]);
}
