//! Values into columns, and rows back into records.

use jiff::{SignedDuration, Timestamp, civil};
use pergola_model::{Fields, Id, Money, Record, Value, name::BadName};
use pergola_service::ports::store::StoreError;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    dialect::{Cell, Row},
    error::unexpected,
    layout::{Column, Holds},
    sql::{Bind, Kind, Sql},
};

/// What a field's value is bound as; the currency of money is bound apart, see [`currency`].
///
/// # Errors
/// When the value is not of the field's type, or beyond what 64 bits hold.
pub(crate) fn bind(column: &Column, value: &Value) -> Result<Bind, StoreError> {
    let bind = match (&column.holds, value) {
        (holds, Value::Null) => Bind::Null(holds.kind()),
        (Holds::Text, Value::Text(text)) => text.as_str().into(),
        (Holds::Integer, Value::Integer(number)) => (*number).into(),
        (Holds::Decimal(scale), Value::Decimal(number)) => scaled(*number, *scale)
            .ok_or_else(|| unexpected(format!("{number} does not fit in {}: {}", column.key, column.holds.label())))?
            .into(),
        (Holds::Money, Value::Money(money)) => money.amount_minor.into(),
        (Holds::Bool, Value::Bool(flag)) => (*flag).into(),
        (Holds::Date, Value::Date(date)) => date.to_string().into(),
        (Holds::DateTime, Value::DateTime(at)) => (*at).into(),
        (Holds::Duration, Value::Duration(length)) => microseconds(*length)?.into(),
        (Holds::Ref(_), Value::Ref(id)) => (*id).into(),
        (Holds::Tags, Value::Tags(tags)) => json(tags)?.into(),
        (Holds::Json, Value::Json(value)) => value.to_string().into(),
        (holds, value) => {
            return Err(unexpected(format!("{} holds {}, not {}", column.key, holds.label(), value.kind())));
        }
    };
    Ok(bind)
}

/// What the currency column of a money field is bound as.
pub(crate) fn currency(value: &Value) -> Bind {
    if let Value::Money(money) = value { money.currency.as_str().into() } else { Bind::Null(Kind::Text) }
}

/// Adds all of a field's values, whose placeholders are in the text already.
pub(crate) fn bind_all(sql: &mut Sql, column: &Column, value: &Value) -> Result<(), StoreError> {
    sql.value(bind(column, value)?);
    if column.holds == Holds::Money {
        sql.value(currency(value));
    }
    Ok(())
}

/// A decimal times 10^scale, if that is a whole number of 64 bits.
pub(crate) fn scaled(number: Decimal, scale: u8) -> Option<i64> {
    let number = number.normalize();
    let missing = u32::from(scale).checked_sub(number.scale())?;
    let factor = 10_i128.checked_pow(missing)?;
    i64::try_from(number.mantissa().checked_mul(factor)?).ok()
}

/// A duration in the column's unit.
pub(crate) fn microseconds(length: SignedDuration) -> Result<i64, StoreError> {
    i64::try_from(length.as_micros()).map_err(|_| unexpected("a duration is out of range"))
}

/// Anything that serde can write, as JSON text.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Backend(Box::new(error)))
}

/// A cursor over a row's columns, from the left.
pub(crate) struct Cells<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Cells<'r> {
    /// The row's columns.
    pub(crate) fn new(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    /// The next column's value.
    pub(crate) fn take<T: Cell<'r>>(&mut self) -> Result<T, StoreError> {
        let index = self.next;
        self.next = index.saturating_add(1);
        self.row.get(index)
    }

    /// The next column's id.
    pub(crate) fn take_id(&mut self) -> Result<Id, StoreError> {
        self.take::<Uuid>().map(Id)
    }

    /// The next column's id, if it has one.
    pub(crate) fn take_optional_id(&mut self) -> Result<Option<Id>, StoreError> {
        Ok(self.take::<Option<Uuid>>()?.map(Id))
    }

    /// The next column's instant.
    pub(crate) fn take_time(&mut self) -> Result<Timestamp, StoreError> {
        time(self.take()?)
    }

    /// The next column's instant, if it has one.
    pub(crate) fn take_optional_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.take::<Option<i64>>()?.map(time).transpose()
    }

    /// The next column's name of a plugin, an object or an action.
    pub(crate) fn take_name<T>(&mut self, new: impl FnOnce(String) -> Result<T, BadName>) -> Result<T, StoreError> {
        new(self.take()?).map_err(|error| StoreError::Backend(Box::new(error)))
    }

    /// The next column's JSON.
    pub(crate) fn take_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text: &str = self.take()?;
        from_json(text)
    }

    /// The next column's value; for money, two columns.
    pub(crate) fn take_value(&mut self, holds: &Holds) -> Result<Value, StoreError> {
        match holds {
            Holds::Text => Ok(self.take::<Option<String>>()?.map_or(Value::Null, Value::Text)),
            Holds::Integer => Ok(self.take::<Option<i64>>()?.map_or(Value::Null, Value::Integer)),
            Holds::Decimal(scale) => {
                self.take::<Option<i64>>()?.map_or(Ok(Value::Null), |number| decimal(number, *scale))
            }
            Holds::Money => self.take_money(),
            Holds::Bool => Ok(self.take::<Option<bool>>()?.map_or(Value::Null, Value::Bool)),
            Holds::Date => self.take::<Option<&str>>()?.map_or(Ok(Value::Null), date),
            Holds::DateTime => self.take::<Option<i64>>()?.map_or(Ok(Value::Null), |at| time(at).map(Value::DateTime)),
            Holds::Duration => {
                let length = self.take::<Option<i64>>()?;
                Ok(length.map_or(Value::Null, |length| Value::Duration(SignedDuration::from_micros(length))))
            }
            Holds::Ref(_) => Ok(self.take::<Option<Uuid>>()?.map_or(Value::Null, |id| Value::Ref(Id(id)))),
            Holds::Tags => {
                self.take::<Option<&str>>()?.map_or(Ok(Value::Null), |text| from_json(text).map(Value::Tags))
            }
            Holds::Json => {
                self.take::<Option<&str>>()?.map_or(Ok(Value::Null), |text| from_json(text).map(Value::Json))
            }
        }
    }

    fn take_money(&mut self) -> Result<Value, StoreError> {
        let amount: Option<i64> = self.take()?;
        let currency: Option<String> = self.take()?;
        Ok(match (amount, currency) {
            (Some(amount_minor), Some(currency)) => Value::Money(Money { amount_minor, currency }),
            _ => Value::Null,
        })
    }
}

/// A record from a row of [`crate::layout::select_list`] of these columns.
///
/// # Errors
/// When a column holds what this crate does not write.
pub(crate) fn decode<'a>(row: &Row, columns: impl Iterator<Item = &'a Column>) -> Result<Record, StoreError> {
    let mut cells = Cells::new(row);
    let mut record = Record {
        id: cells.take_id()?,
        version: cells.take()?,
        created_at: cells.take_time()?,
        updated_at: cells.take_time()?,
        fields: Fields::new(),
    };
    for column in columns {
        let value = cells.take_value(&column.holds)?;
        if !value.is_null() {
            record.fields.set(column.key.as_str(), value);
        }
    }
    Ok(record)
}

fn decimal(number: i64, scale: u8) -> Result<Value, StoreError> {
    Decimal::try_new(number, u32::from(scale)).map(Value::Decimal).map_err(|error| StoreError::Backend(Box::new(error)))
}

fn date(text: &str) -> Result<Value, StoreError> {
    text.parse::<civil::Date>().map(Value::Date).map_err(|error| StoreError::Backend(Box::new(error)))
}

fn time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::Backend(Box::new(error)))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Backend(Box::new(error)))
}
