//! Plans an order: which master takes which visit, or why not and what could be taken instead.

use std::collections::BTreeMap;

use pergola_plugin::prelude::*;

use crate::catalogue::Catalogue;
use crate::load::Taken;
use crate::order::Visit;
use crate::rules::Rules;
use crate::span::Span;
use crate::team::{self, Diary, Master, Slot, WallClock};

/// The most alternatives in an answer.
pub(crate) const ALTERNATIVES_MAX: usize = 10;
/// How many days alternatives are looked for on, the wanted one included.
const ALTERNATIVE_DAYS: i32 = 3;
/// The most slots that alternatives are chosen from.
const CHOICE_MAX: usize = 5_000;
/// The most steps of the search for masters; twenty visits without a master could take for ever.
const STEPS_MAX: u32 = 20_000;

/// What orders are planned with.
pub(crate) struct Plans<'a> {
    pub(crate) catalogue: &'a Catalogue,
    /// In the order in which they are preferred.
    pub(crate) team: &'a [Master],
    pub(crate) rules: Rules,
    pub(crate) clock: &'a dyn WallClock,
}

/// Why an order cannot be planned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The visits that find no master, by their places in the order; one at least.
    pub(crate) visits: Vec<usize>,
    /// Whether the first of them would find one if nobody else had booked and nobody were away.
    pub(crate) taken: bool,
}

impl Plans<'_> {
    /// Passes visits to services and masters that can be booked online.
    ///
    /// # Errors
    /// `not_bookable`, with the place in the order.
    pub(crate) fn check(&self, visits: &[Visit]) -> Result<(), Failure> {
        visits.iter().enumerate().try_for_each(|(place, visit)| {
            let refused = |field: &str, message: &str| {
                Err(Failure::refused("not_bookable", message).field(format!("visits[{place}].{field}")))
            };
            if !self.catalogue.service(visit.service).is_some_and(|service| service.online) {
                return refused("service", "This service cannot be booked online; choose another one.");
            }
            match visit.master {
                Some(_) if self.masters_for(visit).next().is_none() => {
                    refused("master", "This master cannot be booked online for this service; choose another one.")
                }
                _ => Ok(()),
            }
        })
    }

    /// The longest that a visit may take, with whichever master.
    pub(crate) fn longest(&self, visit: &Visit) -> Span {
        let minutes = self.masters_for(visit).map(|master| self.minutes(visit, master)).max().unwrap_or(0);
        Span::of_minutes(visit.start, minutes)
    }

    /// Chooses a slot for each visit: deterministic, and the earlier master in the team's order first.
    pub(crate) fn plan(&self, visits: &[Visit], taken: &Taken) -> Result<Vec<Slot>, Trouble> {
        let choices: Vec<Vec<Slot>> = visits.iter().map(|visit| self.choices(visit, taken)).collect();
        let without: Vec<usize> =
            (0..visits.len()).filter(|place| choices.get(*place).is_some_and(Vec::is_empty)).collect();
        if let Some(first) = without.first() {
            let taken = visits.get(*first).is_some_and(|visit| self.is_open(visit));
            return Err(Trouble { visits: without, taken });
        }
        // Each visit finds a master alone, but they may be in one another's way.
        assign(&choices).map_err(|place| Trouble { visits: vec![place], taken: true })
    }

    /// The slots that the visit could take.
    fn choices(&self, visit: &Visit, taken: &Taken) -> Vec<Slot> {
        let slots = self.masters_for(visit).filter_map(|master| {
            let span = Span::of_minutes(visit.start, self.minutes(visit, master));
            let free = master.free(span, taken.of(master.id), self.clock);
            free.cover(span).then_some(Slot { master: master.id, span })
        });
        slots.collect()
    }

    /// Whether the visit is in somebody's working hours.
    fn is_open(&self, visit: &Visit) -> bool {
        self.masters_for(visit).any(|master| {
            let span = Span::of_minutes(visit.start, self.minutes(visit, master));
            master.open(span, self.clock).cover(span)
        })
    }

    /// The time in which alternatives to a visit are looked for.
    pub(crate) fn alternative_window(&self, visit: &Visit) -> Span {
        let (day, bookable) = (self.clock.date(visit.start), self.rules.bookable());
        let midnight = |days: i32| self.clock.at(day.plus_days(days), 0);
        Span::new(midnight(0).max(bookable.start), midnight(ALTERNATIVE_DAYS).min(bookable.end))
    }

    /// The free slots nearest to a visit: first those of the wanted master that day and of others at that time.
    pub(crate) fn alternatives(&self, visit: &Visit, window: Span, taken: &Taken, count: usize) -> Vec<Slot> {
        let masters: Vec<&Master> = self.masters_for_service(visit).collect();
        let diary = |master: &&'_ Master| (self.minutes(visit, master), taken.of(master.id));
        let diaries: Vec<Diary<'_>> = masters
            .iter()
            .map(|master| (*master, diary(master)))
            .map(|(master, (minutes, taken))| Diary { master, minutes, taken })
            .collect();
        let mut slots = team::offer(&diaries, window, self.rules.step, CHOICE_MAX, self.clock).slots;
        // The wanted start may lie between two steps.
        let anybody = Visit { master: None, ..*visit };
        for slot in self.choices(&anybody, taken) {
            if !slots.contains(&slot) && window.start <= slot.span.start {
                slots.push(slot);
            }
        }
        let order: BTreeMap<Id, usize> = masters.iter().enumerate().map(|(place, master)| (master.id, place)).collect();
        slots.sort_by_cached_key(|slot| {
            let distance = (slot.span.start - visit.start).micros().abs();
            (self.rank(visit, *slot), distance, slot.span.start, order.get(&slot.master).copied())
        });
        slots.truncate(count);
        slots
    }

    fn rank(&self, visit: &Visit, slot: Slot) -> u8 {
        let same_day = self.clock.date(slot.span.start) == self.clock.date(visit.start);
        match (slot.span.start == visit.start, same_day, Some(slot.master) == visit.master) {
            (true, ..) | (_, true, true) => 0,
            (_, true, false) => 1,
            (_, false, _) => 2,
        }
    }

    fn masters_for_service<'s>(&'s self, visit: &Visit) -> impl Iterator<Item = &'s Master> + use<'s> {
        let service = visit.service;
        self.team.iter().filter(move |master| self.catalogue.does(master.id, service))
    }

    fn masters_for<'s>(&'s self, visit: &Visit) -> impl Iterator<Item = &'s Master> + use<'s> {
        let wanted = visit.master;
        self.masters_for_service(visit).filter(move |master| wanted.is_none_or(|wanted| wanted == master.id))
    }

    fn minutes(&self, visit: &Visit, master: &Master) -> i64 {
        self.catalogue.terms(visit.service, Some(master.id)).map_or(0, |terms| terms.minutes)
    }
}

/// Gives each visit one of its choices, so that no master has two at once; or tells the visit that finds none.
fn assign(choices: &[Vec<Slot>]) -> Result<Vec<Slot>, usize> {
    let mut order: Vec<usize> = (0..choices.len()).collect();
    // Those with the fewest choices first; stable, so that an order has one answer.
    order.sort_by_key(|place| choices.get(*place).map_or(0, Vec::len));
    let mut search = Search { choices, order: &order, placed: Vec::with_capacity(order.len()), deepest: 0, steps: 0 };
    if !search.place_next() {
        return Err(order.get(search.deepest).copied().unwrap_or(0));
    }
    let mut placed: Vec<(usize, Slot)> = order.iter().copied().zip(search.placed).collect();
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, slot)| slot).collect())
}

struct Search<'a> {
    choices: &'a [Vec<Slot>],
    order: &'a [usize],
    placed: Vec<Slot>,
    deepest: usize,
    steps: u32,
}

impl Search<'_> {
    fn place_next(&mut self) -> bool {
        self.deepest = self.deepest.max(self.placed.len());
        let Some(place) = self.order.get(self.placed.len()) else { return true };
        for slot in self.choices.get(*place).map_or(&[][..], Vec::as_slice) {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return false;
            }
            if self.placed.iter().any(|other| other.master == slot.master && other.span.overlaps(slot.span)) {
                continue;
            }
            self.placed.push(*slot);
            if self.place_next() {
                return true;
            }
            self.placed.pop();
        }
        false
    }
}

#[cfg(test)]
mod tests;
