//! Where in the text things stand: from a path to its byte, and from a span to its path.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, Error},
};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A key of a table.
    Key(String),
    /// An element of an array, from 0.
    Element(usize),
}

/// A parsed manifest that still knows its places.
pub(crate) struct Document<'t> {
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    pub(crate) fn new(root: Spanned<DeTable<'t>>) -> Self {
        Self { root }
    }

    /// The byte where the thing at the path starts, or the nearest thing around it that is there.
    ///
    /// For a table that is its key, for a value the value itself.
    pub(crate) fn at(&self, path: &str) -> usize {
        let mut at = 0;
        let mut table: Option<&DeTable<'t>> = Some(self.root.get_ref());
        let mut array = None;
        for step in steps(path) {
            let found = match &step {
                Step::Key(key) => table.and_then(|table| {
                    table.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| (name.span(), value))
                }),
                Step::Element(place) => {
                    array.and_then(|array: &toml::de::DeArray<'t>| array.get(*place)).map(|value| (value.span(), value))
                }
            };
            let Some((span, value)) = found else { break };
            (table, array) = (None, None);
            at = match value.get_ref() {
                DeValue::Table(inner) => {
                    table = Some(inner);
                    span.start
                }
                DeValue::Array(inner) => {
                    array = Some(inner);
                    span.start
                }
                _ => value.span().start,
            };
        }
        at
    }

    /// The path of the key or value that an error's span is of, or the smallest around it.
    pub(crate) fn path_of(&self, span: &Range<usize>) -> Vec<Step> {
        if *span == self.root.span() {
            return Vec::new();
        }
        let mut best: (usize, Vec<Step>) = (usize::MAX, Vec::new());
        visit(self.root.get_ref(), &mut Vec::new(), &mut |path, place| {
            let contains = place.start <= span.start && span.end <= place.end;
            let size = place.end.saturating_sub(place.start);
            // An equal one further in is nearer: an inline table and its only key may span the same.
            if contains && size <= best.0 {
                best = (size, path.to_vec());
            }
        });
        best.1
    }

    /// Reads the whole as a type.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(Deserializer::from(self.root.clone()))
    }

    /// A copy without the key at the end of the path.
    pub(crate) fn without(&self, path: &[Step]) -> Option<Self> {
        let (last, way) = path.split_last()?;
        let Step::Key(key) = last else { return None };
        let mut root = self.root.clone();
        let table = table_at(root.get_mut(), way)?;
        let name = table.keys().find(|name| name.get_ref() == key)?.clone();
        table.remove(&name)?;
        Some(Self { root })
    }

    /// A copy with a line of TOML put into the table at the path.
    pub(crate) fn with(&self, path: &[Step], line: &'t str) -> Option<Self> {
        let mut root = self.root.clone();
        let table = table_at(root.get_mut(), path)?;
        table.extend(DeTable::parse(line).ok()?.into_inner());
        Some(Self { root })
    }
}

/// `a.b[2]` of steps; keys that are not bare are quoted.
pub(crate) fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Element(place) => text.push_str(&format!("[{place}]")),
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                let is_bare =
                    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                if is_bare { text.push_str(key) } else { text.push_str(&format!("{key:?}")) }
            }
        }
    }
    text
}

/// Steps of a path as the catalog writes it: `extend."booking.visit".fields.x.of[2]`.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        if let Some((element, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            steps.extend(element.parse().ok().map(Step::Element));
            rest = after;
        } else if let Some((key, after)) = rest.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if first == '.' {
            rest = rest.strip_prefix('.').unwrap_or_default();
        } else {
            let end = rest.find(['.', '[', '"']).unwrap_or(rest.len()).max(first.len_utf8());
            let (key, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
    }
    steps
}

fn visit(table: &DeTable<'_>, path: &mut Vec<Step>, see: &mut impl FnMut(&[Step], Range<usize>)) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        see(path, key.span());
        visit_value(value, path, see);
        path.pop();
    }
}

fn visit_value(value: &Spanned<DeValue<'_>>, path: &mut Vec<Step>, see: &mut impl FnMut(&[Step], Range<usize>)) {
    see(path, value.span());
    match value.get_ref() {
        DeValue::Table(inner) => visit(inner, path, see),
        DeValue::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                path.push(Step::Element(place));
                visit_value(item, path, see);
                path.pop();
            }
        }
        _ => {}
    }
}

fn table_at<'a, 't>(table: &'a mut DeTable<'t>, way: &[Step]) -> Option<&'a mut DeTable<'t>> {
    let Some((Step::Key(first), rest)) = way.split_first() else { return Some(table) };
    let (_, value) = table.iter_mut().find(|(name, _)| name.get_ref() == first)?;
    table_in(value.get_mut(), rest)
}

fn table_in<'a, 't>(value: &'a mut DeValue<'t>, way: &[Step]) -> Option<&'a mut DeTable<'t>> {
    match (value, way.split_first()) {
        (DeValue::Table(inner), _) => table_at(inner, way),
        (DeValue::Array(items), Some((Step::Element(place), rest))) => table_in(items.get_mut(*place)?.get_mut(), rest),
        _ => None,
    }
}
