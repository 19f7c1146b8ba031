//! Who has a phone number or an e-mail address: for the telephone that rings and the letter that came.
//!
//! Looks into every phone (or e-mail) field of contacts and organizations, those that plugins add included, and into
//! their contact points. Each such field has an index, so this costs a few descents however many contacts there are.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use pergola_model::{
    Actor, Catalog, FieldType, Fields, Id, Locale, Object, Operation, Query, Record, Value, expr::Type, normal,
};

use crate::{
    error::Error,
    guest::compile_filter,
    ports::store::Reader,
    rights::Rights,
    workspace::{Workspace, no_object},
};

/// The most records that one lookup answers, and reads of an object.
pub const HOLDERS_MAX: u32 = 50;

/// Objects that are called and written to, in the order of the answer.
const OWNERS: [&str; 2] = ["contact", "organization"];
/// Where their further numbers and addresses are.
const CONTACT_POINT: &str = "contact_point";

/// A phone number or an e-mail address, in the engine's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    kind: FieldType,
    text: String,
}

impl Address {
    /// A phone number, as people write it in the workspace's region.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `not_a_phone`.
    pub fn phone(text: &str, locale: &Locale) -> Result<Self, Error> {
        Self::of(FieldType::Phone, text, locale)
    }

    /// An e-mail address.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `not_an_email`.
    pub fn email(text: &str, locale: &Locale) -> Result<Self, Error> {
        Self::of(FieldType::Email, text, locale)
    }

    fn of(kind: FieldType, text: &str, locale: &Locale) -> Result<Self, Error> {
        let text = normal::address(&kind, text, locale).map_err(|issue| Error::Invalid(vec![issue]))?;
        Ok(Self { kind, text })
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A record that has the address.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Its object: contact or organization.
    pub object: Arc<Object>,
    /// The record.
    pub record: Record,
    /// The field where the address was found, of `object` or of a contact point: `phone`, `salon.work_phone`,
    /// `contact_point.phone`.
    pub field: String,
}

impl Holder {
    /// The record's title; empty if it has none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.object.title.as_deref().and_then(|title| self.record.fields.get(title).as_text()).unwrap_or_default()
    }
}

impl Workspace {
    /// The contacts and organizations that have the address, at most [`HOLDERS_MAX`]: those that have it as their own
    /// first, then those that have it as a contact point; contacts before organizations, the last changed first.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the actor may read neither contacts nor organizations, or the store's.
    pub async fn lookup(&self, actor: &Actor, address: &Address) -> Result<Vec<Holder>, Error> {
        self.lookup_with(&Rights::of(actor), address).await
    }

    pub(crate) async fn lookup_with(&self, rights: &Rights, address: &Address) -> Result<Vec<Holder>, Error> {
        let mut reader = self.0.store.read().await?;
        lookup(reader.as_mut(), &self.catalog(), rights, address, self.now()).await
    }
}

/// The same on any connection.
pub(crate) async fn lookup(
    reader: &mut dyn Reader,
    catalog: &Catalog,
    rights: &Rights,
    address: &Address,
    now: Timestamp,
) -> Result<Vec<Holder>, Error> {
    let owners = readable_owners(catalog, rights)?;
    let mut found = Vec::new();
    for (place, object) in owners.iter().enumerate() {
        for record in holding(reader, catalog, object, address, now).await? {
            let (rank, field) = matched(object, &record, address);
            let holder = Holder { object: Arc::clone(object), record, field };
            found.push(((rank, place), holder));
        }
    }
    for (place, object) in owners.iter().enumerate() {
        let points = catalog.find_object(CONTACT_POINT).ok_or_else(|| no_object(CONTACT_POINT))?;
        let ids = point_owners(reader, catalog, points, object, address, now).await?;
        let keys: Vec<Id> = ids.keys().copied().collect();
        let known = |found: &[((usize, usize), Holder)], id: Id| found.iter().any(|(_, holder)| holder.record.id == id);
        for record in reader.find_many(object, &keys).await? {
            if let Some(field) = ids.get(&record.id).filter(|_| !known(&found, record.id)) {
                let holder = Holder { object: Arc::clone(object), record, field: field.clone() };
                found.push(((usize::MAX, place), holder));
            }
        }
    }
    found.sort_by_key(|(rank, holder)| (*rank, Reverse(holder.record.updated_at), holder.record.id));
    found.truncate(usize::try_from(HOLDERS_MAX).unwrap_or(usize::MAX));
    Ok(found.into_iter().map(|(_, holder)| holder).collect())
}

/// The owners that may be read. A contact point tells only of an owner whose address the caller knows already, so it
/// takes no right of its own.
fn readable_owners(catalog: &Catalog, rights: &Rights) -> Result<Vec<Arc<Object>>, Error> {
    let mut owners = Vec::new();
    let mut refusal = None;
    for name in OWNERS {
        let object = catalog.find_object(name).ok_or_else(|| no_object(name))?;
        match rights.check(Operation::Read, &object.name, &Fields::new()) {
            Ok(()) => owners.push(Arc::clone(object)),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    match refusal {
        Some(error) if owners.is_empty() => Err(error),
        _ => Ok(owners),
    }
}

/// The keys of the object's fields of the address's type.
fn fields_for<'a>(object: &'a Object, address: &'a Address) -> impl Iterator<Item = &'a str> {
    object.fields.values().filter(|field| field.kind == address.kind).map(|field| field.key.as_str())
}

/// The object's records that have the address in one of their fields, or none where it has no such field.
async fn holding(
    reader: &mut dyn Reader,
    catalog: &Catalog,
    object: &Object,
    address: &Address,
    now: Timestamp,
) -> Result<Vec<Record>, Error> {
    let terms: Vec<String> = fields_for(object, address).map(|key| format!("{key} == p0")).collect();
    if terms.is_empty() {
        return Ok(Vec::new());
    }
    Ok(reader.list(catalog, &query(catalog, object, &terms.join(" || "), address, now)?).await?.records)
}

/// The owners of contact points with the address, and where it was found.
async fn point_owners(
    reader: &mut dyn Reader,
    catalog: &Catalog,
    points: &Object,
    owner: &Object,
    address: &Address,
    now: Timestamp,
) -> Result<BTreeMap<Id, String>, Error> {
    let mut owners = BTreeMap::new();
    let reference = owner.name.as_str();
    for key in fields_for(points, address) {
        let query = query(catalog, points, &format!("{key} == p0 && {reference} != null"), address, now)?;
        for record in reader.list(catalog, &query).await?.records {
            if let Some(id) = record.fields.get(reference).as_ref_id() {
                owners.entry(id).or_insert_with(|| format!("{CONTACT_POINT}.{key}"));
            }
        }
    }
    Ok(owners)
}

fn query(catalog: &Catalog, object: &Object, filter: &str, address: &Address, now: Timestamp) -> Result<Query, Error> {
    let filter = compile_filter(catalog, object, filter, &[Type::Text])?;
    let value = Value::from(address.as_str());
    Ok(Query::of(object.name.clone()).filtered(filter, vec![value], now).limited(HOLDERS_MAX))
}

/// Which of the record's fields has the address: its place among them, and its key.
fn matched(object: &Object, record: &Record, address: &Address) -> (usize, String) {
    fields_for(object, address)
        .enumerate()
        .find(|(_, key)| record.fields.get(key).as_text() == Some(address.as_str()))
        .map(|(place, key)| (place, key.to_owned()))
        .unwrap_or_default()
}
