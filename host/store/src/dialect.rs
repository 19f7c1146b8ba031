//! Which database it is, and where their SQL differs. Nothing else in this crate asks that question.
//!
//! Statements are written once, in the SQL that both take; what only one of them has stands here as a fragment.

mod connection;
mod schema;
mod search;
mod translate;

use std::sync::Arc;

pub(crate) use connection::{Cell, Connection, Row};
pub(crate) use schema::id_constraint;

use crate::sql::{Sql, hash, quote};

/// A database and the place of a workspace in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The whole file.
    Sqlite,
    /// A schema, in quotes.
    Postgres(Arc<str>),
}

impl Dialect {
    /// Whether several statements go in one step, if they return no rows but the last.
    pub(crate) fn takes_statements_together(&self) -> bool {
        *self == Self::Sqlite
    }

    /// Whether an error in one statement ends the transaction.
    pub(crate) fn gives_up_at_errors(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Statements that do not see each other's rows as one step, in order where the database has one.
    /// Only the last one's rows are answered.
    pub(crate) fn together(&self, statements: Vec<Sql>) -> Sql {
        let mut sql = Sql::default();
        let last = statements.len().saturating_sub(1);
        for (index, statement) in statements.into_iter().enumerate() {
            match self {
                Self::Sqlite => sql.append(statement).push(";"),
                Self::Postgres(_) if index == last => sql.push(if index == 0 { "" } else { " " }).append(statement),
                Self::Postgres(_) => {
                    sql.push(if index == 0 { "WITH w" } else { ", w" }).push(&index.to_string());
                    sql.push(" AS (").append(statement).push(")")
                }
            };
        }
        sql
    }

    /// Takes names that the transaction then holds until its end, in order; none where one unit writes at a time.
    pub(crate) fn lock(&self, names: &[String]) -> Option<Sql> {
        let Self::Postgres(schema) = self else { return None };
        // In the order of the hashes, so that no two units wait for each other.
        let mut keys: Vec<i64> = names.iter().map(|name| hash(&format!("{schema} {name}"))).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut sql = Sql::new("SELECT pg_advisory_xact_lock(k.key) FROM (VALUES ");
        for (index, key) in keys.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" }).bind(*key).push(")");
        }
        sql.push(") AS k(key)");
        (!keys.is_empty()).then_some(sql)
    }

    /// Before `sequence > …`: events that have no place yet count too.
    pub(crate) fn event_is_new(&self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres(_) => "sequence IS NULL OR ",
        }
    }

    /// Gives committed events their places in the outbox; none where they have them from the start, because units
    /// commit in the order in which they write.
    pub(crate) fn give_sequences(&self) -> Option<Sql> {
        matches!(self, Self::Postgres(_)).then(|| {
            Sql::new(
                "WITH fresh AS (SELECT f.id, row_number() OVER (ORDER BY f.id) AS place \
                 FROM (SELECT id FROM pergola_outbox WHERE sequence IS NULL ORDER BY id LIMIT 10000) AS f), \
                 head AS (UPDATE pergola_outbox_head SET sequence = sequence + (SELECT count(*) FROM fresh) \
                 WHERE EXISTS (SELECT 1 FROM fresh) RETURNING sequence - (SELECT count(*) FROM fresh) AS base) \
                 UPDATE pergola_outbox AS o SET sequence = head.base + fresh.place FROM fresh, head \
                 WHERE o.id = fresh.id",
            )
        })
    }

    /// At the end of a `SELECT`: the rows are about to be changed.
    pub(crate) fn for_change(&self) -> &'static str {
        match self {
            Self::Sqlite => "",
            // Not `FOR UPDATE`: that would wait for new records that refer to these.
            Self::Postgres(_) => " FOR NO KEY UPDATE",
        }
    }

    /// At the end of a `SELECT`: the rows that nobody else is changing, about to be changed.
    pub(crate) fn for_change_of_free_ones(&self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// A table by its full name, in quotes.
    pub(crate) fn table(&self, name: &str) -> String {
        match self {
            Self::Sqlite => quote(name),
            Self::Postgres(schema) => format!("{schema}.{}", quote(name)),
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

    /// Arithmetic with what is in columns: PostgreSQL would make an error of what leaves 64 bits, even in a part of the
    /// condition that does not count.
    pub(crate) fn arithmetic(&self, a: Sql, sign: &str, b: Sql) -> Sql {
        let (before, after) = match self {
            Self::Sqlite => ("(", ""),
            Self::Postgres(_) => ("(CAST(", " AS numeric)"),
        };
        let mut sql = Sql::new(before);
        sql.append(a).push(after).push(sign).append(b).push(")");
        sql
    }

    /// Division towards zero: [`Self::arithmetic`] gives PostgreSQL numbers that would be divided to fractions.
    pub(crate) fn divide(&self, a: Sql, by: i64) -> Sql {
        let (before, between) = match self {
            Self::Sqlite => ("(", " / "),
            Self::Postgres(_) => ("div(", ", "),
        };
        let mut sql = Sql::new(before);
        sql.append(a).push(between).push(&by.to_string()).push(")");
        sql
    }

    /// A whole number that is read from a row, where it has 64 bits.
    pub(crate) fn whole(&self, number: Sql) -> Sql {
        if *self == Self::Sqlite {
            return number;
        }
        let mut sql = Sql::new("CAST(");
        sql.append(number).push(" AS BIGINT)");
        sql
    }

    /// The sum of whole numbers as two columns, which are both null if there is none: the first times 2³², and the
    /// second, are the sum. SQLite makes an error of a sum that leaves 64 bits on the way, so it sums the upper and the
    /// lower halves of the numbers apart; PostgreSQL's sums have all their digits.
    pub(crate) fn sum_parts(&self, of: Sql) -> (Sql, Sql) {
        let around = |before: &str, after: &str| {
            let mut sql = Sql::new(before);
            sql.append(of.clone()).push(after);
            sql
        };
        match self {
            Self::Sqlite => (around("sum((", ") >> 32)"), around("sum((", ") & 4294967295)")),
            Self::Postgres(_) => {
                (around("CAST(div(sum(", "), 4294967296) AS BIGINT)"), around("CAST(sum(", ") % 4294967296 AS BIGINT)"))
            }
        }
    }

    /// The sum of whole numbers in an expression, 0 of none.
    pub(crate) fn sum(&self, of: Sql) -> Sql {
        let mut sql = Sql::new("COALESCE(");
        match self {
            Self::Sqlite => {
                let (high, low) = self.sum_parts(of);
                sql.push("(").append(high).push(" + (").append(low.clone()).push(" >> 32)) * 4294967296 + (");
                sql.append(low).push(" & 4294967295)");
            }
            Self::Postgres(_) => {
                sql.push("sum(").append(of).push(")");
            }
        }
        sql.push(", 0)");
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

    /// A day as text, from its number since 1970.
    pub(crate) fn day_text(&self, number: Sql) -> Sql {
        let (before, after) = match self {
            Self::Sqlite => ("date(", " * 86400, 'unixepoch')"),
            Self::Postgres(_) => ("(to_char(DATE '1970-01-01' + CAST(", " AS integer), 'YYYY-MM-DD') COLLATE \"C\")"),
        };
        let mut sql = Sql::new(before);
        sql.append(number).push(after);
        sql
    }

    /// The number of a day since 1970, from its text.
    pub(crate) fn day_number(&self, text: Sql) -> Sql {
        let (before, after) = match self {
            Self::Sqlite => ("(unixepoch(", ") / 86400)"),
            Self::Postgres(_) => ("CAST(CAST(", " AS date) - DATE '1970-01-01' AS BIGINT)"),
        };
        let mut sql = Sql::new(before);
        sql.append(text).push(after);
        sql
    }
}
