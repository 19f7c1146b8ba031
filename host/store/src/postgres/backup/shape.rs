//! Tables as the server's catalog describes them, and the statements that make them again.
//!
//! References to tables are written without their schema, and are read and run with the schema as the search path; so the
//! same description makes the tables in another schema.

use pergola_service::ports::store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{TABLES, sql_error, text};
use crate::sql::quote;

/// All tables of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    /// Storage parameters, such as `fillfactor=90`.
    options: Vec<String>,
    columns: Vec<Column>,
    constraints: Vec<Constraint>,
    indexes: Vec<Index>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its type and collation.
    kind: String,
    not_null: bool,
    content: Content,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    /// From whoever writes.
    Given,
    /// The same, with an expression for rows that name none.
    Default(String),
    /// Computed of the row's other values.
    Generated(String),
    /// Counted; the last number that was given out.
    Counted(Option<i64>),
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Constraint {
    name: String,
    definition: String,
    /// Whether it refers to a table, and so has to wait for that.
    refers: bool,
}

/// An index that is no constraint's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Index {
    name: String,
    unique: bool,
    /// From `USING` on.
    definition: String,
}

impl Shape {
    /// What the schema holds, by the transaction's view of it. The search path is the schema.
    pub(super) async fn read(raw: &mut PgConnection, schema: &str) -> Result<Self, StoreError> {
        refuse_foreign(raw, schema).await?;
        let tables = "SELECT relname::text, COALESCE(reloptions, '{}') FROM pg_class \
             WHERE relnamespace = $1::text::regnamespace AND relkind = 'r' ORDER BY relname::text COLLATE \"C\"";
        let mut shape = Self { tables: Vec::new() };
        for row in ask(raw, tables, schema).await? {
            let options = row.try_get(1).map_err(sql_error)?;
            let (columns, constraints, indexes) = (Vec::new(), Vec::new(), Vec::new());
            shape.tables.push(Table { name: text(&row, 0)?, options, columns, constraints, indexes });
        }
        shape.read_columns(raw, schema).await?;
        shape.read_constraints(raw, schema).await?;
        shape.read_indexes(raw, schema).await?;
        Ok(shape)
    }

    async fn read_columns(&mut self, raw: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
        let columns = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) || \
             CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END, \
             a.attnotnull, a.attidentity <> '', a.attgenerated <> '', pg_get_expr(d.adbin, d.adrelid), \
             CASE WHEN a.attidentity <> '' THEN pg_sequence_last_value(pg_get_serial_sequence( \
             quote_ident(c.relname), a.attname)::regclass) END \
             FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid JOIN pg_type AS t ON t.oid = a.atttypid \
             LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum \
             WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY c.relname, a.attnum";
        for row in ask(raw, columns, schema).await? {
            let flag = |index: usize| row.try_get::<bool, _>(index).map_err(sql_error);
            let expression: Option<String> = row.try_get(6).map_err(sql_error)?;
            let content = match expression {
                _ if flag(4)? => Content::Counted(row.try_get(7).map_err(sql_error)?),
                Some(expression) if flag(5)? => Content::Generated(expression),
                Some(expression) => Content::Default(expression),
                None => Content::Given,
            };
            let column = Column { name: text(&row, 1)?, kind: text(&row, 2)?, not_null: flag(3)?, content };
            self.of(&row)?.columns.push(column);
        }
        Ok(())
    }

    async fn read_constraints(&mut self, raw: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
        let constraints = "SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid), k.contype = 'f' \
             FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid \
             WHERE c.relnamespace = $1::text::regnamespace AND k.contype IN ('p', 'u', 'c', 'x', 'f') \
             ORDER BY c.relname, k.conname";
        for row in ask(raw, constraints, schema).await? {
            let refers = row.try_get(3).map_err(sql_error)?;
            let constraint = Constraint { name: text(&row, 1)?, definition: text(&row, 2)?, refers };
            self.of(&row)?.constraints.push(constraint);
        }
        Ok(())
    }

    async fn read_indexes(&mut self, raw: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
        // Names have no blanks, by their patterns.
        let indexes = "SELECT t.relname::text, i.relname::text, x.indisunique, \
             substring(pg_get_indexdef(x.indexrelid) FROM position(' USING ' IN pg_get_indexdef(x.indexrelid)) + 1) \
             FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS t ON t.oid = x.indrelid \
             WHERE t.relnamespace = $1::text::regnamespace AND t.relkind = 'r' AND NOT EXISTS (SELECT 1 FROM \
             pg_constraint AS k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')) \
             ORDER BY t.relname, i.relname";
        for row in ask(raw, indexes, schema).await? {
            let unique = row.try_get(2).map_err(sql_error)?;
            let index = Index { name: text(&row, 1)?, unique, definition: text(&row, 3)? };
            self.of(&row)?.indexes.push(index);
        }
        Ok(())
    }

    /// The table of which a row tells.
    fn of(&mut self, row: &PgRow) -> Result<&mut Table, StoreError> {
        let name = text(row, 0)?;
        let table = self.tables.iter_mut().find(|table| table.name == name);
        table.ok_or_else(|| crate::error::unexpected(format!("table {name} came while it was looked for")))
    }
}

impl Table {
    /// The file of its rows, within a backup.
    pub(super) fn file(&self) -> String {
        format!("{TABLES}/{}.copy", self.name)
    }

    /// The columns that are written: those that are computed are computed anew.
    pub(super) fn written(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !matches!(column.content, Content::Generated(_)))
    }

    /// What writes its rows out.
    pub(super) fn copy_out(&self, schema: &str) -> String {
        format!("COPY {} TO STDOUT", self.with_columns(schema))
    }

    /// What reads its rows in.
    pub(super) fn copy_in(&self, schema: &str) -> String {
        format!("COPY {} FROM STDIN", self.with_columns(schema))
    }

    fn with_columns(&self, schema: &str) -> String {
        let columns: Vec<String> = self.written().map(|column| quote(&column.name)).collect();
        format!("{}.{} ({})", quote(schema), quote(&self.name), columns.join(", "))
    }

    /// What makes it, without rules: those are quicker to make of rows that are there.
    pub(super) fn create(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(Column::definition).collect();
        let options =
            if self.options.is_empty() { String::new() } else { format!(" WITH ({})", self.options.join(", ")) };
        format!("CREATE TABLE {} ({}){options}", quote(&self.name), columns.join(", "))
    }

    /// What makes its constraints and indexes, but for those that refer to other tables.
    pub(super) fn rules(&self) -> Vec<String> {
        let table = quote(&self.name);
        let rules = self.constraints.iter().filter(|one| !one.refers);
        let mut statements: Vec<String> = rules.map(|one| one.add(&table)).collect();
        statements.extend(self.indexes.iter().map(|index| {
            let unique = if index.unique { "UNIQUE " } else { "" };
            format!("CREATE {unique}INDEX {} ON {table} {}", quote(&index.name), index.definition)
        }));
        statements
    }

    /// What makes its references to other tables.
    pub(super) fn references(&self) -> Vec<String> {
        let table = quote(&self.name);
        self.constraints.iter().filter(|one| one.refers).map(|one| one.add(&table)).collect()
    }

    /// What lets its columns count on.
    pub(super) fn counts(&self) -> Vec<String> {
        let count = |column: &Column| {
            let Content::Counted(Some(last)) = column.content else { return None };
            // Names have no quotes, by their patterns.
            Some(format!("SELECT setval(pg_get_serial_sequence('{}', '{}'), {last})", quote(&self.name), column.name))
        };
        self.columns.iter().filter_map(count).collect()
    }
}

impl Column {
    fn definition(&self) -> String {
        let not_null = if self.not_null { " NOT NULL" } else { "" };
        let content = match &self.content {
            Content::Given => String::new(),
            Content::Default(expression) => format!(" DEFAULT {expression}"),
            Content::Generated(expression) => format!(" GENERATED ALWAYS AS ({expression}) STORED"),
            Content::Counted(_) => " GENERATED ALWAYS AS IDENTITY".to_owned(),
        };
        format!("{} {}{not_null}{content}", quote(&self.name), self.kind)
    }
}

impl Constraint {
    fn add(&self, table: &str) -> String {
        format!("ALTER TABLE {table} ADD CONSTRAINT {} {}", quote(&self.name), self.definition)
    }
}

/// The names of the tables, in order.
pub(super) async fn tables(raw: &mut PgConnection, schema: &str) -> Result<Vec<String>, StoreError> {
    let question = "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname::text COLLATE \"C\"";
    ask(raw, question, schema).await?.iter().map(|row| text(row, 0)).collect()
}

/// Indexes that were never finished, and so keep no rule.
pub(super) async fn invalid_indexes(raw: &mut PgConnection, schema: &str) -> Result<Vec<String>, StoreError> {
    let question = "SELECT 'index ' || i.relname || ' is not whole' FROM pg_index AS x \
         JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_namespace AS n ON n.oid = i.relnamespace \
         WHERE n.nspname = $1 AND NOT x.indisvalid ORDER BY i.relname";
    ask(raw, question, schema).await?.iter().map(|row| text(row, 0)).collect()
}

/// Passes unless something is there that this description does not know, and that a backup would lose.
async fn refuse_foreign(raw: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    let question = "WITH here AS (SELECT $1::text::regnamespace::oid AS oid) \
         SELECT 'the view or foreign table ' || c.relname FROM pg_class AS c, here \
         WHERE c.relnamespace = here.oid AND c.relkind NOT IN ('r', 'i', 'S', 't') \
         UNION ALL SELECT 'the sequence ' || c.relname FROM pg_class AS c, here WHERE c.relnamespace = here.oid \
         AND c.relkind = 'S' AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'i') \
         UNION ALL SELECT 'the function ' || p.proname FROM pg_proc AS p, here WHERE p.pronamespace = here.oid \
         UNION ALL SELECT 'the type ' || t.typname FROM pg_type AS t, here WHERE t.typnamespace = here.oid \
         AND t.typtype IN ('d', 'e', 'r') \
         UNION ALL SELECT 'the trigger ' || g.tgname FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid, here \
         WHERE c.relnamespace = here.oid AND NOT g.tgisinternal LIMIT 1";
    match ask(raw, question, schema).await?.first() {
        None => Ok(()),
        Some(row) => Err(StoreError::Schema(format!(
            "{} in schema {schema} is not Pergola's, or of an upgrade that is not finished, and a backup would lose it: \
             finish the upgrade, move it to another schema, or use pg_dump",
            text(row, 0)?
        ))),
    }
}

async fn ask(raw: &mut PgConnection, question: &'static str, schema: &str) -> Result<Vec<PgRow>, StoreError> {
    sqlx::query(question).bind(schema).fetch_all(raw).await.map_err(sql_error)
}
