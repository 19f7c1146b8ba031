//! Messages to clients: how was it, and come back.

use pergola_plugin::prelude::*;

use crate::words::Language;

/// The timer after a visit: asks for a rating.
pub(crate) fn ask_rating(appointment: &Record) -> Result<(), Failure> {
    if matches!(appointment.fields.text("status"), Some("cancelled" | "no_show")) {
        return Ok(());
    }
    let contact: Id = appointment.fields.read("contact")?;
    let Some(contact) = records::get("contact", contact)? else { return Ok(()) };
    if consent(&contact.fields) == Consent::Refused || is_rated(appointment.id)? {
        return Ok(());
    }
    let (language, business) = (language_of(&contact.fields), business_name());
    let message = Message::to(contact.id, format!("ask_rating:{}", appointment.id))
        .subject(language.rating_subject(&business))
        .body(language.rating(&business, appointment.id))
        .about("booking.appointment", appointment.id);
    queue(message)
}

fn is_rated(appointment: Id) -> Result<bool, Failure> {
    let query = Query::of("salon.rating").filter("appointment == p0").param(appointment).fields(["stars"]);
    Ok(query.first()?.is_some())
}

/// The timer long after the last visit: asks the client back.
pub(crate) fn win_back(contact: &Record) -> Result<(), Failure> {
    let needs_consent = settings::bool("winback_needs_consent").unwrap_or(false);
    let Some(last_visit) = contact.fields.datetime("salon.last_visit") else { return Ok(()) };
    if !may_be_missed(consent(&contact.fields), needs_consent) || is_coming(contact.id)? {
        return Ok(());
    }
    let (language, business) = (language_of(&contact.fields), business_name());
    // By the visit, so that a client who stays away is missed once.
    let message = Message::to(contact.id, format!("win_back:{}:{last_visit}", contact.id))
        .subject(language.win_back_subject())
        .body(language.win_back(&business))
        .about("contact", contact.id);
    queue(message)
}

/// Whether the contact has an appointment still to come.
fn is_coming(contact: Id) -> Result<bool, Failure> {
    let filter = "contact == p0 && starts_at > now && status in ['booked', 'arrived']";
    let query = Query::of("booking.appointment").filter(filter).param(contact).fields(["starts_at"]);
    Ok(query.first()?.is_some())
}

fn queue(message: Message) -> Result<(), Failure> {
    match messages::queue(message) {
        // Trying again later would not help.
        Err(failure) if failure.code == "no_address" => Ok(()),
        queued => queued.map(|_| ()),
    }
}

/// What a contact said to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Unknown,
    Given,
    Refused,
}

fn consent(contact: &Fields) -> Consent {
    match contact.text("salon.consent") {
        Some("given") => Consent::Given,
        Some("refused") => Consent::Refused,
        _ => Consent::Unknown,
    }
}

fn may_be_missed(consent: Consent, needs_consent: bool) -> bool {
    match consent {
        Consent::Given => true,
        Consent::Unknown => !needs_consent,
        Consent::Refused => false,
    }
}

fn language_of(contact: &Fields) -> Language {
    let usual = || settings::text("language").as_deref().and_then(Language::find).unwrap_or(Language::English);
    contact.text("language").and_then(Language::find).unwrap_or_else(usual)
}

fn business_name() -> String {
    settings::text("business_name").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refused_is_never_missed_and_who_said_nothing_only_if_the_business_wants_it() {
        for (said, needs_consent, missed) in [
            (Some("given"), true, true),
            (Some("given"), false, true),
            (Some("unknown"), true, false),
            (Some("unknown"), false, true),
            (None, false, true),
            (Some("refused"), true, false),
            (Some("refused"), false, false),
        ] {
            let contact = Fields::new().with("salon.consent", said);
            assert_eq!(may_be_missed(consent(&contact), needs_consent), missed, "{said:?} {needs_consent}");
        }
    }
}
