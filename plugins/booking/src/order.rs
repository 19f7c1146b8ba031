//! What people order online: a contact and visits, as their request says it.

use pergola_plugin::prelude::*;

use crate::part::Part;

/// The most visits in one order.
const VISITS_MAX: usize = 20;

/// An order, read but not yet compared with anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) contact: Person,
    /// One at least.
    pub(crate) visits: Vec<Visit>,
}

/// Who orders.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// As it was typed.
    pub(crate) phone: String,
    pub(crate) email: Option<String>,
    pub(crate) language: Option<String>,
}

/// A visit that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) service: Id,
    /// Any master who is free, if none is named.
    pub(crate) master: Option<Id>,
    pub(crate) start: DateTime,
}

/// Reads an order.
///
/// # Errors
/// `invalid_input`, with the place of what is missing or wrong.
pub(crate) fn read(json: &Json) -> Result<Order, Failure> {
    let whole = Part::whole(json);
    let contact = whole.member("contact");
    let visits = whole.member("visits").elements(1, VISITS_MAX)?;
    Ok(Order {
        contact: Person {
            name: contact.member("name").text()?.to_owned(),
            phone: contact.member("phone").text()?.to_owned(),
            email: contact.member("email").text_if_given()?.map(str::to_owned),
            language: contact.member("language").text_if_given()?.map(str::to_owned),
        },
        visits: visits.iter().map(visit).collect::<Result<_, _>>()?,
    })
}

fn visit(part: &Part<'_>) -> Result<Visit, Failure> {
    Ok(Visit {
        service: part.member("service").read()?,
        master: part.member("master").read_if_given()?,
        start: part.member("starts_at").read()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::id;

    fn json() -> Json {
        let service = id(10).to_string();
        json!({
            "contact": { "name": " Ann ", "phone": "+4915112345678", "email": "" },
            "visits": [
                { "service": service, "master": id(1).to_string(), "starts_at": "2026-01-05T10:00:00+01:00" },
                { "service": service, "master": null, "starts_at": "2026-01-05T10:00:00Z" },
            ],
        })
    }

    #[test]
    fn an_order_is_read_with_what_may_be_left_out() {
        let order = read(&json()).unwrap();
        assert_eq!((order.contact.name.as_str(), order.contact.email), ("Ann", None));
        let start = "2026-01-05T09:00:00Z".parse().unwrap();
        assert_eq!(order.visits[0], Visit { service: id(10), master: Some(id(1)), start });
        assert_eq!(order.visits[1].master, None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_by_its_place() {
        for (place, value, message) in [
            ("/contact", json!(null), "Give contact.name."),
            ("/contact", json!("Ann"), "Give contact.name."),
            ("/contact/phone", json!("  "), "Give contact.phone."),
            ("/contact/phone", json!(49), "contact.phone must be a text."),
            ("/contact/email", json!(1), "contact.email must be a text."),
            ("/visits", json!({}), "visits must be a list."),
            ("/visits", json!([]), "visits must have 1 to 20 elements."),
            ("/visits/0", json!(1), "Give visits[0].service."),
            ("/visits/1/starts_at", json!(null), "Give visits[1].starts_at."),
        ] {
            let mut json = json();
            *json.pointer_mut(place).unwrap() = value;
            let failure = read(&json).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.message.as_str()), ("invalid_input", message));
        }
        let mut json = json();
        json["visits"][0]["starts_at"] = json!("tomorrow");
        let failure = read(&json).unwrap_err();
        assert_eq!(failure.field.as_deref(), Some("visits[0].starts_at"));
        assert!(failure.message.starts_with("visits[0].starts_at cannot be read: This is not a time"), "{failure}");
    }
}
