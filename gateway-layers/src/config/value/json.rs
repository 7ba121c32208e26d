use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use super::{Value, Wrong};
use crate::config::{
    item::Item,
    node::{Content, Node, Scalar, Style},
};

/// Any value, as JSON. Texts without quotes are read as JSON reads them: `true`, `null` and numbers are no texts.
impl Value for Json {
    fn wanted() -> Cow<'static, str> {
        "a value such as {items: []}".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(plain(text))
    }

    fn schema() -> Self {
        serde_json::json!({})
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        json(item.node)
    }
}

/// `None` where a problem was told already.
fn json(node: &Node) -> Option<Json> {
    match &node.content {
        Content::Broken | Content::Sketch => None,
        Content::Scalar(scalar) if scalar.is_null() => Some(Json::Null),
        Content::Scalar(Scalar { text, style: Style::Quoted, .. }) => Some(Json::from(&**text)),
        Content::Scalar(Scalar { text, .. }) => Some(plain(text)),
        Content::List(items) => items.iter().map(json).collect(),
        Content::Map(entries) => {
            let pairs = entries.iter().map(|entry| Some((entry.name.to_string(), json(&entry.value)?)));
            Some(Json::Object(pairs.collect::<Option<_>>()?))
        }
    }
}

fn plain(text: &str) -> Json {
    match text {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        "null" => Json::Null,
        text => text.parse::<Number>().map_or_else(|_| Json::from(text), Json::Number),
    }
}
