//! Reads the question: `count,sum(price)` by `status,month(starts_at)`.

use jiff::Timestamp;

use super::{Aggregate, GROUPS_BY_MAX, MEASURES_MAX, Measure, MeasureKind, ROWS, SortColumn};
use crate::{
    expr::{COST_MAX, ExprError, Expression, Scope, Type},
    nearest,
    value::Value,
};

const MEASURES: &str = "count, count(condition), sum(x), avg(x), min(x), max(x), distinct(x)";

/// The question as people write it.
#[derive(Debug, Clone, Copy, Default)]
pub struct AggregateText<'a> {
    /// CEL; empty takes all records.
    pub filter: &'a str,
    /// `status,month(starts_at)`; empty makes one group of all.
    pub groups: &'a str,
    /// `count,sum(price)`
    pub measures: &'a str,
    /// `-sum(price),status`; empty orders by the groups.
    pub sort: &'a str,
    /// Rows of the answer; 0 takes the usual number.
    pub limit: u32,
}

/// What is wrong with the question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AggregateError {
    /// Stable: `bad_filter`, `bad_group`, `bad_measure`, `bad_sort`, `bad_limit`, `too_costly`.
    pub code: &'static str,
    /// For people: what is wrong and what to write instead.
    pub message: String,
}

impl AggregateError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn of(code: &'static str, part: &str) -> impl Fn(ExprError) -> Self {
        move |error| Self::new(code, format!("{part}: {error}"))
    }
}

impl Aggregate {
    /// Checks the question; the scope's parameters are the types of `parameters`.
    ///
    /// # Errors
    /// [`AggregateError`], naming the part and what to write.
    pub fn read(
        text: AggregateText<'_>,
        scope: &Scope<'_>,
        parameters: Vec<Value>,
        now: Timestamp,
    ) -> Result<Self, AggregateError> {
        let filter = match text.filter {
            "" => None,
            filter => Some(
                Expression::compile(filter, scope, &Type::Bool)
                    .map_err(|error| AggregateError::new("bad_filter", error.to_string()))?,
            ),
        };
        let groups = parts(text.groups).into_iter().map(|part| group(part, scope)).collect::<Result<Vec<_>, _>>()?;
        let measures = parts(text.measures).into_iter().map(|part| measure(part, scope));
        let measures = measures.collect::<Result<Vec<_>, _>>()?;
        if groups.len() > GROUPS_BY_MAX {
            return Err(AggregateError::new("bad_group", format!("group by at most {GROUPS_BY_MAX} values at once")));
        }
        if measures.is_empty() || measures.len() > MEASURES_MAX {
            let message = format!("ask for 1 to {MEASURES_MAX} measures; there are: {MEASURES}");
            return Err(AggregateError::new("bad_measure", message));
        }
        let limit = if text.limit == 0 { ROWS.0 } else { text.limit };
        if limit > ROWS.1 {
            return Err(AggregateError::new("bad_limit", format!("an answer has at most {} rows", ROWS.1)));
        }
        let object = scope.object.name.clone();
        let mut read = Self { object, filter, parameters, now, groups, measures, sort: Vec::new(), limit };
        read.sort = sort(text.sort, &read)?;
        let cost: u32 = read.expressions().map(Expression::cost).fold(0, u32::saturating_add);
        if cost > COST_MAX {
            let message = format!("together the expressions cost {cost}, more than {COST_MAX}: ask less at once");
            return Err(AggregateError::new("too_costly", message));
        }
        Ok(read)
    }
}

fn group(part: &str, scope: &Scope<'_>) -> Result<Expression, AggregateError> {
    let by = Expression::compile_any(part, scope).map_err(AggregateError::of("bad_group", part))?;
    let hint = match by.root().ty {
        Type::Money => format!("group by {part}.currency or {part}.amount_minor"),
        Type::Tags | Type::Json | Type::Null => "group by a value of another type".to_owned(),
        _ => return Ok(by),
    };
    Err(AggregateError::new("bad_group", format!("{part} is of type {}: {hint}", by.root().ty)))
}

fn measure(part: &str, scope: &Scope<'_>) -> Result<Measure, AggregateError> {
    let bad = |message: String| AggregateError::new("bad_measure", message);
    let name = part.to_owned();
    if part == "count" {
        return Ok(Measure { name, kind: MeasureKind::Count });
    }
    let called = part.split_once('(').and_then(|(function, rest)| Some((function.trim(), rest.strip_suffix(')')?)));
    let Some((function, argument)) = called else {
        return Err(bad(format!("{part} is no measure; there are: {MEASURES}")));
    };
    let make: fn(Expression) -> MeasureKind = match function {
        "count" => MeasureKind::CountIf,
        "sum" => MeasureKind::Sum,
        "avg" => MeasureKind::Avg,
        "min" => MeasureKind::Min,
        "max" => MeasureKind::Max,
        "distinct" => MeasureKind::Distinct,
        _ => {
            let hint = nearest::hint(function, ["count", "sum", "avg", "min", "max", "distinct"]);
            return Err(bad(format!("there is no measure {function}(); there are: {MEASURES}.{hint}")));
        }
    };
    let of = match function {
        "count" => Expression::compile(argument, scope, &Type::Bool),
        _ => Expression::compile_any(argument, scope),
    };
    let of = of.map_err(AggregateError::of("bad_measure", part))?;
    if !fits(function, &of.root().ty) {
        return Err(bad(format!("{part}: there is no {function} of values of type {}", of.root().ty)));
    }
    Ok(Measure { name, kind: make(of) })
}

fn fits(function: &str, ty: &Type) -> bool {
    let is_number = matches!(ty, Type::Integer | Type::Decimal | Type::Money | Type::Duration);
    match function {
        "sum" | "avg" => is_number,
        "min" | "max" => is_number || matches!(ty, Type::Text | Type::Date | Type::DateTime),
        "distinct" => !matches!(ty, Type::Null | Type::Money | Type::Tags | Type::Json),
        _ => true,
    }
}

fn sort(text: &str, asked: &Aggregate) -> Result<Vec<SortColumn>, AggregateError> {
    let one = |part: &str| {
        let (name, descending) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
        let column = asked.columns().position(|column| column == name).ok_or_else(|| {
            let columns: Vec<&str> = asked.columns().collect();
            AggregateError::new("bad_sort", format!("{name} is no column of the answer; it has {}", columns.join(", ")))
        })?;
        Ok(SortColumn { column, descending })
    };
    parts(text).into_iter().map(one).collect()
}

/// Cuts at commas outside of brackets and texts.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote, mut escaped) = (0_usize, 0_usize, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => depth = depth.saturating_add(1),
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default().trim());
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    if parts.as_slice() == [""] { Vec::new() } else { parts }
}
