//! Finds the records to which rows refer: by id, or by their title or another field.

use std::collections::{BTreeSet, HashMap, HashSet};

use pergola_model::{FieldType, Id, Object, ObjectName, Value};
use pergola_service::Error;

use super::lookup::{Lookup, spelled};
use crate::import::{
    base::Base,
    draft::{Draft, Link, add_notes, note_line},
};

/// Sets references. An id counts if a record has it, else the title beside it, as in a file of another workspace. What
/// no record has goes to the notes, or refuses the row if it must refer.
///
/// Of several records with one title, the oldest is meant.
pub(super) async fn resolve<B: Base>(
    base: &B,
    lookup: &mut Lookup,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), Error> {
    let found = find(base, lookup, object, drafts).await?;
    for draft in drafts {
        for (field, link) in std::mem::take(&mut draft.links) {
            let required = object.field(&field).is_some_and(|field| field.required);
            let Some(to) = target(object, &field) else { continue };
            let by_id = link.id.filter(|id| found.ids.contains(id));
            match by_id.or_else(|| found.by_value.get(&key(to, &link)?).copied()) {
                Some(id) => drop(draft.fields.set(field, id)),
                None => miss(object, draft, to, &link, required),
            }
        }
    }
    Ok(())
}

fn miss(object: &Object, draft: &mut Draft, to: &ObjectName, link: &Link, required: bool) {
    match (&link.found_by, link.id) {
        (Some(by), _) if required => {
            draft.issues.push(format!("{}: there is no {to} \"{}\"", link.heading, by.text));
        }
        (Some(by), _) => add_notes(object, draft, vec![note_line(&link.heading, &by.text)]),
        (None, Some(id)) => draft.issues.push(format!("{}: there is no {to} with the id {id}", link.heading)),
        // Its cell could not be read, which was said.
        (None, None) => {}
    }
}

#[derive(Default)]
struct Found {
    ids: HashSet<Id>,
    by_value: HashMap<(ObjectName, String, String), Id>,
}

async fn find<B: Base>(base: &B, lookup: &mut Lookup, object: &Object, drafts: &[Draft]) -> Result<Found, Error> {
    let mut found = Found::default();
    let links = || drafts.iter().flat_map(|draft| &draft.links);
    let mut wanted: BTreeSet<(ObjectName, String)> = BTreeSet::new();
    for (field, link) in links() {
        let Some(to) = target(object, field) else { continue };
        wanted.extend(link.id.map(|_| (to.clone(), "id".to_owned())));
        wanted.extend(link.found_by.as_ref().map(|by| (to.clone(), by.field.clone())));
    }
    let catalog = base.catalog();
    for (name, by) in wanted {
        let Some(to) = catalog.object(&name) else { continue };
        let here = links().filter(|(field, _)| target(object, field) == Some(&name));
        if by == "id" {
            let ids = here.filter_map(|(_, link)| link.id).map(Value::Ref);
            let records = lookup.list(base, to, &by, ids).await?;
            found.ids.extend(records.into_iter().map(|record| record.id));
            continue;
        }
        let values = here.filter_map(|(_, link)| link.found_by.as_ref()).filter(|one| one.field == by);
        for record in lookup.list(base, to, &by, values.map(|one| one.value.clone())).await? {
            let value = spelled(record.fields.get(&by));
            found.by_value.entry((name.clone(), by.clone(), value)).or_insert(record.id);
        }
    }
    Ok(found)
}

fn target<'a>(object: &'a Object, field: &str) -> Option<&'a ObjectName> {
    match &object.field(field)?.kind {
        FieldType::Ref { to, .. } => Some(to),
        _ => None,
    }
}

fn key(to: &ObjectName, link: &Link) -> Option<(ObjectName, String, String)> {
    let by = link.found_by.as_ref()?;
    Some((to.clone(), by.field.clone(), spelled(&by.value)))
}
