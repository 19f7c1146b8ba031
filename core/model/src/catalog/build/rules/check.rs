//! `check`: what must hold for every record.

use super::{Issues, Place};
use crate::{catalog::build::check_label, decl::CheckDecl, expr::Type, object::Check};

pub(super) fn check(decl: &CheckDecl, place: &Place<'_>, issues: &mut Issues<'_>) -> Option<Check> {
    let field = place.at(".field").field(&decl.field, issues);
    let rule = place.at(".rule").compile(&decl.rule, &Type::Bool, issues);
    check_label(&decl.message, &format!("{}.message", place.path), issues);
    Some(Check { field: field?.key.clone(), rule: rule?, message: decl.message.clone() })
}
