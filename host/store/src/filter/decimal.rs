//! Decimals in conditions. Columns hold them as integers at their field's scale, so two scales must meet.

use pergola_model::{
    Value,
    expr::{Compare, Node, NodeKind},
};
use pergola_service::ports::store::StoreError;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::{Filter, sign};
use crate::{
    error::unexpected,
    layout::Holds,
    row::scaled,
    sql::{Bind, Sql},
};

impl Filter<'_> {
    /// A constant is brought to the other side's scale, so that a column stays bare for its index.
    pub(super) fn compare_decimals(
        &mut self,
        op: Compare,
        a: &Node,
        b: &Node,
        sql: &mut Sql,
    ) -> Result<(), StoreError> {
        if op == Compare::NotEqual {
            sql.push("((");
            self.compare_decimals(Compare::Equal, a, b, sql)?;
            sql.push(") IS NOT TRUE)");
            return Ok(());
        }
        match (self.number(a)?, self.number(b)?) {
            (None, Some(number)) => self.compare_with_constant(op, a, number, sql),
            (Some(number), None) => self.compare_with_constant(mirrored(op), b, number, sql),
            _ => {
                let scale = self.scale(a)?.max(self.scale(b)?);
                self.decimal(a, scale, sql)?;
                sql.push(sign(op));
                self.decimal(b, scale, sql)
            }
        }
    }

    /// With more digits than the column has, the constant lies between two of its values: the lower one decides.
    fn compare_with_constant(
        &mut self,
        op: Compare,
        node: &Node,
        number: Decimal,
        sql: &mut Sql,
    ) -> Result<(), StoreError> {
        let scale = self.scale(node)?;
        let rounded = number.round_dp_with_strategy(scale, rust_decimal::RoundingStrategy::ToNegativeInfinity);
        let op = match op {
            _ if rounded == number => op,
            Compare::Less | Compare::LessOrEqual => Compare::LessOrEqual,
            Compare::Greater | Compare::GreaterOrEqual => Compare::Greater,
            Compare::Equal | Compare::NotEqual => {
                sql.push("FALSE");
                return Ok(());
            }
        };
        self.decimal(node, scale, sql)?;
        sql.push(sign(op)).bind(at_scale(rounded, scale));
        Ok(())
    }

    /// The constant or parameter, if the node is one and has a value.
    fn number(&self, node: &Node) -> Result<Option<Decimal>, StoreError> {
        let value = match &node.kind {
            NodeKind::Literal(value) => value,
            NodeKind::Parameter(n) => self.parameter(*n, &node.ty)?,
            _ => return Ok(None),
        };
        match value {
            Value::Null => Ok(None),
            Value::Decimal(number) => Ok(Some(*number)),
            Value::Integer(number) => Ok(Some((*number).into())),
            other => Err(unexpected(format!("a decimal cannot be {}", other.kind()))),
        }
    }

    /// The digits after the point that the node's value may have.
    pub(super) fn scale(&mut self, node: &Node) -> Result<u32, StoreError> {
        match &node.kind {
            NodeKind::Literal(_) | NodeKind::Parameter(_) => {
                Ok(self.number(node)?.map_or(0, |number| number.normalize().scale()))
            }
            NodeKind::Field(_) | NodeKind::Related { .. } => match self.column(node)?.1 {
                Some(Holds::Decimal(scale)) => Ok(scale.into()),
                _ => Err(unexpected("the field is no decimal")),
            },
            NodeKind::Add(a, b) | NodeKind::Subtract(a, b) | NodeKind::If(_, a, b) => {
                Ok(self.scale(a)?.max(self.scale(b)?))
            }
            NodeKind::Children(asked) => self.measured_scale(asked),
            _ => Err(unexpected("decimals are added and subtracted only")),
        }
    }

    /// The node's value times 10^scale, which is at least its own.
    pub(super) fn decimal(&mut self, node: &Node, scale: u32, sql: &mut Sql) -> Result<(), StoreError> {
        match &node.kind {
            NodeKind::Literal(_) | NodeKind::Parameter(_) => {
                match self.number(node)? {
                    Some(number) => sql.bind(at_scale(number, scale)),
                    None => sql.push("NULL"),
                };
            }
            NodeKind::Add(a, b) | NodeKind::Subtract(a, b) => {
                let (mut left, mut right) = (Sql::default(), Sql::default());
                self.decimal(a, scale, &mut left)?;
                self.decimal(b, scale, &mut right)?;
                let sign = if matches!(node.kind, NodeKind::Add(..)) { " + " } else { " - " };
                sql.append(self.layouts.dialect().arithmetic(left, sign, right));
            }
            NodeKind::If(condition, yes, no) => {
                self.choose(condition, yes, no, sql, |filter, node, sql| filter.decimal(node, scale, sql))?;
            }
            NodeKind::Children(asked) => {
                let of = self.part(&asked.of)?;
                let missing = scale.saturating_sub(self.measured_scale(asked)?);
                let answer = self.answer(asked, of)?;
                let factor = Sql::new(format!("1{}", "0".repeat(missing as usize)));
                sql.append(self.layouts.dialect().arithmetic(answer, " * ", factor));
            }
            _ => {
                let name = self.column(node)?.0;
                match scale.saturating_sub(self.scale(node)?) {
                    0 => sql.push(&name),
                    missing => {
                        let factor = Sql::new(format!("1{}", "0".repeat(missing as usize)));
                        sql.append(self.layouts.dialect().arithmetic(Sql::new(name), " * ", factor))
                    }
                };
            }
        }
        Ok(())
    }
}

/// Beyond 64 bits no column has such a number; a real of that size still compares right with all of them.
fn at_scale(number: Decimal, scale: u32) -> Bind {
    match u8::try_from(scale).ok().and_then(|scale| scaled(number, scale)) {
        Some(number) => Bind::Integer(number),
        None => Bind::Real(number.to_f64().unwrap_or_default() * 10_f64.powi(scale.try_into().unwrap_or_default())),
    }
}

fn mirrored(op: Compare) -> Compare {
    match op {
        Compare::Less => Compare::Greater,
        Compare::LessOrEqual => Compare::GreaterOrEqual,
        Compare::Greater => Compare::Less,
        Compare::GreaterOrEqual => Compare::LessOrEqual,
        Compare::Equal | Compare::NotEqual => op,
    }
}
