//! `GET /services` and `GET /masters`: what can be booked, and with whom.

use pergola_plugin::prelude::*;

use crate::catalogue::{Catalogue, Service};
use crate::load;
use crate::rules::Rules;
use crate::team::Master;

/// Answers the services that can be booked online.
pub(crate) fn services() -> Result<Response, Failure> {
    let services: Vec<Json> = load::services_online()?.iter().map(service_json).collect();
    Response::json(200, &json!({ "services": services }))
}

fn service_json(service: &Service) -> Json {
    json!({
        "id": service.id,
        "name": service.name,
        "category": service.category,
        "minutes": service.minutes,
        "price": service.price,
    })
}

/// Answers the masters who can be booked online; with `service`, those who do it, and their terms.
pub(crate) fn masters(request: &Request) -> Result<Response, Failure> {
    let service = request.param("service").map(|_| request.read_param("service")).transpose()?;
    let catalogue = service.map(load::service_online).transpose()?;
    let mut team = load::team(Rules::load().bookable())?;
    team.retain(Master::has_hours);
    let masters: Vec<Json> = match (service, &catalogue) {
        (Some(service), Some(catalogue)) => {
            team.iter().filter_map(|master| with_terms(master, service, catalogue)).collect()
        }
        _ => team.iter().map(|master| json!({ "id": master.id, "name": master.name })).collect(),
    };
    Response::json(200, &json!({ "masters": masters }))
}

fn with_terms(master: &Master, service: Id, catalogue: &Catalogue) -> Option<Json> {
    let terms = catalogue.terms(service, Some(master.id)).filter(|_| catalogue.does(master.id, service))?;
    Some(json!({ "id": master.id, "name": master.name, "minutes": terms.minutes, "price": terms.price }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::{id, offering, service};
    use crate::test_clock::master;

    #[test]
    fn masters_are_listed_with_their_own_terms_and_only_if_they_do_the_service() {
        let catalogue = Catalogue::new([service(10, 60, 30)], vec![offering(1, 10, Some(45), None)]);
        let anna = with_terms(&master(1, "Anna"), id(10), &catalogue).unwrap();
        assert_eq!(
            (&anna["minutes"], &anna["price"]),
            (&json!(45), &json!({ "amount_minor": 3000, "currency": "EUR" }))
        );
        assert_eq!(with_terms(&master(2, "Boris"), id(10), &catalogue), None);
    }
}
