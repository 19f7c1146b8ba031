//! Contact points of nobody or without a value, and links without two ends: nothing refuses them, and nobody finds them.

use pergola_model::{Actor, Query, query::LIMIT_MAX};

use super::{Finding, Severity};
use crate::{
    error::Error,
    guest::{compile_filter, core_object},
    workspace::{Workspace, no_object},
};

/// Objects, what is wrong with a record of which this holds, and what that is.
const HALVES: [(&str, &str, &str); 3] = [
    ("contact_point", "contact == null && organization == null", "belongs to nobody"),
    (
        "contact_point",
        "(kind == 'phone' && phone == null) || (kind == 'email' && email == null) || \
         (kind == 'address' && address == null) || (kind == 'messenger' && handle == null)",
        "has no value of its kind",
    ),
    (
        "link",
        "(from_contact == null && from_organization == null) || (to_contact == null && to_organization == null)",
        "lacks an end",
    ),
];

impl Workspace {
    /// What should have two halves and has one.
    pub(super) async fn examine_contact_points(&self) -> Result<Option<Finding>, Error> {
        let what = "contact points and links that are only half there";
        let mut finding = Finding::new("contact_point", Severity::Notice, what, "complete them, or delete them");
        let catalog = self.catalog();
        for (name, condition, lack) in HALVES {
            let object = catalog.object(&core_object(name)?).ok_or_else(|| no_object(name))?;
            let filter = compile_filter(&catalog, object, condition, &[])?;
            let mut query = Query::of(object.name.clone()).filtered(filter, vec![], self.now()).limited(LIMIT_MAX);
            query.fields = Some(vec![]);
            loop {
                let page = self.list(&Actor::System, &query).await?;
                page.records.iter().for_each(|one| finding.add(|| format!("{name} {} {lack}", one.id)));
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
        }
        Ok(finding.if_any())
    }
}
