//! What an upgrade does to stored data: told beforehand, converted between others' writes, and cleared away afterwards.

use std::sync::Arc;

use pergola_model::{
    Catalog, Locale, Object, Query, Record, Value,
    decl::OnError,
    json,
    query::LIMIT_MAX,
    upgrade::{Conversion, Converted, Fate, FieldChange, Upgrade, convert},
};

use crate::{
    error::Error,
    guest,
    ports::{
        plugins::{Budget, Limits},
        store::{ConvertedRow, ToConvert},
    },
    unit::Unit,
    workspace::Workspace,
};

/// Records that are converted in one unit: few enough that writers hardly wait.
const BATCH: u32 = 200;
/// Rounds after which what is written meanwhile is left for the end, where nobody else writes.
const ROUNDS_MAX: usize = 100;
/// Values that do not fit, of which a report shows some.
const SAMPLES_MAX: usize = 5;
/// Characters of each.
const SAMPLE_CHARS_MAX: usize = 60;

/// What becomes of stored data by one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReport {
    /// For people: `rename note of lab.visit to comment`.
    pub summary: String,
    /// Values that are there; records, of an object.
    pub values: u64,
    /// How many of them do not fit the new type.
    pub misfits: u64,
    /// Some of those, each with its record.
    pub samples: Vec<String>,
    /// How many are lost.
    pub lost: u64,
}

impl ChangeReport {
    fn new(summary: String) -> Self {
        Self { summary, values: 0, misfits: 0, samples: Vec::new(), lost: 0 }
    }

    /// The change in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { summary, values, misfits, samples, lost } = self;
        let shown = if samples.is_empty() { String::new() } else { format!(", such as {}", samples.join(", ")) };
        match (misfits, lost) {
            (0, 0) => format!("{summary}: {values} values, nothing is lost"),
            (0, lost) => format!("{summary}: {lost} are lost"),
            (misfits, 0) => format!("{summary}: {misfits} of {values} values do not fit{shown}"),
            (misfits, _) => format!("{summary}: {misfits} of {values} values do not fit and are lost{shown}"),
        }
    }
}

/// Passes when every value fits, or may be lost.
pub(super) fn check(changes: &[ChangeReport]) -> Result<(), Error> {
    let refused: Vec<String> =
        changes.iter().filter(|change| change.misfits > change.lost).map(ChangeReport::line).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{}. Mend these values and install again, or write on_error = \"null\" in the change to lose them",
        refused.join("; ")
    );
    Err(Error::BadRequest { code: "schema", message })
}

impl Workspace {
    /// What an upgrade would do to the data that are there.
    pub(super) async fn survey(&self, before: &Catalog, upgrade: &Upgrade) -> Result<Vec<ChangeReport>, Error> {
        let mut reports = Vec::new();
        for change in &upgrade.fields {
            let (object, key) = (&change.object, &change.before.key);
            reports.push(match &change.fate {
                Fate::Renamed(to) => {
                    let mut report = ChangeReport::new(format!("rename {key} of {} to {}", object.name, to.key));
                    report.values = self.count_values(before, change).await?;
                    report
                }
                Fate::Dropped => {
                    let mut report = ChangeReport::new(format!("drop {key} of {}", object.name));
                    report.values = self.count_values(before, change).await?;
                    report.lost = report.values;
                    report
                }
                Fate::Retyped(to, on_error) => {
                    let field = Converted { from: change.before.clone(), to: to.clone(), on_error: *on_error };
                    self.survey_values(before, object, &field).await?
                }
            });
        }
        for object in &upgrade.dropped {
            let mut report = ChangeReport::new(format!("drop {}", object.name));
            report.values = self.0.store.read().await?.count(before, &Query::of(object.name.clone())).await?;
            report.lost = report.values;
            reports.push(report);
        }
        Ok(reports)
    }

    async fn count_values(&self, before: &Catalog, change: &FieldChange) -> Result<u64, Error> {
        let filter = guest::compile_filter(before, &change.object, &format!("{} != null", change.before.key), &[])?;
        let query = Query { filter: Some(filter), ..Query::of(change.object.name.clone()) };
        Ok(self.0.store.read().await?.count(before, &query).await?)
    }

    async fn survey_values(&self, before: &Catalog, object: &Object, field: &Converted) -> Result<ChangeReport, Error> {
        let (key, to) = (&field.from.key, &field.to);
        let mut report = ChangeReport::new(format!("make {key} of {} {}", object.name, to.kind.name()));
        let locale = self.locale();
        let mut query = Query::of(object.name.clone()).limited(LIMIT_MAX);
        query.fields = Some(vec![key.clone()]);
        loop {
            let page = self.0.store.read().await?.list(before, &query).await?;
            for record in &page.records {
                let value = record.fields.get(key);
                if value.is_null() {
                    continue;
                }
                report.values += 1;
                if convert(value, to, &locale).is_ok() {
                    continue;
                }
                report.misfits += 1;
                report.lost += u64::from(field.on_error == OnError::Null);
                if report.samples.len() < SAMPLES_MAX {
                    report.samples.push(sample(record, value));
                }
            }
            if page.next.is_none() {
                return Ok(report);
            }
            query.after = page.next;
        }
    }

    /// Converts values beside the old ones, in small units of work, until next to nothing is left.
    pub(super) async fn convert_ahead(&self, conversions: &[Conversion]) -> Result<(), Error> {
        for conversion in conversions {
            self.convert_portion(conversion, 0).await?;
            let mut rounds = 0;
            while rounds < ROUNDS_MAX {
                match self.convert_portion(conversion, BATCH).await? {
                    ToConvert::Next(_) => {}
                    ToConvert::Again(ids) if ids.len() < BATCH as usize => break,
                    ToConvert::Again(_) => rounds += 1,
                }
            }
        }
        Ok(())
    }

    /// One portion in a unit of its own; with none to convert, what there has to be for that.
    async fn convert_portion(&self, conversion: &Conversion, limit: u32) -> Result<ToConvert, Error> {
        let conversion = conversion.clone();
        self.detached(move |workspace| {
            let conversion = conversion.clone();
            async move {
                let _open = workspace.0.gate.read().await;
                let mut unit = Unit::begin(&workspace, Budget::new(Limits::background())).await?;
                let converted = if limit == 0 {
                    unit.tx.begin_conversion(&conversion).await?;
                    ToConvert::Next(Vec::new())
                } else {
                    unit.convert_some(&conversion, limit).await?
                };
                unit.commit().await?;
                Ok(converted)
            }
        })
        .await
    }

    /// Takes back what was begun for an upgrade that failed. Where that fails too, the next install does it.
    pub(super) async fn abandon(&self, conversions: Vec<Conversion>) {
        for conversion in conversions {
            let name = conversion.object.name.clone();
            let done = self.detached(move |workspace| {
                let conversion = conversion.clone();
                async move {
                    let _open = workspace.0.gate.read().await;
                    let mut tx = workspace.0.store.write().await?;
                    tx.abandon_conversion(&conversion).await?;
                    Ok(tx.commit().await?)
                }
            });
            if let Err(error) = done.await {
                tracing::warn!(object = %name, %error, "what was converted for an upgrade that failed is still there");
            }
        }
    }

    /// Clears what upgrades have dropped, in small units of work.
    pub(in crate::workspace) async fn clear_dropped(&self) -> Result<(), Error> {
        loop {
            let cleared = self.detached(|workspace| async move {
                let _open = workspace.0.gate.read().await;
                let mut tx = workspace.0.store.write().await?;
                let is_more = tx.clear_dropped().await?;
                tx.commit().await?;
                Ok(is_more)
            });
            if !cleared.await? {
                return Ok(());
            }
        }
    }
}

impl Unit {
    /// Converts what is left, while nobody else writes.
    pub(super) async fn convert_rest(&mut self, conversions: &[Conversion]) -> Result<(), Error> {
        for conversion in conversions {
            self.tx.begin_conversion(conversion).await?;
            self.tx.hold_table(&conversion.object).await?;
            while !matches!(self.convert_some(conversion, BATCH).await?, ToConvert::Again(ids) if ids.is_empty()) {}
        }
        Ok(())
    }

    async fn convert_some(&mut self, conversion: &Conversion, limit: u32) -> Result<ToConvert, Error> {
        let which = self.tx.list_to_convert(&conversion.object, limit).await?;
        let records = self.tx.find_for_change(&conversion.object, which.ids()).await?;
        let locale = Arc::clone(&self.locale);
        let rows = records.iter().map(|record| row(conversion, record, &locale)).collect::<Result<Vec<_>, Error>>()?;
        self.tx.put_converted(conversion, &which, &rows).await?;
        Ok(which)
    }
}

fn row(conversion: &Conversion, record: &Record, locale: &Locale) -> Result<ConvertedRow, Error> {
    let mut values = Vec::with_capacity(conversion.fields.len());
    for field in &conversion.fields {
        let value = record.fields.get(&field.from.key);
        values.push(match (convert(value, &field.to, locale), field.on_error) {
            (Ok(value), _) => value,
            (Err(_), OnError::Null) => Value::Null,
            (Err(_), OnError::Refuse) => {
                // Written while the others were being converted.
                let (key, object) = (&field.from.key, &conversion.object.name);
                let mut report = ChangeReport::new(format!("make {key} of {object} {}", field.to.kind.name()));
                (report.values, report.misfits, report.samples) = (1, 1, vec![sample(record, value)]);
                return check(&[report]).map(|()| ConvertedRow { record: record.id, values });
            }
        });
    }
    Ok(ConvertedRow { record: record.id, values })
}

fn sample(record: &Record, value: &Value) -> String {
    let text: String = json::value_to_json(value).to_string().chars().take(SAMPLE_CHARS_MAX).collect();
    format!("{text} ({})", record.id)
}
