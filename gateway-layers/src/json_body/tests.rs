use std::convert::Infallible;

use gateway_core::{Body, Explanation, Verdict, explain::Explain, testing::contract};
use http::{Request, Response, request::Parts};
use tower::{Layer, ServiceExt, service_fn};

use super::{JsonBodyLayer, Rules};

// No property: `json` compares the rewriter with a model, rules of this concern among them. `proptest!` stands there.

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(JsonBodyLayer::new(Rules::new().drop("a")).unwrap()).await;
    contract::check(JsonBodyLayer::off()).await;
}

#[tokio::test]
async fn drops_renames_and_allows() {
    let order = r#"{
  "id": 7,
  "margin": 0.3,
  "items": [{"sku": "a", "cost": 1}, {"cost": 2, "sku": "b"}, 5],
  "meta": {"tags": ["x"], "internal": {"host": "a"}}
}"#;
    let drop = Rules::new().drop("margin").drop("**.cost").drop("meta.internal");
    let kept = r#"{
  "id": 7,
  "items": [{"sku": "a"}, { "sku": "b"}, 5],
  "meta": {"tags": ["x"]}
}"#;
    assert_eq!(edited(drop, order).await, kept);

    let allow = Rules::new().allow("id").allow("items.sku").allow("meta.*").drop("meta.internal");
    let kept = r#"{
  "id": 7,
  "items": [{"sku": "a"}, { "sku": "b"}],
  "meta": {"tags": ["x"]}
}"#;
    assert_eq!(edited(allow, order).await, kept);

    let rename = Rules::new().rename("id", "number").rename("items.sku", "article \"no\"");
    assert!(edited(rename, order).await.starts_with("{\n  \"number\": 7,"));
}

#[tokio::test]
async fn no_name_is_there_twice_because_of_a_new_name() {
    let rename = || Rules::new().rename("b", "c");
    assert_eq!(edited(rename(), r#"{"c":1,"b":2,"c":3}"#).await, r#"{"c":1}"#);
    assert_eq!(edited(rename(), r#"{"b":2,"c":1,"b":3}"#).await, r#"{"c":2}"#);
    assert_eq!(edited(rename(), r#"{"x":{"c":1,"b":2,"c":3}}"#).await, r#"{"x":{"c":1,"b":2,"c":3}}"#);
}

#[tokio::test]
async fn what_is_not_allowed_is_in_no_answer() {
    let allow = || Rules::new().allow("a.b");
    for (json, kept) in [
        ("5", "null"),
        ("[1,[\"x\"],{}]", "[[],{}]"),
        (r#"{"b":1,"a":2}"#, "{}"),
        (r#"{"a":[1,{"b":[2,{"c":3}],"c":4},{"c":5}]}"#, r#"{"a":[{"b":[2,{"c":3}]},{}]}"#),
    ] {
        assert_eq!(edited(allow(), json).await, kept);
    }
}

#[test]
fn says_what_it_would_do() {
    struct End;
    impl Explain for End {
        fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
    }
    let (head, ()) = Request::new(()).into_parts();
    let mut say = Vec::new();
    let rules = Rules::new().drop("a").rename("b", "c").allow("b").allow("a");
    let error = JsonBodyLayer::new(rules).unwrap_err();
    assert_eq!(error.to_string(), "field `a`: it has two rules, drop and allow");
    let rules = Rules::new().drop("a").rename("b", "c");
    JsonBodyLayer::new(rules).unwrap().layer(End).explain(&head, &mut say);
    assert_eq!(say[0].to_string(), "json_body: pass: in JSON answers: drop a, rename b to c");
    JsonBodyLayer::off().layer(End).explain(&head, &mut say);
    assert_eq!(say[1].verdict, Verdict::Skip);
}

async fn edited(rules: Rules, json: &'static str) -> String {
    let leaf = service_fn(move |_: Request<Body>| {
        let answer = Response::builder().header("content-type", "application/json");
        std::future::ready(Ok::<_, Infallible>(answer.body(Body::from(json)).unwrap()))
    });
    let layer = JsonBodyLayer::new(rules).unwrap();
    let answer = layer.layer(leaf).oneshot(Request::new(Body::empty())).await.unwrap();
    let bytes = Body::collect_limited(answer.into_body(), 1 << 16).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}
