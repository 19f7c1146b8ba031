//! Questions as their input says, and the host's answers as JSON.

use pergola_plugin::prelude::*;
use serde::Deserialize;

/// A question about groups.
#[derive(Deserialize)]
pub(crate) struct Groups {
    object: String,
    #[serde(default)]
    filter: String,
    /// Text parameters of the filter.
    #[serde(default)]
    parameters: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    measures: Vec<String>,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    limit: u32,
}

/// A question about balances.
#[derive(Deserialize)]
pub(crate) struct Ledger {
    object: String,
    account: Option<String>,
}

/// The rows of an answer, each as an object.
pub(crate) fn groups(asked: Groups) -> Result<Json, Failure> {
    let mut question = Aggregate::of(asked.object).filter(asked.filter).sort(asked.sort).limit(asked.limit);
    question = asked.parameters.into_iter().fold(question, Aggregate::param);
    question = asked.groups.into_iter().fold(question, Aggregate::group);
    question = asked.measures.into_iter().fold(question, Aggregate::measure);
    let table = question.ask()?;
    let rows: Vec<Json> = table.rows.iter().map(shown).collect();
    Ok(json!({ "rows": rows, "more": table.more }))
}

/// The balances of a ledger, each as an object.
pub(crate) fn balances(asked: Ledger) -> Result<Json, Failure> {
    let balances = match asked.account {
        Some(account) => Balances::of(asked.object).account(account),
        None => Balances::of(asked.object),
    };
    let rows = balances.all()?.into_iter();
    let row = |one: pergola_plugin::records::Balance| json!({ "account": one.account, "unit": one.unit, "amount": value(&one.amount) });
    Ok(rows.map(row).collect())
}

fn shown(fields: &Fields) -> Json {
    fields.iter().map(|(name, found)| (name.to_owned(), value(found))).collect()
}

fn value(value: &Value) -> Json {
    match value {
        Value::Integer(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Decimal(number) => json!(number.to_string()),
        Value::Money(money) => json!([money.amount_minor, money.currency]),
        Value::Ref(id) => json!(id),
        Value::Date(date) => json!(date.to_string()),
        other => json!(other.kind()),
    }
}
