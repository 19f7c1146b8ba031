//! What an expression looks at, so that the engine knows which writes can change its value.

use std::collections::BTreeSet;

use super::{Expression, Node, NodeKind};

/// What an expression looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Fields of the record itself, system fields included; not the references that it follows.
    pub fields: BTreeSet<String>,
    /// Fields one reference away: the referring field and the other record's.
    pub related: BTreeSet<(String, String)>,
    /// The time of the request, which changes without a write.
    pub now: bool,
}

impl Reads {
    /// Whether only a write of the record itself can change the value.
    #[must_use]
    pub fn only_own_fields(&self) -> bool {
        self.related.is_empty() && !self.now
    }

    fn add(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Field(key) => {
                self.fields.insert(key.clone());
            }
            NodeKind::Related { via, field, .. } => {
                self.related.insert((via.clone(), field.clone()));
            }
            NodeKind::Now => self.now = true,
            NodeKind::Literal(_) | NodeKind::Parameter(_) => {}
            NodeKind::MoneyPart(inner, _) | NodeKind::Not(inner) | NodeKind::IsNull(inner) => self.add(inner),
            NodeKind::And(parts) | NodeKind::Or(parts) => parts.iter().for_each(|part| self.add(part)),
            NodeKind::In(item, list) => {
                self.add(item);
                list.iter().for_each(|part| self.add(part));
            }
            NodeKind::Compare(_, a, b)
            | NodeKind::HasTag(a, b)
            | NodeKind::TextTest(_, a, b)
            | NodeKind::Add(a, b)
            | NodeKind::Subtract(a, b)
            | NodeKind::Multiply(a, b) => {
                self.add(a);
                self.add(b);
            }
        }
    }
}

impl Expression {
    /// What it looks at.
    #[must_use]
    pub fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        reads.add(&self.root);
        reads
    }
}
