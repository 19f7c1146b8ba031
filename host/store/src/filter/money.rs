//! Money in conditions: two columns, which are compared together.

use pergola_model::{
    Value,
    expr::{Compare, MoneyPart, Node, NodeKind},
};
use pergola_service::ports::store::StoreError;

use super::{Filter, sign};
use crate::{error::unexpected, layout::currency_column, sql::Sql};

impl Filter<'_> {
    /// Amounts in different currencies are neither equal nor in an order.
    pub(super) fn compare_money(&mut self, op: Compare, a: &Node, b: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        for (part, before, op) in [(MoneyPart::AmountMinor, "(", op), (MoneyPart::Currency, " AND ", Compare::Equal)] {
            sql.push(before);
            self.money_part(a, part, sql)?;
            sql.push(sign(op));
            self.money_part(b, part, sql)?;
        }
        sql.push(")");
        Ok(())
    }

    /// A part of money: of a field, a constant, or what a condition chooses.
    pub(crate) fn money_part(&mut self, money: &Node, part: MoneyPart, sql: &mut Sql) -> Result<(), StoreError> {
        let value = match &money.kind {
            NodeKind::Literal(value) => value,
            NodeKind::Parameter(n) => self.parameter(*n, &money.ty)?,
            NodeKind::If(condition, yes, no) => {
                return self.choose(condition, yes, no, sql, |filter, money, sql| filter.money_part(money, part, sql));
            }
            _ => {
                let (alias, key, _) = self.place(money)?;
                let column = match part {
                    MoneyPart::AmountMinor => key.to_owned(),
                    MoneyPart::Currency => currency_column(key),
                };
                sql.push(&alias).push(".").name(&column);
                return Ok(());
            }
        };
        match (value, part) {
            (Value::Null, _) => self.constant(&Value::Null, sql),
            (Value::Money(money), MoneyPart::AmountMinor) => self.constant(&Value::Integer(money.amount_minor), sql),
            (Value::Money(money), MoneyPart::Currency) => self.constant(&Value::Text(money.currency.clone()), sql),
            (other, _) => Err(unexpected(format!("money cannot be {}", other.kind()))),
        }
    }
}
