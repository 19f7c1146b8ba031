//! The known name that somebody probably meant: for the hints in error messages.

/// Names longer than this get no hint, so that the comparison stays cheap.
const CHARS_MAX: usize = 64;

/// The known name closest to `name`, if one is close enough to be a slip.
///
/// A name that differs only in case, or that ends in `.name`, is closest of all; then the fewest
/// inserted, dropped, changed or swapped letters decide, at most one for each three letters.
///
/// # Examples
/// ```
/// use pergola_model::nearest::nearest;
/// assert_eq!(nearest("tpye", ["type", "label"]), Some("type"));
/// assert_eq!(nearest("appointment", ["contact", "booking.appointment"]), Some("booking.appointment"));
/// assert_eq!(nearest("colour", ["type", "label"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    if wanted.is_empty() || wanted.len() > CHARS_MAX {
        return None;
    }
    let slips_max = (wanted.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter_map(|one| Some((slips(&wanted, name, one)?, one)))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, one)| one)
}

/// ` Did you mean "type"?`, or nothing: to be put after a sentence.
#[must_use]
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|one| format!(" Did you mean \"{one}\"?")).unwrap_or_default()
}

fn slips(wanted: &[char], name: &str, known: &str) -> Option<usize> {
    if known.rsplit_once('.').is_some_and(|(_, last)| last == name) {
        return Some(0);
    }
    let other: Vec<char> = known.to_lowercase().chars().collect();
    (other.len() <= CHARS_MAX).then(|| distance(wanted, &other))
}

/// How many inserted, dropped, changed or swapped letters are between two words.
pub(crate) fn slips_between(one: &str, other: &str) -> usize {
    distance(&one.chars().collect::<Vec<_>>(), &other.chars().collect::<Vec<_>>())
}

/// Edit distance with swaps of neighbours (optimal string alignment), a row at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, right) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let next = j.saturating_add(1);
            let mut best = at(&above, j).saturating_add(usize::from(left != right));
            best = best.min(at(&above, next).saturating_add(1)).min(at(&row, j).saturating_add(1));
            let swapped = i
                .checked_sub(1)
                .zip(j.checked_sub(1))
                .filter(|(i, j)| a.get(*i) == Some(right) && b.get(*j) == Some(left));
            if let Some((_, j)) = swapped {
                best = best.min(at(&before, j).saturating_add(1));
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let known = ["type", "label", "required", "booking.appointment"];
        for (name, expected) in [
            ("tpye", Some("type")),
            ("typ", Some("type")),
            ("Label", Some("label")),
            ("requierd", Some("required")),
            ("appointment", Some("booking.appointment")),
            ("bookin.appointment", Some("booking.appointment")),
            ("x", None),
            ("", None),
            ("shape", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
