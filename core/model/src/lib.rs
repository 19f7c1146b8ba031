//! What is true of CRM data, without any I/O: objects, fields, values, records and expressions.
//!
//! Reading order: [`name`] and [`value`] are the words; [`decl`] is what a manifest says;
//! [`field`], [`object`] and [`catalog`] are the same, checked and ready for use;
//! [`record`] is one instance; [`expr`] is the expression language; [`query`] and
//! [`change`] are what is asked of records; [`search`] is what is found of them.
//!
//! To add a field type, follow `docs/how-to/add-a-field-type.md`.
//!
//! Invariants: no clock, no randomness, no environment, no files, no async.

pub mod access;
pub mod catalog;
pub mod change;
pub mod decl;
pub mod expr;
pub mod field;
pub mod json;
pub mod name;
pub mod nearest;
pub mod normal;
pub mod object;
pub mod query;
pub mod record;
pub mod rollup;
pub mod search;
pub mod upgrade;
pub mod value;

pub use access::{Actor, Operation, Role};
pub use catalog::Catalog;
pub use change::{Change, ChangeKind};
pub use field::{Field, FieldType};
pub use name::{Name, ObjectName, PluginId};
pub use object::Object;
pub use query::{Page, Query};
pub use record::{FieldIssue, Fields, Record};
pub use value::{Id, Locale, Money, Value};

/// The declarations of the core's own objects, in the same form as a plugin's.
pub const CORE_OBJECTS: &[(&str, &str)] = &[
    ("contact.toml", include_str!("../../objects/contact.toml")),
    ("organization.toml", include_str!("../../objects/organization.toml")),
    ("deal.toml", include_str!("../../objects/deal.toml")),
    ("task.toml", include_str!("../../objects/task.toml")),
    ("activity.toml", include_str!("../../objects/activity.toml")),
    ("contact_point.toml", include_str!("../../objects/contact_point.toml")),
    ("link.toml", include_str!("../../objects/link.toml")),
];
