//! Names of schemas and operations: derived from the catalog, each given once.

use std::collections::BTreeSet;

use pergola_model::Object;

/// Names given so far.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Takes names out.
    pub(super) fn reserve<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        self.0.extend(names.into_iter().cloned());
    }

    /// The wanted name, with a number behind it if it was given before: two plugins' names can run
    /// together, as those of `a_b` with `c` and of `a` with `b_c`.
    pub(super) fn unique(&mut self, wanted: String) -> String {
        let numbered = (2..).map(|number: u32| format!("{wanted}{number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.unwrap_or(wanted);
        self.0.insert(name.clone());
        name
    }
}

/// `BookingAppointment` for `booking.appointment`.
pub(super) fn pascal(name: &str) -> String {
    let words = name.split(['.', '_', '/', '-']).filter(|word| !word.is_empty());
    words.map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// `booking_appointments`: the resource in operation ids.
pub(super) fn plural(object: &Object) -> String {
    object.name.plugin().map_or_else(|| object.plural.clone(), |plugin| format!("{plugin}_{}", object.plural))
}

/// `booking_appointment`.
pub(super) fn singular(object: &Object) -> String {
    object.name.as_str().replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_run_together_are_numbered() {
        let mut names = Names::default();
        assert_eq!(names.unique(pascal("a_b.c")), "ABC");
        assert_eq!(names.unique(pascal("a.b_c")), "ABC2");
        assert_eq!(names.unique(pascal("booking.appointment")), "BookingAppointment");
    }
}
