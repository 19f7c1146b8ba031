//! The expression language: CEL text, checked against an object, ready for SQL or for memory.
//!
//! `cel` parses; `check` gives every part a type and refuses what could not run the same on a
//! database; `evaluate` runs it in memory. The store compiles the same [`Node`]s to SQL, and a
//! property test holds the two together.
//!
//! Truth has two values: a comparison with an absent value is false, except that
//! `x == null`, `x != null` test for absence and `x != 1` holds for an absent `x`.
//! So `x != y` is always the opposite of `x == y`, and `!a` of `a`; arithmetic with an absent value is absent.
//!
//! What can be written: names of fields, `id`, `version`, `created_at`, `updated_at`, `master.name` one
//! reference away, `price.amount_minor`, `now`, `settings.name`, `p0`; `&& || !`, `== != < <= > >=`, `in`,
//! `+ - *`; `timestamp('…')`, `date('…')`, `duration('24h')`, `days(n)`, `hours(n)`, `minutes(n)`,
//! `has(x)`; `a.startsWith(b)`, `a.endsWith(b)`, `a.contains(b)`. Texts compared with dates, datetimes,
//! durations, decimals or ids are read as such; a code that a choice does not have is an error.

mod arithmetic;
mod check;
mod error;
mod evaluate;
mod fit;
mod literal;
mod names;
mod parse;
mod reads;
mod scan;
mod sum;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use indexmap::IndexMap;
use jiff::Timestamp;

pub use error::ExprError;
pub use evaluate::EvalError;
pub use reads::Reads;

use crate::{field::Field, name::ObjectName, record::Record, value::Value};

/// The longest expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4_096;
/// The most nodes in an expression.
pub const NODES_MAX: usize = 500;

/// What a part of an expression gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Only the literal `null`, and a parameter whose type is not known: that takes the other side's.
    Null,
    /// True or false.
    Bool,
    /// A whole number.
    Integer,
    /// An exact decimal.
    Decimal,
    /// An amount of money; only its parts can be compared with numbers and texts.
    Money,
    /// Text of any kind: choice, phone, e-mail, url.
    Text,
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// A length of time.
    Duration,
    /// The id of a record of that object.
    Ref(ObjectName),
    /// The `id` of the record itself; as the type of a parameter, the id of any record.
    Id,
    /// Tags; only `'x' in tags` looks into them.
    Tags,
    /// JSON; only null tests.
    Json,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Integer => f.write_str("integer"),
            Self::Decimal => f.write_str("decimal"),
            Self::Money => f.write_str("money"),
            Self::Text => f.write_str("text"),
            Self::Date => f.write_str("date"),
            Self::DateTime => f.write_str("datetime"),
            Self::Duration => f.write_str("duration"),
            Self::Ref(object) => write!(f, "ref to {object}"),
            Self::Id => f.write_str("id"),
            Self::Tags => f.write_str("tags"),
            Self::Json => f.write_str("json"),
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// How a text is looked for in another. Case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextTest {
    /// `a.startsWith(b)`
    StartsWith,
    /// `a.endsWith(b)`
    EndsWith,
    /// `a.contains(b)`
    Contains,
}

/// A part of money that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyPart {
    /// `price.amount_minor`, an integer.
    AmountMinor,
    /// `price.currency`, a text.
    Currency,
}

/// A checked part of an expression and its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// What it gives.
    pub ty: Type,
}

/// What a checked part is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// A constant.
    Literal(Value),
    /// A field of the record, or one of its system fields.
    Field(String),
    /// A field of the record that `via` refers to; null when there is none.
    Related {
        /// The referring field.
        via: String,
        /// The object referred to.
        object: ObjectName,
        /// Its field, or system field.
        field: String,
    },
    /// A part of a money field (a `Field` or `Related` node).
    MoneyPart(Box<Node>, MoneyPart),
    /// The time of the request.
    Now,
    /// The n-th parameter.
    Parameter(usize),
    /// `!a`
    Not(Box<Node>),
    /// `a && b && …`
    And(Vec<Node>),
    /// `a || b || …`
    Or(Vec<Node>),
    /// Of two nodes of one type, neither the literal null. A record's own id goes with refs to its object.
    Compare(Compare, Box<Node>, Box<Node>),
    /// `a == null`
    IsNull(Box<Node>),
    /// `a in [b, c]`: all of a's type.
    In(Box<Node>, Vec<Node>),
    /// `'vip' in tags`: the tags node, the text node.
    HasTag(Box<Node>, Box<Node>),
    /// `a.contains(b)` and its sisters.
    TextTest(TextTest, Box<Node>, Box<Node>),
    /// Number + number, duration + duration, datetime + duration. Null if either is.
    Add(Box<Node>, Box<Node>),
    /// Number − number, duration − duration, datetime − duration, datetime − datetime. Null if either is.
    Subtract(Box<Node>, Box<Node>),
    /// Integer × integer, or duration × integer. Null if either is.
    Multiply(Box<Node>, Box<Node>),
}

/// What names mean where an expression stands.
pub struct Scope<'a> {
    /// The object whose records it is about.
    pub object: &'a ObjectName,
    /// That object's fields.
    pub fields: &'a IndexMap<String, Field>,
    /// Other objects' fields, for paths one step deep.
    pub others: &'a dyn Fn(&ObjectName) -> Option<&'a IndexMap<String, Field>>,
    /// Values of `settings.name`.
    pub settings: &'a BTreeMap<String, Value>,
    /// Types of `p0`, `p1`, ….
    pub parameters: &'a [Type],
}

/// What an expression is evaluated over.
pub struct Env<'a> {
    /// The record.
    pub record: &'a Record,
    /// The records that its references lead to, by referring field; see [`Expression::relations`].
    pub related: &'a BTreeMap<String, Record>,
    /// The time of the request.
    pub now: Timestamp,
    /// Values of `p0`, `p1`, ….
    pub parameters: &'a [Value],
}

/// A checked expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    source: String,
    root: Node,
}

impl Expression {
    /// Parses and checks.
    ///
    /// # Errors
    /// [`ExprError`] with the place in the text and what to write instead: on a syntax error, an
    /// unknown name, types that do not fit, a function that is not supported, or a text over the limits.
    pub fn compile(source: &str, scope: &Scope<'_>, expected: &Type) -> Result<Self, ExprError> {
        let root = check::check(source, scope, expected)?;
        Ok(Self { source: source.to_owned(), root })
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The checked tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The referring fields that must be in [`Env::related`] (where the record has a value in them).
    #[must_use]
    pub fn relations(&self) -> Vec<&str> {
        check::relations(&self.root)
    }

    /// The value for one record.
    ///
    /// # Errors
    /// [`EvalError`] when arithmetic leaves the range of its type.
    pub fn evaluate(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        evaluate::evaluate(&self.root, env)
    }

    /// Whether it is true for one record.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn holds(&self, env: &Env<'_>) -> Result<bool, EvalError> {
        Ok(self.evaluate(env)? == Value::Bool(true))
    }
}
