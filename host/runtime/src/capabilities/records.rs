//! `records`: reading and writing records, within the plugin's grants and the acting user's rights.

use pergola_model::{Change, ChangeKind, Fields, Id, ObjectName, Record, query::aggregate::Table};
use pergola_service::{
    balances::{AccountBalance, BalancePage},
    ports::plugins::{Failure, GuestAggregate, GuestBalances, GuestQuery, Request, Response},
};
use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::{records, types},
    capabilities::{host_unfit, wrong_answer},
    guest::Guest,
    limits::Stop,
    packed,
    values::{
        Unfit, failure_to_guest, fields_from_guest, id_from_guest, id_to_guest, record_to_guest, shorten,
        value_from_guest, value_to_guest,
    },
};

/// The contract's bound for one `apply`.
const CHANGES_MAX: usize = 1_000;
/// A page's cells; a guest that wants more asks for fewer rows or fields.
const PAGE_BYTES_MAX: usize = 1 << 20;

impl records::Host for Guest {
    async fn new_id(&mut self) -> Result<types::Id> {
        Ok(id_to_guest(self.ids.next(self.context.now)))
    }

    async fn get(
        &mut self,
        object: String,
        id: types::Id,
    ) -> Result<Result<Option<types::StoredRecord>, types::Failure>> {
        let id = id_from_guest(id).map_err(Stop::from)?;
        match self.ask(Request::Get { object, id }, 1).await? {
            Ok(Response::Record(None)) => Ok(Ok(None)),
            Ok(Response::Record(Some((object, record)))) => {
                Ok(Ok(Some(record_to_guest(&object, record).map_err(host_unfit)?)))
            }
            Ok(_) => Err(wrong_answer("records")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn list_page(&mut self, query: records::Query) -> Result<Result<records::Page, types::Failure>> {
        let query = query_from_guest(query).map_err(Stop::from)?;
        match self.ask(Request::Query(query), 0).await? {
            Ok(Response::Page { columns, records, next }) => {
                self.take_rows(records.len())?;
                page_to_guest(columns, &records, next)
            }
            Ok(_) => Err(wrong_answer("records")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn aggregate(&mut self, question: records::Question) -> Result<Result<records::Table, types::Failure>> {
        let asked = question_from_guest(question).map_err(Stop::from)?;
        match self.ask(Request::Aggregate(asked), 0).await? {
            Ok(Response::Table(table)) => {
                self.take_rows(table.rows.len())?;
                table_to_guest(table)
            }
            Ok(_) => Err(wrong_answer("records")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn balances(&mut self, query: records::BalanceQuery) -> Result<Result<records::BalancePage, types::Failure>> {
        let records::BalanceQuery { object, account, limit, after } = query;
        match self.ask(Request::Balances(GuestBalances { object, account, limit, after }), 0).await? {
            Ok(Response::Balances(page)) => {
                self.take_rows(page.balances.len())?;
                Ok(Ok(balances_to_guest(page).map_err(host_unfit)?))
            }
            Ok(_) => Err(wrong_answer("records")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn apply(
        &mut self,
        changes: Vec<records::Change>,
    ) -> Result<Result<Vec<types::StoredRecord>, types::Failure>> {
        if changes.len() > CHANGES_MAX {
            return Ok(Err(failure("too_many_changes", format!("apply at most {CHANGES_MAX} changes at once"))));
        }
        let changes = match changes.into_iter().map(change_from_guest).collect::<Result<Result<Vec<_>, _>, _>>() {
            Ok(Ok(changes)) => changes,
            Ok(Err(failure)) => return Ok(Err(failure)),
            Err(unfit) => return Err(Stop::from(unfit).into()),
        };
        let count = changes.len();
        match self.ask(Request::Apply(changes), count).await? {
            Ok(Response::Records(records)) => {
                let records = records.into_iter().map(|(object, record)| record_to_guest(&object, record));
                Ok(Ok(records.collect::<Result<_, _>>().map_err(host_unfit)?))
            }
            Ok(_) => Err(wrong_answer("records")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }
}

fn query_from_guest(query: records::Query) -> Result<GuestQuery, Unfit> {
    Ok(GuestQuery {
        object: query.object,
        filter: query.filter,
        parameters: query.parameters.into_iter().map(value_from_guest).collect::<Result<_, _>>()?,
        sort: query.sort,
        fields: query.fields,
        limit: query.limit,
        after: query.after,
    })
}

fn page_to_guest(
    columns: Vec<String>,
    records: &[Record],
    next: Option<String>,
) -> Result<Result<records::Page, types::Failure>> {
    let cells = packed::pack(&columns, records).map_err(host_unfit)?;
    if cells.len() > PAGE_BYTES_MAX {
        return Ok(Err(failure("page_too_large", "the page has more than 1 MiB: ask for fewer rows or fields")));
    }
    Ok(Ok(records::Page { ids: records.iter().map(|record| id_to_guest(record.id)).collect(), columns, cells, next }))
}

fn question_from_guest(question: records::Question) -> Result<GuestAggregate, Unfit> {
    let records::Question { object, filter, parameters, groups, measures, sort, limit } = question;
    let parameters = parameters.into_iter().map(value_from_guest).collect::<Result<_, _>>()?;
    Ok(GuestAggregate { object, filter, parameters, groups, measures, sort, limit })
}

fn table_to_guest(table: Table) -> Result<Result<records::Table, types::Failure>> {
    let cells = packed::pack_table(&table).map_err(host_unfit)?;
    if cells.len() > PAGE_BYTES_MAX {
        return Ok(Err(failure("page_too_large", "the answer has more than 1 MiB: ask for fewer rows or columns")));
    }
    let rows = u32::try_from(table.rows.len()).unwrap_or(u32::MAX);
    Ok(Ok(records::Table { columns: table.columns, rows, cells, more: table.more }))
}

fn balances_to_guest(page: BalancePage) -> Result<records::BalancePage, Unfit> {
    let balances = page.balances.into_iter().map(|AccountBalance { account, unit, amount }| {
        Ok(records::Balance { account, unit, amount: value_to_guest(amount)? })
    });
    Ok(records::BalancePage { balances: balances.collect::<Result<_, Unfit>>()?, next: page.next })
}

/// The change, or what to tell the guest; nonsense ends it.
fn change_from_guest(change: records::Change) -> Result<Result<Change, types::Failure>, Unfit> {
    let Some(kind) = ChangeKind::parse(&change.kind) else {
        return Err(Unfit::new(format!("{:?} is no kind of change", shorten(&change.kind))));
    };
    let Ok(object) = ObjectName::new(change.object.as_str()) else {
        let message = format!("there is no object {:?}", shorten(&change.object));
        return Ok(Err(failure("unknown_object", message)));
    };
    let id = change.id.map(id_from_guest).transpose()?;
    check_id(kind, id)?;
    let fields = if kind == ChangeKind::Delete { Fields::new() } else { fields_from_guest(change.fields)? };
    Ok(Ok(Change { kind, object, id, if_version: change.if_version, fields }))
}

/// A new record's id must sort by time; an existing record must be named.
fn check_id(kind: ChangeKind, id: Option<Id>) -> Result<(), Unfit> {
    match (kind, id) {
        (ChangeKind::Create, None) | (ChangeKind::Update | ChangeKind::Delete, Some(_)) => Ok(()),
        (ChangeKind::Create, Some(Id(id))) if id.get_version_num() == 7 => Ok(()),
        (ChangeKind::Create, Some(id)) => Err(Unfit::new(format!("{id} is no id from new-id"))),
        (ChangeKind::Update | ChangeKind::Delete, None) => {
            Err(Unfit::new(format!("a change of kind {:?} without an id", kind.as_str())))
        }
    }
}

fn failure(code: &str, message: impl Into<String>) -> types::Failure {
    failure_to_guest(Failure::new(code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, object: &str, id: Option<types::Id>) -> records::Change {
        records::Change { kind: kind.to_owned(), object: object.to_owned(), id, if_version: Some(3), fields: vec![] }
    }

    const V7: types::Id = (0x0190_0000_0000_7000, 0x8000_0000_0000_0001);
    const V4: types::Id = (0x0190_0000_0000_4000, 0x8000_0000_0000_0001);

    #[test]
    fn changes_keep_what_the_guest_said() {
        let change = change_from_guest(change("update", "booking.appointment", Some(V4))).unwrap().unwrap();
        assert_eq!(
            (change.kind, change.object.as_str(), change.if_version),
            (ChangeKind::Update, "booking.appointment", Some(3))
        );
    }

    #[test]
    fn changes_outside_the_contract_end_the_guest() {
        for (nonsense, told) in [
            (change("upsert", "contact", None), "\"upsert\" is no kind of change"),
            (change("create", "contact", Some(V4)), "is no id from new-id"),
            (change("delete", "contact", None), "a change of kind \"delete\" without an id"),
            (change("update", "contact", Some((0, 0))), "the id 0 names no record"),
        ] {
            let error = change_from_guest(nonsense).unwrap_err();
            assert!(error.0.contains(told), "{error}");
        }
        assert!(change_from_guest(change("create", "contact", Some(V7))).is_ok());
    }

    #[test]
    fn an_object_that_cannot_be_is_told_to_the_guest() {
        let failure = change_from_guest(change("create", "Contact; drop", None)).unwrap().unwrap_err();
        assert_eq!(failure.code, "unknown_object");
    }

    #[test]
    fn a_page_beyond_its_size_is_told_to_the_guest() {
        let fields = Fields::new().with("note", "x".repeat(PAGE_BYTES_MAX));
        let at = jiff::Timestamp::UNIX_EPOCH;
        let record = Record { id: Id(uuid::Uuid::from_u128(1)), version: 1, created_at: at, updated_at: at, fields };
        let failure = page_to_guest(vec!["note".to_owned()], &[record], None).unwrap().unwrap_err();
        assert_eq!(failure.code, "page_too_large");
    }
}
