//! `phones`: phone numbers as the workspace spells them.

use pergola_model::{
    FieldIssue, Locale, Value,
    decl::Label,
    field::{Field, FieldType},
    normal,
};
use pergola_service::ports::plugins::Failure;
use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::{phones, types},
    guest::Guest,
    values::failure_to_guest,
};

impl phones::Host for Guest {
    fn normalise(&mut self, text: String) -> Result<Result<String, types::Failure>> {
        Ok(in_one_spelling(text, &self.context.locale)
            .map_err(|issue| failure_to_guest(Failure::new(issue.code, issue.message))))
    }
}

/// The spelling in which a field of the type `phone` is stored.
fn in_one_spelling(text: String, locale: &Locale) -> Result<String, FieldIssue> {
    let field = Field {
        key: "phone".to_owned(),
        kind: FieldType::Phone,
        required: false,
        default: Value::Null,
        unique: false,
        indexed: false,
        searchable: false,
        on_purge: None,
        label: Label::new(),
    };
    match normal::normalise(&field, Value::Text(text), locale) {
        Ok(Value::Text(number)) => Ok(number),
        Ok(_) => Err(FieldIssue::new("phone", "not_a_phone", "a phone number is needed")),
        Err(issue) => Err(issue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it_in_the_workspaces_region() {
        let read = |text: &str| in_one_spelling(text.to_owned(), &Locale::default()).map_err(|issue| issue.code);
        assert_eq!(read("8 (916) 123-45-67"), Ok("+79161234567".to_owned()));
        assert_eq!(read("Anna"), Err("not_a_phone".to_owned()));
        assert_eq!(read(" "), Err("not_a_phone".to_owned()));
    }
}
