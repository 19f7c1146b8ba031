//! Masters and their time: when they are open for visits, and which starts can be offered.

use pergola_plugin::prelude::*;

use crate::span::{Span, Spans};

/// The workspace's wall clock; tests bring their own.
pub(crate) trait WallClock {
    /// The day that the clock shows at an instant.
    fn date(&self, at: DateTime) -> Date;
    /// The instant at which the clock shows that many minutes after midnight.
    fn at(&self, date: Date, minutes: u32) -> DateTime;
}

/// One row of a week's hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hours {
    /// 1 (Monday) to 7 (Sunday).
    pub(crate) weekday: u8,
    /// Whether this is a break in the work, not work.
    pub(crate) is_break: bool,
    /// Minutes after midnight.
    pub(crate) from: u32,
    /// Minutes after midnight, up to 1440.
    pub(crate) until: u32,
}

/// Somebody whose time can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Master {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) hours: Vec<Hours>,
    pub(crate) time_off: Vec<Span>,
}

impl Master {
    /// Whether there are hours at all: without any, the master is not booked online.
    pub(crate) fn has_hours(&self) -> bool {
        self.hours.iter().any(|hours| !hours.is_break)
    }

    /// The working hours without their breaks, on all days that the window touches.
    pub(crate) fn open(&self, window: Span, clock: &dyn WallClock) -> Spans {
        let of_kind = |is_break: bool| {
            Spans::union(dates(window, clock).flat_map(move |date| {
                self.on(date, is_break)
                    .map(move |hours| Span::new(clock.at(date, hours.from), clock.at(date, hours.until)))
            }))
        };
        of_kind(false).without(&of_kind(true))
    }

    /// The open time that is neither off nor taken.
    pub(crate) fn free(&self, window: Span, taken: &[Span], clock: &dyn WallClock) -> Spans {
        let gone = Spans::union(self.time_off.iter().chain(taken).copied());
        self.open(window, clock).without(&gone)
    }

    /// Where visits may start on a day: every `step` minutes from the start of each stretch of work.
    ///
    /// Steps are on the wall clock, so that 10:00 stays 10:00 after the clock is changed.
    fn starts(&self, date: Date, step: u32, clock: &dyn WallClock) -> Vec<DateTime> {
        let stretches = self.on(date, false);
        let minutes = stretches
            .flat_map(|hours| (hours.from..hours.until).step_by(usize::try_from(step.max(1)).unwrap_or(usize::MAX)));
        let mut starts: Vec<DateTime> = minutes.map(|minute| clock.at(date, minute)).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    fn on(&self, date: Date, is_break: bool) -> impl Iterator<Item = Hours> + '_ {
        let weekday = date.weekday();
        self.hours.iter().copied().filter(move |hours| hours.weekday == weekday && hours.is_break == is_break)
    }
}

/// The days that a window touches on the clock.
fn dates(window: Span, clock: &dyn WallClock) -> impl Iterator<Item = Date> + use<> {
    (clock.date(window.start).days()..=clock.date(window.end).days()).map(Date::from_days)
}

/// A master and a time that can be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) master: Id,
    pub(crate) span: Span,
}

/// A master with the minutes that the service takes there, and the time that is taken already.
pub(crate) struct Diary<'a> {
    pub(crate) master: &'a Master,
    pub(crate) minutes: i64,
    pub(crate) taken: &'a [Span],
}

/// Slots by time, then in the order of the masters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) slots: Vec<Slot>,
    /// Where the next offer starts, if these are not all.
    pub(crate) next: Option<DateTime>,
}

/// Offers the slots that start in the window, at most `slots_max`, day by day.
pub(crate) fn offer(diaries: &[Diary<'_>], window: Span, step: u32, slots_max: usize, clock: &dyn WallClock) -> Offer {
    let longest = diaries.iter().map(|diary| diary.minutes).max().unwrap_or(0);
    // A visit may start at the end of the window, and may run past midnight.
    let reach = Span::new(window.start, window.end + Duration::minutes(longest));
    let free: Vec<Spans> = diaries.iter().map(|diary| diary.master.free(reach, diary.taken, clock)).collect();
    let mut slots = Vec::new();
    for date in dates(window, clock) {
        for (diary, free) in diaries.iter().zip(&free) {
            let spans =
                diary.master.starts(date, step, clock).into_iter().map(|at| Span::of_minutes(at, diary.minutes));
            let spans = spans.filter(|span| window.start <= span.start && span.start < window.end && free.cover(*span));
            slots.extend(spans.map(|span| Slot { master: diary.master.id, span }));
        }
        if slots.len() > slots_max {
            break;
        }
    }
    // Stable: those of one time stay in the order of the masters.
    slots.sort_by_key(|slot| slot.span.start);
    cut(slots, slots_max)
}

/// Cuts between two starts, so that the next offer neither repeats nor misses one.
fn cut(mut slots: Vec<Slot>, slots_max: usize) -> Offer {
    let Some(next) = slots.get(slots_max).map(|slot| slot.span.start) else { return Offer { slots, next: None } };
    let whole = slots.partition_point(|slot| slot.span.start < next);
    // More masters than an offer has places start at once: some are left out, and the next offer starts after them.
    if whole == 0 {
        slots.truncate(slots_max);
        return Offer { slots, next: Some(next + Duration::from_micros(1)) };
    }
    slots.truncate(whole);
    Offer { slots, next: Some(next) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_clock::{Berlin, at, master, monday_to_friday, shown, weekend_work};

    /// The starts on the wall clock of all slots of one master, as `Sun 10:00`.
    fn starts(master: &Master, from: &str, to: &str, minutes: i64, taken: &[(&str, &str)]) -> String {
        let taken: Vec<Span> = taken.iter().map(|(start, end)| Span::new(at(start), at(end))).collect();
        let diaries = [Diary { master, minutes, taken: &taken }];
        let offered = offer(&diaries, Span::new(at(from), at(to)), 60, 500, &Berlin);
        offered.slots.iter().map(|slot| shown(slot.span.start)).collect::<Vec<_>>().join(" ")
    }

    /// Mondays 10–15 with a break 12–13.
    fn anna() -> Master {
        let mut anna = master(1, "Anna");
        anna.hours = vec![
            Hours { weekday: 1, is_break: false, from: 600, until: 900 },
            Hours { weekday: 1, is_break: true, from: 720, until: 780 },
        ];
        anna
    }

    #[test]
    fn slots_are_working_hours_without_breaks_time_off_and_what_is_taken() {
        let monday = ("2026-01-05 00:00", "2026-01-06 00:00");
        let mut off = anna();
        off.time_off = vec![Span::new(at("2026-01-05 13:30"), at("2026-01-05 14:00"))];
        for (case, master, minutes, taken, expected) in [
            ("all free", &anna(), 60, vec![], "10:00 11:00 13:00 14:00"),
            ("a long service fits before the break only", &anna(), 120, vec![], "10:00 13:00"),
            ("too long for any stretch", &anna(), 121, vec![], ""),
            ("time off", &off, 60, vec![], "10:00 11:00 14:00"),
            ("taken", &anna(), 60, vec![("2026-01-05 10:30", "2026-01-05 11:15")], "13:00 14:00"),
            ("touching is not taken", &anna(), 60, vec![("2026-01-05 11:00", "2026-01-05 12:00")], "10:00 13:00 14:00"),
        ] {
            let expected = expected.split_whitespace().map(|time| format!("Mon {time}")).collect::<Vec<_>>().join(" ");
            assert_eq!(starts(master, monday.0, monday.1, minutes, &taken), expected, "{case}");
        }
    }

    #[test]
    fn only_starts_in_the_window_are_offered() {
        assert_eq!(starts(&anna(), "2026-01-05 10:01", "2026-01-05 13:00", 60, &[]), "Mon 11:00");
        assert_eq!(starts(&anna(), "2026-01-06 00:00", "2026-01-12 00:00", 60, &[]), "");
        assert_eq!(starts(&anna(), "2026-01-05 14:00", "2026-01-05 14:01", 60, &[]), "Mon 14:00");
    }

    #[test]
    fn hours_that_meet_at_midnight_are_one_stretch() {
        let mut night = master(1, "Nyx");
        night.hours = vec![
            Hours { weekday: 6, is_break: false, from: 1320, until: 1440 },
            Hours { weekday: 7, is_break: false, from: 0, until: 60 },
        ];
        let offered = starts(&night, "2026-01-10 00:00", "2026-01-12 00:00", 120, &[]);
        assert_eq!(offered, "Sat 22:00 Sat 23:00");
    }

    #[test]
    fn wall_clock_hours_hold_on_the_days_on_which_the_clock_changes() {
        // Spring: 02:00 becomes 03:00. Autumn: 03:00 becomes 02:00 again.
        let spring = starts(&weekend_work(60, 300), "2026-03-29 00:00", "2026-03-30 00:00", 60, &[]);
        assert_eq!(spring, "Sun 01:00 Sun 03:00 Sun 04:00");
        let autumn = starts(&weekend_work(60, 300), "2026-10-25 00:00", "2026-10-26 00:00", 60, &[]);
        assert_eq!(autumn, "Sun 01:00 Sun 02:00 Sun 03:00 Sun 04:00");
        for sunday in ["2026-03-29", "2026-10-25"] {
            let (from, to) = (format!("{sunday} 05:00"), format!("{sunday} 23:00"));
            assert_eq!(starts(&weekend_work(600, 720), &from, &to, 60, &[]), "Sun 10:00 Sun 11:00");
        }
    }

    #[test]
    fn an_offer_is_by_time_and_then_by_master_and_ends_between_two_starts() {
        let team = [monday_to_friday(1, "Anna"), monday_to_friday(2, "Boris")];
        let diaries: Vec<_> = team.iter().map(|master| Diary { master, minutes: 60, taken: &[] }).collect();
        let window = Span::new(at("2026-01-05 00:00"), at("2026-01-10 00:00"));
        let first = offer(&diaries, window, 60, 5, &Berlin);
        let listed: Vec<_> = first.slots.iter().map(|slot| (shown(slot.span.start), slot.master.to_u128())).collect();
        let expected = [("Mon 09:00", 1), ("Mon 09:00", 2), ("Mon 10:00", 1), ("Mon 10:00", 2)];
        assert_eq!(listed, expected.map(|(time, master)| (time.to_owned(), master)));
        assert_eq!(first.next.map(shown).as_deref(), Some("Mon 11:00"));

        let next = Span::new(first.next.unwrap(), window.end);
        assert_eq!(offer(&diaries, next, 60, 5, &Berlin).slots.first().map(|slot| slot.span.start), first.next);
        assert_eq!(offer(&diaries, window, 60, 500, &Berlin).next, None);
        assert!(offer(&diaries, window, 60, 1, &Berlin).next > Some(at("2026-01-05 09:00")));
    }

    #[test]
    fn who_has_no_hours_is_not_offered() {
        let nobody = master(1, "Nobody");
        assert!(!nobody.has_hours());
        assert_eq!(starts(&nobody, "2026-01-05 00:00", "2026-01-12 00:00", 30, &[]), "");
    }
}
