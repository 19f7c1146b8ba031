//! What hooks see of a write.

use crate::{Failure, Fields, FromValue, Id, Record, Typed, Value};

/// What happens to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// It comes into being.
    Create,
    /// Some of its fields change.
    Update,
    /// It goes.
    Delete,
}

impl Kind {
    pub(crate) fn from_wit(kind: &str) -> Result<Self, Failure> {
        match kind {
            "create" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "delete" => Ok(Self::Delete),
            other => Err(Failure::refused(
                "unsupported",
                format!("This plugin does not know the kind of write {other}; build it with a newer SDK."),
            )),
        }
    }
}

/// One record about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The object's full name: `contact`, `booking.appointment`.
    pub object: String,
    /// What is about to happen to it.
    pub kind: Kind,
    /// The record's id; known on create too.
    pub id: Id,
    /// The fields as stored; empty on create.
    pub before: Fields,
    /// On create all fields that have a value; on update the changed ones; on delete none.
    pub changes: Fields,
}

impl Write {
    /// Whether the write sets or clears this field.
    #[must_use]
    pub fn changes(&self, field: &str) -> bool {
        self.changes.contains(field)
    }

    /// Reads a field as it will be: from the changes, else as stored.
    ///
    /// # Errors
    /// As [`Fields::read`].
    pub fn read<T: FromValue>(&self, field: &str) -> Result<T, Failure> {
        if self.changes.contains(field) { self.changes.read(field) } else { self.before.read(field) }
    }

    /// All fields as they will be; those without a value are left out.
    #[must_use]
    pub fn after(&self) -> Fields {
        let mut after = self.before.clone();
        after.extend(self.changes.clone());
        after.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }

    /// The record as it will be, as a typed struct.
    ///
    /// # Errors
    /// As [`Typed::from_fields`].
    pub fn typed<T: Typed>(&self) -> Result<T, Failure> {
        T::from_fields(&self.after())
    }
}

/// What a hook says to one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Fields to set besides; they win over the writer's.
    pub changes: Fields,
    /// Refuses the row, and with it the unit of work.
    pub refusal: Option<Failure>,
}

impl From<Result<Fields, Failure>> for Verdict {
    fn from(answer: Result<Fields, Failure>) -> Self {
        match answer {
            Ok(changes) => Self { changes, refusal: None },
            Err(failure) => Self { changes: Fields::new(), refusal: Some(failure) },
        }
    }
}

/// One record that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What happened to it.
    pub kind: Kind,
    /// The fields as they were; empty on create.
    pub before: Fields,
    /// The record as it is now; as it was, on delete.
    pub now: Record,
    /// Names of the fields whose value changed.
    pub changed: Vec<String>,
}

impl Written {
    /// Whether this field's value changed.
    #[must_use]
    pub fn changed(&self, field: &str) -> bool {
        self.changed.iter().any(|name| name == field)
    }

    /// Whether the field has this value now and had another before.
    #[must_use]
    pub fn became(&self, field: &str, value: impl Into<Value>) -> bool {
        self.changed(field) && self.now.fields.get(field) == Some(&value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(before: Fields, changes: Fields) -> Write {
        Write { object: "contact".to_owned(), kind: Kind::Update, id: Id::from_u128(1), before, changes }
    }

    #[test]
    fn a_cleared_field_has_no_value_after_the_write() {
        let mut changes = Fields::new().with("name", "Ann");
        changes.clear("phone");
        let write = update(Fields::new().with("phone", "+33").with("visits", 2), changes);
        assert_eq!(write.after(), Fields::new().with("name", "Ann").with("visits", 2));
        assert_eq!(write.read::<Option<String>>("phone").unwrap(), None);
        assert_eq!(write.read::<i64>("visits").unwrap(), 2);
        assert!(write.changes("phone") && !write.changes("visits"));
    }

    #[test]
    fn unknown_kinds_of_write_are_a_failure() {
        assert_eq!(Kind::from_wit("merge").unwrap_err().code, "unsupported");
    }
}
