//! Questions about children as correlated subqueries, which the index of the referring field serves.

use jiff::Timestamp;
use pergola_model::{
    Catalog, Id, Value,
    expr::{Children, Measured},
};
use pergola_service::ports::store::StoreError;

use super::Filter;
use crate::{error::unexpected, layout::Holds, row, session::Session, sql::Sql};

/// The answer about the records that refer to one.
pub(crate) async fn ask(
    session: &mut Session,
    catalog: &Catalog,
    asked: &Children,
    of: Id,
    now: Timestamp,
) -> Result<Value, StoreError> {
    let object = catalog.object(&asked.object).ok_or_else(|| unexpected(format!("no object {}", asked.object)))?;
    let layout = session.layouts().of(object);
    let mut filter = Filter::new(session.layouts(), catalog, &layout, now, &[]);
    let mut id = Sql::default();
    id.bind(of);
    let answer = filter.answer(asked, id)?;
    let holds = match &asked.measured {
        Measured::Exists => Holds::Bool,
        Measured::Count => Holds::Integer,
        Measured::Sum(node) | Measured::Min(node) | Measured::Max(node) => filter.holds(node, &asked.object)?,
    };
    let mut sql = Sql::new("SELECT ");
    sql.append(session.layouts().read(answer, &holds));
    let row = session.fetch_optional(sql).await?.ok_or_else(|| unexpected("an answer is one row"))?;
    row::Cells::new(&row).take_value(&holds)
}

impl Filter<'_> {
    /// The answer about the records that refer to the one with the id `of`.
    pub(super) fn answer(&mut self, asked: &Children, of: Sql) -> Result<Sql, StoreError> {
        self.among(asked, |inner| {
            let measure = match &asked.measured {
                Measured::Exists => Sql::new("1"),
                Measured::Count => Sql::new("count(*)"),
                Measured::Sum(node) => inner.layouts.dialect().sum(inner.part(node)?),
                Measured::Min(node) => around("min(", inner.part(node)?),
                Measured::Max(node) => around("max(", inner.part(node)?),
            };
            let filter = asked.filter.as_ref().map(|filter| inner.compile(filter)).transpose()?;
            let word = if asked.measured == Measured::Exists { "EXISTS (SELECT " } else { "(SELECT " };
            let mut sql = Sql::new(word);
            sql.append(measure).push(" FROM ").push(&inner.layout.table).push(" AS ").push(inner.alias);
            sql.push(&inner.joins()).push(" WHERE ").push(inner.alias).push(".").name(&asked.via);
            sql.push(" = ").append(of);
            if let Some(filter) = filter {
                sql.push(" AND ").append(filter);
            }
            sql.push(")");
            Ok(sql)
        })
    }

    /// The digits after the point of what is measured.
    pub(super) fn measured_scale(&mut self, asked: &Children) -> Result<u32, StoreError> {
        match &asked.measured {
            Measured::Sum(node) | Measured::Min(node) | Measured::Max(node) => {
                self.among(asked, |inner| inner.scale(node))
            }
            Measured::Exists | Measured::Count => Err(unexpected("a number of records is no decimal")),
        }
    }

    /// Compiles over the children, whose table has the name `c`.
    fn among<T>(
        &mut self,
        asked: &Children,
        compile: impl FnOnce(&mut Filter<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let object = self.catalog.object(&asked.object);
        let object = object.ok_or_else(|| unexpected(format!("no object {}", asked.object)))?;
        let layout = self.layouts.of(object);
        let mut inner = Filter::new(self.layouts, self.catalog, &layout, self.now, self.parameters);
        inner.alias = "c";
        compile(&mut inner)
    }
}

fn around(before: &str, inner: Sql) -> Sql {
    let mut sql = Sql::new(before);
    sql.append(inner).push(")");
    sql
}
