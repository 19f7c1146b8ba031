//! Phone numbers as the workspace spells them.

use crate::Failure;
use crate::bindings::pergola::plugin::phones;

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
