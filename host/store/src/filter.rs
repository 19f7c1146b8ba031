//! Checked expressions as SQL conditions, with the same answers as in memory.
//!
//! In memory truth has two values; in SQL it has three. A condition built here is true exactly when the
//! expression holds, and false *or null* when it does not: that is all that `WHERE`, `AND` and `OR` need, and it keeps
//! `phone = ?` bare, so that an index serves it. Where null would show (under `NOT`, or as a value),
//! the condition is wrapped in `IS TRUE` or `IS NOT TRUE`.
//!
//! Where arithmetic leaves 64 bits, memory gives an error and SQLite goes on with reals: the answers may differ there.
//! The same holds for decimals of two scales that meet beyond 64 bits at the larger one, and for days after the year 9999.

mod calendar;
mod children;
mod decimal;
mod money;
mod tables;
mod text;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use pergola_model::{
    Catalog, Value,
    expr::{Compare, MoneyPart, Node, NodeKind, Type},
};
use pergola_service::ports::store::StoreError;

pub(crate) use children::ask;

use crate::{
    error::unexpected,
    layout::{Layout, Layouts},
    row,
    sql::{Bind, Kind, Sql},
};

/// Compiles expressions over one object, whose table stands in the statement under the name `t`.
pub(crate) struct Filter<'a> {
    layouts: &'a Layouts,
    catalog: &'a Catalog,
    layout: &'a Layout,
    now: Timestamp,
    parameters: &'a [Value],
    /// The name of the object's table in the statement; those of related tables begin with it.
    alias: &'static str,
    /// The related tables that were mentioned, by path, each after those before it.
    related: BTreeMap<Vec<String>, Related>,
}

struct Related {
    alias: String,
    layout: Arc<Layout>,
}

impl<'a> Filter<'a> {
    /// A compiler for one statement.
    pub(crate) fn new(
        layouts: &'a Layouts,
        catalog: &'a Catalog,
        layout: &'a Layout,
        now: Timestamp,
        parameters: &'a [Value],
    ) -> Self {
        Self { layouts, catalog, layout, now, parameters, alias: "t", related: BTreeMap::new() }
    }

    /// A condition that is true exactly when the expression holds.
    ///
    /// # Errors
    /// When a field is not the object's, or a parameter has another type than the expression was checked with.
    pub(crate) fn compile(&mut self, root: &Node) -> Result<Sql, StoreError> {
        let mut sql = Sql::default();
        self.truth(root, &mut sql)?;
        Ok(sql)
    }

    fn truth(&mut self, node: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        match &node.kind {
            NodeKind::Literal(value) => {
                sql.push(if *value == Value::Bool(true) { "TRUE" } else { "FALSE" });
                Ok(())
            }
            NodeKind::Not(inner) => {
                sql.push("((");
                self.truth(inner, sql)?;
                sql.push(") IS NOT TRUE)");
                Ok(())
            }
            NodeKind::And(parts) => self.connect(parts, " AND ", "TRUE", sql),
            NodeKind::Or(parts) => self.connect(parts, " OR ", "FALSE", sql),
            NodeKind::Compare(op, a, b) => self.compare(*op, a, b, sql),
            NodeKind::IsNull(inner) => {
                self.value(inner, sql)?;
                sql.push(" IS NULL");
                Ok(())
            }
            NodeKind::In(item, list) => self.is_in(item, list, sql),
            NodeKind::HasTag(tags, tag) => {
                let (tags, tag) = (self.part(tags)?, self.part(tag)?);
                sql.append(self.layouts.dialect().has_element(tags, tag));
                Ok(())
            }
            NodeKind::TextTest(test, a, b) => self.text_test(*test, a, b, sql),
            _ => self.value(node, sql),
        }
    }

    fn connect(&mut self, parts: &[Node], word: &str, empty: &str, sql: &mut Sql) -> Result<(), StoreError> {
        if parts.is_empty() {
            sql.push(empty);
            return Ok(());
        }
        for (index, part) in parts.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { word });
            self.truth(part, sql)?;
        }
        sql.push(")");
        Ok(())
    }

    fn compare(&mut self, op: Compare, a: &Node, b: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        if op == Compare::NotEqual {
            sql.push("((");
            self.compare(Compare::Equal, a, b, sql)?;
            sql.push(") IS NOT TRUE)");
            return Ok(());
        }
        match a.ty {
            Type::Decimal => return self.compare_decimals(op, a, b, sql),
            Type::Money => return self.compare_money(op, a, b, sql),
            _ => {}
        }
        self.value(a, sql)?;
        sql.push(sign(op));
        self.value(b, sql)
    }

    fn is_in(&mut self, item: &Node, list: &[Node], sql: &mut Sql) -> Result<(), StoreError> {
        if list.is_empty() {
            sql.push("FALSE");
            return Ok(());
        }
        if item.ty == Type::Decimal {
            for (index, element) in list.iter().enumerate() {
                sql.push(if index == 0 { "(" } else { " OR " });
                self.compare_decimals(Compare::Equal, item, element, sql)?;
            }
            sql.push(")");
            return Ok(());
        }
        self.value(item, sql)?;
        for (index, element) in list.iter().enumerate() {
            sql.push(if index == 0 { " IN (" } else { ", " });
            self.value(element, sql)?;
        }
        sql.push(")");
        Ok(())
    }

    /// The same as [`Self::value`], alone.
    pub(crate) fn part(&mut self, node: &Node) -> Result<Sql, StoreError> {
        let mut sql = Sql::default();
        self.value(node, &mut sql)?;
        Ok(sql)
    }

    /// An SQL value that is null exactly when the node's value is absent.
    fn value(&mut self, node: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        if node.ty == Type::Decimal {
            let scale = self.scale(node)?;
            return self.decimal(node, scale, sql);
        }
        if node.ty == Type::Money {
            return self.money_part(node, MoneyPart::AmountMinor, sql);
        }
        match &node.kind {
            NodeKind::Literal(value) => self.constant(value, sql),
            NodeKind::Parameter(n) => {
                match (self.parameter(*n, &node.ty)?, kind_of(&node.ty)) {
                    // Of its type: two of no type make a text of `open ? p0 : p0`.
                    (Value::Null, Some(kind)) => {
                        sql.bind(Bind::Null(kind));
                        Ok(())
                    }
                    (value, _) => self.constant(value, sql),
                }
            }
            NodeKind::Now => {
                sql.bind(self.now);
                Ok(())
            }
            NodeKind::Field(_) | NodeKind::Related { .. } => {
                let name = self.column(node)?.0;
                sql.push(&name);
                Ok(())
            }
            NodeKind::MoneyPart(money, part) => self.money_part(money, *part, sql),
            NodeKind::Add(..) | NodeKind::Subtract(..) if node.ty == Type::Date => {
                sql.append(self.day(node)?);
                Ok(())
            }
            NodeKind::Subtract(a, b) if a.ty == Type::Date => {
                sql.append(self.days_between(a, b)?);
                Ok(())
            }
            NodeKind::Add(a, b) => self.arithmetic(a, " + ", b, sql),
            NodeKind::Subtract(a, b) => self.arithmetic(a, " - ", b, sql),
            NodeKind::Multiply(a, b) => self.arithmetic(a, " * ", b, sql),
            NodeKind::If(condition, yes, no) => self.choose(condition, yes, no, sql, Self::value),
            NodeKind::Size(text) => {
                sql.push("CAST(length(").append(self.part(text)?).push(") AS BIGINT)");
                Ok(())
            }
            NodeKind::ClockPart(part, at, zone) => {
                sql.append(self.clock_part(*part, at, zone)?);
                Ok(())
            }
            NodeKind::DayPart(part, day) => {
                sql.append(self.day_part(*part, day)?);
                Ok(())
            }
            NodeKind::LocalDay(..) | NodeKind::Period(..) => {
                sql.append(self.day(node)?);
                Ok(())
            }
            NodeKind::Children(asked) => {
                let of = self.part(&asked.of)?;
                sql.append(self.answer(asked, of)?);
                Ok(())
            }
            _ => {
                sql.push("((");
                self.truth(node, sql)?;
                sql.push(") IS TRUE)");
                Ok(())
            }
        }
    }

    fn arithmetic(&mut self, a: &Node, sign: &str, b: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        let is_time = |node: &Node| {
            matches!(node.ty, Type::DateTime | Type::Duration)
                && matches!(node.kind, NodeKind::Literal(_) | NodeKind::Parameter(_) | NodeKind::Now)
        };
        let (left, right) = (self.part(a)?, self.part(b)?);
        if is_time(a) && is_time(b) {
            // `now + duration('7d')`: stays what it is compared with, so that an index serves.
            sql.push("(").append(left).push(sign).append(right).push(")");
        } else {
            sql.append(self.layouts.dialect().arithmetic(left, sign, right));
        }
        Ok(())
    }

    /// `CASE WHEN condition THEN yes ELSE no END`, both written by `write`.
    fn choose(
        &mut self,
        condition: &Node,
        yes: &Node,
        no: &Node,
        sql: &mut Sql,
        mut write: impl FnMut(&mut Self, &Node, &mut Sql) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        sql.push("CASE WHEN ");
        self.truth(condition, sql)?;
        sql.push(" THEN ");
        write(self, yes, sql)?;
        sql.push(" ELSE ");
        write(self, no, sql)?;
        sql.push(" END");
        Ok(())
    }

    fn constant(&self, value: &Value, sql: &mut Sql) -> Result<(), StoreError> {
        let bind: Bind = match value {
            // Of no type, so that it takes the other side's.
            Value::Null => {
                sql.push("NULL");
                return Ok(());
            }
            Value::Text(text) => {
                sql.append(self.layouts.dialect().text(text));
                return Ok(());
            }
            Value::Integer(number) => (*number).into(),
            Value::Bool(flag) => (*flag).into(),
            Value::Date(date) => date.to_string().into(),
            Value::DateTime(at) => (*at).into(),
            Value::Duration(length) => row::microseconds(*length)?.into(),
            Value::Ref(id) => (*id).into(),
            Value::Decimal(_) | Value::Money(_) | Value::Tags(_) | Value::Json(_) => {
                return Err(unexpected(format!("a constant cannot be {}", value.kind())));
            }
        };
        sql.bind(bind);
        Ok(())
    }

    fn parameter(&self, n: usize, ty: &Type) -> Result<&'a Value, StoreError> {
        let value = self.parameters.get(n).unwrap_or(&Value::Null);
        if is_of(ty, value) {
            Ok(value)
        } else {
            Err(unexpected(format!("parameter p{n} must not be {}", value.kind())))
        }
    }
}

/// How a constant of this type is bound, if it is bound as it is.
fn kind_of(ty: &Type) -> Option<Kind> {
    match ty {
        Type::Bool => Some(Kind::Bool),
        Type::Integer | Type::DateTime | Type::Duration => Some(Kind::Integer),
        Type::Text | Type::Date => Some(Kind::Text),
        Type::Ref(_) | Type::Id => Some(Kind::Id),
        Type::Null | Type::Decimal | Type::Money | Type::Tags | Type::Json => None,
    }
}

fn is_of(ty: &Type, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(_) => *ty == Type::Text,
        Value::Integer(_) => matches!(ty, Type::Integer | Type::Decimal),
        Value::Decimal(_) => *ty == Type::Decimal,
        Value::Bool(_) => *ty == Type::Bool,
        Value::Date(_) => *ty == Type::Date,
        Value::DateTime(_) => *ty == Type::DateTime,
        Value::Duration(_) => *ty == Type::Duration,
        Value::Ref(_) => matches!(ty, Type::Ref(_) | Type::Id),
        Value::Money(_) => *ty == Type::Money,
        Value::Tags(_) | Value::Json(_) => false,
    }
}

fn sign(op: Compare) -> &'static str {
    match op {
        Compare::Equal => " = ",
        Compare::NotEqual => " <> ",
        Compare::Less => " < ",
        Compare::LessOrEqual => " <= ",
        Compare::Greater => " > ",
        Compare::GreaterOrEqual => " >= ",
    }
}
