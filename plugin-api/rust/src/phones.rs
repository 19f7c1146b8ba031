//! Phone numbers as the workspace spells them, and who has them.

use crate::bindings::pergola::plugin::phones;
use crate::{Failure, Id};

/// The number in the spelling in which phone fields are stored (E.164), read as people write it in the
/// workspace's region.
///
/// # Errors
/// `not_a_phone`; the message shows how numbers are written there.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// fn contact_by_phone(typed: &str) -> Result<Option<Row>, Failure> {
///     Query::of("contact").filter("phone == p0").param(phones::normalise(typed)?).first()
/// }
/// ```
pub fn normalise(text: &str) -> Result<String, Failure> {
    phones::normalise(text).map_err(Failure::from_wit)
}

/// Somebody who has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `contact` or `organization`.
    pub object: String,
    /// The record.
    pub id: Id,
    /// The record's title; empty if it has none.
    pub title: String,
    /// Where the number was found: `phone`, `salon.work_phone`, `contact_point.phone`.
    pub field: String,
}

/// The contacts and organizations that have the number, as people write it, in any of their phone fields or contact
/// points: who is calling. At most 50; those that have it as their own come first.
///
/// Of the two objects, only those that the plugin may read are looked at; no right on `contact_point` is needed.
///
/// # Errors
/// `not_a_phone`, or `forbidden` where the plugin may read neither.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// fn who_rings(number: &str) -> Result<Option<String>, Failure> {
///     Ok(phones::lookup(number)?.into_iter().next().map(|holder| holder.title))
/// }
/// ```
pub fn lookup(number: &str) -> Result<Vec<Holder>, Failure> {
    let holders = phones::lookup(number).map_err(Failure::from_wit)?;
    let holder = |one: phones::Holder| Holder {
        object: one.object,
        id: Id::from_wit(one.id),
        title: one.title,
        field: one.field,
    };
    Ok(holders.into_iter().map(holder).collect())
}
