//! Stretches of time, and what is left of some without others.

use pergola_plugin::prelude::*;

/// A stretch of time with its start and without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: DateTime,
    pub(crate) end: DateTime,
}

impl Span {
    pub(crate) const fn new(start: DateTime, end: DateTime) -> Self {
        Self { start, end }
    }

    pub(crate) fn of_minutes(start: DateTime, minutes: i64) -> Self {
        Self { start, end: start + Duration::minutes(minutes) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Stretches of time in order; none is empty, none touches another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Spans(Vec<Span>);

impl Spans {
    /// All time that is in any of the spans.
    pub(crate) fn union(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut sorted: Vec<Span> = spans.into_iter().filter(|span| !span.is_empty()).collect();
        sorted.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(sorted.len());
        for span in sorted {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        Self(merged)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Span> {
        self.0.iter()
    }

    /// The time in these that is not in `taken`.
    pub(crate) fn without(&self, taken: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        for whole in &self.0 {
            let mut start = whole.start;
            // Those that end before this span have nothing to take from it.
            let first = taken.0.partition_point(|span| span.end <= whole.start);
            for cut in taken.0.iter().skip(first).take_while(|cut| cut.start < whole.end) {
                left.push(Span::new(start, cut.start));
                start = cut.end;
            }
            left.push(Span::new(start, whole.end));
        }
        left.retain(|span| !span.is_empty());
        Self(left)
    }

    /// Whether all of `span` is in one of these.
    pub(crate) fn cover(&self, span: Span) -> bool {
        let after = self.0.partition_point(|one| one.start <= span.start);
        let holder = after.checked_sub(1).and_then(|place| self.0.get(place));
        holder.is_some_and(|one| span.end <= one.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: i64, end: i64) -> Span {
        Span::new(DateTime::from_micros(start), DateTime::from_micros(end))
    }

    fn spans(pairs: &[(i64, i64)]) -> Spans {
        Spans::union(pairs.iter().map(|(start, end)| span(*start, *end)))
    }

    #[test]
    fn a_union_merges_what_overlaps_or_touches_and_drops_what_is_empty() {
        for (given, merged) in [
            (vec![(5, 9), (1, 3)], vec![(1, 3), (5, 9)]),
            (vec![(1, 3), (3, 5)], vec![(1, 5)]),
            (vec![(1, 9), (2, 3), (8, 10)], vec![(1, 10)]),
            (vec![(4, 4), (5, 2)], vec![]),
        ] {
            let expected: Vec<Span> = merged.iter().map(|(start, end)| span(*start, *end)).collect();
            assert_eq!(spans(&given).0, expected, "{given:?}");
        }
    }

    #[test]
    fn taking_away_leaves_the_rest_in_order() {
        let day = [(0, 10), (20, 30)];
        for (taken, left) in [
            (vec![], vec![(0, 10), (20, 30)]),
            (vec![(4, 6)], vec![(0, 4), (6, 10), (20, 30)]),
            (vec![(8, 22)], vec![(0, 8), (22, 30)]),
            (vec![(0, 10), (25, 99)], vec![(20, 25)]),
            (vec![(10, 20)], vec![(0, 10), (20, 30)]),
            (vec![(1, 2), (3, 4), (21, 22)], vec![(0, 1), (2, 3), (4, 10), (20, 21), (22, 30)]),
        ] {
            assert_eq!(spans(&day).without(&spans(&taken)), spans(&left), "{taken:?}");
        }
    }

    #[test]
    fn a_span_is_covered_only_by_one_that_holds_all_of_it() {
        let open = spans(&[(0, 10), (20, 30)]);
        assert!([(0, 10), (3, 4), (20, 21)].iter().all(|(start, end)| open.cover(span(*start, *end))));
        assert!(![(9, 11), (10, 20), (-1, 5), (5, 25), (30, 31)].iter().any(|(a, b)| open.cover(span(*a, *b))));
    }
}
