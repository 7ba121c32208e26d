use serde_json::{Value as Json, json};

use super::*;

#[test]
fn what_a_reading_asks_for_is_its_schema() {
    let context = Context::default();
    let shape = of(&context, |section| {
        let name = section.required::<String>("name");
        section.or("requests", 1_u32);
        section.either::<u16, _>("port", Some, |inner| inner.required("number"));
        section.demand_one_of(&["path", "prefix"]);
        let _ = (section.optional::<String>("path"), section.optional::<String>("prefix"));
        section.sections("parts", |part| part.required::<gateway_core::Mode>("mode"));
        section.pairs::<http::HeaderName, String>("set");
        name
    });
    let text = json!({"type": ["string", "number", "boolean"], "description": "a text"});
    let or_variable = |schema: Json| json!({"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]});
    let number = |about: &str| json!({"type": "integer", "minimum": 0, "description": about});
    let port = number("a whole number up to 65535");
    assert_eq!(
        json::document(&shape)["properties"],
        json!({
            "name": text,
            "requests": or_variable(number("a whole number")),
            "port": {"anyOf": [or_variable(port.clone()), {
                "type": "object",
                "properties": {"number": or_variable(port)},
                "additionalProperties": false,
                "required": ["number"],
            }]},
            "path": text,
            "prefix": text,
            "parts": {"type": "array", "items": {
                "type": "object",
                "properties": {"mode": or_variable(json!({"enum": ["enforce", "audit", "off"]}))},
                "additionalProperties": false,
                "required": ["mode"],
            }},
            "set": {"type": "object", "properties": {}, "additionalProperties": text},
        })
    );
    assert_eq!(json::document(&shape)["required"], json!(["name"]));
    let either = json!([{"anyOf": [{"required": ["path"]}, {"required": ["prefix"]}]}]);
    assert_eq!(json::document(&shape)["allOf"], either);
}

#[test]
fn a_key_that_is_asked_for_only_beside_another_is_known_and_not_demanded() {
    let context = Context::default();
    let shape = of(&context, |section| match section.has("limits") {
        true => section.sections("limits", |limit| limit.required::<u32>("requests")).pop(),
        false => section.required::<u32>("requests"),
    });
    let schema = json::document(&shape);
    assert_eq!(schema["required"], Json::Null);
    let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["limits", "requests"]);
}

/// Every key that a file of ours uses is in the schema, at its place.
#[test]
fn the_whole_document_is_in_it() {
    let schema = schema();
    let route = &schema["properties"]["routes"]["items"]["properties"];
    for key in ["name", "path", "prefix", "host", "methods", "upstream", "jwt", "cache", "retry", "timeout"] {
        assert!(!route[key].is_null(), "{key}");
    }
    let limit = &route["rate_limit"]["properties"];
    assert_eq!(limit["limits"]["items"]["required"], json!(["name", "requests"]));
    assert!(!limit["requests"].is_null(), "the short form");
    assert_eq!(limit["store"]["required"], json!(["redis", "on_error"]));
    assert_eq!(schema["required"], json!(["routes"]));
    assert!(serde_json::to_string(&schema).unwrap().len() < 200_000);
}
