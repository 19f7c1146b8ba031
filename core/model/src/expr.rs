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
//! What can be written: names of fields, `id`, `version`, `created_at`, `updated_at`; paths over references,
//! `contact.organization.name`, at most four steps away; `price.amount_minor`, `now`, `settings.name`, `p0`;
//! `&& || !`, `== != < <= > >=`, `in`, `+ - *`, `a ? b : c`; `timestamp('…')`, `date('…')`, `duration('24h')`, `days(n)`,
//! `hours(n)`, `minutes(n)`, `has(x)`, `size(text)`; `a.startsWith(b)`, `a.endsWith(b)`, `a.contains(b)`. Texts compared
//! with dates, datetimes, durations, decimals or ids are read as such; a code that a choice does not have is an error.
//!
//! Of instants and days: `starts_at.getFullYear()`, `getMonth` (from 0), `getDate` (from 1), `getDayOfWeek` (0 is
//! Sunday), `getHours`, `getMinutes`, each with a zone, `getHours('Europe/Moscow')`, or in the workspace's; `date(x)`, the
//! day there; `day(x)`, `week(x)`, `month(x)`, `quarter(x)`, `year(x)`, the first day of that period. Weeks begin on Monday.
//!
//! Of records that refer to this one, by the plural in their URL: `deals.exists(d, d.stage.kind == 'won')`,
//! `booking.appointments.count(a)`, `….sum(a, a.price.amount_minor, a.status == 'done')`, `min`, `max`; where several
//! of their fields refer here, `booking.appointments.via('contact').count(a)`. What is asked of them speaks of them alone,
//! of `now`, settings and parameters: it is answered by one query for a record, and cannot look back at that record.

mod arithmetic;
mod calendar;
mod check;
mod children;
mod cost;
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
mod walk;

use std::{collections::BTreeMap, fmt};

use jiff::{Timestamp, tz::TimeZone};

pub use calendar::{ClockPart, DayPart, Period, ZONE_YEARS, offsets};
pub use children::{ChildRecords, Children, Measured};
pub use cost::COST_MAX;
pub use error::ExprError;
pub use evaluate::EvalError;
pub use reads::Reads;

use crate::{name::ObjectName, object::Object, record::Record, value::Value};

/// The longest expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4_096;
/// The most nodes in an expression.
pub const NODES_MAX: usize = 500;
/// The most references that a path follows.
pub const STEPS_MAX: usize = 4;

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
    /// An amount of money. Amounts of two currencies are neither equal nor in an order.
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
    /// A field of the record that a path of references leads to; null when there is none.
    Related {
        /// The referring fields, from the record on; at least one.
        path: Vec<String>,
        /// The field, or system field, of the last record.
        field: String,
    },
    /// A part of money.
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
    /// Amounts of money in different currencies have no order.
    Compare(Compare, Box<Node>, Box<Node>),
    /// `a == null`
    IsNull(Box<Node>),
    /// `a in [b, c]`: all of a's type.
    In(Box<Node>, Vec<Node>),
    /// `'vip' in tags`: the tags node, the text node.
    HasTag(Box<Node>, Box<Node>),
    /// `a.contains(b)` and its sisters.
    TextTest(TextTest, Box<Node>, Box<Node>),
    /// Number + number, duration + duration, datetime + duration, date + duration. Null if either is.
    ///
    /// A date moves by the whole days of the duration.
    Add(Box<Node>, Box<Node>),
    /// The same with −, and datetime − datetime, date − date. Null if either is.
    Subtract(Box<Node>, Box<Node>),
    /// Integer × integer, or duration × integer. Null if either is.
    Multiply(Box<Node>, Box<Node>),
    /// `a ? b : c`; b and c are of one type, or the literal null.
    If(Box<Node>, Box<Node>, Box<Node>),
    /// The characters of a text.
    Size(Box<Node>),
    /// The day of an instant in a zone.
    LocalDay(Box<Node>, TimeZone),
    /// A part of a date.
    DayPart(DayPart, Box<Node>),
    /// A part of the wall clock at an instant in a zone.
    ClockPart(ClockPart, Box<Node>, TimeZone),
    /// The first day of the period that a date is in.
    Period(Period, Box<Node>),
    /// A question about the records that refer to one.
    Children(Box<Children>),
}

/// The objects that expressions may speak of.
pub trait Objects {
    /// The object of that name.
    fn object(&self, name: &ObjectName) -> Option<&Object>;

    /// The objects whose records may be asked for as children.
    fn children<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Object> + 'a>;
}

/// What names mean where an expression stands.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The object whose records it is about.
    pub object: &'a Object,
    /// It and the others.
    pub objects: &'a dyn Objects,
    /// Values of `settings.name`.
    pub settings: &'a BTreeMap<String, Value>,
    /// Types of `p0`, `p1`, ….
    pub parameters: &'a [Type],
    /// The zone of the workspace's wall clock.
    pub zone: &'a TimeZone,
}

/// What an expression is evaluated over.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The record.
    pub record: &'a Record,
    /// The records that its references lead to, by path; see [`Expression::paths`].
    pub related: &'a BTreeMap<Vec<String>, Record>,
    /// Answers about records that refer to these; `&()` where an expression asks for none.
    pub children: &'a dyn ChildRecords,
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
    cost: u32,
}

impl Expression {
    /// Parses and checks.
    ///
    /// # Errors
    /// [`ExprError`] with the place in the text and what to write instead: on a syntax error, an
    /// unknown name, types that do not fit, a function that is not supported, or a text over the limits.
    pub fn compile(source: &str, scope: &Scope<'_>, expected: &Type) -> Result<Self, ExprError> {
        let (root, cost) = check::check(source, scope, Some(expected))?;
        Ok(Self { source: source.to_owned(), root, cost })
    }

    /// Parses and checks an expression of any type; see [`Node::ty`] of [`Self::root`].
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub fn compile_any(source: &str, scope: &Scope<'_>) -> Result<Self, ExprError> {
        let (root, cost) = check::check(source, scope, None)?;
        Ok(Self { source: source.to_owned(), root, cost })
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

    /// What it costs at most for each record, at most [`COST_MAX`]: 1 for a part, more for joined records and children.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// The paths that must be in [`Env::related`] (where a record is at their end), each once, after its beginnings.
    #[must_use]
    pub fn paths(&self) -> Vec<&[String]> {
        self.root.paths()
    }

    /// The questions that [`Env::children`] must answer.
    #[must_use]
    pub fn children(&self) -> Vec<&Children> {
        self.root.children()
    }

    /// The value for one record.
    ///
    /// # Errors
    /// [`EvalError`] when arithmetic leaves the range of its type.
    pub fn evaluate(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        self.root.evaluate(env)
    }

    /// Whether it is true for one record.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn holds(&self, env: &Env<'_>) -> Result<bool, EvalError> {
        Ok(self.evaluate(env)? == Value::Bool(true))
    }
}
