//! The part of a route that says where it leads.

use std::time::Duration;

#[cfg(feature = "tls")]
use gateway_core::tls::ClientTls;
use gateway_core::{
    client::Forward,
    identity::Identity,
    tunnel::Upgrades,
    upstream::{HostPolicy, Protocol, Upstream},
};

use super::{Section, Words, balance, health};
use crate::circuit_breaker::EndpointBreakers;

/// ```yaml
/// upstream: http://10.0.0.1:8080                       # one endpoint
/// upstream: [http://10.0.0.1:8080, http://10.0.0.2:8080]  # several, in turn
/// upstream:
///   endpoints: [http://10.0.0.1:8080]                  # or {url, weight, priority, zone}; see `balance`
///   balance: round_robin                               # see `balance`
///   health: {passive: {}, panic: use_all}              # see `health`
///   connect_timeout: 1s
///   response_timeout: 30s
///   body_idle_timeout: 60s
///   idle_timeout: 30s
///   max_idle: 64
///   max_connections: 1024
///   max_waiting: 1024
///   max_age: 10m
///   max_requests: 10000                                # without it as many as there are
///   protocol: http1                                    # http1 | http2 | auto
///   tls:                                               # for https:// endpoints; every key may be left out
///     ca: ca.pem                                       # instead of the system's authorities
///     certificate: gateway.pem                         # what we show, with its key
///     key: gateway.key
///     server_name: orders.internal                     # instead of the endpoint's host
///     names: [spiffe://cluster/orders]                 # one of these has to stand in the certificate, too
///   host: preserve                                     # preserve | upstream
///   upgrades: [websocket]                              # or, with more to say:
///   upgrades:
///     protocols: [websocket]
///     origins: [https://shop.example]
///     idle_timeout: 5m
///     max_duration: 24h
/// ```
///
/// Files are seen from the document's folder.
pub(super) fn read(
    route: &mut Section<'_>,
    breakers: Option<&EndpointBreakers>,
) -> Option<(Forward, String)> {
    route.demand("upstream");
    optional(route, breakers)
}

/// The same where the key may be left out.
pub(crate) fn optional(
    route: &mut Section<'_>,
    breakers: Option<&EndpointBreakers>,
) -> Option<(Forward, String)> {
    let upstream = route.either::<Vec<String>, _>("upstream", |urls| Some(Upstream::new(urls)), long)?;
    let urls = upstream.endpoints().join(", ");
    let upstream = match breakers {
        Some(breakers) => breakers.guard(upstream),
        None => upstream,
    };
    // Routes that lead to the same place in the same way share its connections; the circuits of a route are its own.
    let way = format!("{upstream:?}");
    // Where several routes share it, it counts under the name of the first.
    let upstream = upstream.meter(&route.context().meter, route.place());
    let forward = route.checked("upstream", upstream.build())?;
    let forward = match breakers {
        Some(_) => forward,
        None => {
            let shared = route.context().shelf.state(Identity::new("upstream", &way), || forward);
            Forward::clone(&shared)
        }
    };
    Some((forward, urls))
}

fn long(section: &mut Section<'_>) -> Option<Upstream> {
    let members = balance::members(section);
    let mut balance = balance::read(section);
    health::read(section, &mut balance);
    let connect_timeout = section.optional::<Duration>("connect_timeout");
    let response_timeout = section.optional::<Duration>("response_timeout");
    let body_idle_timeout = section.optional::<Duration>("body_idle_timeout");
    let idle_timeout = section.optional::<Duration>("idle_timeout");
    let max_idle = section.optional::<usize>("max_idle");
    let max_connections = section.optional::<usize>("max_connections");
    let max_waiting = section.optional::<usize>("max_waiting");
    let max_age = section.optional::<Duration>("max_age");
    let max_requests = section.optional::<u64>("max_requests");
    let protocol = section.or("protocol", Protocol::Http1);
    let tls = tls(section);
    let host = section.or("host", HostPolicy::Preserve);
    let upgrades = section.either::<Vec<String>, _>(
        "upgrades",
        |protocols| Some(Upgrades::new(protocols)),
        long_upgrades,
    );
    if protocol == Protocol::Http2 && section.has("upgrades") {
        section.fail("upgrades", "HTTP/2 alone has none of them; they need `protocol: http1` or `auto`");
    }
    let mut upstream = Upstream::of(members?).balance(balance).host(host).protocol(protocol);
    if let Some(timeout) = connect_timeout {
        upstream = upstream.connect_timeout(timeout);
    }
    if let Some(timeout) = response_timeout {
        upstream = upstream.response_timeout(timeout);
    }
    if let Some(timeout) = body_idle_timeout {
        upstream = upstream.body_idle_timeout(timeout);
    }
    if let Some(timeout) = idle_timeout {
        upstream = upstream.idle_timeout(timeout);
    }
    if let Some(connections) = max_idle {
        upstream = upstream.max_idle(connections);
    }
    if let Some(connections) = max_connections {
        upstream = upstream.max_connections(connections);
    }
    if let Some(requests) = max_waiting {
        upstream = upstream.max_waiting(requests);
    }
    if let Some(age) = max_age {
        upstream = upstream.max_age(age);
    }
    if let Some(requests) = max_requests {
        upstream = upstream.max_requests(requests);
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = tls {
        upstream = upstream.tls(tls);
    }
    #[cfg(not(feature = "tls"))]
    let () = tls.unwrap_or_default();
    if let Some(upgrades) = upgrades {
        upstream = upstream.upgrades(upgrades.meter(&section.context().meter));
    }
    Some(upstream)
}

/// Files are read now, so that a mistake in one is found before the first request.
#[cfg(feature = "tls")]
fn tls(section: &mut Section<'_>) -> Option<ClientTls> {
    section.section("tls", |section| {
        let authorities = pem(section, "ca");
        let (certificate, key) = (pem(section, "certificate"), pem(section, "key"));
        let server_name = section.optional::<String>("server_name");
        let names = section.optional::<Vec<String>>("names");
        let mut tls = ClientTls::default();
        if let Some(authorities) = authorities {
            tls = tls.authorities(authorities);
        }
        match (section.has("certificate"), section.has("key")) {
            (true, false) => section.fail("certificate", "it needs its `key`"),
            (false, true) => section.fail("key", "it needs its `certificate`"),
            _ => {}
        }
        if let (Some(certificate), Some(key)) = (certificate, key) {
            tls = tls.identity(certificate, key);
        }
        if let Some(name) = server_name {
            tls = tls.server_name(name);
        }
        if let Some(names) = names {
            tls = tls.names(names);
        }
        Some(tls)
    })
}

#[cfg(not(feature = "tls"))]
fn tls(section: &mut Section<'_>) -> Option<()> {
    if section.has("tls") {
        section.fail("tls", "this needs the feature `tls`, which is not built in");
    }
    None
}

#[cfg(feature = "tls")]
fn pem(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let name = section.optional::<String>(key)?;
    section.file(key, &name)
}

fn long_upgrades(section: &mut Section<'_>) -> Option<Upgrades> {
    let protocols = section.required::<Vec<String>>("protocols");
    let origins = section.optional::<Vec<String>>("origins");
    let idle_timeout = section.optional::<Duration>("idle_timeout");
    let max_duration = section.optional::<Duration>("max_duration");
    let mut upgrades = Upgrades::new(protocols?);
    if let Some(origins) = origins {
        upgrades = upgrades.origins(origins);
    }
    if let Some(timeout) = idle_timeout {
        upgrades = upgrades.idle_timeout(timeout);
    }
    if let Some(duration) = max_duration {
        upgrades = upgrades.max_duration(duration);
    }
    Some(upgrades)
}

impl Words for Protocol {
    const WORDS: &'static [(&'static str, Self)] =
        &[("http1", Self::Http1), ("http2", Self::Http2), ("auto", Self::Auto)];
}

impl Words for HostPolicy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("preserve", Self::Preserve), ("upstream", Self::Upstream)];
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    #[cfg(feature = "tls")]
    use std::{fs, path::PathBuf};

    use gateway_core::{
        Body,
        testing::{ScriptedUpstream, Step},
    };
    use http::Request;
    use tower::ServiceExt;

    use crate::config::{self, Context, Declared, Source};

    fn load(text: &str, context: &Context) -> Declared {
        config::load(Source { name: "test", text }, |_| None, context).unwrap()
    }

    async fn ask(declared: &Declared, path: &str) {
        let request = Request::get(path).header("host", "a.test").body(Body::empty()).unwrap();
        let answer = declared.service().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(&Body::collect_limited(answer.into_body(), 10).await.unwrap()[..], b"ok");
        // The connection is given back by its own task.
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    async fn routes_share_connections_if_they_lead_to_the_same_place_in_the_same_way() {
        let ok = || Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let upstream = ScriptedUpstream::start(vec![vec![ok()]; 6]).await.unwrap();
        let url = upstream.url();
        let text = format!(
            "
routes:
  - {{prefix: /a, upstream: '{url}'}}
  - {{prefix: /b, upstream: '{url}'}}
  - {{prefix: /other, upstream: {{endpoints: '{url}', host: upstream}}}}
  - {{prefix: /guarded, circuit_breaker: {{}}, upstream: '{url}'}}
"
        );
        let context = Context::default();
        let declared = load(&text, &context);
        for (path, connections) in [("/a", 1), ("/b", 1), ("/other", 2), ("/guarded", 3), ("/a", 3)] {
            ask(&declared, path).await;
            assert_eq!(upstream.connections(), connections, "after {path}");
        }
        let next = Context { shelf: Arc::new(context.shelf.next()), ..context };
        ask(&load(&text, &next), "/b").await;
        assert_eq!(upstream.connections(), 3, "the next graph goes on with them");
    }

    /// A folder with an authority of its own, until it is dropped.
    #[cfg(feature = "tls")]
    struct Folder(PathBuf);

    #[cfg(feature = "tls")]
    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("gateway-upstream-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            let folder = Self(path);
            for name in ["ours", "other"] {
                let made = rcgen::generate_simple_self_signed(["orders.test".to_owned()]).unwrap();
                folder.write(&format!("{name}.pem"), &made.cert.pem());
                folder.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
            }
            folder.write("nothing.pem", "nothing");
            folder
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn context(&self) -> Context {
            Context { folder: self.0.clone(), ..Context::default() }
        }
    }

    #[cfg(feature = "tls")]
    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    /// A document whose only upstream has these keys besides its endpoint.
    fn with(keys: &str) -> String {
        format!("routes:\n  - {{prefix: /, upstream: {{endpoints: 'https://10.0.0.1', {keys}}}}}\n")
    }

    #[cfg(feature = "tls")]
    #[test]
    fn every_key_is_taken_and_files_are_seen_from_the_folder_and_watched() {
        let folder = Folder::new("good");
        let load = |text: &str| load(text, &folder.context());
        for keys in [
            "protocol: http1, upgrades: [websocket]",
            "protocol: http2",
            "protocol: auto, upgrades: {protocols: [websocket]}",
            "max_connections: 1, max_waiting: 0, max_age: 1s, max_requests: 1, max_idle: 0",
            "tls: {}",
            "tls: {ca: ours.pem, server_name: orders.test, names: [spiffe://a/orders, orders.test]}",
        ] {
            load(&with(keys));
        }
        let all = with("tls: {ca: other.pem, certificate: ours.pem, key: ours.key}");
        let declared = load(&all);
        let files: Vec<_> =
            declared.files().iter().map(|file| file.strip_prefix(&folder.0).unwrap()).collect();
        for name in ["other.pem", "ours.pem", "ours.key"] {
            assert!(files.contains(&std::path::Path::new(name)), "{name}: {files:?}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn mistakes_are_told_with_their_key() {
        let folder = Folder::new("bad");
        let mut wrong = Vec::new();
        for (keys, expected) in [
            ("protocol: http3", "upstream.protocol: expected http1, http2 or auto, found `http3`"),
            ("protocol: http2, upgrades: [websocket]", "upstream.upgrades: HTTP/2 alone has none of them"),
            ("max_connections: 0", "upstream: max_connections `0`: no request could be sent"),
            ("max_requests: 0", "upstream: max_requests `0`: no request could be sent"),
            ("max_age: 0s", "upstream: max_age `0ns`: it must be more than zero"),
            ("max_waiting: -1", "upstream.max_waiting: expected"),
            ("tls: {ca: gone.pem}", "upstream.tls.ca: `gone.pem` cannot be read: No such file"),
            ("tls: {ca: nothing.pem}", "tls: authorities: there is no `BEGIN CERTIFICATE` in it"),
            ("tls: {certificate: ours.pem}", "upstream.tls.certificate: it needs its `key`"),
            ("tls: {key: ours.key}", "upstream.tls.key: it needs its `certificate`"),
            ("tls: {certificate: ours.pem, key: other.key}", "tls: certificate and key cannot be used"),
            ("tls: {certificate: ours.pem, key: ours.pem}", "tls: key: there is no readable"),
            ("tls: {server_name: 'a b'}", "tls: server_name: `a b` is no host name and no address"),
            ("tls: {cert: ours.pem}", "upstream.tls: unknown key `cert`"),
        ] {
            let text = with(keys);
            let said = config::load(Source { name: "test", text: &text }, |_| None, &folder.context());
            let said = said.map_or_else(|problems| problems.to_string(), |_| "nothing".to_owned());
            if !said.contains(expected) || said.contains("PRIVATE KEY-----") {
                wrong.push(format!("{keys}: {said}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn what_is_not_built_in_is_said() {
        let text = with("tls: {}");
        let said = config::load(Source { name: "test", text: &text }, |_| None, &Context::default());
        let said = said.map(drop).unwrap_err().to_string();
        assert!(said.contains("needs the feature `tls`"), "{said}");
    }
}
