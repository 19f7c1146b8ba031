//! What an expression looks at, so that the engine knows which writes can change its value.

use std::collections::BTreeSet;

use super::{Expression, Node, NodeKind};

/// What an expression looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Fields of the record itself, system fields included; not the references that it follows.
    pub fields: BTreeSet<String>,
    /// Fields of other records: the references that lead there, and the field.
    pub related: BTreeSet<(Vec<String>, String)>,
    /// Records that refer to it or to one of these.
    pub children: bool,
    /// The time of the request, which changes without a write.
    pub now: bool,
}

impl Reads {
    /// Whether only a write of the record itself can change the value.
    #[must_use]
    pub fn only_own_fields(&self) -> bool {
        self.related.is_empty() && !self.children && !self.now
    }

    fn add(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Field(key) => {
                self.fields.insert(key.clone());
            }
            NodeKind::Related { path, field } => {
                self.related.insert((path.clone(), field.clone()));
            }
            NodeKind::Now => self.now = true,
            NodeKind::Children(_) => self.children = true,
            _ => {}
        }
    }
}

impl Expression {
    /// What it looks at.
    #[must_use]
    pub fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        self.root.each(&mut |node| reads.add(node));
        reads
    }
}
