//! The concern in a document.

use gateway_core::{
    Body,
    testing::{ScriptedUpstream, Step},
};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::config::{self, Context, Source};

fn load(text: &str, upstream: &str) -> Result<config::Declared, String> {
    let environment = |name: &str| (name == "UPSTREAM").then(|| upstream.to_owned());
    config::load(Source { name: "g", text }, environment, &Context::default())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_route_without_an_upstream_of_its_own_answers_from_its_branches() {
    let answer = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 27\r\n\r\n{\"data\":{\"id\":7,\"pin\":123}}";
    let upstream = ScriptedUpstream::start([vec![Step::Send(answer)]]).await.unwrap();
    let text = "
routes:
  - path: /profile/{id}
    timeout: 5s
    aggregate:
      branches:
        - name: user
          get: /users/{id}?lang={query.lang}
          upstream: ${UPSTREAM}
          pick: data
          deny: [pin]
          rename: {id: number}
        - name: orders
          get: /orders/{user.data.id}
          upstream: http://127.0.0.1:1
          group: orders
          fallback: {items: [], total: 0, note: \"1\", more: null, open: false}
";
    let declared = load(text, &upstream.url()).unwrap();
    assert_eq!(declared.routes(), ["/profile/{id}  ->  its branches"]);
    let request = Request::get("/profile/7?lang=de").header("host", "a").body(Body::empty()).unwrap();
    let answer = declared.service().oneshot(request).await.unwrap();
    let cache_control = answer.headers()["cache-control"].clone();
    let value: Value =
        serde_json::from_slice(&Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap()).unwrap();
    let orders = json!({"items": [], "total": 0, "note": "1", "more": null, "open": false});
    let errors = json!([{"branch": "orders", "code": "branch_unreachable", "fallback": true}]);
    assert_eq!(value, json!({"number": 7, "orders": orders, "_errors": errors}));
    assert_eq!(cache_control, "no-store");
    assert!(upstream.heads()[0].starts_with("GET /users/7?lang=de HTTP/1.1\r\n"));
    assert!(declared.meter().render().contains("branch=\"orders\",outcome=\"unreachable\"} 1"));
}

#[test]
fn mistakes_are_told_where_they_stand() {
    for (branches, told) in [
        ("[{name: a, get: /}]", "g:2:5: routes[0]: `upstream` is missing"),
        (
            "[{name: a, get: /x, outcome: maybe}, {name: b, upstream: http://a}]",
            "g:2:5: routes[0]: `upstream` is missing\n\
             g:5:46: routes[0].aggregate.branches[0].outcome: expected required or optional, found `maybe`\n\
             g:5:54: routes[0].aggregate.branches[1]: `get` is missing; expected a text",
        ),
        (
            "[{name: a, get: '/{b.c}', upstream: http://a}]",
            "g:5:17: routes[0].aggregate.branches: branch `a`: `{b.c}`: there is no branch `b`",
        ),
        (
            "[{name: a, get: /, upstream: http://a, outcome: optional, fallback: {}}]",
            "g:5:65: routes[0].aggregate.branches[0].outcome: a branch with a fallback is neither required nor optional; leave it out",
        ),
        (
            "[{name: a, get: /, upstreams: http://a, upstream: http://a}]",
            "g:5:36: routes[0].aggregate.branches[0]: unknown key `upstreams` (did you mean `upstream`?)",
        ),
    ] {
        let text =
            format!("routes:\n  - path: /\n    timeout: 1s\n    aggregate:\n      branches: {branches}\n");
        assert_eq!(load(&text, "").map(|_| ()).unwrap_err(), told, "{branches}");
    } // Read by two concerns, told once.
    let text =
        "routes: [{path: /, timeout: x, aggregate: {branches: [{name: a, get: /, upstream: http://a}]}}]";
    assert_eq!(load(text, "").map(|_| ()).unwrap_err().lines().count(), 1);
}
