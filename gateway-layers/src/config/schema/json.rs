use serde_json::{Map as Object, Value as Json, json};

use super::shape::{Map, Shape};

/// The schema of a whole document.
pub(super) fn document(shape: &Shape) -> Json {
    let mut schema = of(shape);
    if let Json::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        members.insert("title".to_owned(), json!("A gateway of gateway-layers"));
    }
    schema
}

/// The schema of one place.
fn of(shape: &Shape) -> Json {
    let values = shape.values.iter().cloned().map(or_variable);
    let list = shape.list.iter().map(|items| json!({"type": "array", "items": of(items)}));
    let map = shape.map.iter().map(of_map);
    let mut any: Vec<Json> = values.chain(list).chain(map).collect();
    match any.len() {
        0 => json!({}),
        1 => any.remove(0),
        _ => json!({"anyOf": any}),
    }
}

fn of_map(map: &Map) -> Json {
    let mut schema = Object::new();
    schema.insert("type".to_owned(), json!("object"));
    let keys: Object<String, Json> = map.keys.iter().map(|(name, shape)| (name.clone(), of(shape))).collect();
    schema.insert("properties".to_owned(), keys.into());
    let chosen = map.chosen.as_ref().map_or(json!(false), |chosen| of(&chosen.1));
    schema.insert("additionalProperties".to_owned(), chosen);
    let names = map.chosen.as_ref().map(|chosen| of(&chosen.0));
    if let Some(names) = names.filter(|names| !takes_any_text(names)) {
        schema.insert("propertyNames".to_owned(), names);
    }
    let single = map.demands.iter().filter(|names| names.len() == 1).flatten();
    let required: Vec<_> = single.copied().collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let several = map.demands.iter().filter(|names| names.len() > 1);
    let one_of = |names: &Vec<&str>| {
        let each: Vec<_> = names.iter().map(|name| json!({"required": [name]})).collect();
        json!({"anyOf": each})
    };
    let all: Vec<_> = several.map(one_of).collect();
    if !all.is_empty() {
        schema.insert("allOf".to_owned(), all.into());
    }
    schema.into()
}

/// Where a value is more than any text, a text with a variable may stand as well.
fn or_variable(mut schema: Json) -> Json {
    if let Some(any) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        *any = std::mem::take(any).into_iter().map(or_variable).collect();
        return schema;
    }
    if let Some(items) = schema.get_mut("items") {
        *items = or_variable(items.take());
        return schema;
    }
    match takes_any_text(&schema) {
        true => schema,
        false => json!({"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]}),
    }
}

fn takes_any_text(schema: &Json) -> bool {
    let is_text = match &schema["type"] {
        Json::String(one) => one == "string",
        Json::Array(several) => several.iter().any(|one| one == "string"),
        _ => schema.as_object().is_some_and(Object::is_empty),
    };
    is_text && schema.get("pattern").is_none() && schema.get("enum").is_none()
}
