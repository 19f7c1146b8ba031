//! Rules of objects as a manifest says them; the engine keeps them on every write.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use super::Label;
use crate::{access::Role, name::Name};

/// What must hold for every record, whoever writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckDecl {
    /// CEL over the record as it will be.
    pub rule: String,
    /// The field that a refusal names.
    pub field: Name,
    /// What people are told when it does not hold.
    #[serde(default)]
    pub message: Label,
}

/// No two records that share a resource, and for which `when` holds, overlap in time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludeDecl {
    /// The field that tells whose time it is, or several refs to one object: then two records share a resource if it
    /// stands in any of these fields of both.
    #[serde(deserialize_with = "one_or_several")]
    pub on: Vec<Name>,
    /// The fields where the half-open interval starts and ends.
    pub during: [Name; 2],
    /// CEL; records for which it is false do not count.
    #[serde(default)]
    pub when: Option<String>,
}

/// The sum of the sizes of live records with the same `on` never exceeds `max`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityDecl {
    /// The ref to what has room for only so many.
    pub on: Name,
    /// CEL: how much room there is; a number, or fields of the record that `on` refers to. Null means no limit.
    pub max: String,
    /// CEL over own fields: how much room a record takes; 1 if absent or null.
    #[serde(default)]
    pub size: Option<String>,
    /// CEL over own fields; records for which it is false take no room.
    #[serde(default)]
    pub when: Option<String>,
    /// What becomes of a record for which there is no room; without this it is refused.
    #[serde(default)]
    pub waiting: Option<WaitingDecl>,
}

/// How records wait for room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingDecl {
    /// The choice that tells.
    pub field: Name,
    /// Its code while a record waits.
    pub value: String,
    /// Its code once there is room.
    pub then: String,
}

/// A record that has a certain code only for a while: a slot kept while somebody pays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldDecl {
    /// The choice.
    pub field: Name,
    /// Its code while the record is held.
    pub value: String,
    /// The datetime field with the instant at which the hold ends.
    pub until: Name,
    /// How long it lasts when nobody says.
    pub minutes: u32,
    /// The code after that.
    pub then: String,
}

/// No two records have the same values in these fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniqueDecl {
    /// The fields, together.
    pub fields: Vec<Name>,
    /// Texts that differ in nothing but case, or in how they are encoded, are the same.
    #[serde(default)]
    pub ignore_case: bool,
    /// Whether records without a value are alike in that.
    #[serde(default)]
    pub nulls: Nulls,
    /// CEL over the record's own fields; records for which it is false do not count.
    #[serde(default)]
    pub when: Option<String>,
}

/// What an absent value is to a rule of uniqueness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// A record with an absent value does not count.
    #[default]
    Distinct,
    /// An absent value is a value like any other: only one record may be without.
    Equal,
}

/// One permitted step of a choice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransitionDecl {
    /// The code before; `*` for any.
    pub from: String,
    /// The code after.
    pub to: String,
    /// CEL over the record as it will be; `now` is the time.
    #[serde(default)]
    pub guard: Option<String>,
    /// Who may take it; anybody who may change the record, if none is named.
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// A name, or a list of them.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Name>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = Vec<Name>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a field's name or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![Name::new(text).map_err(E::custom)?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                names.push(Name::new(text).map_err(A::Error::custom)?);
            }
            Ok(names)
        }
    }

    deserializer.deserialize_any(Names)
}
