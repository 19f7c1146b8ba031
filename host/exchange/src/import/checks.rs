//! What is wrong with an import's options, before anything is read.

use std::{path::Path, sync::Arc};

use pergola_model::{Locale, Object, nearest};

use super::{Content, ImportError, ImportOptions, Source, base::Base, references::identifies};

pub(super) fn find_object<B: Base>(base: &B, options: &ImportOptions) -> Result<Arc<Object>, ImportError> {
    let catalog = base.catalog();
    catalog.object(&options.object).cloned().ok_or_else(|| {
        let known: Vec<&str> = catalog.objects.keys().map(|name| name.as_str()).collect();
        let hint = nearest::hint(options.object.as_str(), known.iter().copied());
        ImportError::Options(format!(
            "there is no object \"{}\".{hint} There are: {}",
            options.object,
            known.join(", ")
        ))
    })
}

pub(super) fn locale_of<B: Base>(base: &B, options: &ImportOptions) -> Result<Locale, ImportError> {
    let mut locale = Locale::clone(&base.locale());
    if let Some(region) = &options.region {
        if region.len() != 2 || !region.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            let message = format!("\"{region}\" is not a region; use the two letters of a country, such as FI");
            return Err(ImportError::Options(message));
        }
        locale.region = region.to_ascii_uppercase();
    }
    Ok(locale)
}

pub(super) fn check_matches(object: &Object, options: &ImportOptions) -> Result<(), ImportError> {
    let is_unique = |key: &str| object.uniques.iter().any(|unique| unique.identifies(key));
    let fits = |key: &str| {
        let field = object.field(key);
        key == "id" || field.is_some_and(|field| identifies(&field.kind) && (field.indexed || is_unique(key)))
    };
    let Some(wrong) = options.matches.iter().find(|key| !fits(key)) else { return Ok(()) };
    let known: Vec<&str> = std::iter::once("id").chain(object.fields.keys().map(String::as_str)).collect();
    let known: Vec<&str> = known.into_iter().filter(|key| fits(key)).collect();
    let hint = nearest::hint(wrong, known.iter().copied());
    Err(ImportError::Options(format!(
        "records of {} cannot be known by \"{wrong}\".{hint} They can by fields that are unique or have an index: {}",
        object.name,
        known.join(", ")
    )))
}

pub(super) fn check_report_path(source: &Source, options: &ImportOptions) -> Result<(), ImportError> {
    let (Content::Path(path), Some(report)) = (&source.content, &options.report) else {
        return Ok(());
    };
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if same(path) == same(report) {
        let message = "the report would overwrite the file itself; give it another name".to_owned();
        return Err(ImportError::Options(message));
    }
    Ok(())
}
