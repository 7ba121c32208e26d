use super::problems;

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_meant() {
    for (text, told) in MISTAKES {
        let told: Vec<_> = told.iter().map(|line| format!("gateway.yaml:{line}")).collect();
        assert_eq!(problems(text), told.join("\n"), "{text}");
    }
}

/// A document, and every problem that is told about it.
#[rustfmt::skip]
const MISTAKES: &[(&str, &[&str])] = &[
    ("", &[
        "1:1: the document is empty",
    ]),
    ("# nothing but a comment\n", &[
        "1:1: the document is empty",
    ]),
    ("---\n", &[
        "1:4: expected a map, found nothing (did you mean `{}`?)",
    ]),
    ("listen\n", &[
        "1:1: expected a map, found a single value",
    ]),
    ("- listen\n", &[
        "1:1: expected a map, found a list",
    ]),
    ("listen: 8080\n", &[
        "1:9: listen: expected an address such as 127.0.0.1:8080, found `8080` (did you mean `127.0.0.1:8080`?)",
    ]),
    ("listen: localhost:8080\n", &[
        "1:9: listen: expected an address such as 127.0.0.1:8080, found `localhost:8080` (did you mean `127.0.0.1:8080`?)",
    ]),
    ("listn: 127.0.0.1:80\ncolour: red\n", &[
        "1:1: unknown key `listn` (did you mean `listen`?)",
        "2:1: unknown key `colour`; known here: listen, version, token, workers, ratio, tls, body, headers, upstreams, routes",
    ]),
    ("workers: '4'\n", &[
        "1:10: workers: expected a whole number up to 65535, found the quoted text `4`: leave out the quotes (did you mean `4`?)",
    ]),
    ("workers: 70000\n", &[
        "1:10: workers: expected a whole number up to 65535, found `70000`: it is too large",
    ]),
    ("workers: 1_000\n", &[
        "1:10: workers: expected a whole number up to 65535, found `1_000` (did you mean `1000`?)",
    ]),
    ("workers: [1]\n", &[
        "1:10: workers: expected a whole number up to 65535, found a list",
    ]),
    ("ratio: 50%\ntls: yes\nbody: 1048576\n", &[
        "1:8: ratio: expected a number such as 0.5, found `50%` (did you mean `0.5`?)",
        "2:6: tls: expected true or false, found `yes` (did you mean `true`?)",
        "3:7: body: expected a size such as 512B, 10KiB or 2MiB, found `1048576` (did you mean `1MiB`?)",
    ]),
    ("body: 64KB\ntls: maybe\nratio: .inf\n", &[
        "1:7: body: expected a size such as 512B, 10KiB or 2MiB, found `64KB` (did you mean `64KiB`?)",
        "2:6: tls: expected true or false, found `maybe`",
        "3:8: ratio: expected a number such as 0.5, found `.inf`",
    ]),
    ("version:\nworkers: ~\ntoken: {a: b}\n", &[
        "1:8: version: expected a text, found nothing",
        "2:10: workers: expected a whole number up to 65535, found nothing",
        "3:8: token: expected a secret text, found a map",
    ]),
    ("upstreams: [a]\nheaders: none\n", &[
        "1:12: upstreams: expected a map, found a list",
        "2:10: headers: expected a map, found a single value",
    ]),
    ("upstreams:\n  a:\n    url: localhost:9000\n  b: http://10.0.0.1\n  c:\n    url: [http://10.0.0.1, 10.0.0.2]\n  d: {}\n", &[
        "3:10: upstreams.a.url: expected a URL such as http://10.0.0.1:8080, or a list of them, found `localhost:9000` (did you mean `http://localhost:9000`?)",
        "4:6: upstreams.b: expected a map, found a single value",
        "6:28: upstreams.c.url[1]: expected a URL such as http://10.0.0.1:8080, found `10.0.0.2` (did you mean `http://10.0.0.2`?)",
        "7:3: upstreams.d: `url` is missing; expected a URL such as http://10.0.0.1:8080, or a list of them",
    ]),
    ("upstreams: {a: {url: 'user:hunter2@host'}}\nheaders:\n  set:\n    x y: 1\n    authorization: \"hunter2\\n\"\n", &[
        "1:22: upstreams.a.url: expected a URL such as http://10.0.0.1:8080, or a list of them, found a text that is not one",
        "4:5: headers.set.x y: expected a header name such as x-request-id, found `x y` (did you mean `x-y`?)",
        "5:20: headers.set.authorization: expected a header value of visible ASCII characters on one line, found a text that is not one",
    ]),
    ("routes: {name: a}\n", &[
        "1:9: routes: expected a list of maps, found a map",
    ]),
    ("routes: a\n", &[
        "1:9: routes: expected a list of maps, found a single value",
    ]),
    ("routes:\n", &[
        "1:7: routes: expected a list of maps, found nothing",
    ]),
    ("routes:\n  - a\n  - []\n", &[
        "2:5: routes[0]: expected a map, found a single value",
        "3:5: routes[1]: expected a map, found a list",
    ]),
    ("routes:\n  - name: a\n    rate_limit:\n      reqests: 5\n      per: 60\n      mode: enforced\n      by: [route, {header: x y}, [z], {}]\n", &[
        "4:7: routes[0].rate_limit: unknown key `reqests` (did you mean `requests`?)",
        "5:12: routes[0].rate_limit.per: expected a duration such as 250ms or 5s, found `60` (did you mean `60s`?)",
        "6:13: routes[0].rate_limit.mode: expected enforce, audit or off, found `enforced` (did you mean `enforce`?)",
        "7:28: routes[0].rate_limit.by[1].header: expected a header name such as x-request-id, found `x y` (did you mean `x-y`?)",
        "7:34: routes[0].rate_limit.by[2]: expected a text, found a list",
        "7:39: routes[0].rate_limit.by[3]: `header` is missing; expected a header name such as x-request-id",
    ]),
    ("routes:\n  - rate_limit: {per: 0s, burst: 0, requests: -1, mode: strict, burts: 1}\n", &[
        "2:5: routes[0]: `name` is missing; expected a text",
        "2:23: routes[0].rate_limit.per: a quota needs a period",
        "2:34: routes[0].rate_limit.burst: expected a whole number of at least 1, found `0`",
        "2:47: routes[0].rate_limit.requests: expected a whole number of at least 1, found `-1`",
        "2:57: routes[0].rate_limit.mode: expected enforce, audit or off, found `strict`",
        "2:65: routes[0].rate_limit: unknown key `burts` (did you mean `burst`?)",
    ]),
    ("routes:\n  - {name: a, timeout: 5, methods: get}\n  - {name: b, timeout: 1m30s, methods: [GET, 'a b']}\n  - {name: c, timeout: {total: 1.5s}}\n  - {name: d, timeout: 5000d}\n  - {name: e, timeout: [1s]}\n  - {name: f, timeout: 5 min}\n  - {name: g, timeout: soon}\n  - {name: h, timeout: }\n", &[
        "2:24: routes[0].timeout: expected a duration such as 250ms or 5s, found `5` (did you mean `5s`?)",
        "2:36: routes[0].methods: expected a method such as GET, or a list of them, found `get` (did you mean `GET`?)",
        "3:24: routes[1].timeout: expected a duration such as 250ms or 5s, found `1m30s` (did you mean `90s`?)",
        "3:46: routes[1].methods[1]: expected a method such as GET, found the quoted text `a b`",
        "4:32: routes[2].timeout.total: expected a duration such as 250ms or 5s, found `1.5s` (did you mean `1500ms`?)",
        "5:24: routes[3].timeout: expected a duration such as 250ms or 5s, found `5000d`: it is longer than ten years",
        "6:24: routes[4].timeout: expected a duration such as 250ms or 5s, found a list",
        "7:24: routes[5].timeout: expected a duration such as 250ms or 5s, found `5 min` (did you mean `5m`?)",
        "8:24: routes[6].timeout: expected a duration such as 250ms or 5s, found `soon`",
        "9:22: routes[7].timeout: expected a duration such as 250ms or 5s, or a map, found nothing",
    ]),
    ("version: a\nroutes: []\nversion: b\n", &[
        "3:1: the key `version` is here twice, first in line 1",
    ]),
    ("version: !secret a\nroutes: !!seq\n  - name: a\n", &[
        "1:10: version: tags such as `!name` are not read; leave it out",
        "2:9: routes: tags such as `!name` are not read; leave it out",
    ]),
    ("version: *a\nroutes: &b\n  - *b\n", &[
        "1:10: version: no anchor `&a` stands before the alias `*a`",
        "3:5: routes[0]: an alias cannot stand inside of what it repeats",
    ]),
    ("<<: {version: a}\n? [a]\n: b\n${NAME}: 1\n", &[
        "1:1: merging maps with `<<` is not YAML 1.2; repeat the keys",
        "2:3: a key must be a plain word",
        "4:1: ${NAME}: a key cannot come from the environment",
    ]),
    ("version: ${NOPE}\nlisten: ${HOST}\nworkers: ${SIXTY\ntls: ${9A}\nratio: ${A:-5}\ntoken: ${A:${B}}\n", &[
        "1:10: version: the environment has no `NOPE`, and ${NOPE} names no default",
        "2:9: listen: expected an address such as 127.0.0.1:8080, found the value of `${HOST}`",
        "3:10: workers: `${` begins a variable, as in ${NAME} or ${NAME:default}; write `$${` for the characters themselves",
        "4:6: tls: `${` begins a variable, as in ${NAME} or ${NAME:default}; write `$${` for the characters themselves",
        "5:8: ratio: the default of `A` begins with `-`, as in a shell; leave it out",
        "6:8: token: the default of `A` cannot hold another variable",
    ]),
    ("workers: ${PASSWORD}\nbody: ${SIXTY}\nlisten: ${PORT:8080}\ntls: ${EMPTY}\n", &[
        "1:10: workers: expected a whole number up to 65535, found the value of `${PASSWORD}`",
        "2:7: body: expected a size such as 512B, 10KiB or 2MiB, found the value of `${SIXTY}`",
        "3:9: listen: expected an address such as 127.0.0.1:8080, found `8080` (did you mean `127.0.0.1:8080`?)",
        "4:6: tls: expected true or false, found the value of `${EMPTY}`",
    ]),
    ("routes: [{name: ${HOST}}]\n", &[
        "1:18: routes[0]: inside of [ ] and { } a text with ${...} needs quotes",
    ]),
    ("routes: [{name: a}\n", &[
        "1:9: routes[0]: `[` is not closed",
    ]),
    ("routes: [\n  ${A}\n]\n", &[
        "2:4: routes[1]: inside of [ ] and { } a text with ${...} needs quotes",
    ]),
    ("upstreams:\n", &[
        "1:10: upstreams: expected a map, found nothing (did you mean `{}`?)",
    ]),
    ("routes:\n  - name: a\n   methods: GET\n", &[
        "3:4: routes[1]: the line is not indented like the lines above it",
    ]),
    ("routes:\n  - name: a\n  \tmethods: GET\n", &[
        "2:11: routes[0].name: a tab stands where only spaces may indent",
    ]),
    ("version: 'a\n", &[
        "1:10: version: a quote is not closed",
    ]),
    ("version: a: b\n", &[
        "1:11: a `:` stands where no key can be; a text with `: ` in it needs quotes",
    ]),
    ("version: @a\n", &[
        "1:10: version: a text that begins with `@` needs quotes",
    ]),
    ("version: \"\\q\"\n", &[
        "1:10: version: this is not YAML: unknown quoted scalar escape",
    ]),
    ("version: a\nlisten\n", &[
        "2:1: expected `key: value`",
    ]),
    ("version: a\n---\nversion: b\n", &[
        "2:1: a second document begins here; only one is read",
    ]),
    ("%YAML 1.2\n---\nversion: a\n", &[
        "1:1: directives such as `%YAML` are not read",
    ]),
    (r#"{"version": "a", "workers": "4", "routes": [{"name": null}]}"#, &[
        "1:29: workers: expected a whole number up to 65535, found the quoted text `4`: leave out the quotes (did you mean `4`?)",
        "1:54: routes[0].name: expected a text, found nothing",
    ]),
    ("version: a]\nroutes: ]\n", &[
        "2:9: routes: this is not YAML: misplaced flow collection end",
    ]),
];
