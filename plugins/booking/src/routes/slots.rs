//! `GET /slots`: free times for a service, by master.

use pergola_plugin::prelude::*;

use crate::load::{self, HostClock};
use crate::rules::Rules;
use crate::span::Span;
use crate::team::{self, Diary, Master, Slot, WallClock};

/// The most slots in an answer.
const SLOTS_MAX: usize = 500;
/// Days shown when the request does not say until when.
const DAYS_DEFAULT: i64 = 7;
/// The most days in one request.
const DAYS_MAX: i64 = 31;

/// Answers free slots by time, then in the order of the masters.
pub(crate) fn answer(request: &Request) -> Result<Response, Failure> {
    let service: Id = request.read_param("service")?;
    let wanted = masters_wanted(request)?;
    let rules = Rules::load();
    let asked = asked_window(request, rules.now, &HostClock)?;
    let catalogue = load::service_online(service)?;
    let bookable = rules.bookable();
    let mut window = Span::new(asked.start.max(bookable.start), asked.end.min(bookable.end));
    if window.is_empty() {
        return offer_json(&[], None);
    }
    // A visit that starts at the end of the window must not meet time off after it.
    let mut team = load::team(Span::new(window.start, window.end + Duration::minutes(load::VISIT_MINUTES_MAX)))?;
    if let Some(unknown) = wanted.iter().find(|id| team.iter().all(|master| master.id != **id)) {
        return Err(Failure::not_found(format!("There is no master {unknown} to book online.")).field("master"));
    }
    team.retain(|master| {
        let is_wanted = wanted.is_empty() || wanted.contains(&master.id);
        is_wanted && master.has_hours() && catalogue.does(master.id, service)
    });
    let minutes = |master: &Master| catalogue.terms(service, Some(master.id)).map_or(0, |terms| terms.minutes);
    let longest = team.iter().map(minutes).max().unwrap_or(0);
    let taken = load::taken(Span::new(window.start, window.end + Duration::minutes(longest)))?;
    // Where not all that is taken is known, slots are offered as far as it is.
    let known = taken.known_until.map(|until| until - Duration::minutes(longest)).filter(|known| *known < window.end);
    window.end = known.unwrap_or(window.end);
    let diary = |master| Diary { master, minutes: minutes(master), taken: taken.of(master.id) };
    let diaries: Vec<Diary<'_>> = team.iter().map(diary).collect();
    let offer = team::offer(&diaries, window, rules.step, SLOTS_MAX, &HostClock);
    offer_json(&offer.slots, offer.next.or(known))
}

fn offer_json(slots: &[Slot], next: Option<DateTime>) -> Result<Response, Failure> {
    let slots: Vec<Json> = slots
        .iter()
        .map(|slot| json!({ "master": slot.master, "starts_at": slot.span.start, "ends_at": slot.span.end }))
        .collect();
    let mut answer = json!({ "slots": slots });
    if let (Some(next), Some(answer)) = (next, answer.as_object_mut()) {
        answer.insert("next".to_owned(), json!(next));
    }
    Response::json(200, &answer)
}

/// The masters asked for: `master=a&master=b`, or `master=a,b`; none for all.
fn masters_wanted(request: &Request) -> Result<Vec<Id>, Failure> {
    let given = request.query.iter().filter(|(name, _)| name == "master").flat_map(|(_, value)| value.split(','));
    let ids = given
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|failure: Failure| Failure::invalid_input(failure.message).field("master")));
    ids.collect()
}

/// The time asked for: from now for a week, unless the request says otherwise.
fn asked_window(request: &Request, now: DateTime, clock: &dyn WallClock) -> Result<Span, Failure> {
    let start = request.param("from").map(|text| time(text, "from", 0, clock)).transpose()?.unwrap_or(now);
    // A day includes its evening.
    let end = request.param("to").map(|text| time(text, "to", 1, clock)).transpose()?;
    let window = Span::new(start, end.unwrap_or(start + Duration::days(DAYS_DEFAULT)));
    let refused = |message: String| Err(Failure::refused("out_of_range", message).field("to"));
    if window.is_empty() {
        return refused("to must be later than from.".to_owned());
    }
    // An hour more, because one of the days may have 25.
    if window.end - window.start > Duration::days(DAYS_MAX) + Duration::hours(1) {
        return refused(format!("Ask for {DAYS_MAX} days at most; for later ones ask again."));
    }
    Ok(window)
}

/// A time, or the midnight that so many days after a day begins on the workspace's clock.
fn time(text: &str, name: &str, days: i32, clock: &dyn WallClock) -> Result<DateTime, Failure> {
    let read = match text.parse::<Date>() {
        // Years that no calendar page shows are kept from the clock.
        Ok(date) if (1970..3000).contains(&date.year()) => Some(clock.at(date.plus_days(days), 0)),
        Ok(_) => None,
        // In an address, a plus that nobody encoded is a blank.
        Err(_) => text
            .replacen(' ', "+", 1)
            .parse::<DateTime>()
            .ok()
            .filter(|at| (1970..3000).contains(&at.utc_date().year())),
    };
    let message = "must be a day like 2026-03-08 or a time like 2026-03-08T09:30:00Z.";
    read.ok_or_else(|| Failure::invalid_input(format!("{name} {message}")).field(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_clock::{Berlin, at};

    fn request(query: &[(&str, &str)]) -> Request {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { method: "GET".to_owned(), path: "/slots".to_owned(), query, body: Vec::new() }
    }

    fn window(query: &[(&str, &str)]) -> Result<Span, Failure> {
        asked_window(&request(query), at("2026-01-05 10:00"), &Berlin)
    }

    #[test]
    fn windows_are_times_or_whole_days_on_the_wall_clock() {
        for (query, from, to) in [
            (vec![], "2026-01-05 10:00", "2026-01-12 10:00"),
            (vec![("from", "2026-01-10")], "2026-01-10 00:00", "2026-01-17 00:00"),
            (vec![("from", "2026-01-10"), ("to", "2026-01-10")], "2026-01-10 00:00", "2026-01-11 00:00"),
            (vec![("to", "2026-01-06T12:00:00 01:00")], "2026-01-05 10:00", "2026-01-06 12:00"),
            (vec![("from", "2026-10-01"), ("to", "2026-10-31")], "2026-10-01 00:00", "2026-11-01 00:00"),
        ] {
            assert_eq!(window(&query).unwrap(), Span::new(at(from), at(to)), "{query:?}");
        }
    }

    #[test]
    fn windows_that_cannot_be_are_refused_at_their_parameter() {
        for (query, code, field) in [
            (vec![("from", "tomorrow")], "invalid_input", "from"),
            (vec![("to", "2026-13-01")], "invalid_input", "to"),
            (vec![("from", "9999-12-31")], "invalid_input", "from"),
            (vec![("to", "2026-01-04")], "out_of_range", "to"),
            (vec![("from", "2026-03-01"), ("to", "2026-04-01")], "out_of_range", "to"),
        ] {
            let failure = window(&query).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.field.as_deref()), (code, Some(field)), "{query:?}");
        }
    }

    #[test]
    fn masters_are_repeated_or_separated_by_commas() {
        let ids = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"];
        let both = format!("{},{}", ids[0], ids[1]);
        let expected = vec![Id::from_u128(1), Id::from_u128(2)];
        assert_eq!(masters_wanted(&request(&[("master", &both)])).unwrap(), expected);
        assert_eq!(masters_wanted(&request(&[("master", ids[0]), ("master", ids[1])])).unwrap(), expected);
        assert_eq!(masters_wanted(&request(&[("master", "")])).unwrap(), []);
        assert_eq!(masters_wanted(&request(&[("master", "Anna")])).unwrap_err().field.as_deref(), Some("master"));
    }
}
