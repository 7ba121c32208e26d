use std::{cell::RefCell, rc::Rc};

use serde_json::Value as Json;

/// What may stand at one place of the document: nothing noted yet, or several of these.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Shape {
    /// Schemas of single values and of lists of them.
    pub(super) values: Vec<Json>,
    pub(super) list: Option<Box<Self>>,
    pub(super) map: Option<Map>,
}

/// A map.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    /// The keys that are known, in the order in which they are asked for.
    pub(super) keys: Vec<(String, Shape)>,
    /// Of each of these at least one key must be there.
    pub(super) demands: Vec<Vec<&'static str>>,
    /// The names and the values of keys that the document chooses.
    pub(super) chosen: Option<Box<(Shape, Shape)>>,
}

impl Shape {
    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.list.is_none() && self.map.is_none()
    }

    /// What one of two readings asks for. Both must demand a key for it to be demanded.
    pub(super) fn or(self, other: Self) -> Self {
        let mut values = self.values;
        for value in other.values {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let list = both(self.list, other.list, |one, other| Box::new(one.or(*other)));
        Self { values, list, map: both(self.map, other.map, Map::or) }
    }
}

impl Map {
    fn or(mut self, other: Self) -> Self {
        for (name, shape) in other.keys {
            match self.keys.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = std::mem::take(known).or(shape),
                None => self.keys.push((name, shape)),
            }
        }
        self.demands.retain(|demand| other.demands.contains(demand));
        self.chosen =
            both(self.chosen, other.chosen, |one, other| Box::new((one.0.or(other.0), one.1.or(other.1))));
        self
    }
}

fn both<T>(one: Option<T>, other: Option<T>, or: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(or(one, other)),
        (one, other) => one.or(other),
    }
}

/// A place of a document that is not there, where everything that is asked for is noted.
#[derive(Clone, Debug)]
pub(in crate::config) struct SketchRef {
    at: Rc<RefCell<Sketch>>,
    /// Whether keys are said to be there.
    present: bool,
    /// Whether only single values count here.
    single: bool,
}

#[derive(Debug, Default)]
struct Sketch {
    values: Vec<Json>,
    list: Option<SketchRef>,
    map: Option<SketchMap>,
}

#[derive(Debug, Default)]
struct SketchMap {
    keys: Vec<(String, SketchRef)>,
    demands: Vec<Vec<&'static str>>,
    chosen: Option<(SketchRef, SketchRef)>,
}

impl SketchRef {
    pub(super) fn new(present: bool) -> Self {
        Self { at: Rc::default(), present, single: false }
    }

    /// The same place, where lists and maps are not noted.
    pub(in crate::config) fn single(&self) -> Self {
        Self { single: true, ..self.clone() }
    }

    /// Where lists and maps are noted: for a place of single values nowhere that counts.
    fn wide(&self) -> Self {
        if self.single { Self::new(self.present) } else { self.clone() }
    }

    /// Whether the document that is not there has a key.
    pub(in crate::config) fn has_keys(&self) -> bool {
        self.present
    }

    /// A value of this schema may stand here.
    pub(in crate::config) fn value(&self, schema: Json) {
        let values = &mut self.at.borrow_mut().values;
        if !values.contains(&schema) {
            values.push(schema);
        }
    }

    /// A list may stand here; of such items.
    pub(in crate::config) fn items(&self) -> Self {
        let wide = self.wide();
        let mut at = wide.at.borrow_mut();
        at.list.get_or_insert_with(|| Self::new(self.present)).clone()
    }

    /// A map may stand here.
    pub(in crate::config) fn map(&self) {
        self.wide().at.borrow_mut().map.get_or_insert_default();
    }

    /// A map with this key may stand here; with such a value.
    pub(in crate::config) fn key(&self, name: &str) -> Self {
        let wide = self.wide();
        let mut at = wide.at.borrow_mut();
        let keys = &mut at.map.get_or_insert_default().keys;
        if let Some((_, known)) = keys.iter().find(|(known, _)| known == name) {
            return known.clone();
        }
        let value = Self::new(self.present);
        keys.push((name.to_owned(), value.clone()));
        value
    }

    /// A map with keys that the document chooses may stand here; with such keys and values.
    pub(in crate::config) fn chosen(&self) -> (Self, Self) {
        let wide = self.wide();
        let mut at = wide.at.borrow_mut();
        let chosen = &mut at.map.get_or_insert_default().chosen;
        chosen.get_or_insert_with(|| (Self::new(self.present), Self::new(self.present))).clone()
    }

    /// One of these keys must be there.
    pub(in crate::config) fn demand(&self, names: &[&'static str]) {
        let wide = self.wide();
        let mut at = wide.at.borrow_mut();
        let demands = &mut at.map.get_or_insert_default().demands;
        if !demands.iter().any(|known| known == names) {
            demands.push(names.to_vec());
        }
    }

    /// What was noted.
    pub(super) fn shape(&self) -> Shape {
        let at = self.at.borrow();
        let map = |map: &SketchMap| Map {
            // A key that was looked up and never read means nothing.
            keys: map
                .keys
                .iter()
                .map(|(name, value)| (name.clone(), value.shape()))
                .filter(|(_, shape)| !shape.is_empty())
                .collect(),
            demands: map.demands.clone(),
            chosen: map.chosen.as_ref().map(|(name, value)| Box::new((name.shape(), value.shape()))),
        };
        Shape {
            values: at.values.clone(),
            list: at.list.as_ref().map(|items| Box::new(items.shape())),
            map: at.map.as_ref().map(map),
        }
    }
}
