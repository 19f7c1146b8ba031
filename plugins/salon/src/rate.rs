//! `POST /rate`: a client rates a visit without an account, by the appointment's id.

use pergola_plugin::prelude::*;

use crate::rating::check_stars;

/// The longest comment, in characters: anybody may write one.
const COMMENT_CHARS_MAX: usize = 2_000;

/// Keeps a rating, once for each visit.
pub(crate) fn answer(request: &Request) -> Result<Response, Failure> {
    let asked = read(&request.json()?)?;
    let appointment = records::get("booking.appointment", asked.appointment)?
        .ok_or_else(|| Failure::not_found("There is no such visit; look at its number.").field("appointment"))?;
    check_visit(&appointment.fields, clock::now())?;
    let mut fields = Fields::new().with("appointment", asked.appointment).with("stars", asked.stars);
    fields.set_some("comment", asked.comment);
    let rating = records::create("salon.rating", fields).map_err(|failure| match failure.code.as_str() {
        "taken" => Failure::refused("taken", "This visit has been rated already.").field("appointment"),
        _ => failure,
    })?;
    Response::json(201, &json!({ "id": rating.id, "appointment": asked.appointment, "stars": asked.stars }))
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    appointment: Id,
    stars: i64,
    comment: Option<String>,
}

fn read(json: &Json) -> Result<Asked, Failure> {
    let given = |field: &str| json.get(field).filter(|value| !value.is_null());
    let wrong = |field: &str, message: &str| Failure::invalid_input(message).field(field);
    let id = given("appointment").and_then(Json::as_str).and_then(|text| text.parse().ok());
    let appointment = id.ok_or_else(|| wrong("appointment", "Give appointment: the number of the visit."))?;
    let stars = given("stars").and_then(Json::as_i64);
    let stars = stars.ok_or_else(|| wrong("stars", "Give stars: a whole number from 1 to 5."))?;
    check_stars(stars)?;
    let comment = match given("comment") {
        Some(Json::String(text)) if text.trim().is_empty() => None,
        Some(Json::String(text)) if text.chars().count() > COMMENT_CHARS_MAX => {
            return Err(wrong("comment", "Write a shorter comment: 2000 characters at most."));
        }
        Some(Json::String(text)) => Some(text.trim().to_owned()),
        Some(_) => return Err(wrong("comment", "comment must be a text.")),
        None => None,
    };
    Ok(Asked { appointment, stars, comment })
}

/// Passes visits that took place, as far as anybody knows.
fn check_visit(appointment: &Fields, now: DateTime) -> Result<(), Failure> {
    if matches!(appointment.text("status"), Some("cancelled" | "no_show")) {
        return Err(Failure::conflict("This visit did not take place.").field("appointment"));
    }
    if appointment.read::<DateTime>("ends_at")? > now && appointment.text("status") != Some("done") {
        return Err(Failure::conflict("This visit is not over yet; rate it afterwards.").field("appointment"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rating_is_read_and_what_is_wrong_is_named() {
        let id = Id::from_u128(9);
        let json = |stars: Json, comment: Json| json!({ "appointment": id, "stars": stars, "comment": comment });
        let asked = read(&json(json!(5), json!(" Lovely "))).unwrap();
        assert_eq!(asked, Asked { appointment: id, stars: 5, comment: Some("Lovely".to_owned()) });
        assert_eq!(read(&json(json!(1), json!(null))).unwrap().comment, None);
        for (json, code, field) in [
            (json!({ "stars": 5 }), "invalid_input", "appointment"),
            (json!({ "appointment": "42", "stars": 5 }), "invalid_input", "appointment"),
            (json(json!("5"), json!(null)), "invalid_input", "stars"),
            (json(json!(4.5), json!(null)), "invalid_input", "stars"),
            (json(json!(6), json!(null)), "out_of_range", "stars"),
            (json(json!(5), json!(5)), "invalid_input", "comment"),
            (json(json!(5), json!("x".repeat(2001))), "invalid_input", "comment"),
            (json!([]), "invalid_input", "appointment"),
        ] {
            let failure = read(&json).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.field.as_deref()), (code, Some(field)), "{json}");
        }
    }

    #[test]
    fn only_visits_that_took_place_are_rated() {
        let now = DateTime::from_micros(100);
        for (status, end, passes) in [
            ("booked", 100, true),
            ("arrived", 99, true),
            ("arrived", 101, false),
            ("done", 101, true),
            ("cancelled", 50, false),
            ("no_show", 50, false),
        ] {
            let visit = Fields::new().with("status", status).with("ends_at", DateTime::from_micros(end));
            let failure = check_visit(&visit, now).err();
            assert_eq!(failure.is_none(), passes, "{status} {end}");
            assert!(failure.iter().all(|failure| failure.code == "conflict"));
        }
    }
}
