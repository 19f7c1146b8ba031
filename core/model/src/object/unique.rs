//! What no two records have alike, and the key by which that is told where it is not the values as they are stored.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization as _;

use crate::{
    expr::{Env, EvalError, Expression},
    json::value_to_json,
    record::Record,
    value::Value,
};

/// The folding of texts; a new number has all keys made anew.
const FOLDING: &str = "fold 1";

/// No two records have the same values in these fields.
#[derive(Debug, Clone)]
pub struct Unique {
    /// `contact_unique_phone`: also the index's name.
    pub name: String,
    /// The fields, together.
    pub fields: Vec<String>,
    /// How records are told apart; none if by the values as they are stored, where one with an absent value does not
    /// count.
    pub key: Option<UniqueKey>,
}

/// How records are told apart under a rule that compares otherwise than by stored values.
///
/// The key is a text that is stored with the record, so that every database compares alike.
#[derive(Debug, Clone)]
pub struct UniqueKey {
    /// Where it is stored: `$unique$name`. `$` cannot stand in a field's key.
    pub column: String,
    /// Texts that differ only in case are the same.
    pub ignore_case: bool,
    /// Records without a value are alike in that.
    pub nulls_equal: bool,
    /// By own fields; records for which it is false do not count.
    pub when: Option<Expression>,
    /// The fields whose change changes the key.
    pub reads: BTreeSet<String>,
}

impl Unique {
    /// Whether one value of this field, as it is stored, is that of one record at most.
    #[must_use]
    pub fn identifies(&self, field: &str) -> bool {
        self.key.is_none() && self.fields == [field]
    }

    /// The record's key under a rule that has one; none if the record does not count.
    ///
    /// # Errors
    /// When the condition cannot be computed.
    pub fn key_of(&self, record: &Record) -> Result<Option<String>, EvalError> {
        let Some(key) = &self.key else { return Ok(None) };
        if let Some(when) = &key.when {
            let related = BTreeMap::new();
            // The condition looks at nothing but the record, so the time does not matter.
            let env = Env { record, related: &related, children: &(), now: record.updated_at, parameters: &[] };
            if !when.holds(&env)? {
                return Ok(None);
            }
        }
        let values = || self.fields.iter().map(|field| record.fields.get(field));
        if !key.nulls_equal && values().any(Value::is_null) {
            return Ok(None);
        }
        let parts = values().map(|value| part(value, key.ignore_case)).collect();
        Ok(Some(serde_json::Value::Array(parts).to_string()))
    }

    /// What the keys are made of: when the text changes, stored keys are stale.
    #[must_use]
    pub fn declaration(&self) -> String {
        let Some(key) = &self.key else { return self.fields.join(", ") };
        let case = if key.ignore_case { FOLDING } else { "exact" };
        let when = key.when.as_ref().map_or("", Expression::source);
        format!("{}; {case}; nulls equal {}; when {when}", self.fields.join(", "), key.nulls_equal)
    }
}

/// A value in a form that is the same for equal values.
fn part(value: &Value, ignore_case: bool) -> serde_json::Value {
    match value {
        Value::Text(text) if ignore_case => serde_json::Value::String(fold(text)),
        Value::Decimal(number) => value_to_json(&Value::Decimal(number.normalize())),
        value => value_to_json(value),
    }
}

/// A text without case, and in one of the forms in which Unicode can write it: Straße, STRASSE and strasse are one.
fn fold(text: &str) -> String {
    text.nfkc().flat_map(folded).nfkc().collect()
}

/// By way of the capital, because some letters share only that: σ and ς, ß and ss.
fn folded(c: char) -> impl Iterator<Item = char> {
    // Its capital is that of i, but they are two letters.
    let capital = (c != 'ı').then(|| c.to_uppercase()).into_iter().flatten();
    let same = (c == 'ı').then_some(c);
    capital.flat_map(char::to_lowercase).chain(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_encoding_do_not_tell_texts_apart_and_letters_do() {
        for (one, other) in [
            ("Masha", "MASHA"),
            ("Ёлкина", "ёЛКИНА"),
            ("Straße", "STRASSE"),
            ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
            ("e\u{301}", "É"),
            ("ﬁn", "FIN"),
            ("Ｐｅｒｇｏｌａ", "pergola"),
            ("ΐ", "Ϊ́"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for (one, other) in [("Ёлкина", "Елкина"), ("é", "e"), ("ı", "i"), ("a b", "ab")] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = fold(&text);
            proptest::prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn a_text_is_its_own_in_either_case(text in "[\\p{L} ]{0,40}") {
            let dotless = text.contains('ı');
            proptest::prop_assume!(!dotless);
            proptest::prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
            proptest::prop_assert_eq!(fold(&text.to_lowercase()), fold(&text));
        }
    }
}
