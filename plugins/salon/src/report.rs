//! What a period brought, by master: visits, those who did not come, what was earned.

use pergola_plugin::prelude::*;
use serde::Deserialize;

/// The most masters in one answer.
const MASTERS_MAX: u32 = 1_000;

/// The input of the action `report`, as its JSON Schema in the manifest says.
#[derive(Deserialize)]
pub(crate) struct Period {
    from: DateTime,
    until: DateTime,
}

/// Answers a line for each master with appointments in the period; the host counts, however many there are.
pub(crate) fn answer(period: &Period) -> Result<Json, Failure> {
    if period.until <= period.from {
        return Err(Failure::invalid_input("until must be later than from.").field("until"));
    }
    let [kept, missed, earned, average] = MEASURES;
    let table = Aggregate::of("booking.appointment")
        .filter("starts_at >= p0 && starts_at < p1 && status in ['done', 'no_show']")
        .param(period.from)
        .param(period.until)
        .group("master")
        .group("master.name")
        .measure(kept)
        .measure(missed)
        .measure(earned)
        .measure(average)
        .sort(format!("-{kept}"))
        .limit(MASTERS_MAX)
        .ask()?;
    let lines = table.rows.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "masters": lines }))
}

/// Of a no-show nothing is earned, whatever its price says.
const MEASURES: [&str; 4] = [
    "count(status == 'done')",
    "count(status == 'no_show')",
    "sum(status == 'done' ? price : null)",
    "avg(status == 'done' ? price : null)",
];

fn line(row: &Fields) -> Result<Json, Failure> {
    let [kept, missed, earned, average] = MEASURES;
    let money = |name: &str| -> Result<Json, Failure> {
        let money: Option<Money> = row.read(name)?;
        Ok(money.map_or(Json::Null, |money| json!({ "amount_minor": money.amount_minor, "currency": money.currency })))
    };
    Ok(json!({
        "master": row.read::<Id>("master")?,
        "name": row.read::<Option<String>>("master.name")?,
        "visits": row.read::<i64>(kept)?,
        "no_shows": row.read::<i64>(missed)?,
        "revenue": money(earned)?,
        "average_check": money(average)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_was_counted_and_null_where_nothing_was_earned() {
        let counted = |kept: i64, missed: i64| {
            Fields::new().with("master", Id::from_u128(1)).with(MEASURES[0], kept).with(MEASURES[1], missed)
        };
        let row = counted(2, 1).with("master.name", "Anna").with(MEASURES[2], Money::new(5_000, "EUR"));
        let shown = line(&row.with(MEASURES[3], Money::new(2_500, "EUR"))).unwrap();
        assert_eq!((&shown["name"], &shown["visits"], &shown["no_shows"]), (&json!("Anna"), &json!(2), &json!(1)));
        assert_eq!(shown["revenue"], json!({ "amount_minor": 5_000, "currency": "EUR" }));
        assert_eq!(line(&counted(0, 1)).unwrap()["average_check"], Json::Null);
    }

    #[test]
    fn a_period_that_ends_before_it_begins_is_refused() {
        let at = DateTime::from_micros;
        assert_eq!(answer(&Period { from: at(5), until: at(5) }).unwrap_err().field.as_deref(), Some("until"));
    }
}
