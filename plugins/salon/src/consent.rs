//! Before a contact is written: when consent was given, and whether the preferred master is one.
//!
//! Runs for every contact of an import, so it asks the host for nothing unless a row needs it.

use std::collections::{BTreeMap, BTreeSet};

use pergola_plugin::prelude::*;

use crate::rows_by_id;

/// Looks at a batch of contacts; an empty answer accepts all as they are.
pub(crate) fn check(writes: &[Write]) -> Result<Vec<Verdict>, Failure> {
    let preferred: BTreeSet<Id> = writes.iter().filter_map(preferred_master).collect();
    if preferred.is_empty() && !writes.iter().any(changes_consent) {
        return Ok(Vec::new());
    }
    let rows = rows_by_id("booking.resource", &preferred, &["kind"])?;
    let masters = rows.iter().map(|row| (row.id, row.fields.text("kind") != Some("room"))).collect();
    let now = clock::now();
    Ok(writes.iter().map(|write| decide(write, &masters, now).into()).collect())
}

fn preferred_master(write: &Write) -> Option<Id> {
    write.changes.reference("salon.preferred_master")
}

/// Whether the row says yes or no, or takes it back. New contacts come with `unknown`, which says nothing.
fn changes_consent(write: &Write) -> bool {
    let is_said = matches!(write.changes.text("salon.consent"), Some("given" | "refused"));
    is_said || (write.kind == Kind::Update && write.changes("salon.consent"))
}

fn decide(write: &Write, masters: &BTreeMap<Id, bool>, now: DateTime) -> Result<Fields, Failure> {
    let refused = |code: &str, message: &str| Err(Failure::refused(code, message).field("salon.preferred_master"));
    match preferred_master(write).map(|id| masters.get(&id)) {
        Some(None) => return refused("no_such_record", "There is no such master."),
        Some(Some(false)) => return refused("not_a_master", "This is a room; take a master."),
        Some(Some(true)) | None => {}
    }
    // A time that comes along is of an earlier consent, kept elsewhere until now.
    if !changes_consent(write) || write.changes("salon.consent_at") {
        return Ok(Fields::new());
    }
    let is_said = matches!(write.changes.text("salon.consent"), Some("given" | "refused"));
    Ok(Fields::new().with("salon.consent_at", is_said.then_some(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: Id = Id::from_u128(1);
    const ROOM: Id = Id::from_u128(2);
    const NOW: DateTime = DateTime::from_micros(9);

    fn write(kind: Kind, changes: Fields) -> Write {
        Write { object: "contact".to_owned(), kind, id: Id::from_u128(5), before: Fields::new(), changes }
    }

    fn decided(kind: Kind, changes: Fields) -> Result<Fields, Failure> {
        decide(&write(kind, changes), &[(ANNA, true), (ROOM, false)].into(), NOW)
    }

    #[test]
    fn the_time_of_consent_is_kept_when_it_changes() {
        let at = |at: Option<DateTime>| Fields::new().with("salon.consent_at", at);
        let consent = |consent: &str| Fields::new().with("salon.consent", consent);
        for (kind, changes, expected) in [
            (Kind::Create, consent("unknown"), Fields::new()),
            (Kind::Create, consent("given"), at(Some(NOW))),
            (Kind::Update, consent("refused"), at(Some(NOW))),
            (Kind::Update, consent("unknown"), at(None)),
            (Kind::Update, Fields::new().with("name", "Ann"), Fields::new()),
            (Kind::Create, consent("given").with("salon.consent_at", DateTime::from_micros(3)), Fields::new()),
        ] {
            assert_eq!(decided(kind, changes.clone()).unwrap(), expected, "{changes:?}");
        }
    }

    #[test]
    fn only_a_master_can_be_preferred() {
        let prefers = |id: Id| decided(Kind::Update, Fields::new().with("salon.preferred_master", id));
        assert_eq!(prefers(ANNA).unwrap(), Fields::new());
        assert_eq!(prefers(ROOM).unwrap_err().code, "not_a_master");
        let failure = prefers(Id::from_u128(3)).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.field.as_deref()),
            ("no_such_record", Some("salon.preferred_master"))
        );
    }

    #[test]
    fn plain_contacts_are_accepted_without_asking_the_host() {
        // Natively there is no host: a call of it would end the test.
        let plain = Fields::new().with("name", "Ann").with("salon.consent", "unknown").with("salon.visits", 0);
        assert_eq!(check(&[write(Kind::Create, plain)]).unwrap(), []);
    }
}
