//! Finds the records that rows refer to by their title: a contact's company.

use std::collections::{HashMap, HashSet};

use pergola_model::{Id, Object, ObjectName};
use pergola_service::Error;

use super::lookup::Lookup;
use crate::import::{
    base::Base,
    draft::{Draft, add_notes, note_line},
};

/// Sets references; a title that no record has goes to the notes, or refuses the row if it must refer.
///
/// Of several records with one title, the oldest is meant.
pub(super) async fn resolve<B: Base>(
    base: &B,
    lookup: &mut Lookup,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), Error> {
    let targets: HashSet<ObjectName> =
        drafts.iter().flat_map(|draft| &draft.links).map(|link| link.to.clone()).collect();
    let mut ids: HashMap<(ObjectName, String), Id> = HashMap::new();
    for target in targets {
        let catalog = base.catalog();
        let Some((to, title)) = catalog.object(&target).and_then(|to| Some((to, to.title.clone()?))) else {
            continue;
        };
        let links: Vec<_> = drafts.iter().flat_map(|draft| &draft.links).filter(|link| link.to == target).collect();
        for record in lookup.list(base, to, &title, links.iter().map(|link| link.title.as_str())).await? {
            if let Some(text) = record.fields.get(&title).as_text() {
                ids.entry((target.clone(), text.to_owned())).or_insert(record.id);
            }
        }
    }
    for draft in drafts {
        for link in std::mem::take(&mut draft.links) {
            let required = object.field(&link.field).is_some_and(|field| field.required);
            match ids.get(&(link.to.clone(), link.title.clone())) {
                Some(id) => drop(draft.fields.set(link.field, *id)),
                None if required => {
                    draft.issues.push(format!("{}: there is no {} \"{}\"", link.heading, link.to, link.title));
                }
                None => add_notes(object, draft, vec![note_line(&link.heading, &link.title)]),
            }
        }
    }
    Ok(())
}
