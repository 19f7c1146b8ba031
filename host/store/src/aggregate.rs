//! Groups of records and what is asked of them: the database counts and sums, `Table` does the rest.
//!
//! Sums are fetched as two halves of the values, so that they are exact whatever the database makes of an overflow.

use pergola_model::{
    Catalog, ObjectName, Value,
    expr::{Expression, MoneyPart, Type},
    query::aggregate::{Aggregate, GROUPS_MAX, Measure, MeasureKind, Table, Tally},
};
use pergola_service::ports::store::StoreError;

use crate::{
    dialect::Row,
    error::unexpected,
    filter::Filter,
    layout::{Holds, Layouts},
    row::Cells,
    session::Session,
    sql::Sql,
};

/// The answer to a question about groups.
pub(crate) async fn ask(session: &mut Session, catalog: &Catalog, asked: &Aggregate) -> Result<Table, StoreError> {
    let object = catalog.object(&asked.object).ok_or_else(|| unexpected(format!("no object {}", asked.object)))?;
    let layout = session.layouts().of(object);
    let mut filter = Filter::new(session.layouts(), catalog, &layout, asked.now, &asked.parameters);
    let mut columns = Vec::new();
    let mut groups = Vec::with_capacity(asked.groups.len());
    for group in &asked.groups {
        let holds = filter.holds(group.root(), &asked.object)?;
        columns.push(session.layouts().read(filter.part(group.root())?, &holds));
        groups.push(holds);
    }
    let mut measures = Vec::with_capacity(asked.measures.len());
    for measure in &asked.measures {
        measures.push(Read::new(session.layouts(), &mut filter, measure, &asked.object, &mut columns)?);
    }
    let condition = asked.filter.as_ref().map(|by| filter.compile(by.root())).transpose()?;
    let mut sql = Sql::new("SELECT ");
    for (place, column) in columns.into_iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).append(column);
    }
    sql.push(&format!(" FROM {} AS t{}", layout.table, filter.joins()));
    if let Some(condition) = condition {
        sql.push(" WHERE ").append(condition);
    }
    for place in 1..=groups.len() {
        sql.push(if place == 1 { " GROUP BY " } else { ", " }).push(&place.to_string());
    }
    sql.push(" LIMIT ").bind(i64::from(GROUPS_MAX).saturating_add(1));
    let rows = session.fetch_all(sql).await?;
    let found = rows.iter().map(|row| read(row, &groups, &measures)).collect::<Result<Vec<_>, _>>()?;
    Table::of(asked, found).map_err(|error| StoreError::Range(error.0))
}

fn read(row: &Row, groups: &[Holds], measures: &[Read]) -> Result<(Vec<Value>, Vec<Tally>), StoreError> {
    let mut cells = Cells::new(row);
    let values = groups.iter().map(|holds| cells.take_value(holds)).collect::<Result<_, _>>()?;
    let tallies = measures.iter().map(|measure| measure.tally(&mut cells)).collect::<Result<_, _>>()?;
    Ok((values, tallies))
}

/// How a measure comes out of a row.
enum Read {
    /// One column.
    Value(Holds),
    /// The number of values, and the upper and the lower halves of their sum.
    Sum { scale: u32 },
    /// The same of minor units or one column, and then the first and the last currency.
    Money(Box<Read>),
}

impl Read {
    /// Adds the measure's columns to the statement.
    fn new(
        layouts: &Layouts,
        filter: &mut Filter<'_>,
        measure: &Measure,
        object: &ObjectName,
        columns: &mut Vec<Sql>,
    ) -> Result<Self, StoreError> {
        let is_money = |of: &Expression| of.root().ty == Type::Money;
        match &measure.kind {
            MeasureKind::Count => {
                columns.push(Sql::new("count(*)"));
                Ok(Self::Value(Holds::Integer))
            }
            MeasureKind::CountIf(of) => {
                let mut sql = Sql::new("count(CASE WHEN ");
                sql.append(filter.compile(of.root())?).push(" THEN 1 END)");
                columns.push(sql);
                Ok(Self::Value(Holds::Integer))
            }
            MeasureKind::Distinct(of) => {
                columns.push(call("count(DISTINCT ", filter.part(of.root())?));
                Ok(Self::Value(Holds::Integer))
            }
            MeasureKind::Sum(of) | MeasureKind::Avg(of) => {
                let scale = match filter.holds(of.root(), object)? {
                    Holds::Decimal(scale) => scale.into(),
                    _ => 0,
                };
                let value = filter.part(of.root())?;
                let (high, low) = layouts.dialect().sum_parts(value.clone());
                columns.extend([call("count(", value), high, low]);
                if is_money(of) {
                    currencies(filter, of, Self::Sum { scale }, columns)
                } else {
                    Ok(Self::Sum { scale })
                }
            }
            MeasureKind::Min(of) | MeasureKind::Max(of) => {
                let function = if matches!(measure.kind, MeasureKind::Min(_)) { "min(" } else { "max(" };
                let holds = if is_money(of) { Holds::Integer } else { filter.holds(of.root(), object)? };
                columns.push(layouts.read(call(function, filter.part(of.root())?), &holds));
                if is_money(of) {
                    return currencies(filter, of, Self::Value(holds), columns);
                }
                Ok(Self::Value(holds))
            }
        }
    }

    fn tally(&self, cells: &mut Cells<'_>) -> Result<Tally, StoreError> {
        match self {
            Self::Value(holds) => cells.take_value(holds).map(Tally::Value),
            Self::Sum { scale } => {
                let count: i64 = cells.take()?;
                let high: Option<i64> = cells.take()?;
                let low: Option<i64> = cells.take()?;
                let high = i128::from(high.unwrap_or_default()).saturating_mul(1 << 32);
                let total = high.saturating_add(i128::from(low.unwrap_or_default()));
                Ok(Tally::Sum { total, count, scale: *scale })
            }
            Self::Money(amount) => {
                let amount = Box::new(amount.tally(cells)?);
                let first: Option<String> = cells.take()?;
                let last: Option<String> = cells.take()?;
                Ok(Tally::Money { amount, currencies: first.zip(last) })
            }
        }
    }
}

fn currencies(
    filter: &mut Filter<'_>,
    of: &Expression,
    amount: Read,
    columns: &mut Vec<Sql>,
) -> Result<Read, StoreError> {
    let mut currency = Sql::default();
    filter.money_part(of.root(), MoneyPart::Currency, &mut currency)?;
    columns.extend([call("min(", currency.clone()), call("max(", currency)]);
    Ok(Read::Money(Box::new(amount)))
}

fn call(function: &str, value: Sql) -> Sql {
    let mut sql = Sql::new(function);
    sql.append(value).push(")");
    sql
}
