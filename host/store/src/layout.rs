//! How an object lies in its table: columns, their SQL types, and the parts of statements that never change.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use pergola_model::{
    Field, FieldType, Object, ObjectName,
    object::{Unique, UniqueKey},
};

use crate::{
    dialect::Dialect,
    sql::{Kind, Sql, hash, quote},
};

/// What a column holds. Text-like field types are held alike, so that a field can change from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    Integer,
    /// An integer: the number times 10^scale.
    Decimal(u8),
    /// Two columns: minor units and, under the field's name and `$currency`, the code.
    Money,
    Bool,
    /// ISO 8601 text.
    Date,
    /// Microseconds since 1970, UTC.
    DateTime,
    /// Microseconds.
    Duration,
    /// The 16 bytes of an id.
    Ref(ObjectName),
    /// A JSON array.
    Tags,
    Json,
}

impl Holds {
    /// What a field of that type is held as.
    pub(crate) fn of(kind: &FieldType) -> Self {
        match kind {
            FieldType::Text
            | FieldType::LongText
            | FieldType::Choice { .. }
            | FieldType::Phone
            | FieldType::Email
            | FieldType::Url => Self::Text,
            FieldType::Integer => Self::Integer,
            FieldType::Decimal { scale } => Self::Decimal(*scale),
            FieldType::Money => Self::Money,
            FieldType::Bool => Self::Bool,
            FieldType::Date => Self::Date,
            FieldType::DateTime => Self::DateTime,
            FieldType::Duration => Self::Duration,
            FieldType::Ref { to, .. } => Self::Ref(to.clone()),
            FieldType::Tags => Self::Tags,
            FieldType::Json => Self::Json,
        }
    }

    /// Whether a field of that type is held so.
    fn is_for(&self, kind: &FieldType) -> bool {
        match (self, kind) {
            (Self::Ref(held), FieldType::Ref { to, .. }) => held == to,
            _ => *self == Self::of(kind),
        }
    }

    /// What its values are bound as.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Text | Self::Date | Self::Tags | Self::Json => Kind::Text,
            Self::Integer | Self::Decimal(_) | Self::Money | Self::DateTime | Self::Duration => Kind::Integer,
            Self::Bool => Kind::Bool,
            Self::Ref(_) => Kind::Id,
        }
    }

    /// The name in the table `pergola_column` and in messages.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Decimal(scale) => format!("decimal({scale})"),
            Self::Money => "money".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Date => "date".to_owned(),
            Self::DateTime => "datetime".to_owned(),
            Self::Duration => "duration".to_owned(),
            Self::Ref(to) => format!("ref({to})"),
            Self::Tags => "tags".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

/// The name of the column that holds a money field's currency. `$` cannot stand in a field's key.
pub(crate) fn currency_column(key: &str) -> String {
    format!("{key}$currency")
}

/// A field's column, or two.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The field's key.
    pub(crate) key: String,
    /// What it holds.
    pub(crate) holds: Holds,
}

impl Column {
    fn new(field: &Field) -> Self {
        Self { key: field.key.clone(), holds: Holds::of(&field.kind) }
    }

    /// The names in SQL, quoted.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        let currency = (self.holds == Holds::Money).then(|| quote(&currency_column(&self.key)));
        std::iter::once(quote(&self.key)).chain(currency)
    }
}

/// An object's table.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The table's full name, quoted.
    pub(crate) table: String,
    /// The fields' columns, in the object's order.
    pub(crate) columns: Vec<Column>,
    /// The columns of keys under unique rules, in the order of [`keyed`].
    pub(crate) keys: Vec<String>,
    /// All columns of a row as [`crate::row::decode`] reads them, of the table under the name `t`.
    pub(crate) select: String,
    /// `INSERT INTO … VALUES `, up to the first row.
    pub(crate) insert: String,
    /// `(?, ?, …)`, one row of it.
    pub(crate) insert_row: String,
    /// Values in one row.
    pub(crate) width: usize,
}

impl Layout {
    fn new(dialect: &Dialect, object: &Object) -> Self {
        let columns: Vec<Column> = object.fields.values().map(Column::new).collect();
        let table = dialect.table(object.name.as_str());
        let mut names = vec![quote("id"), quote("version"), quote("created_at"), quote("updated_at")];
        names.extend(columns.iter().flat_map(Column::names));
        let keys: Vec<String> = keyed(object).map(|(_, key)| key.column.clone()).collect();
        names.extend(keys.iter().map(|key| quote(key)));
        let select = select_list(columns.iter());
        let insert = format!("INSERT INTO {table} ({}) VALUES ", names.join(", "));
        let insert_row = format!("({})", vec!["?"; names.len()].join(", "));
        Self { table, columns, keys, select, insert, insert_row, width: names.len() }
    }

    /// The column of a field.
    pub(crate) fn column(&self, key: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.key == key)
    }

    /// Whether it was made for these very fields.
    fn fits(&self, object: &Object) -> bool {
        self.columns.len() == object.fields.len()
            && self
                .columns
                .iter()
                .zip(object.fields.values())
                .all(|(column, field)| column.key == field.key && column.holds.is_for(&field.kind))
            && self.keys.iter().eq(keyed(object).map(|(_, key)| &key.column))
    }
}

/// The unique rules of an object whose keys are stored.
pub(crate) fn keyed(object: &Object) -> impl Iterator<Item = (&Unique, &UniqueKey)> {
    object.uniques.iter().filter_map(|rule| rule.key.as_ref().map(|key| (rule, key)))
}

/// The system columns and these, of the table under the name `t`.
pub(crate) fn select_list<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    let (mut list, mut types) = (String::new(), String::new());
    for column in columns {
        for name in column.names() {
            list.push_str(", t.");
            list.push_str(&name);
        }
        types.push_str(&column.holds.label());
    }
    // Connections keep statements prepared by their text, and PostgreSQL refuses one whose columns have another type
    // since it was prepared: so the types are in the text.
    let types = hash(&types);
    format!("/* {types:x} */ t.\"id\", t.\"version\", t.\"created_at\", t.\"updated_at\"{list}")
}

/// The layouts in use, so that the text of frequent statements is built once.
#[derive(Debug)]
pub(crate) struct Layouts {
    dialect: Dialect,
    known: RwLock<HashMap<ObjectName, Arc<Layout>>>,
}

impl Layouts {
    /// None yet.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, known: RwLock::default() }
    }

    /// Which database they are for.
    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// What an expression calculates as a column of a row, to be read as what it holds.
    pub(crate) fn read(&self, value: Sql, holds: &Holds) -> Sql {
        match holds {
            Holds::Integer | Holds::Decimal(_) | Holds::DateTime | Holds::Duration => self.dialect.whole(value),
            _ => value,
        }
    }

    /// The object's layout; made anew when another catalog gave it other fields.
    pub(crate) fn of(&self, object: &Object) -> Arc<Layout> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&object.name).map(Arc::clone);
        if let Some(layout) = known.filter(|layout| layout.fits(object)) {
            return layout;
        }
        let layout = Arc::new(Layout::new(&self.dialect, object));
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(object.name.clone(), Arc::clone(&layout));
        layout
    }
}
