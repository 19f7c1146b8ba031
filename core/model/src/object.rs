//! An object, checked and ready for use: its fields and the rules that the engine enforces.

mod derived;
mod unique;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

pub use derived::{Aggregate, Computed, Derived, Feed, Ledger, Rollup, Sequence, key_text};
pub use unique::{Unique, UniqueKey};

use crate::{
    access::Role,
    decl::Label,
    expr::Expression,
    field::{Field, OnDelete, OnPurge},
    name::{Name, ObjectName, PluginId},
    record::Fields,
};

/// Fields that every record has besides the declared ones.
pub const SYSTEM_FIELDS: [&str; 4] = ["id", "version", "created_at", "updated_at"];

/// A kind of record.
#[derive(Debug, Clone)]
pub struct Object {
    /// `contact`, `booking.appointment`.
    pub name: ObjectName,
    /// Who declared it; `core` for the core.
    pub owner: PluginId,
    /// What people see.
    pub label: Label,
    /// The last part of its URL.
    pub plural: String,
    /// The field that names a record to people.
    pub title: Option<String>,
    /// Own fields in order, then extensions by `plugin.field`.
    pub fields: IndexMap<String, Field>,
    /// What must hold for every record.
    pub checks: Vec<Check>,
    /// No two live records overlap.
    pub excludes: Vec<Exclude>,
    /// There is room for only so many live records.
    pub capacities: Vec<Capacity>,
    /// A code that a record has only for a while.
    pub hold: Option<Hold>,
    /// No two records have the same values; single unique fields are here too.
    pub uniques: Vec<Unique>,
    /// Which values of a choice may follow which.
    pub transitions: Vec<Transitions>,
    /// Durable wake-ups that follow the record.
    pub timers: Vec<Timer>,
    /// Who refers to this object.
    pub referrers: Vec<Referrer>,
    /// Capacities of other objects (or this one) whose room is told by fields of this one.
    pub rooms: Vec<Room>,
    /// What the engine computes and counts.
    pub derived: Derived,
}

/// What must hold for every record.
#[derive(Debug, Clone)]
pub struct Check {
    /// The field that a refusal names.
    pub field: String,
    /// Must be true for the record as it will be.
    pub rule: Expression,
    /// What people are told; may be empty.
    pub message: Label,
}

/// No two records that share a resource, and for which `when` holds, overlap in time.
#[derive(Debug, Clone)]
pub struct Exclude {
    /// `booking_appointment_exclude_master`: for messages and locks.
    pub name: String,
    /// Whose time it is: records share a resource if it stands in any of these fields of both.
    pub on: Vec<ResourceField>,
    /// Where the half-open interval starts.
    pub from: String,
    /// Where it ends.
    pub until: String,
    /// Records for which it is false do not count.
    pub when: Option<Expression>,
}

/// A field of an [`Exclude`] that tells whose time it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceField {
    /// The field.
    pub field: String,
    /// Name of the index by which its records are found.
    pub index: String,
}

/// The sum of the sizes of live records with the same `on` never exceeds `max`.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// `gym_booking_capacity_session`: for messages and locks.
    pub name: String,
    /// The ref to what has room for only so many.
    pub on: String,
    /// The object that it refers to.
    pub target: ObjectName,
    /// How much room there is, by fields of the record referred to; null means no limit.
    pub max: Expression,
    /// How much room a record takes, by its own fields; 1 if absent or null.
    pub size: Option<Expression>,
    /// By own fields and, with a hold, the time; records for which it is false take no room.
    pub when: Option<Expression>,
    /// What becomes of a record for which there is no room.
    pub waiting: Option<Waiting>,
    /// The fields whose change may change what is taken or who waits.
    pub reads: BTreeSet<String>,
}

/// How records wait for room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The choice that tells.
    pub field: String,
    /// Its code while a record waits.
    pub value: String,
    /// Its code once there is room.
    pub then: String,
}

/// A code that a record has only for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The choice.
    pub field: String,
    /// Its code while the record is held.
    pub value: String,
    /// The field with the instant at which the hold ends.
    pub until: String,
    /// How long it lasts when nobody says.
    pub length: SignedDuration,
    /// The code after that.
    pub then: String,
}

/// A capacity whose room is told by fields of the object that has this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The object that declares the capacity.
    pub object: ObjectName,
    /// The capacity's name.
    pub capacity: String,
    /// The fields that tell how much room there is.
    pub reads: BTreeSet<String>,
}

impl Hold {
    /// The engine's own timer that ends holds: its name under the plugin id `core`.
    pub const ACTION: &'static str = "end_hold";

    /// Whether the record is held.
    #[must_use]
    pub fn is_held(&self, fields: &Fields) -> bool {
        fields.get(&self.field).as_text() == Some(self.value.as_str())
    }

    /// Whether the record is held still although the hold's time is over.
    #[must_use]
    pub fn is_over(&self, fields: &Fields, now: Timestamp) -> bool {
        self.is_held(fields) && fields.get(&self.until).as_datetime().is_some_and(|until| until <= now)
    }
}

/// Which values of a choice may follow which.
#[derive(Debug, Clone)]
pub struct Transitions {
    /// The choice field.
    pub field: String,
    /// The permitted steps.
    pub steps: Vec<Step>,
}

/// One permitted step.
#[derive(Debug, Clone)]
pub struct Step {
    /// The code before; none for any.
    pub from: Option<String>,
    /// The code after.
    pub to: String,
    /// Must hold for the record as it will be.
    pub guard: Option<Expression>,
    /// Who may take it; anybody, if none is named. The system always may.
    pub roles: Vec<Role>,
}

/// A durable wake-up that follows the record.
#[derive(Debug, Clone)]
pub struct Timer {
    /// Who is told.
    pub plugin: PluginId,
    /// What the plugin is told; with plugin and object it names the timer.
    pub action: Name,
    /// Gives the due time; null means none.
    pub at: Expression,
    /// No timer while it is false.
    pub condition: Option<Expression>,
}

/// A field of another object (or the same) that refers to this one.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// The referring object.
    pub object: ObjectName,
    /// Its field.
    pub field: String,
    /// What becomes of the referring record.
    pub on_delete: OnDelete,
    /// What becomes of it when the other is not deleted, but purged.
    pub on_purge: OnPurge,
}

impl Object {
    /// The field of that key.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.get(key)
    }
}
