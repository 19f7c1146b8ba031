//! Orders against a small team, on a Monday in Berlin.

use super::*;
use crate::catalogue::tests::{id, offering, service};
use crate::test_clock::{Berlin, at, monday_to_friday, shown};

const ANNA: u128 = 1;
const BORIS: u128 = 2;
const CUT: u128 = 10;
const COLOUR: u128 = 11;
const HIDDEN: u128 = 12;

/// Anna and Boris work 9–17; both cut (an hour, Boris 45 minutes), only Anna colours (two hours).
struct Fixture {
    catalogue: Catalogue,
    team: Vec<Master>,
    taken: Taken,
}

impl Fixture {
    fn new(taken: &[(u128, &str, &str)]) -> Self {
        let hidden = crate::catalogue::Service { online: false, ..service(HIDDEN, 60, 1) };
        let offerings = vec![
            offering(ANNA, CUT, None, None),
            offering(BORIS, CUT, Some(45), None),
            offering(ANNA, COLOUR, None, None),
        ];
        let mut fixture = Self {
            catalogue: Catalogue::new([service(CUT, 60, 30), service(COLOUR, 120, 80), hidden], offerings),
            team: vec![monday_to_friday(ANNA, "Anna"), monday_to_friday(BORIS, "Boris")],
            taken: Taken::default(),
        };
        for (master, start, end) in taken {
            fixture.taken.add(id(*master), Span::new(monday(start), monday(end)));
        }
        fixture
    }

    fn plans(&self) -> Plans<'_> {
        let now = at("2026-01-01 12:00");
        let rules = Rules { now, step: 60, notice_minutes: 0, ahead_days: 60 };
        Plans { catalogue: &self.catalogue, team: &self.team, rules, clock: &Berlin }
    }

    /// The masters chosen, as numbers.
    fn plan(&self, visits: &[Visit]) -> Result<Vec<u128>, Trouble> {
        let planned = self.plans().plan(visits, &self.taken)?;
        Ok(planned.iter().map(|slot| slot.master.to_u128()).collect())
    }

    fn alternatives(&self, visit: &Visit, count: usize) -> Vec<String> {
        let plans = self.plans();
        let slots = plans.alternatives(visit, plans.alternative_window(visit), &self.taken, count);
        slots.iter().map(|slot| format!("{} {}", slot.master.to_u128(), shown(slot.span.start))).collect()
    }
}

fn monday(time: &str) -> DateTime {
    at(&format!("2026-01-05 {time}"))
}

fn visit(service: u128, master: Option<u128>, time: &str) -> Visit {
    Visit { service: id(service), master: master.map(id), start: monday(time) }
}

#[test]
fn a_visit_without_a_master_goes_to_the_first_who_is_free() {
    let cut = visit(CUT, None, "10:00");
    assert_eq!(Fixture::new(&[]).plan(&[cut]), Ok(vec![ANNA]));
    assert_eq!(Fixture::new(&[(ANNA, "10:30", "11:00")]).plan(&[cut]), Ok(vec![BORIS]));
    // Boris takes 45 minutes, and so can still come before what is at 10:45.
    let busy = [(ANNA, "10:45", "11:00"), (BORIS, "10:45", "11:00")];
    assert_eq!(Fixture::new(&busy).plan(&[cut]), Ok(vec![BORIS]));
}

#[test]
fn visits_make_room_for_one_another() {
    let (any_cut, annas_colour) = (visit(CUT, None, "10:00"), visit(COLOUR, None, "10:00"));
    let fixture = Fixture::new(&[]);
    assert_eq!(fixture.plan(&[any_cut, annas_colour]), Ok(vec![BORIS, ANNA]));
    assert_eq!(fixture.plan(&[any_cut, any_cut]), Ok(vec![ANNA, BORIS]));
    assert_eq!(fixture.plan(&[any_cut, visit(CUT, None, "11:00")]), Ok(vec![ANNA, ANNA]));
    assert_eq!(fixture.plan(&[any_cut, any_cut, any_cut]), Err(Trouble { visits: vec![2], taken: true }));
}

#[test]
fn trouble_tells_taken_time_from_time_when_nobody_works() {
    let fixture = Fixture::new(&[(ANNA, "09:00", "12:00"), (BORIS, "09:00", "12:00")]);
    for (visit, taken) in [
        (visit(CUT, None, "10:00"), true),
        (visit(CUT, Some(BORIS), "11:30"), true),
        (visit(CUT, None, "16:30"), false),
        (visit(CUT, None, "20:00"), false),
    ] {
        assert_eq!(fixture.plan(&[visit]), Err(Trouble { visits: vec![0], taken }), "{visit:?}");
    }
    let mut away = Fixture::new(&[]);
    away.team[0].time_off = vec![Span::new(monday("00:00"), monday("23:59"))];
    assert_eq!(away.plan(&[visit(CUT, Some(ANNA), "10:00")]), Err(Trouble { visits: vec![0], taken: true }));
}

#[test]
fn only_what_is_online_and_done_by_the_master_is_bookable() {
    for (visit, field) in [
        (visit(99, None, "10:00"), Some("visits[0].service")),
        (visit(HIDDEN, None, "10:00"), Some("visits[0].service")),
        (visit(CUT, Some(99), "10:00"), Some("visits[0].master")),
        (visit(COLOUR, Some(BORIS), "10:00"), Some("visits[0].master")),
        (visit(COLOUR, Some(ANNA), "10:00"), None),
    ] {
        let failure = Fixture::new(&[]).plans().check(&[visit]).err();
        assert!(failure.iter().all(|failure| failure.code == "not_bookable"));
        assert_eq!(failure.and_then(|failure| failure.field).as_deref(), field, "{visit:?}");
    }
}

#[test]
fn alternatives_are_the_same_master_that_day_and_others_at_that_time_first() {
    let fixture = Fixture::new(&[(ANNA, "10:00", "11:00")]);
    let nearest = fixture.alternatives(&visit(CUT, Some(ANNA), "10:00"), 9);
    let expected = [
        "2 Mon 10:00",
        "1 Mon 09:00",
        "1 Mon 11:00",
        "1 Mon 12:00",
        "1 Mon 13:00",
        "1 Mon 14:00",
        "1 Mon 15:00",
        "1 Mon 16:00",
        "2 Mon 09:00",
    ];
    assert_eq!(nearest, expected);
}

#[test]
fn alternatives_go_on_to_the_next_days_when_the_day_is_full() {
    let fixture = Fixture::new(&[(ANNA, "00:00", "23:59")]);
    assert_eq!(fixture.alternatives(&visit(COLOUR, None, "10:00"), 2), ["1 Tue 09:00", "1 Tue 10:00"]);
    assert_eq!(fixture.alternatives(&visit(CUT, Some(ANNA), "10:20"), 2), ["2 Mon 10:20", "2 Mon 10:00"]);
}

#[test]
fn alternatives_are_never_in_the_past_nor_later_than_one_may_book() {
    let fixture = Fixture::new(&[(BORIS, "00:00", "23:59"), (ANNA, "10:00", "11:00")]);
    let mut plans = fixture.plans();
    plans.rules = Rules { now: monday("10:30"), step: 60, notice_minutes: 60, ahead_days: 1 };
    let wanted = visit(CUT, Some(ANNA), "12:00");
    let slots = plans.alternatives(&wanted, plans.alternative_window(&wanted), &fixture.taken, 99);
    let (first, last) = (monday("12:00"), at("2026-01-06 10:00"));
    assert!(slots.iter().all(|slot| (first..=last).contains(&slot.span.start)), "{slots:?}");
    assert!(!slots.is_empty());
}
