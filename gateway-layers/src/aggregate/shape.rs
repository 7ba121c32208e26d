//! What of a branch's answer goes into the whole, and under which names.

use serde_json::{Map, Value};

use super::field::Field;

/// Changes to a branch's answer, made in the order of the fields. Paths go through lists: `items.price` is the
/// price of every item.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Only this part is looked at.
    pub(super) pick: Option<Field>,
    /// Only these fields stay; all of them if the list is empty.
    pub(super) allow: Vec<Field>,
    /// These fields go.
    pub(super) deny: Vec<Field>,
    /// The field is called so in the object that holds it, whatever was there by that name.
    pub(super) rename: Vec<(Field, String)>,
}

impl Shape {
    /// The answer in its shape; `None` if the part to pick is not in it.
    pub(super) fn apply(&self, value: Value) -> Option<Value> {
        let mut value = match &self.pick {
            Some(field) => field.take(value)?,
            None => value,
        };
        if !self.allow.is_empty() {
            let paths: Vec<&[String]> = self.allow.iter().map(Field::keys).collect();
            value = keep(value, &paths).unwrap_or_default();
        }
        for field in &self.deny {
            each_holder(&mut value, field.keys(), &|holder, key| drop(holder.remove(key)));
        }
        for (field, name) in &self.rename {
            each_holder(&mut value, field.keys(), &|holder, key| {
                if let Some(value) = holder.remove(key) {
                    holder.insert(name.clone(), value);
                }
            });
        }
        Some(value)
    }
}

/// What is left of a value if only these paths stay.
fn keep(value: Value, paths: &[&[String]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value);
    }
    match value {
        Value::Object(map) => Some(Value::Object(
            map.into_iter()
                .filter_map(|(key, value)| {
                    let below: Vec<&[String]> =
                        paths.iter().filter(|path| path[0] == key).map(|path| &path[1..]).collect();
                    let kept = if below.is_empty() { None } else { keep(value, &below) };
                    kept.map(|value| (key, value))
                })
                .collect(),
        )),
        Value::Array(items) => {
            Some(Value::Array(items.into_iter().filter_map(|item| keep(item, paths)).collect()))
        }
        _ => None,
    }
}

/// Calls `change` with every object that may hold the last key of the path.
fn each_holder(value: &mut Value, keys: &[String], change: &impl Fn(&mut Map<String, Value>, &str)) {
    match (value, keys) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| each_holder(item, keys, change)),
        (Value::Object(map), [key]) => change(map, key),
        (Value::Object(map), [key, below @ ..]) => {
            if let Some(value) = map.get_mut(key) {
                each_holder(value, below, change);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fields(texts: &[&str]) -> Vec<Field> {
        texts.iter().map(|text| Field::parse(text).unwrap()).collect()
    }

    #[test]
    fn picks_then_allows_then_denies_then_renames() {
        let shape = Shape {
            pick: Some(Field::parse("data.user").unwrap()),
            allow: fields(&["id", "address", "orders.id"]),
            deny: fields(&["address.street", "missing.deep"]),
            rename: vec![(Field::parse("orders.id").unwrap(), "number".to_owned())],
        };
        let answer = json!({"data": {"user": {
            "id": 7, "password": "x", "address": {"city": "Ulm", "street": "A 1"},
            "orders": [{"id": 1, "sum": 5}, {"id": 2}, "odd"],
        }}});
        let shaped = shape.apply(answer).unwrap();
        let orders = json!([{"number": 1}, {"number": 2}]);
        assert_eq!(shaped, json!({"id": 7, "address": {"city": "Ulm"}, "orders": orders}));
        assert_eq!(shape.apply(json!({"data": {}})), None);
    }

    #[test]
    fn a_field_goes_through_lists_by_number() {
        let value = json!({"items": [{"id": "a"}, {"id": "b"}]});
        let field = Field::parse("items.1.id").unwrap();
        assert_eq!(field.find(&value), Some(&json!("b")));
        assert_eq!(field.take(value), Some(json!("b")));
        for wrong in ["", "a..b", ".a", "a."] {
            assert!(Field::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// Every field of a value that is no object and no list, with the keys on the way to it.
    fn leaves(value: &Value, above: &[String], found: &mut Vec<(Vec<String>, Value)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    leaves(value, &[above, std::slice::from_ref(key)].concat(), found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| leaves(item, above, found)),
            leaf => found.push((above.to_vec(), leaf.clone())),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "[a-c]".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn keeps_the_leaves_below_allowed_and_not_below_denied_paths(
            value in json(),
            allow in proptest::collection::vec("[a-c](\\.[a-c]){0,2}", 0..3),
            deny in proptest::collection::vec("[a-c](\\.[a-c]){0,2}", 0..3),
        ) {
            let parse = |texts: &[String]| texts.iter().map(|text| Field::parse(text).unwrap()).collect::<Vec<_>>();
            let (allow, deny) = (parse(&allow), parse(&deny));
            let below = |keys: &[String], fields: &[Field]| fields.iter().any(|field| keys.starts_with(field.keys()));
            let mut expected = Vec::new();
            leaves(&value, &[], &mut expected);
            expected.retain(|(keys, _)| (allow.is_empty() || below(keys, &allow)) && !below(keys, &deny));
            let shape = Shape { allow: allow.clone(), deny, ..Shape::default() };
            let mut found = Vec::new();
            leaves(&shape.apply(value.clone()).unwrap(), &[], &mut found);
            // A value without any field allowed in it is null where it stands alone.
            if !matches!(value, Value::Object(_) | Value::Array(_)) && !allow.is_empty() {
                expected = vec![(Vec::new(), Value::Null)];
            }
            prop_assert_eq!(found, expected);
        }
    }
}
