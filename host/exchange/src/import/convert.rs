//! Makes a field's value of a cell, in whatever spelling it stands there.
//!
//! What is not clear is refused with the reason, never guessed; the model then brings the value into
//! its one spelling, as for every write.

mod date;
mod number;

use jiff::{SignedDuration, Timestamp, civil};
use pergola_model::{Field, FieldType, Locale, Value, normal};

pub(crate) use date::proven_order;

use super::{fold::squeeze, read::Cell, survey::DateOrder, words::WORDS};

/// Where and when the file is read.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    pub(crate) locale: Locale,
    pub(crate) today: civil::Date,
}

/// A cell's value, and what it says besides: a second phone number.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Converted {
    pub(crate) value: Value,
    pub(crate) rest: Vec<String>,
}

/// The value in the model's spelling, or what is wrong for people.
pub(crate) fn convert(field: &Field, cell: &Cell, order: DateOrder, habits: &Habits) -> Result<Converted, String> {
    if cell.is_blank() {
        return Ok(Converted::default());
    }
    let is_text = matches!(field.kind, FieldType::Text | FieldType::LongText | FieldType::Tags | FieldType::Bool);
    // A code of a choice may be `none`.
    let is_code = |text: &str| matches!(&field.kind, FieldType::Choice { of } if of.iter().any(|code| code == text));
    if let Cell::Text(text) = cell
        && !is_text
        && !is_code(text.trim())
        && WORDS.is_none(text)
    {
        return Ok(Converted::default());
    }
    let mut rest = Vec::new();
    let value = match &field.kind {
        FieldType::Text | FieldType::LongText => Value::Text(text_of(cell)),
        FieldType::Email => Value::Text(email(&cell.text(), &mut rest)),
        FieldType::Phone => phone(field, cell, habits, &mut rest)?,
        FieldType::Url => Value::Text(with_scheme(cell.text())),
        FieldType::Integer => Value::Integer(number::integer(cell)?),
        FieldType::Decimal { scale } => Value::Decimal(number::decimal(cell, u32::from(*scale))?),
        FieldType::Money => Value::Money(number::money(cell, &habits.locale.currency)?),
        FieldType::Bool => Value::Bool(truth(cell)?),
        FieldType::Date => Value::Date(date::date(cell, order, &pivot(field, habits))?),
        FieldType::DateTime => Value::DateTime(instant(cell, order, field, habits)?),
        FieldType::Duration => Value::Duration(duration(cell)?),
        FieldType::Choice { of } => Value::Text(choice(&field.key, of, &cell.text())),
        FieldType::Json => Value::Json(json(&cell.text())),
        FieldType::Tags => Value::Tags(tags(&cell.text())),
        FieldType::Ref { .. } => Value::Ref(cell.text().parse().map_err(|_| "is not the id of a record".to_owned())?),
    };
    let value = normal::normalise(field, value, &habits.locale).map_err(|issue| issue.message)?;
    Ok(Converted { value, rest })
}

/// Numbers that people write as text keep their digits: `00123` is not `123`.
fn text_of(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => number::plain(*number),
        other => other.text(),
    }
}

fn phone(field: &Field, cell: &Cell, habits: &Habits, rest: &mut Vec<String>) -> Result<Value, String> {
    let text = match cell {
        Cell::Number(number) => number::plain(*number),
        other => number::unshortened(&other.text())?,
    };
    let whole = normal::normalise(field, Value::Text(text.clone()), &habits.locale);
    let issue = match whole {
        Ok(value) => return Ok(value),
        Err(issue) => issue,
    };
    // Two numbers in a cell: the first that is one counts.
    let parts: Vec<&str> =
        text.split([',', ';', '/', '\n', '|']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 {
        return Err(issue.message);
    }
    let read = |part: &str| normal::normalise(field, Value::from(part), &habits.locale).ok();
    let first = parts.iter().position(|part| read(part).is_some()).ok_or(issue.message)?;
    rest.extend(parts.iter().enumerate().filter(|(place, _)| *place != first).map(|(_, part)| (*part).to_owned()));
    Ok(parts.get(first).and_then(|part| read(part)).unwrap_or_default())
}

fn email(text: &str, rest: &mut Vec<String>) -> String {
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    let mut parts = text.split([',', ';', '\n', ' ']).map(str::trim).filter(|part| !part.is_empty());
    if parts.clone().count() < 2 || !parts.clone().all(|part| part.contains('@')) {
        return text.to_owned();
    }
    let first = parts.next().unwrap_or_default().to_owned();
    rest.extend(parts.map(str::to_owned));
    first
}

fn with_scheme(text: String) -> String {
    if text.contains("://") || !text.contains('.') { text } else { format!("https://{text}") }
}

fn truth(cell: &Cell) -> Result<bool, String> {
    match cell {
        Cell::Bool(flag) => Ok(*flag),
        other => {
            let text = number::without_point_zero(&other.text()).to_owned();
            WORDS.truth(&text).ok_or_else(|| format!("\"{text}\" is neither yes nor no"))
        }
    }
}

/// The code, or the text as it is, so that the model says what is possible.
fn choice(key: &str, of: &[String], text: &str) -> String {
    let squeezed = squeeze(text);
    let code = of.iter().find(|code| squeeze(code) == squeezed);
    let word = || WORDS.choice(key, text).and_then(|word| of.iter().find(|code| *code == word));
    code.or_else(word).cloned().unwrap_or_else(|| text.to_owned())
}

fn tags(text: &str) -> Vec<String> {
    // As an export writes tags that have separators in them.
    if text.starts_with('[')
        && let Ok(tags) = serde_json::from_str(text)
    {
        return tags;
    }
    text.split([',', ';', '\n']).map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn pivot(field: &Field, habits: &Habits) -> date::Pivot {
    // Nobody is born tomorrow, but subscriptions end in twenty years.
    let years_ahead = if field.key.contains("birth") { 0 } else { 20 };
    date::Pivot { last_year: habits.today.year().saturating_add(years_ahead) }
}

fn instant(cell: &Cell, order: DateOrder, field: &Field, habits: &Habits) -> Result<Timestamp, String> {
    // With an offset it is an instant already.
    if let Cell::Text(text) = cell
        && let Ok(at) = text.trim().parse::<Timestamp>()
    {
        return Ok(at);
    }
    let at = date::date_time(cell, order, &pivot(field, habits))?;
    let zoned = at.to_zoned(habits.locale.zone.clone()).map_err(|error| error.to_string())?;
    Ok(zoned.timestamp())
}

fn duration(cell: &Cell) -> Result<SignedDuration, String> {
    const SECONDS_A_DAY: f64 = 86_400.0;
    if let Cell::Date(_, serial) = cell {
        return Ok(SignedDuration::from_secs_f64((serial * SECONDS_A_DAY).round()));
    }
    let text = cell.text();
    let unclear = || format!("\"{text}\" is not a length of time; write it like 1:30 or 1h 30m");
    if text.parse::<f64>().is_ok() {
        return Err(unclear());
    }
    text.parse().or_else(|_| clock(&text).ok_or_else(unclear))
}

/// `1:30` is an hour and a half.
fn clock(text: &str) -> Option<SignedDuration> {
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0))?;
    let total = i64::from(hours).saturating_mul(3600).saturating_add(i64::from(minutes).saturating_mul(60));
    (parts.next().is_none() && minutes < 60 && seconds < 60)
        .then(|| SignedDuration::from_secs(total.saturating_add(i64::from(seconds))))
}

#[cfg(test)]
mod tests;
