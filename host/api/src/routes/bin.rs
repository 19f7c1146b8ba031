//! The bin: what was deleted and can come back.

pub(super) mod delete;
pub(super) mod list;
pub(super) mod restore;
pub(super) mod update;

use pergola_model::Id;

use crate::problem::Problem;

fn parse_id(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("there is no deletion {text:?}; an id is a UUID")))
}
