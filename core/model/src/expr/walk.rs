//! Looks through checked trees: what they read besides the record itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Children, Env, EvalError, Measured, Node, NodeKind, Objects};
use crate::{
    field::FieldType,
    name::ObjectName,
    record::{Fields, Record},
    value::{Id, Value},
};

impl Node {
    /// The parts directly below, without those that are asked of children.
    fn parts(&self) -> Vec<&Node> {
        match &self.kind {
            NodeKind::Literal(_)
            | NodeKind::Field(_)
            | NodeKind::Related { .. }
            | NodeKind::Now
            | NodeKind::Parameter(_) => Vec::new(),
            NodeKind::MoneyPart(inner, _)
            | NodeKind::Not(inner)
            | NodeKind::IsNull(inner)
            | NodeKind::Size(inner)
            | NodeKind::LocalDay(inner, _)
            | NodeKind::DayPart(_, inner)
            | NodeKind::ClockPart(_, inner, _)
            | NodeKind::Period(_, inner) => vec![inner],
            NodeKind::And(parts) | NodeKind::Or(parts) => parts.iter().collect(),
            NodeKind::In(item, list) => std::iter::once(&**item).chain(list).collect(),
            NodeKind::Compare(_, a, b)
            | NodeKind::HasTag(a, b)
            | NodeKind::TextTest(_, a, b)
            | NodeKind::Add(a, b)
            | NodeKind::Subtract(a, b)
            | NodeKind::Multiply(a, b) => vec![a, b],
            NodeKind::If(condition, yes, no) => vec![condition, yes, no],
            NodeKind::Children(asked) => vec![&asked.of],
        }
    }

    /// Looks at it and at all parts below it, without those that are asked of children.
    pub(super) fn each<'a>(&'a self, look: &mut impl FnMut(&'a Self)) {
        look(self);
        for part in self.parts() {
            part.each(look);
        }
    }

    /// The paths that it reads along, each once, after its beginnings.
    #[must_use]
    pub fn paths(&self) -> Vec<&[String]> {
        let mut found: Vec<&[String]> = Vec::new();
        self.each(&mut |node| {
            let NodeKind::Related { path, .. } = &node.kind else { return };
            for length in 1..=path.len() {
                if let Some(start) = path.get(..length).filter(|start| !found.contains(start)) {
                    found.push(start);
                }
            }
        });
        found
    }

    /// What it asks about records that refer to these.
    #[must_use]
    pub fn children(&self) -> Vec<&Children> {
        let mut found = Vec::new();
        self.each(&mut |node| {
            if let NodeKind::Children(asked) = &node.kind {
                found.push(&**asked);
            }
        });
        found
    }

    /// Whether it gives the same for every record.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        let mut fixed = true;
        self.each(&mut |node| {
            fixed &= !matches!(node.kind, NodeKind::Field(_) | NodeKind::Related { .. } | NodeKind::Children(_));
        });
        fixed
    }

    /// Its value, if it is the same for every record.
    #[must_use]
    pub fn fixed(&self, now: Timestamp, parameters: &[Value]) -> Option<Result<Value, EvalError>> {
        if !self.is_fixed() {
            return None;
        }
        let nobody =
            Record { id: Id(uuid::Uuid::nil()), version: 0, created_at: now, updated_at: now, fields: Fields::new() };
        Some(self.evaluate(&Env { record: &nobody, related: &BTreeMap::new(), children: &(), now, parameters }))
    }

    /// The objects whose records it reads, besides those of `object`, whose records it is about.
    #[must_use]
    pub fn objects_read(&self, object: &ObjectName, objects: &dyn Objects) -> Vec<ObjectName> {
        let along = |start: &ObjectName, path: &[String]| {
            path.iter().try_fold(start.clone(), |from, via| match &objects.object(&from)?.field(via)?.kind {
                FieldType::Ref { to, .. } => Some(to.clone()),
                _ => None,
            })
        };
        let mut read: Vec<ObjectName> = self.paths().into_iter().filter_map(|path| along(object, path)).collect();
        for asked in self.children() {
            read.push(asked.object.clone());
            let measured = match &asked.measured {
                Measured::Sum(node) | Measured::Min(node) | Measured::Max(node) => Some(node),
                Measured::Exists | Measured::Count => None,
            };
            let paths = asked.filter.iter().chain(measured).flat_map(Self::paths);
            read.extend(paths.filter_map(|path| along(&asked.object, path)));
        }
        read
    }
}
