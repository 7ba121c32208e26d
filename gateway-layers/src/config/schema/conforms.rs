//! The documents of this repository conform to the schema, by a validator that knows as much of JSON Schema as it uses.

use std::{fs, path::Path};

use serde_json::Value as Json;

use super::super::{
    Problems,
    node::{Budget, Content, Node, Scalar, Style},
    parse::parse,
};

/// What of a document is not as the schema says, one line each.
fn faults(text: &str, schema: &Json) -> Vec<String> {
    let mut problems = Problems::of("document");
    let Some(root) = parse(text, &mut Budget::new(), &mut problems) else {
        return vec![problems.to_string()];
    };
    let mut faults = Vec::new();
    check(&root, schema, "", &mut faults);
    faults
}

fn check(node: &Node, schema: &Json, path: &str, faults: &mut Vec<String>) {
    let rules = schema.as_object().expect("a schema is an object");
    for (rule, wanted) in rules {
        match rule.as_str() {
            "anyOf" => {
                let each = wanted.as_array().unwrap().iter().map(|schema| {
                    let mut faults = Vec::new();
                    check(node, schema, path, &mut faults);
                    faults
                });
                // Whoever comes furthest says what is meant.
                let nearest = each.min_by_key(|faults| (!faults.is_empty(), depth(faults))).unwrap();
                faults.extend(nearest);
            }
            "allOf" => {
                wanted.as_array().unwrap().iter().for_each(|schema| check(node, schema, path, faults));
            }
            "type" => {
                let wanted = wanted.as_array().map_or(std::slice::from_ref(wanted), Vec::as_slice);
                let found = types(node);
                if !wanted.iter().any(|wanted| found.contains(&wanted.as_str().unwrap())) {
                    faults.push(format!("{path}: {found:?} is not {wanted:?}"));
                }
            }
            "enum" => {
                let is_one = |text: &str| wanted.as_array().unwrap().iter().any(|word| word == text);
                if !text(node).is_some_and(is_one) {
                    faults.push(format!("{path}: {:?} is not in {wanted}", text(node)));
                }
            }
            "pattern" => {
                let pattern = regex::Regex::new(wanted.as_str().unwrap()).unwrap();
                if !text(node).is_none_or(|text| pattern.is_match(text)) {
                    faults.push(format!("{path}: {:?} does not match {wanted}", text(node)));
                }
            }
            "minimum" => {
                let number = text(node).and_then(|text| text.parse::<f64>().ok());
                if number.is_some_and(|number| number < wanted.as_f64().unwrap()) {
                    faults.push(format!("{path}: {number:?} is less than {wanted}"));
                }
            }
            "maximum" => {
                let number = text(node).and_then(|text| text.parse::<f64>().ok());
                if number.is_some_and(|number| number > wanted.as_f64().unwrap()) {
                    faults.push(format!("{path}: {number:?} is more than {wanted}"));
                }
            }
            "items" => {
                if let Content::List(items) = &node.content {
                    let each = items.iter().enumerate();
                    each.for_each(|(index, item)| check(item, wanted, &format!("{path}[{index}]"), faults));
                }
            }
            "required" => {
                let names = wanted.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                let missing = names.filter(|&name| !has(node, name));
                faults.extend(missing.map(|name| format!("{path}: {name} is missing")));
            }
            "properties" => keys(node, schema, path, faults),
            "additionalProperties" | "propertyNames" | "description" | "$schema" | "title" => {}
            other => panic!("nobody here knows `{other}`"),
        }
    }
}

/// The keys of a map: those that are known, and those that the document chooses.
fn keys(node: &Node, schema: &Json, path: &str, faults: &mut Vec<String>) {
    let Content::Map(entries) = &node.content else { return };
    for entry in entries {
        let path = format!("{path}.{}", entry.name);
        match (schema["properties"].get(&*entry.name), &schema["additionalProperties"]) {
            (Some(known), _) => check(&entry.value, known, &path, faults),
            (None, Json::Bool(false)) => faults.push(format!("{path}: unknown key")),
            (None, chosen) => {
                if let Some(names) = schema.get("propertyNames") {
                    check(&entry.key, names, &path, faults);
                }
                check(&entry.value, chosen, &path, faults);
            }
        }
    }
}

/// The deepest path comes first.
fn depth(faults: &[String]) -> std::cmp::Reverse<usize> {
    std::cmp::Reverse(
        faults.iter().map(|fault| fault.split(": ").next().unwrap_or("").len()).max().unwrap_or(0),
    )
}

fn has(node: &Node, name: &str) -> bool {
    matches!(&node.content, Content::Map(entries) if entries.iter().any(|entry| &*entry.name == name))
}

fn text(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

/// What JSON Schema calls it, as an editor of YAML sees it.
fn types(node: &Node) -> &'static [&'static str] {
    match &node.content {
        Content::Map(_) => &["object"],
        Content::List(_) => &["array"],
        Content::Scalar(Scalar { style: Style::Quoted, .. }) => &["string"],
        Content::Scalar(scalar) if scalar.is_null() => &["null"],
        Content::Scalar(scalar) => match &*scalar.text {
            "true" | "false" => &["boolean"],
            text if text.parse::<i64>().is_ok() => &["integer", "number"],
            text if text.parse::<f64>().is_ok() => &["number"],
            _ => &["string"],
        },
        Content::Broken | Content::Sketch => &[],
    }
}

#[test]
fn every_document_of_ours_conforms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let in_folder = |folder: &str| fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = in_folder("gateway-examples/configs")
        .chain(in_folder("gateway-examples"))
        .chain(in_folder("benches/configs"))
        .filter(|path| path.extension().is_some_and(|found| found == "yaml"))
        .collect();
    assert!(files.len() > 35, "{files:?}");
    let schema = super::schema();
    for file in files {
        let found = faults(&fs::read_to_string(&file).unwrap(), &schema);
        assert!(found.is_empty(), "{}: {found:#?}", file.display());
    }
}

#[test]
fn what_the_reading_refuses_does_not_conform() {
    let schema = super::schema();
    let route = |rest: &str| format!("routes:\n  - {{prefix: /, upstream: 'http://a', {rest}}}\n");
    assert_eq!(faults(&route("timeout: 5s"), &schema), [""; 0]);
    assert_eq!(faults(&route("timeout: '${LIMIT}'"), &schema), [""; 0]);
    for (document, fault) in [
        (route("tiemout: 5s"), ".routes[0].tiemout: unknown key"),
        (route("timeout: {request: 5}"), ".routes[0].timeout.request: "),
    ] {
        let found = faults(&document, &schema);
        assert!(found.iter().any(|found| found.starts_with(fault)), "{document}: {found:?}");
    }
    for document in [
        route("rate_limit: {limits: [{name: a}]}"),
        route("rate_limit: {requests: 1, mode: enforced}"),
        "listen: 127.0.0.1:80\n".to_owned(),
    ] {
        assert!(!faults(&document, &schema).is_empty(), "{document}");
    }
}
