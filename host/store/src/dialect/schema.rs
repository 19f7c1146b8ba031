//! Where definitions of tables differ, and how to ask for those that are there.

use super::Dialect;
use crate::{
    layout::Holds,
    sql::{Sql, quote},
};

/// What to ask for what a workspace has.
pub(crate) struct Questions {
    /// Table, column and type.
    pub(crate) columns: Sql,
    /// Table, name, whether it is unique, and column, in the order of an index's columns.
    pub(crate) indexes: Sql,
    /// Names, where references are not part of their columns.
    pub(crate) references: Option<Sql>,
}

/// The name of the constraint on the ids of a table. `$` keeps it apart from objects' names, with which indexes share
/// their namespace.
pub(crate) fn id_constraint(table: &str) -> String {
    format!("{table}$id")
}

impl Dialect {
    /// What to ask for what a workspace has.
    pub(crate) fn catalog(&self) -> Questions {
        match self {
            Self::Sqlite => Questions {
                columns: Sql::new(
                    "SELECT m.name, c.name, c.type FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                     WHERE m.type = 'table'",
                ),
                indexes: Sql::new(
                    "SELECT i.tbl_name, i.name, l.\"unique\", c.name FROM sqlite_master AS i \
                     JOIN pragma_index_list(i.tbl_name) AS l ON l.name = i.name \
                     JOIN pragma_index_info(i.name) AS c \
                     WHERE i.type = 'index' AND l.origin = 'c' ORDER BY i.name, c.seqno",
                ),
                references: None,
            },
            Self::Postgres(schema) => Questions {
                columns: Sql::new(format!(
                    "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL) || CASE \
                     WHEN a.attcollation = '\"C\"'::regcollation THEN ' COLLATE \"C\"' ELSE '' END \
                     FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid \
                     WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 \
                     AND NOT a.attisdropped"
                )),
                indexes: Sql::new(format!(
                    "SELECT t.relname::text, i.relname::text, x.indisunique, a.attname::text FROM pg_index AS x \
                     JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS t ON t.oid = x.indrelid \
                     CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(attnum, place) \
                     JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum \
                     WHERE t.relnamespace = '{schema}'::regnamespace AND NOT x.indisprimary \
                     ORDER BY i.relname, k.place"
                )),
                references: Some(Sql::new(format!(
                    "SELECT conname::text FROM pg_constraint WHERE contype = 'f' \
                     AND connamespace = '{schema}'::regnamespace"
                ))),
            },
        }
    }

    /// The column of the ids.
    pub(crate) fn id_definition(&self, table: &str) -> String {
        match self {
            Self::Sqlite => "\"id\" BLOB NOT NULL PRIMARY KEY".to_owned(),
            Self::Postgres(_) => format!("\"id\" UUID CONSTRAINT {} PRIMARY KEY", quote(&id_constraint(table))),
        }
    }

    /// After the columns of an object's table.
    pub(crate) fn table_options(&self) -> &'static str {
        match self {
            Self::Sqlite => " STRICT, WITHOUT ROWID",
            Self::Postgres(_) => "",
        }
    }

    /// After a referring column's type: it is checked at the end of each statement. SQLite lets the other table come
    /// later; PostgreSQL does not, see [`Self::add_reference`].
    pub(crate) fn reference_definition(&self, to: &str) -> String {
        match self {
            Self::Sqlite => format!(" REFERENCES {} (\"id\")", quote(to)),
            Self::Postgres(_) => String::new(),
        }
    }

    /// Has a column that is there checked to refer to another table.
    pub(crate) fn add_reference(&self, table: &str, column: &str, to: &str, name: &str) -> Option<String> {
        let Self::Postgres(_) = self else { return None };
        Some(format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} (\"id\")",
            self.table(table),
            quote(name),
            quote(column),
            self.table(to)
        ))
    }

    /// The columns of an index, in quotes. One that is not unique ends with the id, so that a page in its order needs no
    /// sorting; SQLite's do by themselves.
    pub(crate) fn index_columns(&self, columns: &[String], unique: bool) -> String {
        let end = match self {
            Self::Postgres(_) if !unique => ", \"id\"",
            _ => "",
        };
        let order = self.order(false);
        let columns: Vec<String> = columns.iter().map(|column| format!("{column}{order}")).collect();
        format!("{}{end}", columns.join(", "))
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

    /// Gives an index another name, where that is told in errors.
    pub(crate) fn rename_index(&self, from: &str, to: &str) -> Option<String> {
        let Self::Postgres(_) = self else { return None };
        Some(format!("ALTER INDEX {} RENAME TO {}; ", self.table(from), quote(to)))
    }

    /// Gives a reference that is checked another name.
    pub(crate) fn rename_reference(&self, table: &str, from: &str, to: &str) -> Option<String> {
        let Self::Postgres(_) = self else { return None };
        Some(format!("ALTER TABLE {} RENAME CONSTRAINT {} TO {}; ", self.table(table), quote(from), quote(to)))
    }

    /// Whether a column is taken out without its table being written anew.
    pub(crate) fn drops_columns_at_once(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Takes a table out, and what others check by it.
    pub(crate) fn drop_table(&self, table: &str) -> String {
        let end = if self.drops_columns_at_once() { " CASCADE" } else { "" };
        format!("DROP TABLE {}{end}; ", self.table(table))
    }

    /// Nobody else writes to a table until the end of the transaction.
    pub(crate) fn hold_table(&self, table: &str) -> Option<String> {
        let Self::Postgres(_) = self else { return None };
        Some(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", self.table(table)))
    }

    /// Notes the records of an object whose column is written from now on, in `pergola_conversion_record`.
    pub(crate) fn watch(&self, table: &str, column: &str, columns: &[String]) -> String {
        let (name, on, columns) = (watcher(table, column), self.table(table), columns.join(", "));
        let note = format!("INSERT INTO pergola_conversion_record (object, record) VALUES ('{table}', NEW.\"id\")");
        match self {
            Self::Sqlite => {
                // Not `OR IGNORE`: the outer statement's way with conflicts would count.
                let note = format!("{note} ON CONFLICT (object, record) DO NOTHING");
                let trigger = |when: &str, name: String| {
                    format!("CREATE TRIGGER IF NOT EXISTS {} AFTER {when} ON {on} BEGIN {note}; END; ", quote(&name))
                };
                let insert = trigger("INSERT", format!("{name}$i"));
                format!("{insert}{}", trigger(&format!("UPDATE OF {columns}"), format!("{name}$u")))
            }
            Self::Postgres(_) => {
                let function = self.table(&name);
                format!(
                    "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $watch$ BEGIN {note} \
                     ON CONFLICT (object, record) DO NOTHING; RETURN NULL; END $watch$; \
                     DROP TRIGGER IF EXISTS {0} ON {on}; CREATE TRIGGER {0} AFTER INSERT OR UPDATE OF {columns} ON {on} \
                     FOR EACH ROW EXECUTE FUNCTION {function}(); ",
                    quote(&name)
                )
            }
        }
    }

    /// The end of [`Self::watch`].
    pub(crate) fn unwatch(&self, table: &str, column: &str) -> String {
        let name = watcher(table, column);
        match self {
            Self::Sqlite => format!(
                "DROP TRIGGER IF EXISTS {}; DROP TRIGGER IF EXISTS {}; ",
                quote(&format!("{name}$i")),
                quote(&format!("{name}$u"))
            ),
            Self::Postgres(_) => format!("DROP FUNCTION IF EXISTS {}() CASCADE; ", self.table(&name)),
        }
    }
}

fn watcher(table: &str, column: &str) -> String {
    format!("{table}${column}$watch")
}
