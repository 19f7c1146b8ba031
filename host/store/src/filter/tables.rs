//! The tables and columns that an expression speaks of.

use pergola_model::{
    ObjectName,
    expr::{Node, NodeKind, Type},
    object::SYSTEM_FIELDS,
};
use pergola_service::ports::store::StoreError;

use super::{Filter, Related};
use crate::{
    error::unexpected,
    layout::{Holds, Layout},
    sql::quote,
};

impl Filter<'_> {
    /// The tables that the conditions speak of, for after `FROM … AS t`, each joined once. SQLite makes it an inner
    /// join, and may start from the related table, where a condition cannot be true without a related row.
    pub(crate) fn joins(&self) -> String {
        let mut text = String::new();
        for (path, Related { alias, layout }) in &self.related {
            let Some((via, before)) = path.split_last() else { continue };
            let from = self.related.get(before).map_or(self.alias, |before| &before.alias);
            text.push_str(&format!(" LEFT JOIN {} AS {alias} ON {alias}.\"id\" = {from}.{}", layout.table, quote(via)));
        }
        text
    }

    /// A field's column and, for a declared field, what it holds.
    pub(super) fn column(&mut self, node: &Node) -> Result<(String, Option<Holds>), StoreError> {
        let (alias, key, holds) = self.place(node)?;
        Ok((format!("{alias}.{}", quote(key)), holds))
    }

    /// A field's table, key and, for a declared field, what it holds.
    pub(super) fn place<'n>(&mut self, node: &'n Node) -> Result<(String, &'n str, Option<Holds>), StoreError> {
        match &node.kind {
            NodeKind::Field(key) => Ok((self.alias.to_owned(), key, held(self.layout, key)?)),
            NodeKind::Related { path, field } => {
                let Related { alias, layout } = self.related(path)?;
                Ok((alias.clone(), field, held(layout, field)?))
            }
            _ => Err(unexpected("only fields are columns")),
        }
    }

    /// The table at the end of a path, joined along it.
    fn related(&mut self, path: &[String]) -> Result<&Related, StoreError> {
        for length in 1..=path.len() {
            let Some((via, before)) = path.get(..length).and_then(<[String]>::split_last) else { continue };
            let key = path.get(..length).unwrap_or(path);
            if self.related.contains_key(key) {
                continue;
            }
            let from = self.related.get(before).map_or(self.layout, |before| &before.layout);
            let Some(Holds::Ref(to)) = held(from, via)? else {
                return Err(unexpected(format!("{via} is no reference")));
            };
            let object = self.catalog.object(&to).ok_or_else(|| unexpected(format!("no object {to}")))?;
            let prefix = if self.alias == "t" { "" } else { self.alias };
            let alias = format!("{prefix}r{}", self.related.len());
            self.related.insert(key.to_vec(), Related { alias, layout: self.layouts.of(object) });
        }
        self.related.get(path).ok_or_else(|| unexpected("a join was just added"))
    }

    /// How a value of the node comes out of a row; of `object` if it is an id of no object in particular.
    pub(crate) fn holds(&mut self, node: &Node, object: &ObjectName) -> Result<Holds, StoreError> {
        Ok(match &node.ty {
            Type::Bool => Holds::Bool,
            Type::Integer => Holds::Integer,
            Type::Decimal => {
                let scale = self.scale(node)?;
                Holds::Decimal(u8::try_from(scale).map_err(|_| unexpected("too many digits after the point"))?)
            }
            Type::Money => Holds::Money,
            Type::Null | Type::Text => Holds::Text,
            Type::Date => Holds::Date,
            Type::DateTime => Holds::DateTime,
            Type::Duration => Holds::Duration,
            Type::Ref(object) => Holds::Ref(object.clone()),
            Type::Id => Holds::Ref(object.clone()),
            Type::Tags => Holds::Tags,
            Type::Json => Holds::Json,
        })
    }
}

fn held(layout: &Layout, key: &str) -> Result<Option<Holds>, StoreError> {
    if SYSTEM_FIELDS.contains(&key) {
        return Ok(None);
    }
    let column = layout.column(key).ok_or_else(|| unexpected(format!("{} has no column {key}", layout.table)))?;
    Ok(Some(column.holds.clone()))
}
