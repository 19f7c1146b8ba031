//! What the records that refer to others come to: counts, sums and extremes by parent, in one statement.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pergola_model::{
    Catalog, Id,
    object::{Aggregate, Rollup},
    rollup::Tally,
};
use pergola_service::ports::store::StoreError;

use crate::{
    dialect::Row,
    error::unexpected,
    filter::Filter,
    layout::{Column, Holds, Layout, currency_column},
    row::Cells,
    session::Session,
    sql::{Sql, quote},
};

/// Tallies of rollups over one object by one field, for each of these parents that has records.
pub(crate) async fn tally(
    session: &mut Session,
    catalog: &Catalog,
    rollups: &[&Rollup],
    parents: &[Id],
) -> Result<BTreeMap<Id, Vec<Tally>>, StoreError> {
    let Some(first) = rollups.first().filter(|_| !parents.is_empty()) else { return Ok(BTreeMap::new()) };
    let object = catalog.object(&first.of).ok_or_else(|| unexpected(format!("no object {}", first.of)))?;
    let layout = session.layouts().of(object);
    let via = quote(&first.via);
    let mut columns = Vec::with_capacity(rollups.len());
    let mut sql = Sql::new(format!("SELECT t.{via}"));
    for rollup in rollups {
        // Neither the time nor parameters stand in what is stored.
        let mut filter = Filter::new(session.layouts(), catalog, &layout, Timestamp::UNIX_EPOCH, &[]);
        let when = rollup.when.as_ref().map(|when| filter.compile(when.root())).transpose()?;
        let counted = Counted::of(rollup, &layout, when)?;
        counted.select(&mut sql);
        columns.push(counted);
    }
    sql.push(&format!(" FROM {} AS t WHERE t.{via} IN (", layout.table));
    for (place, id) in parents.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).bind(*id);
    }
    sql.push(&format!(") GROUP BY t.{via}"));
    session.fetch_all(sql).await?.iter().map(|row| decode(row, &columns)).collect()
}

/// How one rollup is counted.
struct Counted {
    what: Aggregate,
    /// The counted field's column; none for a count.
    column: Option<Column>,
    /// True for the records that count; all if absent.
    when: Option<Sql>,
}

impl Counted {
    fn of(rollup: &Rollup, layout: &Layout, when: Option<Sql>) -> Result<Self, StoreError> {
        let column = match &rollup.source {
            None => None,
            Some((key, _)) => {
                let column = layout.column(key);
                Some(column.ok_or_else(|| unexpected(format!("{} has no column {key}", rollup.of)))?.clone())
            }
        };
        Ok(Self { what: rollup.what, column, when })
    }

    /// The name of the column whose values are summed or compared.
    fn value(&self) -> String {
        self.column.as_ref().map_or_else(|| "1".to_owned(), |column| format!("t.{}", quote(&column.key)))
    }

    fn has_money(&self) -> bool {
        self.column.as_ref().is_some_and(|column| column.holds == Holds::Money)
    }

    /// Adds the columns that [`Self::decode`] reads.
    fn select(&self, sql: &mut Sql) {
        let value = self.value();
        self.add(sql, "COUNT(", &value, "");
        match self.what {
            Aggregate::Count => {}
            // In two halves, because a sum of 64 bits may need more on the way.
            Aggregate::Sum | Aggregate::Avg => {
                self.add(sql, "CAST(COALESCE(SUM(", &format!("{value} >> 32"), "), 0) AS BIGINT");
                self.add(sql, "CAST(COALESCE(SUM(", &format!("{value} & 4294967295"), "), 0) AS BIGINT");
            }
            Aggregate::Min => self.add(sql, "MIN(", &value, ""),
            Aggregate::Max => self.add(sql, "MAX(", &value, ""),
        }
        if let Some(column) = self.column.as_ref().filter(|_| self.has_money()) {
            let currency = format!("t.{}", quote(&currency_column(&column.key)));
            self.add(sql, "MIN(", &currency, "");
            self.add(sql, "MAX(", &currency, "");
        }
    }

    fn add(&self, sql: &mut Sql, function: &str, value: &str, rest: &str) {
        sql.push(", ").push(function);
        match &self.when {
            Some(when) => {
                sql.push("CASE WHEN ").append(when.clone());
                sql.push(&format!(" THEN {value} END"));
            }
            None => {
                sql.push(value);
            }
        }
        sql.push(rest).push(")");
    }

    fn decode(&self, cells: &mut Cells<'_>) -> Result<Tally, StoreError> {
        let mut tally = Tally { count: cells.take()?, ..Tally::default() };
        match self.what {
            Aggregate::Count => {}
            Aggregate::Sum | Aggregate::Avg => {
                let (high, low): (i64, i64) = (cells.take()?, cells.take()?);
                tally.sum = (i128::from(high) << 32) + i128::from(low);
            }
            Aggregate::Min => tally.least = self.extreme(cells)?,
            Aggregate::Max => tally.greatest = self.extreme(cells)?,
        }
        if self.has_money() {
            let (first, last): (Option<String>, Option<String>) = (cells.take()?, cells.take()?);
            tally.currencies = first.zip(last);
            if let Some((currency, _)) = &tally.currencies {
                for value in [&mut tally.least, &mut tally.greatest] {
                    if let pergola_model::Value::Integer(amount_minor) = *value {
                        *value = pergola_model::Value::Money(pergola_model::Money {
                            amount_minor,
                            currency: currency.clone(),
                        });
                    }
                }
            }
        }
        Ok(tally)
    }

    fn extreme(&self, cells: &mut Cells<'_>) -> Result<pergola_model::Value, StoreError> {
        match &self.column {
            // The currency stands apart.
            Some(column) if column.holds == Holds::Money => cells.take_value(&Holds::Integer),
            Some(column) => cells.take_value(&column.holds),
            None => Err(unexpected("an extreme is of a field")),
        }
    }
}

fn decode(row: &Row, columns: &[Counted]) -> Result<(Id, Vec<Tally>), StoreError> {
    let mut cells = Cells::new(row);
    let parent = cells.take_id()?;
    let tallies = columns.iter().map(|counted| counted.decode(&mut cells)).collect::<Result<_, _>>()?;
    Ok((parent, tallies))
}
