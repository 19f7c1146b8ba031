//! What an upgrade declares, as statements: all of them are changes of the database's catalog, whatever the rows.
//!
//! What was read of the database follows, so that the comparison with the declarations goes on from there.

use std::sync::Arc;

use pergola_model::{
    Field, Object,
    upgrade::{Fate, FieldChange, Upgrade},
};
use pergola_service::ports::store::SchemaStep;

use super::{
    conversion::{self, place_of},
    dropped, reference_name, step,
    stored::Stored,
};
use crate::{
    dialect::Dialect,
    layout::{Holds, currency_column},
    sql::{identifier, quote},
};

impl Stored {
    /// Drops come first, then all names go out of each other's way, and last take their places.
    pub(super) fn upgrade(&mut self, dialect: &Dialect, upgrade: &Upgrade) -> Vec<SchemaStep> {
        let mut steps = Vec::new();
        // PostgreSQL takes no column out that a trigger watches.
        let mut aside: String =
            upgrade.conversions().iter().map(|conversion| conversion::end(dialect, conversion)).collect();
        for change in &upgrade.fields {
            let (object, before) = (change.object.name.as_str(), &change.before);
            aside.push_str(&self.drop_keys_over(dialect, object, &before.key));
            aside.push_str(&numbers(object, before, &change.fate));
            match &change.fate {
                Fate::Dropped => {
                    let sql = self.drop_column(dialect, object, &before.key, is_money(before));
                    steps.push(step(format!("drop {} of {object}", before.key), sql));
                }
                Fate::Retyped(..) => {
                    aside.push_str(&self.drop_column(dialect, object, &before.key, is_money(before)));
                }
                Fate::Renamed(_) => {}
            }
        }
        for (number, change) in upgrade.fields.iter().enumerate() {
            let (object, before) = (change.object.name.as_str(), &change.before);
            let (from, to) = match &change.fate {
                Fate::Dropped => continue,
                Fate::Renamed(to) => (before.key.clone(), to),
                Fate::Retyped(to, _) => (place_of(before), to),
            };
            aside.push_str(&self.rename_column(dialect, object, &from, &aside_of(number), is_money(to)));
        }
        if !aside.is_empty() {
            steps.insert(0, step("put columns out of each other's way".to_owned(), aside));
        }
        for (number, change) in upgrade.fields.iter().enumerate() {
            steps.extend(self.arrive(dialect, change, &aside_of(number)));
        }
        let drop = |object: &Arc<Object>| step(format!("drop {}", object.name), self.drop_object(dialect, object));
        steps.extend(upgrade.dropped.iter().map(drop));
        steps
    }

    /// From aside to where it is declared.
    fn arrive(&mut self, dialect: &Dialect, change: &FieldChange, aside: &str) -> Option<SchemaStep> {
        let (object, before) = (change.object.name.as_str(), &change.before);
        let (to, summary) = match &change.fate {
            Fate::Dropped => return None,
            Fate::Renamed(to) => (to, format!("rename {} of {object} to {}", before.key, to.key)),
            Fate::Retyped(to, _) => (to, format!("make {} of {object} {}", to.key, to.kind.name())),
        };
        let mut sql = self.rename_column(dialect, object, aside, &to.key, is_money(to));
        let label = Holds::of(&to.kind).label();
        sql.push_str(&super::note_one(&change.object.name, &to.key, &label));
        self.holds.insert((object.to_owned(), to.key.clone()), label);
        Some(step(summary, sql))
    }

    /// Keys over a field of that name are of no use any more.
    fn drop_keys_over(&mut self, dialect: &Dialect, object: &str, field: &str) -> String {
        let over: Vec<String> = self
            .keys_of(object)
            .filter(|(_, fields)| fields.contains(&field))
            .map(|(column, _)| column.to_owned())
            .collect();
        over.iter().map(|column| self.drop_column(dialect, object, column, false)).collect()
    }

    /// Gives a column another name, and what hangs on its name.
    fn rename_column(&mut self, dialect: &Dialect, object: &str, from: &str, to: &str, is_money: bool) -> String {
        let table = dialect.table(object);
        let mut sql = self.rename_one(&table, object, from, to);
        if is_money {
            sql.push_str(&self.rename_one(&table, object, &currency_column(from), &currency_column(to)));
        }
        let (old, new) = (reference_name(object, from), reference_name(object, to));
        if self.references.remove(identifier(&old).as_ref()) {
            sql.push_str(&dialect.rename_reference(object, &old, &new).unwrap_or_default());
            self.references.insert(identifier(&new).into_owned());
        }
        sql.push_str(&format!(
            "UPDATE pergola_column SET field = '{to}' WHERE object = '{object}' AND field = '{from}'; "
        ));
        if let Some(holds) = self.holds.remove(&(object.to_owned(), from.to_owned())) {
            self.holds.insert((object.to_owned(), to.to_owned()), holds);
        }
        sql
    }

    fn rename_one(&mut self, table: &str, object: &str, from: &str, to: &str) -> String {
        let (old, new) = (identifier(from), identifier(to));
        let (object, mut touched) = (identifier(object), Vec::new());
        if let Some(columns) = self.tables.get_mut(object.as_ref())
            && let Some(sql_type) = columns.remove(old.as_ref())
        {
            columns.insert(new.clone().into_owned(), sql_type);
        }
        for ((of, name), index) in &mut self.indexes {
            if *of != object {
                continue;
            }
            for column in index.columns.iter_mut().filter(|column| **column == old) {
                *column = new.clone().into_owned();
                touched.push(name.clone());
            }
        }
        format!("ALTER TABLE {table} RENAME COLUMN {} TO {}; ", quote(from), quote(to))
    }

    /// Takes a column out, with its indexes; where that would write the table anew, it gets a name under which it is
    /// cleared later.
    pub(super) fn drop_column(&mut self, dialect: &Dialect, object: &str, column: &str, is_money: bool) -> String {
        let parts = [Some(column.to_owned()), is_money.then(|| currency_column(column))];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let is_over = |index: &super::stored::StoredIndex| {
            parts.iter().any(|part| index.columns.iter().any(|column| *column == identifier(part)))
        };
        let table = identifier(object).into_owned();
        let indexes: Vec<(String, String)> = self
            .indexes
            .iter()
            .filter(|((of, _), index)| *of == table && is_over(index))
            .map(|(key, _)| key.clone())
            .collect();
        let mut sql = String::new();
        for key in indexes {
            self.indexes.remove(&key);
            sql.push_str(&format!("DROP INDEX {}; ", dialect.table(&key.1)));
        }
        sql.push_str(&format!("DELETE FROM pergola_column WHERE object = '{object}' AND field = '{column}'; "));
        self.holds.remove(&(object.to_owned(), column.to_owned()));
        self.references.remove(identifier(&reference_name(object, column)).as_ref());
        for part in &parts {
            if dialect.drops_columns_at_once() {
                sql.push_str(&format!("ALTER TABLE {} DROP COLUMN {}; ", dialect.table(object), quote(part)));
                if let Some(columns) = self.tables.get_mut(&table) {
                    columns.remove(identifier(part).as_ref());
                }
                continue;
            }
            let name = self.free_column(&table);
            sql.push_str(&self.rename_one(&dialect.table(object), object, part, &name));
            sql.push_str(&dropped::note(object, &name));
        }
        sql
    }

    fn free_column(&self, table: &str) -> String {
        let is_free = |name: &String| self.tables.get(table).is_none_or(|columns| !columns.contains_key(name));
        (1_u32..).map(dropped::column).find(is_free).unwrap_or_default()
    }

    fn drop_object(&mut self, dialect: &Dialect, object: &Object) -> String {
        let name = object.name.as_str();
        let table = identifier(name).into_owned();
        let mut sql = format!(
            "DELETE FROM pergola_column WHERE object = '{name}'; DELETE FROM pergola_sequence WHERE object = '{name}'; \
             DELETE FROM pergola_balance WHERE object = '{name}'; "
        );
        self.holds.retain(|(of, _), _| of != name);
        if dialect.drops_columns_at_once() {
            sql.push_str(&dialect.drop_table(name));
        } else {
            let indexes: Vec<&(String, String)> = self.indexes.keys().filter(|(of, _)| *of == table).collect();
            sql.extend(indexes.iter().map(|(_, index)| format!("DROP INDEX {}; ", quote(index))));
            let is_free = |name: &String| !self.tables.contains_key(name);
            let to = (1_u32..).map(dropped::table).find(is_free).unwrap_or_default();
            sql.push_str(&format!("ALTER TABLE {} RENAME TO {}; ", quote(name), quote(&to)));
            let references = object.fields.values().filter(|field| matches!(Holds::of(&field.kind), Holds::Ref(_)));
            sql.extend(references.map(|field| dropped::note(&to, &field.key)));
            sql.push_str(&dropped::note(&to, dropped::WHOLE));
            self.tables.insert(to, Default::default());
        }
        self.indexes.retain(|(of, _), _| *of != table);
        self.tables.remove(&table);
        sql
    }
}

fn aside_of(number: usize) -> String {
    format!("$move${number}")
}

fn is_money(field: &Field) -> bool {
    Holds::of(&field.kind) == Holds::Money
}

/// Numbers without gaps go on under the new name.
fn numbers(object: &str, before: &Field, fate: &Fate) -> String {
    let of_field = format!("WHERE object = '{object}' AND field = '{}'; ", before.key);
    match fate {
        Fate::Renamed(to) => format!("UPDATE pergola_sequence SET field = '{}' {of_field}", to.key),
        Fate::Dropped => format!("DELETE FROM pergola_sequence {of_field}"),
        Fate::Retyped(..) => String::new(),
    }
}
