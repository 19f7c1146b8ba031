//! Which database it is, and where their SQL differs. Nothing else in this crate asks that question.
//!
//! Statements are written once, in the SQL that both take; what only one of them has stands here as a fragment.

mod connection;
mod translate;

use std::sync::Arc;

pub(crate) use connection::{Cell, Connection, Row};

use crate::{
    layout::Holds,
    sql::{Sql, quote},
};

/// A database and the place of a workspace in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The whole file.
    Sqlite,
    /// A schema, in quotes.
    #[expect(dead_code, reason = "made by the store on PostgreSQL, which comes next")]
    Postgres(Arc<str>),
}

impl Dialect {
    /// A table by its full name, in quotes.
    pub(crate) fn table(&self, name: &str) -> String {
        match self {
            Self::Sqlite => quote(name),
            Self::Postgres(schema) => format!("{schema}.{}", quote(name)),
        }
    }

    /// The type of a column.
    pub(crate) fn sql_type(&self, holds: &Holds) -> &'static str {
        match (self, holds) {
            (Self::Sqlite, Holds::Text | Holds::Date | Holds::Tags | Holds::Json) => "TEXT",
            // By code points, as SQLite orders them and as texts are compared in memory.
            (Self::Postgres(_), Holds::Text | Holds::Date | Holds::Tags | Holds::Json) => "TEXT COLLATE \"C\"",
            (Self::Sqlite, Holds::Ref(_)) => "BLOB",
            (Self::Postgres(_), Holds::Ref(_)) => "UUID",
            (Self::Postgres(_), Holds::Bool) => "BOOLEAN",
            (Self::Sqlite, _) => "INTEGER",
            (Self::Postgres(_), _) => "BIGINT",
        }
    }

    /// After a key of an order: absent values come before all others.
    pub(crate) fn order(&self, descending: bool) -> &'static str {
        match (self, descending) {
            (Self::Sqlite, false) => "",
            (Self::Sqlite, true) => " DESC",
            (Self::Postgres(_), false) => " NULLS FIRST",
            (Self::Postgres(_), true) => " DESC NULLS LAST",
        }
    }

    /// A text from outside as a value of an expression.
    pub(crate) fn text(&self, text: &str) -> Sql {
        let mut sql = Sql::default();
        sql.bind(text);
        if let Self::Postgres(_) = self {
            sql.push(" COLLATE \"C\"");
        }
        sql
    }

    /// Whether a JSON array of texts has an element.
    pub(crate) fn has_element(&self, array: Sql, element: Sql) -> Sql {
        let (before, after) = match self {
            Self::Sqlite => ("json_each(", ") AS e"),
            Self::Postgres(_) => ("jsonb_array_elements_text(CAST(", " AS jsonb)) AS e(\"value\")"),
        };
        let mut sql = Sql::new(format!("EXISTS (SELECT 1 FROM {before}"));
        sql.append(array).push(after).push(" WHERE e.\"value\" = ").append(element).push(")");
        sql
    }

    /// The place of one text in another, from 1; 0 if it is not there.
    pub(crate) fn position(&self, text: Sql, part: Sql) -> Sql {
        let mut sql = Sql::new(match self {
            Self::Sqlite => "instr(",
            Self::Postgres(_) => "strpos(",
        });
        sql.append(text).push(", ").append(part).push(")");
        sql
    }

    /// Whether a text ends with another.
    pub(crate) fn ends_with(&self, text: Sql, ending: Sql) -> Sql {
        let mut sql = Sql::default();
        match self {
            // By bytes, because `length` of a text stops at a zero character. `substr` from −0 is the whole text, hence
            // the case of the empty ending.
            Self::Sqlite => {
                sql.push("CASE length(CAST(").append(ending.clone()).push(" AS BLOB)) WHEN 0 THEN ");
                sql.append(text.clone()).push(" IS NOT NULL ELSE substr(CAST(").append(text);
                sql.push(" AS BLOB), -length(CAST(").append(ending.clone()).push(" AS BLOB))) = CAST(");
                sql.append(ending).push(" AS BLOB) END");
            }
            Self::Postgres(_) => {
                sql.push("right(").append(text).push(", length(").append(ending.clone()).push(")) = ").append(ending);
            }
        }
        sql
    }
}
