//! Questions about children: what they mean and what is refused.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{NOW, World, at, check, errors::errors, id, record};
use crate::{
    expr::{ChildRecords, Children, Env, EvalError, Type},
    record::{Fields, Record},
    value::{Id, Money, Value},
};

/// Three payments of the appointment with the id 1, and no other children.
pub(super) struct Payments;

fn payments() -> Vec<Record> {
    let payment = |number: u128, amount_minor: i64, status: &str| {
        let amount = Money { amount_minor, currency: "RUB".to_owned() };
        let fields = Fields::new()
            .with("appointment", id(1))
            .with("amount", Value::Money(amount))
            .with("share", Value::Decimal(rust_decimal::Decimal::new(amount_minor, 2)))
            .with("took", Value::Duration(SignedDuration::from_mins(amount_minor)))
            .with("status", status);
        record(number, fields)
    };
    let third = record(23, Fields::new().with("appointment", id(1)));
    vec![payment(21, 30, "done"), payment(22, 12, "failed"), third]
}

impl ChildRecords for Payments {
    fn answer(&self, asked: &Children, of: Id) -> Result<Value, EvalError> {
        let related = BTreeMap::new();
        let all = if asked.object.as_str() == "booking.payment" { payments() } else { Vec::new() };
        let mine = all.iter().filter(|one| one.fields.get(&asked.via).as_ref_id() == Some(of));
        let parameters = [Value::Integer(3)];
        asked.over(mine.map(|record| Env {
            record,
            related: &related,
            children: &(),
            now: at(NOW),
            parameters: &parameters,
        }))
    }
}

#[test]
fn children_are_asked_whether_how_many_and_how_much() {
    check(
        true,
        "
        booking.payments.exists(p, p.status == 'done') && !booking.payments.exists(p, p.amount.amount_minor > 30)
        booking.payments.count(p) == 3 && booking.payments.count(p, p.status != null) == 2
        booking.payments.sum(p, p.amount.amount_minor) == 42
        booking.payments.sum(p, p.amount.amount_minor, p.status == 'done') == 30
        booking.payments.sum(p, p.share) == 0.42 && booking.payments.sum(p, p.took) == duration('42m')
        booking.payments.min(p, p.amount.amount_minor) == 12 && booking.payments.max(p, p.share) == 0.3
        booking.payments.min(p, p.paid_on) == null && booking.payments.max(p, p.id == null ? 1 : 2) == 2
        booking.payments.count(p, p.amount.amount_minor > p0 * 5) == 1 && booking.payments.count(p, p.created_at == now) == 3
        booking.payments.count(p, p.cashier.chief.name == null && settings.vip_after == 3) == 3
        booking.visits.via('earlier').count(v) == 0 && !booking.visits.via('appointment').exists(v, true)
        parent.booking.payments.count(p) == 3 && contact.deals.count(d) == 0 && contact.deals.sum(d, d.version) == 0
        contact.deals.min(d, d.version) == null && (visits < 3 || booking.payments.count(p) > 2)
        ",
    );
}

#[test]
fn questions_about_children_that_cannot_be_asked_are_told() {
    insta::assert_snapshot!(errors(
        "
        booking.payments.count(p, status == 'done') > 0
        booking.payments.exists(p, p.statsu == 'done')
        booking.payments.exists(p.status == 'done')
        booking.payments.sum(p, p.amount) > 5
        booking.payments.sum(p, p.status) > 5
        booking.payments.exists(p, p)
        booking.visits.count(v) > 0
        booking.visits.via('note').count(v) > 0
        booking.payment.count(p) > 0
        booking.payments == null
        name.count(x) > 0
        booking.payments.exists(p, p.appointment.booking.payments.exists(q, true))
        booking.payments.exists(now, true)
        "
    ), @r"
    booking.payments.count(p, status == 'done') > 0
                              ^
        what is asked of booking.payment can read only p.field, now, settings and parameters, not status: it is asked of each booking.payment alone
    booking.payments.exists(p, p.statsu == 'done')
                               ^
        booking.payment has no field statsu (did you mean status?); there are: appointment, amount, share, paid_on, took, cashier, status, id, version, created_at, updated_at
    booking.payments.exists(p.status == 'done')
                            ^
        write .exists(x, …), where x stands for each record
    booking.payments.sum(p, p.amount) > 5
                            ^
        there is no sum of values of type money; write p.amount.amount_minor, and choose the currency in the condition
    booking.payments.sum(p, p.status) > 5
                            ^
        there is no sum of values of type text
    booking.payments.exists(p, p)
                               ^
        p is a whole booking.payment; read a field of it: p.id
    booking.visits.count(v) > 0
    ^
        booking.visit refers to booking.appointment by appointment, earlier: say by which, booking.visits.via('appointment')
    booking.visits.via('note').count(v) > 0
    ^
        booking.visit refers to booking.appointment by appointment, earlier, not by note
    booking.payment.count(p) > 0
    ^
        no records are called booking.payment (did you mean booking.payments?); those that refer to booking.appointment: booking.appointments, booking.visits, booking.payments
    booking.payments == null
    ^
        booking.appointment has no field booking.payments; there are: name, visits, discount, price, paid, day, starts_at, ends_at, pause, status, contact, master, parent, labels, extra, missing, missing_text, missing_flag, missing_at, other_price, …, now; of booking.payments it can be asked: booking.payments.exists(x, …), booking.payments.count(x)
    name.count(x) > 0
    ^
        no records are called name; those that refer to booking.appointment: booking.appointments, booking.visits, booking.payments
    booking.payments.exists(p, p.appointment.booking.payments.exists(q, true
                               ^
        records that refer to children cannot be asked in turn: ask the children alone
    booking.payments.exists(now, true)
                            ^
        now has a meaning already; call each record otherwise
    ");
}

#[test]
fn an_expression_that_asks_for_too_much_is_refused_at_its_place() {
    let world = World::new();
    let cost = |source: &str| world.compile(source, &Type::Bool).unwrap().cost();
    assert_eq!(cost("paid && visits > 1"), 5);
    assert_eq!(cost("master.name == 'a' && master.rate.amount_minor > 1"), 27);
    assert_eq!(cost("booking.payments.exists(p, p.cashier.name == 'a')"), 1 + 100 + 4 * (3 + 20));
    let many = ["booking.payments.exists(p, p.status == 'done')"; 12].join(" && ");
    let error = world.compile(&many, &Type::Bool).unwrap_err();
    insta::assert_snapshot!(format!("{}\n{}", error.excerpt, error.message), @r"
    …ts.exists(p, p.status == 'done') && booking.payments.exists(p, p.status
                                         ^
    up to here the expression costs 1242, more than 1200: a reference that is followed costs 20, a question about children 100, and 4 times what it asks of them; ask less at once
    ");
}
